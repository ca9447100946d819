"""The third rung: the rounding error of the shift, recovered and put back.

The first two rungs are in the modules of the path: the plain shift (``…_shifted``) and the sum
without its largest term (``…_log1p``). This one recovers the rounding error t of the shift, which
exp would magnify, and puts it back as ``e + e t``.
"""

import math

from array_api_compat import array_namespace

from ..arrays import as_logits, as_samples, drop_axes, one_hot, take_label
from .pair_arithmetic import two_sum


def softmax_twosum(x, axis=-1):
    """Softmax of the shifted logits, with the rounding error of the shift put back.

    Returns: probabilities: the shape of `x`, its floating-point dtype. In float64 and float32
    within 4.5 ulp (measured for up to 100,000 classes, in any layout of memory); in shorter formats
    the square of the shift's error counts, which is neglected, and in float16 more than 65,504 tied
    classes overflow. A logit of -inf gives 0; +inf or nan in a row, or a row of -inf, gives nan in
    the whole row; one class gives 1.

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
    float64 and float32 within 4.5 ulp (measured as for `softmax_twosum`, which also says where
    short formats stop). -inf gives -inf; +inf or nan in a row, or a row of -inf, gives nan in the
    whole row; one class gives 0.

    Parameters and errors: see `softmax_shifted`.

    Source: Knuth 1969 (TwoSum); chapter ``accuracy``.
    """
    x, axis, xp = as_logits(x, axis)
    z, t, at_max = shift_with_error(x, axis, xp)
    _, k, rest = terms_and_rest(z, t, at_max, axis, xp)
    z = xp.where(at_max & (k == 1), xp.zeros_like(z), z)  # m - m is no variable to autograd
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

    Returns: one loss per sample, in nats, never negative: the shape of `labels`, the floating-point
    dtype of `x`. inf where the label's logit is -inf and another is finite; nan where a row holds
    nan or +inf, or only -inf; 0 for one class; empty for no samples.

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
    z, t, at_max = shift_with_error(x, (axis,), xp)
    e, k, rest = terms_and_rest(z, t, at_max, (axis,), xp)
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

    k and the sum keep the class axes with length one, and have the dtype of z. Where terms tie, k
    is their sum, and not a constant: they part as soon as one of the logits moves.
    """
    e = xp.exp(z)
    e = e + e * t
    zero = xp.zeros_like(e)
    tied = sum_by_halves(xp.where(at_max, e, zero), axis, xp)
    rest = sum_by_halves(xp.where(at_max, zero, e), axis, xp)
    return e, xp.where(tied > 1, tied, xp.ones_like(tied)), rest


def sum_by_halves(x, axis, xp):
    """Add up along the class axes, one half of a row to the other, and put back what that lost.

    The class axes stay, with length one. The order of the additions depends on the number of
    classes alone, not on the layout in memory. An infinite sum stays infinite.
    """
    s = classes_last(x, axis, xp)
    lost = xp.zeros_like(s[..., :1])
    while (n := s.shape[-1]) > 1:
        if n % 2:
            s = xp.concat([s, xp.zeros_like(s[..., :1])], axis=-1)
        half = s.shape[-1] // 2
        s, t = two_sum(s[..., :half], s[..., half:])
        lost = lost + xp.sum(t, axis=-1, keepdims=True)
    s = xp.where(xp.isfinite(lost), s + lost, s)
    return xp.reshape(s, tuple(1 if a in axis else n for a, n in enumerate(x.shape)))


def classes_last(x, axis, xp):
    """Return x with its class axes moved to the end and made one."""
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axis)
    last = tuple(range(len(kept), x.ndim))
    n = math.prod([x.shape[a] for a in axis])  # a list: torch.compile follows no generator here
    return xp.reshape(xp.moveaxis(x, axis, last) if axis else x, (*kept, n))
