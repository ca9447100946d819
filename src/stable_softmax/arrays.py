"""What every function does with its arguments before the mathematics starts.

One place decides what counts as logits, as an axis and as labels, so that the algorithms
consist of their equations only. Nothing here changes an argument.
"""

import functools
import math
import operator

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from .floating_point import BF16, E4M3, E5M2

_ML_DTYPES = {f.dtype_name for f in (BF16, E5M2, E4M3)}


def as_logits(x, axis=-1):
    """Turn `x` and `axis` into a floating-point array and a tuple of axes.

    Parameters
    ----------
    x : array_like
        NumPy, ml_dtypes or PyTorch array, list or scalar. Integers and booleans are promoted to
        the library's default float (float64 in NumPy), because arithmetic on them wraps around.
    axis : int, tuple of int or None
        The class axes, with NumPy's meaning. None is all axes. A scalar has one class.

    Returns
    -------
    x : array of a floating-point dtype
    axis : tuple of int
    xp : module
        The array-API namespace of x.

    Raises
    ------
    TypeError
        If x is not real or axis is not made of integers.
    numpy.exceptions.AxisError
        If an axis does not exist (a ValueError and an IndexError).
    ValueError
        If a list is ragged, an axis is named twice, or there is no class along the axis.
    """
    x = _as_array(x, "x")
    xp = array_namespace(x)
    if _is_kind(x, ("bool", "integral")):
        x = xp.astype(x, xp.asarray(0.0).dtype)
    elif not _is_ml_dtype(x.dtype) and not _is_kind(x, "real floating"):
        raise TypeError(f"x must hold real numbers, not {x.dtype}")
    axis = _as_axes(axis, x.ndim)
    if any(x.shape[a] == 0 for a in axis):
        raise ValueError(
            f"x has no class along axis {axis}: its shape is {tuple(x.shape)}; give at least one"
        )
    return x, axis, xp


def check_labels(labels, x, axis=-1):
    """Return class indices as an integer array that fits the logits `x`.

    Parameters
    ----------
    labels : array_like of int
        Class indices in ``0 .. n-1``; the shape of `x` without its class axis.
    x : array
        Logits, as returned by `as_logits`.
    axis : int
        The class axis of `x`.

    Returns
    -------
    labels : int64 array of x's library

    Raises
    ------
    TypeError
        If labels are not integers (booleans and floats are refused), or axis is not one int.
    ValueError
        If the shape does not fit or an index is out of range.
    """
    xp = array_namespace(x)
    axis = class_axis(axis, x.ndim)
    labels = _as_array(labels, "labels")
    if not _is_kind(labels, "integral") and labels.shape != (0,):
        raise TypeError(f"labels must be integer class indices, not {labels.dtype}")
    if array_namespace(labels) is not xp:
        labels = xp.asarray(np.asarray(labels), device=device(x))
    expected = tuple(x.shape[:axis]) + tuple(x.shape[axis + 1 :])
    if tuple(labels.shape) != expected:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}, but x has shape {tuple(x.shape)} with "
            f"classes along axis {axis}: labels must have shape {expected}"
        )
    n = x.shape[axis]
    labels = xp.astype(labels, xp.int64)
    wrong = labels[(labels < 0) | (labels >= n)]
    if wrong.shape[0]:
        raise ValueError(
            f"labels must lie in 0 .. {n - 1} for {n} classes, but hold {int(wrong[0])}"
        )
    return labels


def as_samples(x, labels, axis=-1):
    """Check logits, class indices and class axis together.

    Parameters
    ----------
    x : array_like
        Logits; see `as_logits`.
    labels : array_like of int
        Class indices; see `check_labels`.
    axis : int
        The class axis; see `class_axis`.

    Returns
    -------
    x : array
    labels : int64 array
    axis : int
        Not negative.

    Raises
    ------
    TypeError, ValueError
        See the three functions.
    """
    x, _, _ = as_logits(x, axis)
    return x, check_labels(labels, x, axis), class_axis(axis, x.ndim)


def as_float64(x):
    """Return the numbers of an array of any library as a float64 NumPy array.

    Parameters
    ----------
    x : array_like
        A PyTorch tensor leaves its graph and its device.

    Returns
    -------
    numpy.ndarray of float64
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu().double()
    return np.asarray(x).astype(np.float64)


def to_rows(x, axes):
    """Return the rows of x along the class axes as a float64 NumPy array.

    Parameters
    ----------
    x : array
    axes : tuple of int
        As returned by `as_logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (rows, classes)
    """
    n = math.prod(x.shape[a] for a in axes)
    return np.moveaxis(as_float64(x), axes, _last(x, axes)).reshape(-1, n)


def from_rows(rows, x, axes):
    """Put rows, as of `to_rows`, back into the layout of x.

    Parameters
    ----------
    rows : numpy.ndarray, shape (rows, classes)
    x : array
        Gives the shape.
    axes : tuple of int

    Returns
    -------
    numpy.ndarray, shape of x
    """
    kept = [n for a, n in enumerate(x.shape) if a not in axes]
    shape = kept + [x.shape[a] for a in axes]
    return np.moveaxis(rows.reshape(shape), _last(x, axes), axes)


def drop_axes(result, axis, keepdims):
    """Remove the class axes, which have length one, unless the caller keeps them.

    Parameters
    ----------
    result : array
    axis : tuple of int
    keepdims : bool
    """
    if keepdims or not axis:
        return result
    return array_namespace(result).squeeze(result, axis=axis)


def class_axis(axis, ndim):
    """Return the one class axis as a number from 0 to ndim - 1.

    Raises
    ------
    TypeError
        If `axis` is not an int: labels index exactly one axis.
    numpy.exceptions.AxisError
        If it does not exist.
    """
    try:
        axis = operator.index(axis)
    except TypeError:
        raise TypeError(
            f"axis must be one int, because labels index one axis; got {axis!r}"
        ) from None
    if ndim == 0:
        raise np.exceptions.AxisError(
            "x is a scalar: cross-entropy needs at least one axis of classes"
        )
    return _as_axes(axis, ndim)[0]


def take_label(values, labels, axis=-1):
    """Pick from each sample of `values` the entry of its label.

    Parameters
    ----------
    values : array
        One value per class along `axis`.
    labels : int64 array
        As returned by `check_labels`.
    axis : int

    Returns
    -------
    array
        The shape of `labels`, the dtype of `values`.
    """
    xp = array_namespace(values)
    index = xp.expand_dims(labels, axis=axis)
    return xp.squeeze(xp.take_along_axis(values, index, axis=axis), axis=axis)


def one_hot(labels, x, axis=-1):
    """Return an array like `x` that is 1 at each sample's label and 0 elsewhere.

    Other parameters: see `take_label`.

    Parameters
    ----------
    x : array
        Gives shape, dtype and library.
    axis : int
    """
    xp = array_namespace(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    classes = xp.reshape(xp.arange(x.shape[axis], device=device(x)), tuple(shape))
    return xp.astype(classes == xp.expand_dims(labels, axis=axis), x.dtype)


def _as_array(x, name):
    if is_array_api_obj(x) and not isinstance(x, np.ndarray | np.generic):
        return x
    try:
        x = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array; its rows differ in length") from None
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _last(x, axes):
    return tuple(range(len(x.shape) - len(axes), len(x.shape)))


def _is_kind(x, kind):
    """Tell whether the dtype is of a kind of the array-API standard; ml_dtypes are of none."""
    return not _is_ml_dtype(x.dtype) and array_namespace(x).isdtype(x.dtype, kind)


@functools.cache  # NumPy makes the name of a dtype anew each time
def _is_ml_dtype(dtype):
    """Tell what NumPy's isdtype does not know, and NumPy 2 refuses to be asked about.

    By name, because a dtype of ml_dtypes may come from the caller, or from nobody.
    """
    return str(dtype) in _ML_DTYPES


def _as_axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    try:
        axes = tuple(operator.index(a) for a in given)
    except TypeError:
        raise TypeError(f"axis must be an int, a tuple of ints or None, not {axis!r}") from None
    for a in axes:
        if not -max(ndim, 1) <= a < max(ndim, 1):
            raise np.exceptions.AxisError(
                f"axis {a} does not exist: x has {ndim} dimension(s); count from 0, or back from -1"
            )
    if ndim == 0:
        return ()
    axes = tuple(a % ndim for a in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis names a dimension twice: {axis!r}")
    return axes
