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


class Outputs(list):
    """What a cell prints and shows, as pairs of a kind and a text."""

    def add(self, kind, text):
        """Append a text, to the last one if that is of its kind."""
        if not text:
            return
        room = KEPT if kind == "png" else KEPT - sum(len(t) for k, t in self if k != "png")
        if kind == "png" or room > 0:
            if self and self[-1][0] == kind and kind in {"stdout", "stderr"}:
                self[-1][1] += text[:room]
            else:
                self.append([kind, text if kind == "png" else text[:room]])

    def show(self, data):
        """Add what is displayed, as a picture where it is one."""
        if isinstance(data.get("image/png"), str):
            self.add("png", data["image/png"])
        elif "text/plain" in data:
            self.add("text", str(data["text/plain"]))


class Printed(io.TextIOBase):
    """A stream into the outputs."""

    encoding = "utf-8"

    def __init__(self, kind):
        self.kind = kind

    def write(self, text):
        """Add a text."""
        OUTPUTS.add(self.kind, text)
        return len(text)


class Publisher(DisplayPublisher):
    """Keeps what `display` shows."""

    def publish(self, data, *given, **options):
        """Add it to the outputs."""
        OUTPUTS.show(data)

    def clear_output(self, wait=False):
        """Keep what was there: nobody looks at it meanwhile."""


class Hook(DisplayHook):
    """Keeps the value of a cell's last line."""

    def write_output_prompt(self):
        """Print no number."""

    def write_format_data(self, data, metadata=None):
        """Add it to the outputs."""
        OUTPUTS.show(data)


class Shell(InteractiveShell):
    """IPython, with its magics, but without history, terminal and questions."""

    display_pub_class = Type(Publisher)
    displayhook_class = Type(Hook)

    def _showtraceback(self, kind, error, lines):
        OUTPUTS.add("error", "\n".join(map(str, lines)))

    def ask_exit(self):
        """End after this cell."""
        self.exit_now = True

    def enable_gui(self, gui=None):
        """Do without windows."""


def serve(requests, replies):
    """Do what each line of one pipe asks, and answer with a line in the other, until it ends."""
    Shell.colors = "nocolor"
    shell, process = Shell.instance(), os.getpid()
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
            os._exit(0)
        text = json.dumps({"number": order["number"], **reply}) + "\n"
        left = text.encode()
        while left:
            left = left[os.write(replies, left) :]
    os._exit(0)


if __name__ == "__main__":
    OUTPUTS = Outputs()
    pipes = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    serve(os.fdopen(pipes[0], encoding="utf-8"), pipes[1])
