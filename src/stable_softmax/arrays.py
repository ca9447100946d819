"""What every function does with its arguments before the mathematics starts.

One place decides what counts as logits, as an axis and as labels, so that the algorithms
consist of their equations only. Nothing here changes an argument.
"""

import math
import operator
import re

import numpy as np
from array_api_compat import (
    array_namespace,
    device,
    is_array_api_obj,
    is_dask_array,
    is_jax_namespace,
    is_torch_array,
    to_device,
)

from .exact_numbers import hides_entries, is_compiled, no_values
from .floating_point import BF16, E4M3, E5M2

_NUMPY = array_namespace(np.zeros(0))
_NUMPY_TYPES = np.ndarray, np.generic  # torch.compile does not understand np.ndarray | np.generic
_FIRST_ADDED = 256  # the number of the first dtype that is not NumPy's own
_KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "real"}  # of NumPy's own
_ML_DTYPES = {f.dtype_name for f in (BF16, E5M2, E4M3)}


def namespace(x):
    """Return the array-API namespace of an array; of plain NumPy arrays without looking it up."""
    return _NUMPY if type(x) is np.ndarray else array_namespace(x)


def as_logits(x, axis=-1):
    """Turn `x` and `axis` into a floating-point array and a tuple of axes.

    Parameters
    ----------
    x : array_like
        Array of a supported library (see the table "Which array libraries" in the book), list or
        scalar. Integers and booleans are promoted to the library's default float (float64 in
        NumPy), because arithmetic on them wraps around.
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
        If x is not real, hides entries behind a mask, or axis is not made of integers.
    numpy.exceptions.AxisError
        If an axis does not exist (a ValueError and an IndexError).
    ValueError
        If a list is ragged, an axis is named twice, or there is no class along the axis.
    """
    x = as_real(x, "x")
    axis = _as_axes(axis, x.ndim)
    if 0 in [x.shape[a] for a in axis]:
        raise ValueError(
            f"x has no class along axis {axis}: its shape is {tuple(x.shape)}; give at least one"
        )
    return x, axis, namespace(x)


def as_real(x, name):
    """Return a floating-point array; `as_logits` says of what, and errors carry the name."""
    x = _as_array(x, name)
    if type(x) is np.ndarray and x.dtype.char in "efd":
        return x  # nearly every call
    kind = _kind(x)
    if kind in ("boolean", "integer"):
        xp = namespace(x)
        return xp.astype(x, xp.asarray(0.0).dtype)
    if kind == "foreign":
        raise TypeError(f"{name} has dtype {x.dtype}, not a format of this book: use float32")
    if kind == "stored":
        raise TypeError(f"PyTorch does not compute in {x.dtype}: convert {name} to float32")
    if kind != "real":
        raise TypeError(
            f"{name} must hold real numbers in a floating-point or integer dtype, not {_held(x)}"
        )
    return x


def check_labels(labels, x, axis=-1):
    """Return class indices as an integer array that fits the logits `x`.

    Parameters
    ----------
    labels : array_like of int
        Class indices in ``0 .. n-1``; the shape of `x` without its class axis. Any integer type,
        of any library and device.
    x : array
        Logits, as returned by `as_logits`.
    axis : int
        The class axis of `x`.

    Returns
    -------
    labels : int64 array of x's library and device
        int32 in JAX, unless 64-bit types are enabled.

    Raises
    ------
    TypeError
        If labels are not integers (booleans and floats are refused), hide entries behind a mask,
        or axis is not one int.
    ValueError
        If the shape does not fit or an index is out of range. Labels that have no values yet,
        because their array is traced, lazy (dask) or without data (PyTorch's meta), are not read.
    """
    return _check_labels(labels, x, class_axis(axis, x.ndim), None)[0]


def as_samples(x, labels, axis=-1, ignore_label=None):
    """Check logits, class indices and class axis together.

    A label out of range that cannot be read yet (see `check_labels`) makes all logits of its sample
    inf, and so its loss and its gradient nan.

    Parameters
    ----------
    x : array_like
        Logits; see `as_logits`.
    labels : array_like of int
        Class indices; see `check_labels`.
    axis : int
        The class axis; see `class_axis`.
    ignore_label : int, optional
        One more label that is allowed, and returned as it is.

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
    x, _, xp = as_logits(x, axis)
    axis = class_axis(axis, x.ndim)
    labels, checked = _check_labels(labels, x, axis, ignore_label)
    if not checked:
        right = _right(labels, x.shape[axis], ignore_label)
        # inf - inf is nan, too; a constant nan is lost where XLA fuses it with exp
        x = xp.where(xp.expand_dims(right, axis=axis), x, xp.full_like(x, math.inf))
        labels = xp.where(right, labels, xp.zeros_like(labels))
    return x, labels, axis


def namespace_of_all(**arrays):
    """Return the namespace of several arguments, by their names; TypeError if they have no one."""
    try:
        return array_namespace(*arrays.values())
    except TypeError:
        given = {name: type(x).__module__.partition(".")[0] for name, x in arrays.items()}
        told = ", ".join(f"{name} of {library}" for name, library in given.items())
        raise TypeError(f"give arrays of one library; these are {told}") from None


def as_mask(mask, x, name="x", entry="a class"):
    """Return a mask as a boolean array of the shape, library and device of the logits.

    Parameters
    ----------
    mask : array_like of bool
        True where a class takes part; broadcast to the shape of `x`.
    x : array
        Logits, as returned by `as_logits`.
    name, entry : str
        What an error calls the logits, and one of them.

    Raises
    ------
    TypeError
        If the mask is not boolean: 0 and -inf to be added would mean the opposite.
    ValueError
        If it cannot be broadcast.
    """
    mask = _as_array(mask, "mask")
    if _kind(mask) != "boolean":
        raise TypeError(f"mask must be boolean, True where {entry} takes part, not {_held(mask)}")
    mask = _beside(mask, x)
    return mask if tuple(mask.shape) == tuple(x.shape) else _broadcast(mask, "mask", x, name)


def as_targets(targets, x, name="targets"):
    """Return one target per class, in the dtype, library and device of `x`.

    Parameters
    ----------
    targets : array_like, shape of x
        Real numbers. NumPy's and a list's are moved to the library of `x`.
    x : array
        Logits, as returned by `as_logits`.
    name : str
        What an error calls the targets.

    Raises
    ------
    TypeError, ValueError
        See `as_logits`; ValueError also if the shapes differ.
    """
    targets = _real_beside(targets, x, name)
    if tuple(targets.shape) != tuple(x.shape):
        raise ValueError(
            f"{name} must have the shape of x, {tuple(x.shape)}, not {tuple(targets.shape)}"
        )
    return targets


def as_weights(weights, x):
    """Return the weights of a sum as an array of the shape, dtype, library and device of `x`.

    Parameters
    ----------
    weights : array_like
        Real numbers, or booleans for 1 and 0; broadcast to the shape of `x`.
    x : array
        Logits, as returned by `as_logits`.

    Raises
    ------
    TypeError
        If the weights are not real or hide entries behind a mask.
    ValueError
        If they cannot be broadcast.
    """
    return _broadcast(_real_beside(weights, x, "weights"), "weights", x, "x")


def _broadcast(values, name, x, name_of_x):
    try:
        return namespace(x).broadcast_to(values, tuple(x.shape))
    except (ValueError, RuntimeError, TypeError):
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}, which does not broadcast to the shape of "
            f"{name_of_x}, {tuple(x.shape)}"
        ) from None


def as_number(value, name, low=-math.inf):
    """Return a Python float that is at least `low`; errors carry the name.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is nan or too small.
    """
    try:
        number = None if type(value) in (str, bytes) else float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = None
    if number is None:
        raise TypeError(f"{name} must be a real number, not {value!r}")
    if not number >= low:
        raise ValueError(
            f"{name} must be {'' if low == -math.inf else f'at least {low:g}, '}"
            f"a number, not {value!r}"
        )
    return number


def as_int(value):
    """Return an integer as an int, or None for anything else, including True and False."""
    try:
        return None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        return None


def as_label(value):
    """Return the one label that does not count as an int.

    Raises
    ------
    TypeError
        If it is not an integer.
    """
    label = as_int(value)
    if label is None:
        raise TypeError(f"ignore_label must be an integer, not {value!r}")
    return label


def at_least_float32(x):
    """Return `x` in float32 where its format is shorter, so that sums are formed in float32."""
    if getattr(x.dtype, "itemsize", 4) >= 4:
        return x
    xp = namespace(x)
    return xp.astype(x, xp.float32)


def as_float64_array(x, xp):
    """Return the numbers of `x` as a float64 array of its own library.

    Parameters
    ----------
    x : array
        Of a floating-point dtype; PyTorch's keeps its graph and its device.
    xp : module
        The namespace of `x`, as returned by `as_logits`.

    Returns
    -------
    array
        `x` itself where it is float64 already.

    Raises
    ------
    TypeError
        If the library has no float64 now: JAX, unless told otherwise.
    """
    if is_jax_namespace(xp) and xp.result_type(xp.float64) != xp.float64:
        raise TypeError(
            "float64 is off in JAX: jax.config.update('jax_enable_x64', True); the functions named "
            "..._twosum need none"
        )
    return x if x.dtype == xp.float64 else xp.astype(x, xp.float64)


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
    return as_numpy(_as_array(x, "the array"), wide=True).astype(np.float64)


def as_numpy(x, wide=False):
    """Return an array of any library as a NumPy array.

    Parameters
    ----------
    x : array
        A PyTorch tensor leaves its graph and its device.
    wide : bool
        Convert PyTorch's formats, some of which NumPy lacks, to float64.

    Returns
    -------
    numpy.ndarray of the dtype of `x`, or of float64

    Raises
    ------
    TypeError
        If there are no values: the array is traced, or has no data.
    """
    try:
        if is_compiled(namespace(x)):
            raise TypeError
        if hasattr(x, "detach"):
            x = x.detach().cpu()
            x = (x.double() if wide else x).numpy()
        return np.asarray(x)
    except (TypeError, RuntimeError):
        raise no_values(x) from None


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
    n = math.prod([x.shape[a] for a in axes])
    return np.moveaxis(as_float64(x), axes, _last(x, axes)).reshape(-1, n)


def from_rows(rows, x, axes):
    """Put rows, as returned by `to_rows`, back into the layout of x.

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

    Raises
    ------
    TypeError
        If `keepdims` is not True or False.
    """
    if type(keepdims) not in (bool, np.bool_):
        raise TypeError(f"keepdims must be True or False, not {keepdims!r}")
    if keepdims or not axis:
        return result
    return namespace(result).squeeze(result, axis=axis)


def class_axis(axis, ndim):
    """Return the one class axis as a number from 0 to ndim - 1.

    Raises
    ------
    TypeError
        If `axis` is not an int: labels index exactly one axis.
    numpy.exceptions.AxisError
        If it does not exist.
    """
    given, axis = axis, as_int(axis)
    if axis is None:
        raise TypeError(f"axis must be one int, along which the classes lie; got {given!r}")
    if ndim == 0:
        raise np.exceptions.AxisError("x is a scalar: give at least one axis of classes")
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
    xp = namespace(values)
    if xp is _NUMPY and labels.ndim == 0:
        return values[labels]  # one sample, without the overhead
    if not hasattr(xp, "take_along_axis"):  # dask
        at_label = one_hot(labels, values, axis) == 1
        return xp.sum(xp.where(at_label, values, xp.zeros_like(values)), axis=axis)
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
    xp = namespace(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    classes = xp.reshape(xp.arange(x.shape[axis], device=device(x)), tuple(shape))
    return xp.astype(classes == xp.expand_dims(labels, axis=axis), x.dtype)


def _as_array(x, name):
    if type(x) is np.ndarray and x.dtype.isnative:
        return x
    if type(x) is int:
        return np.asarray(x)
    if hides_entries(x):
        raise TypeError(
            f"{name} hides entries behind a mask, which the formulas do not see: give plain "
            "arrays, and tell softmax_masked which classes count, or ignore_label which samples"
        )
    if is_array_api_obj(x) and not isinstance(x, _NUMPY_TYPES):
        if is_torch_array(x) and "strided" not in str(x.layout):
            raise TypeError(f"{name} is a sparse tensor: give {name}.to_dense()")
        return x
    try:
        x = np.asarray(x)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"{name} must be a rectangular array; its rows differ in length") from None
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _held(x):
    """Name what an array holds that is not a number: None rather than object."""
    objects = x.dtype == object if isinstance(x, _NUMPY_TYPES) else False
    return " and ".join(sorted({type(v).__name__ for v in x.flat})) if objects else x.dtype


def _check_labels(labels, x, axis, ignored):
    """Return labels for `x`, and whether their values could be checked."""
    given, labels = labels, _as_array(labels, "labels")
    if _kind(labels) != "integer" and 0 not in labels.shape:
        what = labels.dtype if hasattr(given, "dtype") or labels.dtype != object else repr(given)
        raise TypeError(f"labels must be integer class indices, not {what}")
    if any(n != n for n in (*x.shape, *labels.shape)):
        raise ValueError("a dask array has unknown lengths here: compute_chunk_sizes() finds them")
    expected = (*x.shape[:axis], *x.shape[axis + 1 :])
    if tuple(labels.shape) != expected:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}, but x has shape {tuple(x.shape)} with "
            f"classes along axis {axis}: labels must have shape {expected}"
        )
    n, dtype = x.shape[axis], labels.dtype
    labels = _as_int64(labels)
    right = _right(labels, n, ignored)
    if ignored is not None and ignored < 0 and _is_unsigned(dtype):
        right = right & (labels >= 0)  # 2**64 - 100 is not -100
    known = _truth(right)
    if known is False:
        wrong = int(as_numpy(labels)[~as_numpy(right)][0])
        wrong += 2 ** (8 * labels.dtype.itemsize) if wrong < 0 and _is_unsigned(dtype) else 0
        raise ValueError(f"labels must lie in 0 .. {n - 1} for {n} classes, but hold {wrong}")
    return _as_int64(_beside(labels, x)), known


def _as_int64(labels):
    """Convert to int64; numbers above 2**63 become negative, and so out of range."""
    xp = namespace(labels)
    # where 64 bits are off in JAX, to ask for them is a warning
    dtype = xp.asarray(0).dtype if is_jax_namespace(xp) else xp.int64
    return labels if labels.dtype == dtype else xp.astype(labels, dtype)


def _is_unsigned(dtype):
    return "uint" in str(dtype)


def _right(labels, n, ignored):
    right = (labels >= 0) & (labels < n)
    return right if ignored is None else right | (labels == ignored)


def _truth(condition):
    """Tell whether all are true: True, False, or None where nobody can know yet."""
    if type(condition) is np.bool_:
        return bool(condition)
    if type(condition) is np.ndarray:
        return bool(condition.all())
    xp = namespace(condition)
    if is_dask_array(condition) or is_compiled(xp):
        return None
    try:
        return bool(xp.all(condition))
    except (TypeError, RuntimeError):  # traced by JAX; under PyTorch's vmap, or on its meta device
        return None


def _beside(values, x):
    """Bring an array into the library and onto the device of `x`."""
    xp = namespace(x)
    if namespace(values) is xp:
        apart = xp is not _NUMPY and is_torch_array(x) and values.device != x.device
        return to_device(values, x.device) if apart else values
    # a copy, because PyTorch takes neither negative strides nor what it must not write to
    values = np.array(as_numpy(values, wide=_kind(values) == "real"), order="C")
    if values.dtype.name in _ML_DTYPES and xp is not _NUMPY:
        values = values.astype(np.float32)
    return xp.asarray(values, device=device(x))


def _real_beside(values, x, name):
    """Bring real numbers into the library, device and dtype of `x`, rounded to its format."""
    values = _as_array(values, name)
    if _kind(values) not in ("boolean", "integer"):
        values = as_real(values, name)
    return namespace(x).astype(_beside(values, x), x.dtype)


def _last(x, axes):
    return tuple(range(len(x.shape) - len(axes), len(x.shape)))


def _kind(x):
    """Return the kind of numbers: "boolean", "integer", "real" or "other".

    "foreign" is real and not of this book; "stored" is a format that PyTorch keeps numbers in.
    """
    if isinstance(x, _NUMPY_TYPES):
        return _numpy_kind(x.dtype)
    xp = namespace(x)
    kinds = {"boolean": "bool", "integer": "integral", "real": "real floating"}
    if is_dask_array(x):
        return _numpy_kind(x.dtype)
    if "torch.float8" in str(x.dtype):
        return "stored"
    return next((kind for kind, name in kinds.items() if xp.isdtype(x.dtype, name)), "other")


def _numpy_kind(dtype):
    """Tell what NumPy's isdtype does not know of ml_dtypes, and NumPy 2 refuses to be asked about.

    By name, because a dtype of ml_dtypes may come from the caller, or from nobody.
    """
    kind = dtype.kind
    if dtype.num >= _FIRST_ADDED:
        if dtype.name in _ML_DTYPES:
            return "real"
        if dtype.name.startswith("float"):
            return "foreign"
        kind = "i" if re.fullmatch(r"u?int\d", dtype.name) else "other"
    return _KINDS.get(kind, "other")


def _as_axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    if len(given) == 1 and type(given[0]) is int and -ndim <= given[0] < ndim:
        return (given[0] % ndim,)  # nearly every call
    axes = tuple(map(as_int, given))
    if None in axes:
        raise TypeError(f"axis must be an int, a tuple of ints or None, not {axis!r}")
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
