"""How the grader calls a function that lives in a student's kernel.

This file runs on both sides: the grader imports it, and sends its text to the kernel. Arguments and
results travel as JSON. Nothing that a kernel sends is ever executed or unpickled.
"""

import base64
import json
import warnings

import numpy as np

NUMBERS = {"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))}
NUMBERS |= {"float16", "float32", "float64"}


def pack(value):
    """Turn a value into what JSON can hold.

    It may be None, a number, a string, a NumPy scalar or array, and a tuple, list or dict of these.
    Raises TypeError if it is anything else.
    """
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
    """Call a function of a namespace with packed arguments, whatever it does, and report.

    For JSON: ``result``, packed, or ``error`` (name and message), ``changed`` (whether the call has
    changed an argument), and ``warnings``.
    """
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
