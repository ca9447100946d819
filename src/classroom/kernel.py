"""A Python for other people's code: in a sandbox, with limits, and ended with its grader."""

import functools
import json
import os
import re
import signal
import sys
import time
from contextlib import AbstractContextManager, suppress
from inspect import getsource
from subprocess import DEVNULL, PIPE, Popen
from threading import Event, Timer

from . import inside
from .sandbox import CELLS, bounded, environment, forget_keys, live_with_parent, sandbox

STARTS = 60  # seconds in which Python must have started
MESSAGE, ANSWER = 8 * 2**20, 2**20  # bytes of a reply: of outputs, and of what a function returns
FORGED = (KeyError, TypeError, ValueError, RecursionError, AttributeError)
COLOURS = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07)")


class Stopped(Exception):
    """The kernel is gone; the message says why, as part of a sentence."""


class Kernel(AbstractContextManager):
    """The kernel of one student, for a `with` statement; the limit is that of a cell or a call."""

    def __init__(self, seconds, sandboxed=True):
        self.seconds, self.sandboxed = seconds, sandboxed
        self.process = self.group = None
        self.number, self.done = 0, []
        self.until = time.monotonic() + CELLS * seconds

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start a kernel and run the cells again that have run before."""
        command = [sys.executable, "-c", getsource(inside)]
        if self.sandboxed:
            command, self.group = bounded(sandbox(command, self.seconds))
        # bubblewrap that is killed before its own --die-with-parent leaves a child that waits for
        # ever; a sandbox that starts without a grader ends at the end of its pipe
        last = forget_keys if self.sandboxed else functools.partial(live_with_parent, os.getpid())
        options = {"cwd": "/", "env": environment() if self.sandboxed else None, "preexec_fn": last}
        options |= {"stdin": PIPE, "stdout": PIPE, "stderr": DEVNULL, "start_new_session": True}
        self.process = Popen(command, **options)
        try:
            self._ask({"run": ""}, STARTS)
        except Stopped:
            raise OSError("Python does not start; see that memory and processes are free") from None
        again, self.done = self.done, []
        for cell in again:
            self.run(cell)

    def stop(self):
        """End the kernel and all its processes, at once; what runs next starts a new one."""
        if self.process:
            end(self.process)
            with suppress(OSError), self.process:  # what was not sent any more
                pass
        for _ in range(100 if self.group else 0):  # the system may need a moment to end all
            with suppress(OSError):
                self.group.rmdir()
                break
            time.sleep(0.02)
        self.process = self.group = None

    def run(self, source):
        """Run a cell and return its outputs, or why it was stopped."""
        try:
            outputs = self._execute({"run": source}, read_outputs)
        except Stopped as stopped:
            return [("stderr", f"This cell was stopped: {stopped}.")]
        self.done.append(source)
        return outputs

    def call(self, name, arguments):
        """Call a function and return what `inside.answer` describes, or raise Stopped."""
        return self._execute({"call": name, "arguments": inside.pack(arguments)}, read_answer)

    def _execute(self, order, read):
        try:
            left = self.until - time.monotonic()
            if left < 0:
                raise Stopped(f"the notebook took more than {CELLS * self.seconds:g} s in all")
            if self.process is None:
                self.start()
            return read(self._ask(order, min(left, self.seconds)))
        except (Stopped, *FORGED) as error:
            self.stop()
            raise error if isinstance(error, Stopped) else Stopped("it sent no answer") from error

    def _ask(self, order, seconds):
        """Send an order and return the reply to it, whatever JSON that is."""
        self.number += 1  # when time is over, all processes end, and so does what waits for a pipe
        late, process, most = Event(), self.process, MESSAGE if "run" in order else ANSWER
        timer = Timer(seconds, lambda: (late.set(), end(process)))
        timer.start()
        try:
            process.stdin.write(json.dumps(order | {"number": self.number}).encode() + b"\n")
            process.stdin.flush()
            while line := process.stdout.readline(most + 1):
                if len(line) > most:
                    raise Stopped(f"it sent more than {most // 2**20} MiB")
                reply = json.loads(line)
                if not isinstance(reply, dict) or reply.get("number") == self.number:
                    return reply
        except OSError:
            pass
        finally:
            timer.cancel()
        if late.is_set():
            raise Stopped(f"it took more than {seconds:.3g} s")
        raise Stopped("it ended Python, or used more memory than there is for it")


def end(process):
    """End a process with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def read_answer(reply):
    """Return what `inside.answer` describes, unpacked; a forged reply raises one of FORGED."""
    found = {"changed": bool(reply["changed"])}
    found["warnings"] = [str(text)[:500] for text in list(reply["warnings"])[:10]]
    if "error" in reply:
        name, text = reply["error"]
        return found | {"error": [str(name)[:100], str(text)[:500]]}
    return found | {"result": inside.unpack(reply["result"])}


def read_outputs(reply):
    """Return the outputs of a cell, as pairs of a kind and a text; see `read_answer`."""
    pairs = [(str(kind), COLOURS.sub("", str(text))) for kind, text in reply["outputs"][:1000]]
    return [tuple(t.encode("utf-8", "replace").decode() for t in pair) for pair in pairs]
