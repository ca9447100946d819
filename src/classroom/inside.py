"""What runs in the sandbox: cells and calls that come through one pipe, answers through another.

The grader sends the text of this file, after that of `travel`, to a fresh Python: neither its code
nor anything else of the grader lies on a disk that a student can read. It holds no secret.
"""

import io
import json
import os
import sys

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

KEPT = 20_100  # characters of a cell's output that are worth sending; the grader keeps fewer
OUTPUTS = []  # what a cell prints and shows, as pairs of a kind and a text


def add(kind, text):
    """Add a text to the outputs, to the last one if that is of its kind."""
    room = KEPT - sum(len(t) for k, t in OUTPUTS if k != "png") if kind != "png" else len(text)
    if text and room > 0:
        if OUTPUTS and OUTPUTS[-1][0] == kind and kind in {"stdout", "stderr"}:
            OUTPUTS[-1][1] += text[:room]
        else:
            OUTPUTS.append([kind, text[:room]])


def show(data, *given, **options):
    """Add what is displayed, as a picture where it is one."""
    picture = data.get("image/png")
    add(*(("png", picture) if isinstance(picture, str) else ("text", data.get("text/plain", ""))))


class Printed(io.TextIOBase):
    """A stream into the outputs."""

    encoding = "utf-8"

    def __init__(self, kind):
        self.kind = kind

    def write(self, text):
        """Add a text."""
        add(self.kind, text)
        return len(text)


class Publisher(DisplayPublisher):
    """Keeps what `display` shows, even if it is cleared: nobody looks at it meanwhile."""

    publish = staticmethod(show)
    clear_output = staticmethod(lambda wait=False: None)


class Hook(DisplayHook):
    """Keeps the value of a cell's last line, without its number."""

    write_format_data = staticmethod(show)
    write_output_prompt = staticmethod(lambda: None)


class Shell(InteractiveShell):
    """IPython, with its magics, but without history, terminal, windows and questions."""

    display_pub_class = Type(Publisher)
    displayhook_class = Type(Hook)
    enable_gui = staticmethod(lambda gui=None: None)

    def _showtraceback(self, kind, error, lines):
        add("error", "\n".join(map(str, lines)))

    def ask_exit(self):
        """End after this cell."""
        self.exit_now = True


def serve(requests, replies):
    """Do what each line of one pipe asks, and answer with a line in the other, until it ends."""
    shell, process = Shell.instance(colors="nocolor"), os.getpid()
    shell.history_manager.enabled = False
    sys.stdout, sys.stderr = Printed("stdout"), Printed("stderr")
    for line in requests:
        order = json.loads(line)
        OUTPUTS.clear()
        if "call" in order:
            reply = answer(shell.user_ns, order["call"], order["arguments"])  # noqa: F821, of travel
        else:
            shell.run_cell(order["run"], store_history=True)
            reply = {"outputs": OUTPUTS}
        if os.getpid() != process or shell.exit_now:  # a copy of this process, or "exit()"
            break
        left = json.dumps({"number": order["number"], **reply}).encode() + b"\n"
        while left:
            left = left[os.write(replies, left) :]
    os._exit(0)


if __name__ == "__main__":
    pipes = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    serve(os.fdopen(pipes[0], encoding="utf-8"), pipes[1])
