"""What runs in the sandbox: cells and calls that come through one pipe, answers through another.

The grader sends the text of this file, after that of `travel`, to a fresh Python: neither its code
nor anything else of the grader lies on a disk that a student can read. It holds no secret.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

KEPT = 20_000  # characters of a text


class Hook(DisplayHook):
    """Shows the value of a cell's last line as `display` does, without its number."""

    write_output_prompt = staticmethod(lambda: None)

    def write_format_data(self, data, *_):
        """Show it."""
        self.shell.display_pub.publish(data)


class Shell(InteractiveShell):
    """IPython, with its magics, but without history, terminal, windows and questions."""

    display_pub_class = Type(CapturingDisplayPublisher)
    displayhook_class = Type(Hook)
    enable_gui = staticmethod(lambda gui=None: None)
    ask_exit = staticmethod(lambda: os._exit(0))

    def _showtraceback(self, kind, error, lines):
        print(*lines, sep="\n", file=sys.stderr)

    def outputs(self, source):
        """Run a cell; return what it prints, and then what it shows, as pairs of kind and text."""
        shown = self.display_pub.outputs = []
        with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()) as errors:
            self.run_cell(source, store_history=True)
        found = [["stdout", printed.getvalue()], ["stderr", errors.getvalue()]]
        for data in (output["data"] for output in shown):
            kind, mime = ("png", "image/png") if "image/png" in data else ("text", "text/plain")
            found.append([kind, data.get(mime, "")])
        return [[kind, text if kind == "png" else short(text)] for kind, text in found if text]


def short(text):
    """Return the beginning of a text."""
    return text if len(text) <= KEPT else f"{text[:KEPT]}\n… more was printed"


def serve(requests, replies):
    """Do what each line of one pipe asks, and answer with a line in the other, until it ends."""
    shell, process = Shell.instance(colors="nocolor"), os.getpid()
    shell.history_manager.enabled = False
    for line in requests:
        order = json.loads(line)
        if "call" in order:
            reply = answer(shell.user_ns, order["call"], order["arguments"])  # noqa: F821, of travel
        else:
            reply = {"outputs": shell.outputs(order["run"])}
        if os.getpid() != process:  # a copy of this process
            break
        replies.write(json.dumps({"number": order["number"], **reply}).encode() + b"\n")
        replies.flush()
    os._exit(0)


if __name__ == "__main__":
    pipes = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    with open(pipes[0], encoding="utf-8") as requests, open(pipes[1], "wb") as replies:
        serve(requests, replies)
