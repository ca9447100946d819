"""The third rung: the rounding error of the shift, recovered and put back.

The first two rungs are in the modules of the path: the plain shift (``…_shifted``) and the sum
without its largest term (``…_log1p``). This one recovers the rounding error t of the shift, which
exp would magnify, and puts it back as ``e + e t``.
"""

from array_api_compat import array_namespace

from ..arrays import as_logits, as_samples, drop_axes, one_hot, take_label
from .pair_arithmetic import two_sum


def softmax_twosum(x, axis=-1):
    """Softmax of the shifted logits, with the rounding error of the shift put back.

    Returns: probabilities: the shape of `x`, its floating-point dtype. In float64 within 4.5 ulp
    (measured, with the classes in consecutive places: NumPy adds them up one by one otherwise, and
    a long sum may cost tens of ulp). A logit of -inf gives 0; +inf or nan in a row, or a row of
    -inf, gives nan in the whole row; one class gives 1.

    Parameters and errors: see `softmax_shifted`.

    Source: Knuth 1969 (TwoSum); chapter ``accuracy``.
    """
    x, axis, xp = as_logits(x, axis)
    z, t, at_max = shift_with_error(x, axis, xp)
    e, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    return e / (k + rest)


def log_softmax_twosum(x, axis=-1):
    """Log-softmax without the largest terms in the sum, and with the error of the shift put back.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype, never positive; in
    float64 within 4.5 ulp (measured, as `softmax_twosum`). -inf gives -inf; +inf or nan in a row,
    or a row of -inf, gives nan in the whole row; one class gives 0.

    Parameters and errors: see `softmax_shifted`.

    Source: Knuth 1969 (TwoSum); chapter ``accuracy``.
    """
    x, axis, xp = as_logits(x, axis)
    z, t, at_max = shift_with_error(x, axis, xp)
    _, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    return z + (t - (xp.log(k) + xp.log1p(rest / k)))


def logsumexp_twosum(x, axis=-1, keepdims=False):
    """Log-sum-exp without the largest terms in the sum, and with the error of the shift put back.

    Returns: `x` without the class axes, its floating-point dtype. Where the result nearly cancels
    to zero its digits are lost, as in every form that computes ``m + ...`` in one format. +inf
    gives +inf, a row of -inf gives -inf, nan gives nan.

    Parameters: see `logsumexp_shifted`. Errors: see `softmax_shifted`.
    """
    x, axis, xp = as_logits(x, axis)
    m = xp.max(x, axis=axis, keepdims=True)
    finite = xp.isfinite(m)
    z, t, at_max = shift_with_error(xp.where(finite, x, xp.zeros_like(x)), axis, xp)
    _, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    result = xp.where(finite, m + (xp.log(k) + xp.log1p(rest / k)), m)
    return drop_axes(result, axis, keepdims)


def cross_entropy_twosum(x, labels, axis=-1):
    """Cross-entropy from `log_softmax_twosum`: -log p[label].

    Returns: one loss per sample, in nats, never negative: the shape of `labels`, the floating-
    point dtype of `x`. inf where the label's logit is -inf and another is finite; nan where a row
    holds nan or +inf, or only -inf; 0 for one class; empty for no samples.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax_twosum(x, axis), labels, axis)


def cross_entropy_gradient_twosum(x, labels, axis=-1):
    """Gradient of the cross-entropy: p - y, at a likely label minus the sum of the others.

    Returns: the gradient of each sample's own loss: shape and floating-point dtype of `x`. Where
    the probability of the label is above 1/2, its entry is minus the sum of the other entries,
    which does not cancel; elsewhere it is ``p - 1``. nan where `softmax_twosum` is nan; 0 for one
    class; empty for no samples.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    xp = array_namespace(x)
    z, t, at_max = shift_with_error(x, axis, xp)
    e, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    p, others = e / (k + rest), rest / (k + rest)
    at_label = one_hot(labels, x, axis) == 1
    return xp.where(at_label, xp.where(p > 0.5, -others, p - 1), p)


def shift_with_error(x, axis, xp):
    """Return z = fl(x - m), the rounding error t = (x - m) - z, and where the maximum is.

    All three have the shape of x. t is 0 where z is infinite.
    """
    m = xp.max(x, axis=axis, keepdims=True)
    z = x - m
    finite = xp.isfinite(z)
    _, t = two_sum(xp.where(finite, x, m), -m)  # no error where z is infinite
    t = xp.where(finite & ~xp.isfinite(t), xp.zeros_like(t), t)  # nor where a part overflowed
    return z, t, x == m


def terms_and_rest(z, t, at_max, axis, xp):
    """Return exp(z + t), the number k of largest terms, and the sum of the others.

    k and the sum keep the class axes with length one, and have the dtype of z.
    """
    e = xp.exp(z)
    e = e + e * t
    k = xp.sum(xp.astype(at_max, e.dtype), axis=axis, keepdims=True)
    rest = xp.sum(xp.where(at_max, xp.zeros_like(e), e), axis=axis, keepdims=True)
    return e, k, rest
