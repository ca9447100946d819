"""A Jupyter kernel for other people's code: in a sandbox, with limits, ended when it breaks one."""

import base64
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from inspect import getsource
from pathlib import Path

import psutil
import zmq
from jupyter_client import KernelManager
from nbformat import v4

from . import travel
from .received import bounded_client, keep, read_answer
from .sandbox import OTHER_USER, Limits, check_command, live_with_parent, sandbox


class Stopped(Exception):
    """The kernel is gone; the message says why, as part of a sentence."""


class SandboxedManager(KernelManager):
    """Starts the kernel by another command."""

    limits = None

    def format_kernel_cmd(self, extra_arguments=None):
        """Return the command of the kernel."""
        folder = Path(self.connection_file).parent
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file]
        command += ["--HistoryManager.enabled=False", "--log-level=ERROR"]
        return sandbox(folder, command, self.limits) if self.limits else command


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
        self.until = None
        self.manager = self.client = self.folder = None
        self.done = []

    def __enter__(self):
        """Start the time of the notebook."""
        self.until = time.monotonic() + self.limits.notebook
        return self

    def __exit__(self, *_):
        """End the kernel."""
        self.stop()

    def start(self):
        """Start a kernel and run the cells again that have run before."""
        self.folder = Path(tempfile.mkdtemp(prefix="kernel-"))
        connection = str(self.folder / "kernel.json")
        self.manager = SandboxedManager(transport="ipc", connection_file=connection)
        if self.sandboxed:
            self.manager.limits = self.limits
            self.manager.ip = f"/tmp/{self.folder.name}"  # sockets in the sandbox's own /tmp
        self.manager.write_connection_file()
        if self.sandboxed and os.geteuid() == 0:
            os.chown(self.folder, OTHER_USER, OTHER_USER)
            os.chown(connection, OTHER_USER, OTHER_USER)
        # bwrap's own environment can be read inside; without a sandbox everything can
        variables = {"PATH": os.environ["PATH"]} if self.sandboxed else os.environ.copy()
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.manager.start_kernel(cwd="/", env=variables, preexec_fn=live_with_parent, **silent)
        patience = time.monotonic() + 60
        while not (sockets := self._sockets()):
            self._still_starting(patience)
            time.sleep(0.02)
        self._connect(sockets, patience)
        if self.sandboxed:
            shutil.rmtree(self.folder)  # both sides have read it: nothing can be left behind
        again, self.done = self.done, []
        for source in again:
            with suppress(Stopped):
                self.run(source)

    def _connect(self, sockets, patience):
        if self.client:
            self._disconnect()
        self.client = bounded_client()
        self.client.load_connection_info(self.manager.get_connection_info(session=False))
        self.client.session.key = self.manager.session.key
        self.client.ip = sockets
        self.client.start_channels(stdin=False, hb=False)
        while not self._answers():
            self._still_starting(patience)

    def _disconnect(self):
        self.client.stop_channels()
        self.client.context.destroy(linger=0)

    def _sockets(self):
        """Return where the kernel's sockets are, seen from outside, once they are there."""
        roots = [f"/proc/{process.pid}/root" for process in self._processes()]
        for path in (f"{root}{self.manager.ip}" for root in (roots if self.sandboxed else [""])):
            if os.path.exists(f"{path}-{self.manager.hb_port}"):  # the last one to appear
                return path
        return None

    def _still_starting(self, patience):
        if time.monotonic() > patience or not self.manager.is_alive():
            self.stop()
            raise OSError("Python does not start; see that memory and processes are free")

    def stop(self):
        """End the kernel and all its processes, at once."""
        if self.manager is None:
            return
        if self.client:
            self._disconnect()
        for process in self._processes():
            with suppress(psutil.Error):
                process.kill()
        with suppress(Exception):
            self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.manager = self.client = None

    def run(self, source):
        """Run a cell and return its outputs; cells that ended are repeated in a new kernel.

        Parameters
        ----------
        source : str

        Returns
        -------
        list of nbformat.NotebookNode

        Raises
        ------
        Stopped
            If the kernel had to be ended, or ended itself. The next call starts a new one.
        """
        outputs, _ = self._execute(source)
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
        request = base64.b64encode(json.dumps(travel.pack(arguments)).encode()).decode()
        code = (
            f"_tools = {{}}\nexec({getsource(travel)!r}, _tools)\n"
            f"_reply = _tools['answer'](globals(), {name!r}, {request!r})\n"
        )
        _, reply = self._execute(code, {"reply": "_reply"})
        try:
            return read_answer(reply)
        except ValueError as error:
            raise Stopped(f"the kernel sent {error}") from error

    def _answers(self):
        """Ask the kernel whether it is there, and wait for answers on both its channels."""
        self.client.kernel_info()
        with suppress(queue.Empty):
            self.client.get_shell_msg(timeout=1)
            self.client.get_iopub_msg(timeout=0.2)
            return True
        return False

    def _execute(self, source, expressions=None):
        """Run code within the limits; return the outputs and the kernel's reply."""
        if time.monotonic() > self.until:
            raise Stopped(f"the notebook took more than {self.limits.notebook:g} s in all")
        if self.client is None:
            self.start()
        try:
            return self._wait_for(
                self.client.execute(source, user_expressions=expressions, allow_stdin=False)
            )
        except Stopped:
            self.stop()
            raise
        except Exception as error:  # what a kernel sends need not be a message
            self.stop()
            raise Stopped("the kernel sent something that is no message") from error

    def _wait_for(self, request):
        """Read what the kernel sends until a request is done, and watch it meanwhile."""
        outputs, size, reply, idle = [], 0, None, False
        shell, iopub = self.client.shell_channel, self.client.iopub_channel
        poller = zmq.Poller()
        poller.register(shell.socket, zmq.POLLIN)
        poller.register(iopub.socket, zmq.POLLIN)
        end, watch = time.monotonic() + self.limits.cell, 0
        while reply is None or not idle:
            now = time.monotonic()
            if now > self.until:
                raise Stopped(f"the notebook took more than {self.limits.notebook:g} s in all")
            if now > end and reply is None:
                raise Stopped(f"it took more than {self.limits.cell:g} s")
            if now > end:  # the sign that all was printed was lost in a flood
                self._connect(self.client.ip, now + self.limits.cell)
                break
            if now > watch:
                self._watch()
                watch = now + 0.1
            ready = dict(poller.poll(50))
            if shell.socket in ready:
                message = shell.get_msg(timeout=1)
                if message["parent_header"].get("msg_id") == request:
                    reply, end = message["content"], min(end, now + 2)
                    if any(item["source"] == "ask_exit" for item in reply.get("payload", [])):
                        raise Stopped("it ended Python")
            if iopub.socket in ready:
                message = iopub.get_msg(timeout=1)
                if message["parent_header"].get("msg_id") != request:
                    continue
                if message["content"].get("execution_state") == "idle":
                    idle = True
                elif message["msg_type"] in {"stream", "error", "execute_result", "display_data"}:
                    size = keep(outputs, v4.output_from_msg(message), size)
        return outputs, reply

    def _processes(self):
        with suppress(psutil.Error, AttributeError):
            kernel = psutil.Process(self.manager.provisioner.pid)
            return [*kernel.children(recursive=True), kernel]
        return []

    def _watch(self):
        """End the kernel if it is gone, or uses too much."""
        if not self.manager.is_alive():
            raise Stopped("it ended Python")
        if not self.sandboxed:
            return
        memory = count = 0
        for process in self._processes():
            with suppress(psutil.Error):
                memory += process.memory_info().rss
                count += 1
        if memory > self.limits.memory:
            raise Stopped(f"it used more than {self.limits.memory / 2**30:g} GiB of memory")
        if count > self.limits.processes:
            raise Stopped(f"it started more than {self.limits.processes} processes")


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
