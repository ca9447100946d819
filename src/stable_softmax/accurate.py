"""The clear rungs of the accuracy ladder: put the lost digit back, or compute wider inside.

The first two rungs stand in the modules of the path: the plain shift (``…_shifted``) and the sum
without its largest term (``…_log1p``). The third recovers the rounding error t of the shift, which
exp would magnify, and puts it back as ``e + e t``. The fourth takes float32 and shorter formats to
float64 and rounds once, at the end.
"""

from array_api_compat import array_namespace

from .arrays import as_logits, as_samples, drop_axes, one_hot, take_label
from .double_double import round_to_odd, two_sum
from .floating_point import FP32, FP64, format_of


def softmax_twosum(x, axis=-1):
    """Softmax of the shifted logits, with the rounding error of the shift put back.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.

    Returns
    -------
    array
        Probabilities: the shape of `x`, its floating-point dtype. In float64 within 4.5 ulp
        (measured, with the classes in consecutive places: NumPy adds them up one by one
        otherwise, and a long sum may cost tens of ulp). A logit of -inf gives 0; +inf or nan in a
        row, or a row of -inf, gives nan in the whole row; one class gives 1.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.

    References
    ----------
    Knuth 1969 (TwoSum); chapter ``accuracy``.
    """
    x, axis, xp = as_logits(x, axis)
    z, t, at_max = _shift(x, axis, xp)
    e, k, rest = _terms(z, t, at_max, axis, xp)
    return e / (k + rest)


def log_softmax_twosum(x, axis=-1):
    """Log-softmax without the largest terms in the sum, and with the error of the shift put back.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.

    Returns
    -------
    array
        Log-probabilities: the shape of `x`, its floating-point dtype, never positive; in float64
        within 4.5 ulp (measured, as `softmax_twosum`). -inf gives -inf; +inf or nan in a row, or
        a row of -inf, gives nan in the whole row; one class gives 0.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.

    References
    ----------
    Knuth 1969 (TwoSum); chapter ``accuracy``.
    """
    x, axis, xp = as_logits(x, axis)
    z, t, at_max = _shift(x, axis, xp)
    _, k, rest = _terms(z, t, at_max, axis, xp)
    return z + (t - (xp.log(k) + xp.log1p(rest / k)))


def logsumexp_twosum(x, axis=-1, keepdims=False):
    """Log-sum-exp without the largest terms in the sum, and with the error of the shift put back.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.
    keepdims : bool
        Keep the reduced axes with length one.

    Returns
    -------
    array
        `x` without the class axes, its floating-point dtype. Where the result nearly cancels to
        zero its digits are lost, as in every form that computes ``m + ...`` in one format.
        +inf gives +inf, a row of -inf gives -inf, nan gives nan.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.
    """
    x, axis, xp = as_logits(x, axis)
    m = xp.max(x, axis=axis, keepdims=True)
    finite = xp.isfinite(m)
    z, t, at_max = _shift(xp.where(finite, x, xp.zeros_like(x)), axis, xp)
    _, k, rest = _terms(z, t, at_max, axis, xp)
    result = xp.where(finite, m + (xp.log(k) + xp.log1p(rest / k)), m)
    return drop_axes(result, axis, keepdims)


def cross_entropy_twosum(x, labels, axis=-1):
    """Cross-entropy from `log_softmax_twosum`: -log p[label].

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many. Integers and booleans are promoted to the default float.
    labels : array_like of int
        Class indices, the shape of `x` without its class axis.
    axis : int
        The class axis.

    Returns
    -------
    array
        One loss per sample, in nats, never negative: the shape of `labels`, the floating-point
        dtype of `x`. inf where the label's logit is -inf and another is finite; nan where a row
        holds nan or +inf, or only -inf; 0 for one class; empty for no samples.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, `axis` is not one existing axis, or `labels` is not made of integers
        in ``0 .. n-1`` of the right shape.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax_twosum(x, axis), labels, axis)


def cross_entropy_gradient_twosum(x, labels, axis=-1):
    """Gradient of the cross-entropy: p - y, at a likely label minus the sum of the others.

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many. Integers and booleans are promoted to the default float.
    labels : array_like of int
        Class indices, the shape of `x` without its class axis.
    axis : int
        The class axis.

    Returns
    -------
    array
        The gradient of each sample's own loss: shape and floating-point dtype of `x`. Where the
        probability of the label is above 1/2, its entry is minus the sum of the other entries,
        which does not cancel; elsewhere it is ``p - 1``. nan where `softmax_twosum` is nan; 0 for
        one class; empty for no samples.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, `axis` is not one existing axis, or `labels` is not made of integers
        in ``0 .. n-1`` of the right shape.
    """
    x, labels, axis = as_samples(x, labels, axis)
    xp = array_namespace(x)
    z, t, at_max = _shift(x, axis, xp)
    e, k, rest = _terms(z, t, at_max, axis, xp)
    p, others = e / (k + rest), rest / (k + rest)
    at_label = one_hot(labels, x, axis) == 1
    return xp.where(at_label, xp.where(p > 0.5, -others, p - 1), p)


def softmax_wider(x, axis=-1):
    """Softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.

    Returns
    -------
    array
        Probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter formats
        within 0.5001 ulp (measured). float64 has no wider format here: it gets `softmax_twosum`.
        Special values as there.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.
    """
    x, axis, xp = as_logits(x, axis)
    p = softmax_twosum(xp.astype(x, xp.float64), axis)
    return _round_once(p, xp.zeros_like(p), x.dtype)


def log_softmax_wider(x, axis=-1):
    """Log-softmax computed in float64 inside, and rounded once to the dtype of the logits.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.

    Returns
    -------
    array
        Log-probabilities: the shape of `x`, its floating-point dtype; in float32 and shorter
        formats within 0.502 ulp (measured). float64 gets `log_softmax_twosum`. Special values as
        there.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.
    """
    x, axis, xp = as_logits(x, axis)
    if x.dtype == xp.float64:
        return log_softmax_twosum(x, axis)
    z, t, at_max = _shift(xp.astype(x, xp.float64), axis, xp)
    _, k, rest = _terms(z, t, at_max, axis, xp)
    # where exp has underflowed, a tie must still be rounded down: the logarithm is never 0
    correction = t - (xp.log(k) + xp.log1p(rest / k) + 1e-300)
    finite = xp.isfinite(z)
    s, lost = two_sum(xp.where(finite, z, xp.zeros_like(z)), correction)
    return xp.where(finite, _round_once(s, lost, x.dtype), xp.astype(z + correction, x.dtype))


def logsumexp_wider(x, axis=-1, keepdims=False):
    """Log-sum-exp computed in float64 inside, and rounded once to the dtype of the logits.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.
    keepdims : bool
        Keep the reduced axes with length one.

    Returns
    -------
    array
        `x` without the class axes, its floating-point dtype; nearly always correctly rounded,
        unless the result nearly cancels to zero. float64 gets `logsumexp_twosum`. Special values
        as there.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no such axis, no classes.
    """
    x, axis, xp = as_logits(x, axis)
    lse = logsumexp_twosum(xp.astype(x, xp.float64), axis, keepdims)
    return _round_once(lse, xp.zeros_like(lse), x.dtype)


def cross_entropy_wider(x, labels, axis=-1):
    """Cross-entropy computed in float64 inside, and rounded once to the dtype of the logits.

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many. Integers and booleans are promoted to the default float.
    labels : array_like of int
        Class indices, the shape of `x` without its class axis.
    axis : int
        The class axis.

    Returns
    -------
    array
        One loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`.
        Special values as in `cross_entropy_twosum`, which float64 gets.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, `axis` is not one existing axis, or `labels` is not made of integers
        in ``0 .. n-1`` of the right shape.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax_wider(x, axis), labels, axis)


def cross_entropy_gradient_wider(x, labels, axis=-1):
    """Gradient of the cross-entropy in float64 inside, rounded once to the dtype of the logits.

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many. Integers and booleans are promoted to the default float.
    labels : array_like of int
        Class indices, the shape of `x` without its class axis.
    axis : int
        The class axis.

    Returns
    -------
    array
        The gradient of each sample's own loss: shape and floating-point dtype of `x`. Special
        values as in `cross_entropy_gradient_twosum`, which float64 gets.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, `axis` is not one existing axis, or `labels` is not made of integers
        in ``0 .. n-1`` of the right shape.
    """
    x, _, xp = as_logits(x, axis)
    gradient = cross_entropy_gradient_twosum(xp.astype(x, xp.float64), labels, axis)
    return _round_once(gradient, xp.zeros_like(gradient), x.dtype)


def _shift(x, axis, xp):
    """Return z = fl(x - m), the rounding error t = (x - m) - z, and where the maximum is."""
    m = xp.max(x, axis=axis, keepdims=True)
    z = x - m
    finite = xp.isfinite(z)
    _, t = two_sum(xp.where(finite, x, m), -m)  # no error where z is infinite
    t = xp.where(finite & ~xp.isfinite(t), xp.zeros_like(t), t)  # nor where a part overflowed
    return z, t, x == m


def _terms(z, t, at_max, axis, xp):
    """Return exp(z + t), the number k of largest terms, and the sum of the others."""
    e = xp.exp(z)
    e = e + e * t
    k = xp.sum(xp.astype(at_max, e.dtype), axis=axis, keepdims=True)
    rest = xp.sum(xp.where(at_max, xp.zeros_like(e), e), axis=axis, keepdims=True)
    return e, k, rest


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
