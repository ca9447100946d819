"""Implementations that are wrong on purpose: bugs of published code, in its shortest form.

They are here so that the chapters can run them and the tests can assert how they fail. Do not use
them. They check nothing, because the code they stand for checks nothing.
"""

import numpy as np


def softmax_in_place(x):
    """Shifted softmax that overwrites its argument.

    Source: Found in the first of the four articles behind this book.

    Parameters
    ----------
    x : array_like
        Logits, classes along the last axis. A NumPy array is CHANGED: its maximum is subtracted
        from it. Lists are copied on conversion and hide the defect.

    Returns
    -------
    numpy.ndarray
        The right probabilities for floating-point input.

    Raises
    ------
    ValueError, TypeError
        NumPy's own, for read-only arrays and for booleans.
    """
    x = np.asanyarray(x)
    x -= x.max(axis=-1, keepdims=True)  # the caller's array
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def softmax_unpromoted(x):
    """Shifted softmax that subtracts in the integer type it is given.

    Source: The same result comes from ``scipy.special.softmax`` (chapter ``overflow``).

    Parameters
    ----------
    x : array_like
        Logits, classes along the last axis. In uint8, ``0 - 200`` wraps around to 56; and NumPy
        takes the exponential of 8-bit integers in float16.

    Returns
    -------
    numpy.ndarray
        Right for floating-point input; wrong or nan for integers whose differences wrap around.
    """
    x = np.asarray(x)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
