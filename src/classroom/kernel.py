"""A Python for other people's code: in a sandbox, with limits, ended when it breaks one.

The grader and it speak through two pipes, which nothing inside can lead elsewhere. It ends when its
pipe does: a grader that is killed, at whatever moment, leaves none behind.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path

from . import travel
from .received import MESSAGE, read_answer, read_outputs
from .sandbox import (
    Limits,
    check_command,
    environment,
    live_with_parent,
    memory_group,
    memory_scope,
    sandbox,
)

INSIDE = Path(find_spec(f"{__package__}.inside").origin)  # not imported: it needs IPython


class Stopped(Exception):
    """The kernel is gone; the message says why, as part of a sentence."""


class Kernel:
    """The kernel of one student; use it in a `with` statement, which starts the notebook's time.

    Without a sandbox the code has all rights of the teacher, and limits of time and output only.
    """

    def __init__(self, limits, sandboxed=True):
        self.limits, self.sandboxed = limits, sandboxed
        self.process = self.group = None
        self.until, self.number, self.received, self.done = None, 0, bytearray(), []

    def __enter__(self):
        self.until = time.monotonic() + self.limits.notebook
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start a kernel and run the cells again that have run before."""
        source = getsource(travel) + INSIDE.read_text(encoding="utf-8")
        command, variables = [sys.executable, "-c", source], os.environ.copy()
        if self.sandboxed:
            command, variables = sandbox(command, self.limits), environment()
            self.group = memory_group(self.limits.memory)
            if self.group:
                enter = 'echo $$ >"$0" && exec "$@"'
                command = ["sh", "-c", enter, str(self.group / "cgroup.procs"), *command]
            else:
                command = [*(memory_scope(self.limits.memory) or []), *command]
        parent, pipe = os.getpid(), subprocess.PIPE
        pipes = {"stdin": pipe, "stdout": pipe, "stderr": subprocess.DEVNULL, "bufsize": 0}
        self.process = subprocess.Popen(
            command,
            **pipes,
            cwd="/",
            env=variables,
            start_new_session=True,
            preexec_fn=lambda: live_with_parent(parent),
        )
        os.set_blocking(self.process.stdin.fileno(), False)
        try:
            self._ask({"run": ""}, time.monotonic() + 60)
        except Stopped:
            self.stop()
            raise OSError("Python does not start; see that memory and processes are free") from None
        again, self.done = self.done, []
        for cell in again:
            with suppress(Stopped):
                self.run(cell)

    def stop(self):
        """End the kernel and all its processes, at once; what runs next starts a new one."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        for _ in range(100 if self.group else 0):  # the system may need a moment to end all
            with suppress(OSError):
                self.group.rmdir()
                break
            time.sleep(0.02)
        self.process = self.group = None
        self.received.clear()

    def run(self, source):
        """Run a cell and return its outputs; cells that ended are repeated in a new kernel.

        Raises Stopped if the kernel had to be ended, or ended itself.
        """
        outputs = self._execute({"run": source}, read_outputs)
        self.done.append(source)
        return outputs

    def call(self, name, arguments):
        """Call a function, and return what `travel.answer` describes; raises Stopped as `run`."""
        return self._execute({"call": name, "arguments": travel.pack(arguments)}, read_answer)

    def _execute(self, order, read):
        if self.process is None:
            self.start()
        try:
            return read(self._ask(order, time.monotonic() + self.limits.cell))
        except (Stopped, ValueError) as error:
            self.stop()
            raise error if isinstance(error, Stopped) else Stopped(f"it sent {error}") from error

    def _ask(self, order, end):
        """Send an order and return the reply to it, whatever JSON that is."""
        self.number += 1
        left = json.dumps(order | {"number": self.number}).encode() + b"\n"
        stdin, stdout, seen = self.process.stdin, self.process.stdout, 0
        while True:
            now = time.monotonic()
            if now > self.until:
                raise Stopped(f"the notebook took more than {self.limits.notebook:g} s in all")
            if now > end:
                raise Stopped(f"it took more than {self.limits.cell:g} s")
            patience = min(end, self.until) - now + 0.01
            readable, _, _ = select.select([stdout], [stdin] if left else [], [], patience)
            try:
                left = left[stdin.write(left) or 0 :] if left else left
                piece = stdout.read(2**20) if readable else b""
            except OSError:
                piece, readable = b"", [stdout]
            if readable and not piece:
                raise Stopped("it ended Python, or used more memory than there is for it")
            self.received += piece
            while (place := self.received.find(b"\n", seen)) >= 0:
                line, seen = bytes(self.received[:place]), 0
                del self.received[: place + 1]
                try:
                    reply = json.loads(line)
                except (ValueError, RecursionError):
                    reply = None
                if not isinstance(reply, dict) or reply.get("number") == self.number:
                    return reply
            seen = len(self.received)
            if seen > MESSAGE:
                raise Stopped(f"it sent more than {MESSAGE // 2**20} MiB")


def check_sandbox():
    """Return None if the sandbox works here, and otherwise the reason why not."""
    reason = check_command()
    if reason:
        return reason
    try:
        with Kernel(Limits()) as kernel:
            return None if kernel.run("print('works')") else "nothing comes out of it"
    except (Stopped, OSError) as error:
        return str(error)


def bounds_memory():
    """Return whether all memory of a sandbox together can be bounded here."""
    group = memory_group(Limits.memory)
    if group:
        group.rmdir()
    return bool(group or memory_scope(Limits.memory))
