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
    """The kernel of one student; use it in a `with` statement.

    Parameters
    ----------
    limits : Limits
    sandboxed : bool
        False runs the code with all rights of the teacher, with the limits of time and output only.
    """

    def __init__(self, limits, sandboxed=True):
        self.limits, self.sandboxed = limits, sandboxed
        self.process = self.group = None
        self.until, self.number, self.received, self.done = None, 0, bytearray(), []

    def __enter__(self):
        """Start the time of the notebook."""
        self.until = time.monotonic() + self.limits.notebook
        return self

    def __exit__(self, *_):
        """End the kernel."""
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
        parent = os.getpid()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=variables,
            start_new_session=True,
            preexec_fn=lambda: live_with_parent(parent),
        )
        for pipe in (self.process.stdin, self.process.stdout):
            os.set_blocking(pipe.fileno(), False)
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
        """End the kernel and all its processes, at once."""
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

    forget = stop  # what runs next starts a new one, which knows the cells and nothing else

    def run(self, source):
        """Run a cell and return its outputs; cells that ended are repeated in a new kernel.

        Parameters
        ----------
        source : str

        Returns
        -------
        list
            As `received.read_outputs` describes them.

        Raises
        ------
        Stopped
            If the kernel had to be ended, or ended itself. The next call starts a new one.
        """
        outputs = self._execute({"run": source}, read_outputs)
        self.done.append(source)
        return outputs

    def call(self, name, arguments):
        """Call a function in the kernel.

        Parameters
        ----------
        name : str
        arguments : tuple

        Returns
        -------
        dict
            As `travel.answer` describes it, with everything unpacked.

        Raises
        ------
        Stopped
            As `run`, and if the kernel sends something that is not an answer.
        """
        return self._execute({"call": name, "arguments": travel.pack(arguments)}, read_answer)

    def _execute(self, order, read):
        """Give an order within the limits, and return what `read` finds in the reply."""
        if self.process is None:
            self.start()
        try:
            return read(self._ask(order, time.monotonic() + self.limits.cell))
        except Stopped:
            self.stop()
            raise
        except ValueError as error:
            self.stop()
            raise Stopped(f"the kernel sent {error}") from error

    def _ask(self, order, end):
        """Send an order and return the reply to it."""
        self.number += 1
        left = json.dumps(order | {"number": self.number}).encode() + b"\n"
        stdin, stdout, seen = self.process.stdin, self.process.stdout, 0
        while True:
            now = time.monotonic()
            if now > self.until:
                raise Stopped(f"the notebook took more than {self.limits.notebook:g} s in all")
            if now > end:
                raise Stopped(f"it took more than {self.limits.cell:g} s")
            patience = max(0, min(end, self.until) - now) + 0.01
            readable, _, _ = select.select([stdout], [stdin] if left else [], [], patience)
            try:
                if left:
                    left = left[stdin.write(left) or 0 :]
                piece = stdout.read(2**20) if readable else None
            except OSError:
                piece = b""
            if piece == b"":
                raise Stopped("it ended Python, or used more memory than there is for it")
            self.received += piece or b""
            while (place := self.received.find(b"\n", seen)) >= 0:
                line = bytes(self.received[:place])
                del self.received[: place + 1]
                seen = 0
                reply = json_of(line)
                if not isinstance(reply, dict) or reply.get("number") == self.number:
                    return reply
            seen = len(self.received)
            if seen > MESSAGE:
                raise Stopped(f"it sent more than {MESSAGE // 2**20} MiB")


def json_of(line):
    """Return what a line of JSON says, and None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


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
