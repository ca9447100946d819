"""The fourth rung: float32 and shorter formats computed in float64, and rounded once."""

from array_api_compat import array_namespace

from ..arrays import as_logits, as_samples, take_label
from ..floating_point import FP32, FP64, format_of
from .pair_arithmetic import round_to_odd, two_sum
from .twosum import (
    cross_entropy_gradient_twosum,
    log_softmax_twosum,
    logsumexp_twosum,
    shift_with_error,
    softmax_twosum,
    terms_and_rest,
)


def softmax_wider(x, axis=-1):
    """Softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter
    formats within 0.5001 ulp (measured). float64 has no wider format here: it gets
    `softmax_twosum`. Special values as there.

    Parameters and errors: see `softmax_shifted`.
    """
    x, axis, xp = as_logits(x, axis)
    p = softmax_twosum(xp.astype(x, xp.float64), axis)
    return _round_once(p, xp.zeros_like(p), x.dtype)


def log_softmax_wider(x, axis=-1):
    """Log-softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter
    formats within 0.502 ulp (measured). float64 gets `log_softmax_twosum`. Special values as
    there.

    Parameters and errors: see `softmax_shifted`.
    """
    x, axis, xp = as_logits(x, axis)
    if x.dtype == xp.float64:
        return log_softmax_twosum(x, axis)
    z, t, at_max = shift_with_error(xp.astype(x, xp.float64), axis, xp)
    _, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    # where exp has underflowed, a tie must still be rounded down: the logarithm is never 0
    correction = t - (xp.log(k) + xp.log1p(rest / k) + 1e-300)
    finite = xp.isfinite(z)
    s, lost = two_sum(xp.where(finite, z, xp.zeros_like(z)), correction)
    return xp.where(finite, _round_once(s, lost, x.dtype), xp.astype(z + correction, x.dtype))


def logsumexp_wider(x, axis=-1, keepdims=False):
    """Log-sum-exp computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: `x` without the class axes, its floating-point dtype; nearly always correctly rounded,
    unless the result nearly cancels to zero. float64 gets `logsumexp_twosum`. Special values as
    there.

    Parameters: see `logsumexp_shifted`. Errors: see `softmax_shifted`.
    """
    x, axis, xp = as_logits(x, axis)
    lse = logsumexp_twosum(xp.astype(x, xp.float64), axis, keepdims)
    return _round_once(lse, xp.zeros_like(lse), x.dtype)


def cross_entropy_wider(x, labels, axis=-1):
    """Cross-entropy computed in float64 inside, and rounded once to the dtype of the logits.

    Returns: one loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`.
    Special values as in `cross_entropy_twosum`, which float64 gets.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax_wider(x, axis), labels, axis)


def cross_entropy_gradient_wider(x, labels, axis=-1):
    """Gradient of the cross-entropy in float64 inside, rounded once to the dtype of the logits.

    Returns: the gradient of each sample's own loss: shape and floating-point dtype of `x`. Special
    values as in `cross_entropy_gradient_twosum`, which float64 gets.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, _, xp = as_logits(x, axis)
    gradient = cross_entropy_gradient_twosum(xp.astype(x, xp.float64), labels, axis)
    return _round_once(gradient, xp.zeros_like(gradient), x.dtype)


def _round_once(s, lost, dtype):
    """Round the float64 numbers s + lost to a dtype, without the harm of rounding twice.

    Libraries convert float64 to bfloat16 and, some of them, to float16 by way of float32.
    """
    xp, fmt = array_namespace(s), format_of(dtype)
    if fmt == FP64:
        return s
    odd = round_to_odd(s, lost)
    if fmt != FP32:
        single = xp.astype(odd, xp.float32)
        odd = round_to_odd(single, odd - xp.astype(single, xp.float64))
    return xp.astype(xp.where(xp.isfinite(s), odd, s), dtype)
