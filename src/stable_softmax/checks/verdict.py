"""What is wrong with a result: its type, its format, its shape or its numbers.

Errors are measured in the format that was asked for. A shorter one is refused, since it lacks
the digits; a longer one is as good, unless the exercise asks for a dtype.
"""

import math
import numbers as python_numbers

import numpy as np

from ..arrays import as_float64
from ..floating_point import FP64, format_of
from ..measure.error import relative_error, ulp_error

_MOST = 10**6  # numbers that are read: no exercise asks for a hundredth of it


class Wrong(Exception):
    """A result is refused; the text is the reason, for the reader."""


def numbers_of(result, shape=None, dtype=FP64, longer_allowed=True):
    """Return the numbers of a result of any type.

    Parameters
    ----------
    result : object
        A number, array, tensor, or list or tuple of numbers; of integers as well.
    shape : tuple of int, optional
        The shape that was asked for.
    dtype : dtype, Format or str
        The format that was asked for.
    longer_allowed : bool
        False if the result must have this very dtype.

    Returns
    -------
    numpy.ndarray of float64

    Raises
    ------
    Wrong
    """
    array, found = _read(result)
    asked = format_of(dtype)
    longer = found is None or _is_longer(found, asked)
    if not (found == asked or (longer and longer_allowed)):
        raise Wrong(other_format(result, asked))
    if shape is not None and array.shape != shape:
        many = f"shape {array.shape} instead of {shape}"
        raise Wrong(many if shape else f"expected one number, got the shape {array.shape}")
    return array


def parts_of(result, names):
    """Return the parts of a result that has several.

    Parameters
    ----------
    result : object
    names : tuple of str
        What the parts are called, as many as were asked for.

    Returns
    -------
    list

    Raises
    ------
    Wrong
        If the result is not a tuple, list or array of so many parts.
    """
    if result is None:
        raise Wrong("nothing was returned")
    count, wanted = len(names), f"{', '.join(names[:-1])} and {names[-1]}"
    if not hasattr(result, "__len__") or isinstance(result, str | dict | set):
        raise Wrong(f"return {count} results, {wanted}; got one {type(result).__name__}")
    if len(result) != count:
        raise Wrong(f"return {count} results, {wanted}; got {len(result)}")
    return list(result)


def other_format(result, dtype):
    """Say that a result has another dtype than was asked for.

    Parameters
    ----------
    result : object
    dtype : dtype, Format or str

    Returns
    -------
    str
    """
    return f"{format_of(dtype).dtype} was asked for, this is {_dtype_name(result)}"


def difference(result, expected, dtype, max_ulp, longer_allowed=True):
    """Compare a result with the expected value.

    Parameters
    ----------
    result : object
    expected : array_like, str, bool or None
        Numbers are compared in ulp of `dtype`, anything else must be the same.
    dtype, longer_allowed
        As in `numbers_of`.
    max_ulp : float

    Returns
    -------
    str or None
        None if the result is right.

    Raises
    ------
    Wrong
    """
    if expected is None or isinstance(expected, str | bool):
        return _unequal(result, expected)
    expected = as_float64(expected)
    got = numbers_of(result, expected.shape, dtype, longer_allowed)
    errors = ulp_error(got, expected, dtype=dtype)
    if np.all(errors <= max_ulp):
        return None
    worst = np.unravel_index(np.argmax(np.where(np.isnan(errors), np.inf, errors)), errors.shape)
    where = f" at {tuple(map(int, worst))}" if worst else ""
    one, other = apart(got[worst], expected[worst])
    size = "" if max_ulp == 0 else _size(errors[worst], got[worst], expected[worst])
    return f"got {one}{where}, expected {other}{size}"


def apart(one, other):
    """Print two numbers with as many digits as it takes to tell them apart, and at least six.

    Parameters
    ----------
    one, other : float

    Returns
    -------
    tuple of str
    """
    for digits in range(6, 18):
        style = f".{digits}g" if digits == 6 else f"#.{digits}g"
        texts = tuple(format(float(number) + 0.0, style) for number in (one, other))  # no -0
        if texts[0] != texts[1]:
            break
    return texts


def alike(result, other, dtype, max_ulp):
    """Tell whether two results are the same but for rounding.

    Parameters
    ----------
    result, other : object
    dtype : dtype, Format or str
        The format of the rounding.
    max_ulp : float
        How much of it is allowed; at least 64 ulp are.

    Returns
    -------
    bool

    Raises
    ------
    Wrong
        If there are no numbers to compare.
    """
    if isinstance(other, tuple):
        pairs = zip(result, other, strict=True)
        return all(alike(*pair, dtype, max_ulp) for pair in pairs)
    if other is None or isinstance(other, str | bool):
        return _unequal(result, other) is None
    left, right, fmt = _read(result)[0], _read(other)[0], format_of(dtype)
    return left.shape == right.shape and np.allclose(
        left,
        right,
        rtol=max(64, max_ulp) * fmt.unit_roundoff,
        atol=fmt.smallest_normal,
        equal_nan=True,
    )


def _read(result):
    """Return the numbers of a result in float64, and its format: None for integers."""
    if result is None:
        raise Wrong("nothing was returned")
    if np.ma.is_masked(result):
        raise Wrong("some entries of the result are masked")
    array = result if hasattr(result, "detach") else _array(result)
    if math.prod(array.shape) > _MOST:
        raise Wrong(f"an array of shape {tuple(array.shape)} was returned, far more than asked for")
    name = str(array.dtype).removeprefix("torch.")
    if name.startswith("complex"):
        raise Wrong("complex numbers were returned; take their .real or .imag")
    if name == "object" and all(isinstance(v, python_numbers.Number) for v in array.flat):
        return array.astype(np.float64), None
    if name.startswith(("int", "uint")):
        return as_float64(array), None
    try:
        found = format_of(array)
    except TypeError:
        if not np.issubdtype(array.dtype, np.longdouble):
            raise Wrong(f"expected numbers, got {_kind(result)}") from None
        found = FP64
    return as_float64(array), found


def _array(result):
    try:
        return np.asarray(result)
    except Exception as error:
        raise Wrong(f"expected numbers, got {_kind(result)} ({type(error).__name__})") from None


def _kind(result):
    if isinstance(result, np.ndarray) and result.shape:
        return f"an array of {result.dtype}"
    return type(result).__name__


def _dtype_name(result):
    if isinstance(result, list | tuple):
        return f"a {type(result).__name__} of {np.asarray(result).dtype}"
    plain = f"a Python {type(result).__name__}"
    return str(getattr(result, "dtype", plain)).removeprefix("torch.")


def _is_longer(found, asked):
    return found.precision >= asked.precision and found.max_exponent >= asked.max_exponent


def _unequal(result, expected):
    if isinstance(expected, bool):
        if np.shape(result) != () or np.asarray(result).dtype != bool:
            return f"expected True or False, got {result!r}"
        result = bool(result)
    same = result is None if expected is None else type(expected)(result) == expected
    same = same and (expected is None or isinstance(result, type(expected)))
    return None if same else f"got {result!r}, expected {expected!r}"


def _size(ulps, got, expected):
    """Say how large an error is: ulp where they can be counted, and else the relative error."""
    if ulps <= 1000:
        return f" ({ulps:.3g} ulp)"
    relative = float(relative_error(got, expected))
    return f" (relative error {relative:.2g})" if relative < 1000 else ""
