"""How the checks word what they have seen: messages, exceptions, shapes, arguments."""

import inspect
import re

import numpy as np

from ..floating_point import Format


def text(message):
    """Return a message of any kind as one line that can be printed.

    Parameters
    ----------
    message : object

    Returns
    -------
    str
        At most about 400 characters.
    """
    try:
        line = " ".join(str(message).split())
    except BaseException:
        return "(a message that cannot be printed)"
    line = line.encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= 400 else f"{line[:400]} ..."


def raised(error):
    """Say what was raised.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
    """
    return f"raised {type(error).__name__}: {text(error)}".removesuffix(": ")


def shapes(function, arguments, error):
    """Name the shapes of the arguments, where they may be the cause of an exception.

    Parameters
    ----------
    function : callable
    arguments : tuple
    error : BaseException

    Returns
    -------
    str
        With a space in front; empty if no argument is an array, or the exception is of another
        kind.
    """
    if not isinstance(error, ValueError | IndexError | TypeError):
        return ""
    try:
        names = list(inspect.signature(function).bind(*arguments).arguments)
    except Exception:
        names = []
    if len(names) != len(arguments):
        names = [f"argument {number}" for number in range(1, len(arguments) + 1)]
    found = [
        f"{name} {argument.shape}"
        for name, argument in zip(names, arguments, strict=True)
        if isinstance(argument, np.ndarray)
    ]
    return f" (shapes: {', '.join(found)})" if found else ""


def shown(argument):
    """Return Python code for an argument, as far as there is some.

    Parameters
    ----------
    argument : object

    Returns
    -------
    str
    """
    if isinstance(argument, np.ndarray):
        array = np.array2string(argument, separator=", ", threshold=200, formatter={"all": str})
        dtype = "" if argument.dtype in (float, int, bool) else f', dtype="{argument.dtype}"'
        return f"np.array({re.sub(' *' + chr(10) + ' *', ' ', array)}{dtype})"
    if isinstance(argument, np.generic):
        return f"np.{argument.dtype}({argument})"
    if isinstance(argument, Format):
        return argument.name.upper()
    if isinstance(argument, np.dtype):
        return f'np.dtype("{argument}")'
    return argument.__name__ if callable(argument) else repr(argument)
