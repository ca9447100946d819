"""What runs in the sandbox: cells and calls that come through one pipe, answers through another.

The grader sends the text of this file to a fresh Python, and packs arguments and unpacks results
with it. It holds no secret; nothing that a kernel sends is ever executed or unpickled.
"""

import base64
import json
import os
import sys
import warnings

import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

KEPT = 20_000  # characters of a text
NUMBERS = {np.dtype(code).name for code in "?efd" + np.typecodes["AllInteger"]}


def pack(value):
    """Turn numbers, texts, arrays, and tuples, lists and dicts of them, into what JSON can hold."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.name in NUMBERS:
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        native = value.astype(value.dtype.newbyteorder("="))
        data = base64.b64encode(native.tobytes()).decode()
        return [kind, value.dtype.name, list(value.shape), data]
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, tuple | list):
        return ["tuple" if isinstance(value, tuple) else "list", *map(pack, value)]
    if isinstance(value, dict):
        return ["dict", *([pack(key), pack(item)] for key, item in value.items())]
    raise TypeError(f"{type(value).__name__} cannot be marked: return numbers or NumPy arrays")


def unpack(value):
    """Undo `pack`; raises ValueError, TypeError or KeyError if that is not possible."""
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind in {"array", "scalar"}:
        name, shape, data = parts
        if name not in NUMBERS:
            raise ValueError(f"no numbers: {name}")
        array = np.frombuffer(base64.b64decode(data), dtype=name).reshape(shape).copy()
        return array if kind == "array" else array[()]
    if kind == "dict":
        return {unpack(key): unpack(item) for key, item in parts}
    return {"tuple": tuple, "list": list}[kind](map(unpack, parts))


def answer(namespace, name, arguments):
    """Call a function; return what it returns or raises, its warnings, and if arguments changed."""
    before, given, reply = json.dumps(arguments), unpack(arguments), {}
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        try:
            if name not in namespace:
                raise NameError(f"there is no {name}")
            result = pack(namespace[name](*given))
            json.dumps(result)  # what cannot be sent is an error of this call
            reply["result"] = result
        except BaseException as error:
            kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            text = str(error) if kinds[0] == type(error).__name__ else repr(error)
            reply["error"] = [kinds[0], text[:500]]
    try:
        reply["changed"] = json.dumps(pack(given)) != before
    except (TypeError, ValueError, RecursionError):
        reply["changed"] = True
    runtime = [w for w in caught if issubclass(w.category, RuntimeWarning)]
    reply["warnings"] = [str(w.message)[:500] for w in runtime[:10]]
    return reply


class Shell(InteractiveShell):
    """IPython, with its magics, but without history, terminal, windows and questions."""

    enable_gui = staticmethod(lambda gui=None: None)
    ask_exit = staticmethod(lambda: os._exit(0))

    def _showtraceback(self, kind, error, lines):
        print(*lines, sep="\n", file=sys.stderr)

    def outputs(self, source):
        """Run a cell; return what it prints, and then what it shows, as pairs of kind and text."""
        with capture_output() as shown:
            self.run_cell(source, store_history=True)
        found = [["stdout", shown.stdout], ["stderr", shown.stderr]]
        for data in (output.data for output in shown.outputs):
            png, text = data.get("image/png"), data.get("text/plain", "")
            found.append(["png", png] if png else ["text", text])
        for output in found:
            if output[0] != "png" and len(output[1]) > KEPT:
                output[1] = f"{output[1][:KEPT]}\n… more was printed"
        return [output for output in found if output[1]]


def serve(requests, replies):
    """Do what each line of one pipe asks, and answer with a line in the other, until it ends."""
    shell, process = Shell.instance(colors="nocolor"), os.getpid()
    shell.history_manager.enabled = False
    # the value of a cell's last line is shown as `display` does, without its number
    shell.displayhook.write_output_prompt = lambda: None
    shell.displayhook.write_format_data = lambda data, *_: shell.display_pub.publish(data)
    for line in requests:
        order = json.loads(line)
        if "call" in order:
            reply = answer(shell.user_ns, order["call"], order["arguments"])
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
