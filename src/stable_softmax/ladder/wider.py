"""The fourth rung: float32 and shorter formats computed in float64, and rounded once.

In float64 the plain shift is enough. Logits of a shorter format differ by less than 750 where exp
is not 0, so the rounding of the shift is below 2**-43: a millionth of an ulp of float32.

NumPy arrays and tensors are worked on in blocks of rows, so that a call needs at most four times
the memory of its logits, plus that of a row, or of a million logits of a tensor, in float64. Under
PyTorch's autograd, the backward pass keeps exp(x - m) in float64, eight bytes per logit, and a few
numbers per row. That is twice the memory of the logits in float32, and four times in bfloat16 and
float16.
"""

import math

from array_api_compat import (
    array_namespace,
    is_dask_namespace,
    is_jax_namespace,
    is_torch_namespace,
)

from ..arrays import as_float64_array, as_logits, as_samples, drop_axes, take_label
from ..floating_point import FP64, format_of
from .pair_arithmetic import round_to_odd
from .twosum import (
    classes_last,
    cross_entropy_gradient_twosum,
    cross_entropy_twosum,
    log_softmax_twosum,
    logsumexp_twosum,
    softmax_twosum,
)

_BLOCK = 1 << 15  # logits worked on at a time: what fits the cache
_TENSOR_BLOCK = 1 << 20  # of tensors: where a call costs more, and may go to another device


def softmax_wider(x, axis=-1):
    """Softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter
    formats within 0.5001 ulp (measured). float64 has no wider format here: it gets
    `softmax_twosum`. Special values as there.

    TypeError also where the library of `x` has no float64 or `x` is of a longer format.

    Other parameters and errors: see `softmax_shifted`.
    """
    x, axis, xp = as_logits(x, axis)
    if x.dtype == xp.float64:
        return softmax_twosum(x, axis)
    return _per_class(_softmax_rows, x, axis)


def log_softmax_wider(x, axis=-1):
    """Log-softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter
    formats within 0.502 ulp (measured). float64 gets `log_softmax_twosum`. Special values as
    there.

    Parameters: see `softmax_shifted`. Errors: see `softmax_wider`.
    """
    x, axis, xp = as_logits(x, axis)
    if x.dtype == xp.float64:
        return log_softmax_twosum(x, axis)
    return _per_class(_log_softmax_rows, x, axis)


def logsumexp_wider(x, axis=-1, keepdims=False):
    """Log-sum-exp computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: `x` without the class axes, its floating-point dtype; within 0.502 ulp (measured),
    unless the result nearly cancels to zero. float64 gets `logsumexp_twosum`. Special values as
    there.

    Parameters: see `logsumexp_shifted`. Errors: see `softmax_wider`.
    """
    x, axis, xp = as_logits(x, axis)
    if x.dtype == xp.float64:
        return logsumexp_twosum(x, axis, keepdims)
    shape = tuple(1 if a in axis else n for a, n in enumerate(x.shape))
    return drop_axes(xp.reshape(_by_blocks(_logsumexp_rows, x, axis), shape), axis, keepdims)


def cross_entropy_wider(x, labels, axis=-1):
    """Cross-entropy computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: one loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`;
    in float32 and shorter formats within 0.502 ulp (measured). Special values as in
    `cross_entropy_twosum`, which float64 gets.

    Parameters: see `cross_entropy_shifted`. Errors: see there, and `softmax_wider`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    xp = array_namespace(x)
    if x.dtype == xp.float64:
        return cross_entropy_twosum(x, labels, axis)
    x_label = take_label(x, labels, axis)
    return xp.reshape(_by_blocks(_cross_entropy_rows, x, (axis,), labels, x_label), labels.shape)


def cross_entropy_gradient_wider(x, labels, axis=-1):
    """Gradient of the cross-entropy in float64 inside, rounded once to the dtype of the logits.

    Returns: the gradient of each sample's own loss: shape and floating-point dtype of `x`; in
    float32 and shorter formats within 0.502 ulp (measured). Special values as in
    `cross_entropy_gradient_twosum`, which float64 gets.

    Parameters: see `cross_entropy_shifted`. Errors: see there, and `softmax_wider`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    if x.dtype == array_namespace(x).float64:
        return cross_entropy_gradient_twosum(x, labels, axis)
    return _per_class(_gradient_rows, x, (axis,), labels)


def _softmax_rows(x, xp):
    z, _, _ = _shift(x, xp)
    e = xp.exp(z)
    return _round_once(e / xp.sum(e, axis=-1, keepdims=True), x.dtype)


def _log_softmax_rows(x, xp):
    z, m, top = _shift(x, xp)
    log_sum = xp.log1p(_others(xp.exp(z), top, xp))
    return _round_once(_away_from_0(z) - _or_nan(log_sum, m, xp), x.dtype)


def _cross_entropy_rows(x, labels, x_label, xp):
    z, m, top = _shift(x, xp)
    log_sum = xp.log1p(_others(xp.exp(z), top, xp))
    z = as_float64_array(x_label, xp)[..., None] - m
    z = xp.where(labels[..., None] == top, xp.zeros_like(z), z)
    return _round_once(_or_nan(log_sum, m, xp) - _away_from_0(z), x.dtype)


def _logsumexp_rows(x, xp):
    z, m, top = _shift(x, xp)
    return _round_once(m + xp.log1p(_others(xp.exp(z), top, xp)), x.dtype)


def _gradient_rows(x, labels, xp):
    z, _, top = _shift(x, xp)
    e = xp.exp(z)
    total = xp.sum(e, axis=-1, keepdims=True)
    p_label = take_label(e, labels)[..., None] / total
    labels = labels[..., None]
    at_label = xp.where(labels == top, 0 - _others(e, top, xp) / total, p_label - 1)
    return _round_once(_put(at_label, labels, e / total, xp), x.dtype)


def _shift(x, xp):
    """Return z = x - m in float64, and of each row its maximum m and the place of that.

    There z is 0 and no variable, so that autograd does not add up 1 and p - 1; and nan where m is
    not finite. Such an m is not subtracted, because inf - inf is nan with a warning.
    """
    x = as_float64_array(x, xp)
    if is_torch_namespace(xp):
        m, top = x.max(-1, keepdim=True)  # what amax keeps for its derivative is all of x
    else:
        top = xp.argmax(x, axis=-1)
        m, top = take_label(x, top)[..., None], top[..., None]
    shift = xp.where(xp.isfinite(m), m, xp.full_like(m, FP64.largest / 2))  # room for a rounding
    return _put(_or_nan(xp.zeros_like(m), m, xp), top, x - shift, xp), m, top


def _others(e, top, xp):
    """Return the sum of each row of e without the term of the maximum, which is 1."""
    return xp.sum(_put(0.0, top, e, xp), axis=-1, keepdims=True)


def _put(value, place, z, xp):
    """Return z with another number at one place of each row."""
    if is_torch_namespace(xp):
        return z.scatter(-1, place, value)  # autograd keeps the places, and of where a whole mask
    return xp.where(xp.arange(z.shape[-1]) == place, value, z)


def _or_nan(s, m, xp):
    """Return a number for each row, and nan where its maximum is not finite."""
    return xp.where(xp.isfinite(m), s, xp.full_like(s, math.nan))


def _away_from_0(z):
    """Return z, but for next to nothing, so that it is not the middle of two shorter numbers.

    log p is below z, be it by a term that has underflowed, and is not to be rounded up as a tie.
    """
    return z * (1 + 2.0**-52)


def _per_class(rows_function, x, axis, *labels):
    """Apply a function of rows along the class axes, and put the results in the layout of x."""
    xp = array_namespace(x)
    kept = [n for a, n in enumerate(x.shape) if a not in axis]
    results = _by_blocks(rows_function, x, axis, *labels)
    results = xp.reshape(results, (*kept, *(x.shape[a] for a in axis)))
    return xp.moveaxis(results, tuple(range(len(kept), x.ndim)), axis) if axis else results


def _by_blocks(rows_function, x, axis, *labels):
    """Apply a function of rows to a few of them at a time; lazy libraries cut for themselves."""
    xp = array_namespace(x)
    if x.dtype != xp.float32:
        format_of(x)  # one of the book's
    x = classes_last(x, axis, xp)
    count, n = math.prod(x.shape[:-1]), x.shape[-1]
    size = _TENSOR_BLOCK if is_torch_namespace(xp) else _BLOCK
    is_lazy = is_dask_namespace(xp) or is_jax_namespace(xp)
    step = max(1, count if is_lazy else size // n)
    rows = [xp.reshape(x, (count, n)), *(xp.reshape(y, (count,)) for y in labels)]
    starts = range(0, max(count, 1), step)
    blocks = ([r[i : min(i + step, count), ...] for r in rows] for i in starts)
    parts = [rows_function(*block, xp) for block in blocks]
    return parts[0] if len(parts) == 1 else xp.concat(parts)


def _round_once(s, dtype):
    """Round float64 numbers to a shorter dtype, without the harm of rounding twice.

    Libraries convert float64 to bfloat16 and, some of them, to float16 by way of float32.
    """
    xp = array_namespace(s)
    single = xp.astype(s, xp.float32)
    if dtype == xp.float32:
        return single
    return xp.astype(round_to_odd(single, s - xp.astype(single, xp.float64)), dtype)
