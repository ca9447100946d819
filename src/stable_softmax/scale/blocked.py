"""Fast in NumPy: blocks of rows that stay in the cache from the maximum to the division.

The mathematics is that of the shifted forms, and so are the special values. The time is saved
elsewhere: each block is read from memory once and written once, no temporary array is larger than
a block, and each step runs over long stretches of memory, however short the rows are. A block of
small logits needs no shift for its softmax; so the last bits of a row may depend on the rows beside
it.

Blocks are for float32 and float64. Shorter formats are computed by the shifted forms themselves.
"""

import math

import numpy as np

from ..arrays import as_logits, as_samples, drop_axes, from_rows
from ..cross_entropy import cross_entropy_gradient_shifted, cross_entropy_shifted
from ..log_softmax import log_softmax_shifted
from ..logsumexp import logsumexp_shifted
from ..softmax import softmax_shifted

_BLOCK = 1 << 18  # bytes of logits worked on at a time: with the result, what fits the cache
_FEW, _SHORT, _LONG = 4, 32, 8192  # classes: the fastest way through a row depends on their number
_MANY = 1000  # rows
_SMALL = {np.dtype("f4"): 60, np.dtype("f8"): 600}  # exp of such logits, and sums, do not overflow
_LARGEST = {np.dtype("f4"): 2.0**120, np.dtype("f8"): 2.0**1000}  # sums: 1 / s is not subnormal
_LARGE = 0.5  # sums; and not 1, which is that of probabilities, give or take some roundoff


def softmax_blocked(x, axis=-1, out=None):
    """Softmax in blocks of rows, for NumPy arrays.

    The errors of the result are within the bounds of `softmax_shifted`.

    Source: chapter ``speed``.

    Parameters
    ----------
    x : array_like, any shape
        Logits: a NumPy array or what becomes one. It is not changed, unless `out` is `x`.
    axis : int, tuple of int or None
        The class axis or axes. The last one is the fastest: others cost a copy.
    out : numpy.ndarray, optional
        Where to write the result: an array of its shape and dtype. It may overlap `x`.

    Returns
    -------
    numpy.ndarray
        What `softmax_shifted` returns; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `softmax_shifted`, and if `x` is an array of another library, or `out` does not fit.
    """
    x, axis = _numpy_logits(x, axis)
    _check_out(out, x.shape, x.dtype)
    if x.dtype not in _SMALL:
        return _copied(softmax_shifted(x, axis), out)
    rows = _rows(x, axis)
    result = _result_rows(rows, x, axis, out)
    with np.errstate(over="ignore"):  # in the first try without a shift; the sums tell
        for part in _blocks(rows):
            _softmax_rows(rows[part], result[part])
    return _copied(_unrows(result, x, axis), out)


def log_softmax_blocked(x, axis=-1, out=None):
    """Log-softmax in blocks of rows, for NumPy arrays.

    Returns: what `log_softmax_shifted` returns; `out` if it was given.

    Parameters and errors: see `softmax_blocked`.
    """
    x, axis = _numpy_logits(x, axis)
    _check_out(out, x.shape, x.dtype)
    if x.dtype not in _SMALL:
        return _copied(log_softmax_shifted(x, axis), out)
    rows = _rows(x, axis)
    result = _result_rows(rows, x, axis, out)
    scratch = _scratch(rows)
    for part in _blocks(rows):
        _log_softmax_rows(rows[part], result[part], scratch)
    return _copied(_unrows(result, x, axis), out)


def logsumexp_blocked(x, axis=-1, keepdims=False, out=None):
    """Log-sum-exp in blocks of rows, for NumPy arrays.

    Returns: what `logsumexp_shifted` returns; `out` if it was given.

    Parameters: see `logsumexp_shifted` and `softmax_blocked`. Errors: see `softmax_blocked`.
    """
    x, axis = _numpy_logits(x, axis)
    shape = tuple(1 if a in axis else n for a, n in enumerate(x.shape))
    result = drop_axes(np.empty(shape, x.dtype), axis, keepdims)
    _check_out(out, result.shape, x.dtype)
    if x.dtype not in _SMALL:
        return _copied(logsumexp_shifted(x, axis, keepdims), out)
    rows, sums = _rows(x, axis), result.reshape(-1)
    scratch = _scratch(rows)
    for part in _blocks(rows):
        sums[part] = _logsumexp_rows(rows[part], scratch)
    return _copied(result, out)


def cross_entropy_with_gradient_blocked(x, labels, axis=-1, out=None):
    """Cross-entropy and its gradient in one run over blocks of rows, for NumPy arrays.

    Returns: a pair: what `cross_entropy_shifted` and what `cross_entropy_gradient_shifted` return.
    The gradient is in `out` if that was given.

    Parameters: see `cross_entropy_shifted` and `softmax_blocked`. Errors: see both.
    """
    x, labels, axis = as_samples(x, labels, axis)
    _check_library(x)
    _check_out(out, x.shape, x.dtype)
    if x.dtype not in _SMALL:
        losses = cross_entropy_shifted(x, labels, axis)
        return losses, _copied(cross_entropy_gradient_shifted(x, labels, axis), out)
    rows = _rows(x, (axis,))
    result = _result_rows(rows, x, (axis,), out)
    losses, labels_of_rows = np.empty(len(rows), x.dtype), labels.reshape(-1)
    for part in _blocks(rows):
        losses[part] = _loss_rows(rows[part], labels_of_rows[part], result[part])
    return losses.reshape(labels.shape), _copied(_unrows(result, x, (axis,)), out)


def _softmax_rows(x, out):
    s = _unshifted(x, out)
    if s is None:
        s = _sums(np.exp(_by_row(np.subtract, x, _maxima(x), out), out=out))
    _divide(out, s)


def _log_softmax_rows(x, out, scratch):
    z = _by_row(np.subtract, x, _maxima(x), out)
    s = _sums(np.exp(z, out=scratch[: len(x)]))
    _by_row(np.subtract, z, np.log(s), out)


def _logsumexp_rows(x, scratch):
    m = _maxima(x)
    m = np.where(np.isfinite(m), m, np.zeros_like(m))
    z = _by_row(np.subtract, x, m, scratch[: len(x)])
    return m + np.log(_sums(np.exp(z, out=z)))


def _loss_rows(x, labels, out):
    rows, m, s = np.arange(len(x)), _maxima(x), None
    at_label = rows * x.shape[1] + labels  # in the whole block: faster than two indices
    if x.shape[1] > _SHORT:  # a short row would gain nothing
        z_label = x[rows, labels] - m
        with np.errstate(over="ignore"):
            s = _unshifted(x, out)
    if s is None:
        z_label = _by_row(np.subtract, x, m, out).reshape(-1)[at_label]
        s = total = _sums(np.exp(out, out=out))
    else:
        total = np.maximum(s * np.exp(-m), 1)  # the largest term alone is 1
    _divide(out, s)
    out.reshape(-1)[at_label] -= 1
    return np.log(total) - z_label


def _unshifted(x, out):
    """Write exp(x), and return the sums of the rows, or None if the block needs the shift.

    It does not where the exponentials have what the shift is for: no sum overflows, and no term
    that counts is subnormal, since all are normal or each sum is large. A block with nan needs it.
    The caller ignores the overflow of exp.
    """
    limit, in_place = _SMALL[x.dtype], np.may_share_memory(x, out)
    if in_place and not -limit <= x.min() <= x.max() <= limit:  # no way back
        return None
    s = _sums(np.exp(x, out=out))
    if in_place:
        return s
    low, high = s.min().item(), s.max().item()
    right = high <= _LARGEST[x.dtype] and (low >= _LARGE or x.min() >= -limit)
    return s if right else None


def _divide(e, s):
    """Divide the rows by their sums, in place."""
    if e.shape[1] > _SHORT:  # faster, but a sure class may get 1 - u
        _by_row(np.multiply, e, 1 / s, e)
    else:
        _by_row(np.divide, e, s, e)


def _maxima(x):
    """Return the maximum of each row: column by column where rows are short."""
    if x.shape[1] > _SHORT:
        return np.max(x, axis=1)
    if len(x) < _MANY:  # a copy costs less than a call for each column
        return np.max(x.T.copy(), axis=0)
    m = x[:, 0].copy()
    for column in x.T[1:]:
        np.maximum(m, column, out=m)
    return m


def _sums(e):
    """Return the sum of each row: by np.einsum, but for very short rows; of long ones in pieces.

    A product with ones is as fast, until its threads wait for each other on a busy machine.
    """
    rows, n = e.shape
    if n > _LONG:
        whole = n - n % _LONG
        parts = np.einsum("ijk->ij", e[:, :whole].reshape(rows, -1, _LONG))
        return np.sum(parts, axis=1) + np.einsum("ij->i", e[:, whole:])
    if n > 2 * _FEW:
        return np.einsum("ij->i", e)
    s = e[:, 0] + e[:, 1] if n > 1 else e[:, 0].copy()
    for column in e.T[2:]:
        s += column
    return s


def _by_row(operation, x, values, out):
    """Combine each row of x with a value of its own, in steps that are not shorter than needed."""
    n = x.shape[1]
    if n <= _SHORT:  # one long step instead of one for each row
        return operation(x, _spread(values, n), out=out)
    if n >= _LONG:
        return operation(x, values[:, None], out=out)
    size = np.setbufsize(512)  # into which NumPy copies `values`, for each row anew
    try:
        return operation(x, values[:, None], out=out)
    finally:
        np.setbufsize(size)


def _spread(values, n):
    """Return an array of shape (rows, n) that has the value of each row in all its columns."""
    if n > _FEW:
        return values.repeat(n).reshape(-1, n)
    wide = np.empty((len(values), n), values.dtype)
    for column in wide.T:
        column[...] = values
    return wide


def _numpy_logits(x, axis):
    x, axis, _ = as_logits(x, axis)
    _check_library(x)
    return x, axis


def _check_library(x):
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x must be a NumPy array, not a {type(x).__module__}.{type(x).__name__}")


def _check_out(out, shape, dtype):
    if out is None:
        return
    if type(out) is not np.ndarray:
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out must have the dtype of the result, {dtype}, not {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have the shape of the result, {shape}, not {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def _rows(x, axis):
    """Return x as an array of shape (rows, classes): a view of it where that is possible."""
    n = math.prod([x.shape[a] for a in axis])
    last = tuple(range(x.ndim - len(axis), x.ndim))
    return (x if axis == last else np.moveaxis(x, axis, last)).reshape(-1, n)


def _unrows(rows, x, axis):
    """Put rows back into the layout of x."""
    is_last = axis == tuple(range(x.ndim - len(axis), x.ndim))
    return rows.reshape(x.shape) if is_last else from_rows(rows, x, axis)


def _result_rows(rows, x, axis, out):
    """Return rows to write to: `out`, unless it is not made of whole rows or overlaps `x`."""
    if out is not None:
        target = _rows(out, axis)
        fits = target.flags.c_contiguous and np.may_share_memory(target, out)
        if fits and (_is_same(out, x) or not np.may_share_memory(out, x)):
            return target
    return np.empty(rows.shape, x.dtype)


def _is_same(a, b):
    return a.__array_interface__ == b.__array_interface__


def _blocks(rows):
    size = _rows_of_block(rows)
    return [slice(i, i + size) for i in range(0, len(rows), size)]


def _rows_of_block(rows):
    return max(1, _BLOCK // (rows.shape[1] * rows.itemsize))


def _scratch(rows):
    return np.empty((min(len(rows), _rows_of_block(rows)), rows.shape[1]), rows.dtype)


def _copied(result, out):
    if out is None:
        return result
    if not np.may_share_memory(result, out):
        np.copyto(out, result)
    return out
