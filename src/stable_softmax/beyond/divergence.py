"""Divergence: the entropy of a softmax, and how far one softmax is from another.

Two distributions p and q come as their logits x and y. Neither an entropy nor a divergence can be
negative, and the last form of each is a sum of terms that cannot be either; the forms before it
are here to be studied. A probability of 0 adds nothing to either, which is the limit of p log p.

Derivatives flow through all functions. In the last forms they are right also where a probability
is 0, and `kl_divergence` passes back what `kl_divergence_gradients` computes by its formulas.
"""

import math

from ..arrays import as_logits, as_real, at_least_float32, drop_axes, namespace_of_all
from ..ladder.pair_arithmetic import two_sum
from ..log_softmax import log_softmax_log1p
from ..softmax import softmax_shifted

_TERMS = 20  # 2 / 21! is below u of float64


def entropy_naive(x, axis=-1):
    """Entropy from the probabilities: -sum(p log p), where 0 times -inf is nan.

    Returns: what `entropy` returns, but nan as soon as a probability underflows to 0, also that of
    a mask; computed in the format of `x`.

    Parameters and errors: see `entropy`.
    """
    x, axis, xp = as_logits(x, axis)
    p = softmax_shifted(x, axis)
    return -xp.sum(p * xp.log(p), axis=axis)


def entropy(x, axis=-1):
    """Entropy of a softmax from its logits: the sum of p (-log p), in nats.

    Formats shorter than float32 are computed in float32, and rounded once.

    Source: Shannon 1948.

    Parameters
    ----------
    x : array_like, any shape
        Logits; a library or a list, as for `softmax_shifted`.
    axis : int, tuple of int or None
        The class axes.

    Returns
    -------
    array
        `x` without the class axes, its floating-point dtype: from 0, for one class or a sure one,
        to log(n). A logit of -inf adds nothing, and its derivative is 0; +inf or nan in a row, or
        a row of -inf, gives nan.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`.
    """
    x, axis, xp = as_logits(x, axis)
    p, log_p = _probabilities(at_least_float32(x), axis, xp)
    return xp.astype(0 - xp.sum(p * log_p, axis=axis), x.dtype)  # never -0


def entropy_gradient(x, axis=-1):
    """Gradient of the entropy with respect to the logits: -p (log p + H).

    Returns: the shape of `x`, its floating-point dtype; 0 at a logit of -inf, and for equal logits
    up to the rounding of log n; nan where `entropy` is.

    Parameters and errors: see `entropy`.
    """
    x, axis, xp = as_logits(x, axis)
    p, log_p = _probabilities(at_least_float32(x), axis, xp)
    h = -xp.sum(p * log_p, axis=axis, keepdims=True)
    return xp.astype(0 - p * (log_p + h), x.dtype)


def cross_entropy_between(x, y, axis=-1):
    """Cross-entropy of two softmaxes from their logits: the sum of p (-log q), in nats.

    It is the entropy of p and the divergence of q from p in one number, and has no smaller value
    than that entropy.

    Returns: `x` without the class axes, never negative. inf where q is masked and p is not 0; a
    class with a p of 0 adds nothing, also where its q is masked.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, dtype = _two(x, y, axis)
    p, _ = _probabilities(x, axis, xp)
    log_q = log_softmax_log1p(y, axis)
    log_q = xp.where(p == 0, xp.zeros_like(log_q), log_q)
    return xp.astype(0 - xp.sum(p * log_q, axis=axis), dtype)


def kl_divergence_naive(x, y, axis=-1):
    """Kullback-Leibler divergence from the probabilities: sum(p log(p / q)).

    Returns: what `kl_divergence` returns, but nan or inf as soon as a probability underflows, and
    negative for many a pair that is close; computed in the format of the logits.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, _ = _two(x, y, axis, widen=False)
    p, q = softmax_shifted(x, axis), softmax_shifted(y, axis)
    return xp.sum(p * xp.log(p / q), axis=axis)


def kl_divergence_from_logs(x, y, axis=-1):
    """Kullback-Leibler divergence from log-probabilities: sum(p (log p - log q)).

    What libraries compute. No probability has to be divided, and yet its terms have both signs:
    they cancel where the distributions are close, and the sum may be negative.

    Returns: what `kl_divergence` returns, with an absolute error of some u times the entropy of p;
    computed in the format of the logits.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, _ = _two(x, y, axis, widen=False)
    p, log_p = _probabilities(x, axis, xp)
    log_q = log_softmax_log1p(y, axis)
    log_q = xp.where(p == 0, xp.zeros_like(log_q), log_q)
    return xp.sum(p * (log_p - log_q), axis=axis)


def kl_divergence_expm1(x, y, axis=-1):
    """Kullback-Leibler divergence with a zero added: sum(p (expm1(d) - d)), d = log q - log p.

    The sum of ``p expm1(d)``, that is of q - p, is 0. With it no term is negative. A relative error
    of ``u / abs(d)`` is left in each: d is the difference of two rounded logarithms, and
    expm1(d) - d that of two numbers that agree when d is small.

    Returns: what `kl_divergence` returns, never negative; computed in the format of the logits.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, _ = _two(x, y, axis, widen=False)
    p, log_p = _probabilities(x, axis, xp)
    q, log_q = softmax_shifted(y, axis), log_softmax_log1p(y, axis)
    none = p == 0
    d = xp.where(none, xp.zeros_like(log_q), log_q - log_p)
    far = none | (d > 1)  # where exp(d) may overflow, q = p exp(d) does not
    near = xp.where(far, xp.zeros_like(d), d)
    terms = xp.where(far, q - p - p * d, p * (xp.expm1(near) - near))
    return xp.sum(terms, axis=axis)


def kl_divergence(x, y, axis=-1, keepdims=False):
    """Kullback-Leibler divergence of the softmax of y from that of x, in nats: log(sum(p exp(v))).

    v are the differences y - x of the logits, less their mean under p, and taken before anything is
    rounded. With the zero ``sum(p v)`` added, ``sum(p exp(v)) - 1`` is a sum of terms that are not
    negative, ``p (exp(v) - 1 - v)``, and `exp_above_tangent` gives them all their digits. So the
    relative error is some u, however close the two are. Beyond a divergence of 1 nothing cancels,
    and `kl_divergence_from_logs` is used. Formats shorter than float32 are computed in float32, and
    rounded once: in float16 a divergence below 3e-8 becomes 0.

    Source: Kullback & Leibler 1951; the chapter ``divergence``.

    Parameters
    ----------
    x, y : array_like, of one shape
        The logits of p and of q; libraries and lists as for `softmax_shifted`.
    axis : int, tuple of int or None
        The class axes.
    keepdims : bool
        Keep the reduced axes with length one; TypeError if it is not True or False.

    Returns
    -------
    array
        `x` without the class axes, in the longer of the two floating-point dtypes: never negative,
        and 0 where y - x is the same for all classes. A class that is masked by -inf in x adds
        nothing; one that is masked in y alone gives inf, whose derivatives are nan. nan where
        `softmax_shifted` is nan for x or y.

    Raises
    ------
    TypeError
        If x or y is not real, or they are of two libraries.
    ValueError
        If their shapes differ; see also `stable_softmax.arrays.as_logits`.
    """
    x, y, axis, xp, dtype = _two(x, y, axis)
    p, q = softmax_shifted(x, axis), softmax_shifted(y, axis)
    v, is_near = _differences(x, y, p, axis, xp)
    rough = _keep(kl_divergence_from_logs(x, y, axis), x, axis, xp)
    is_far = rough > 1
    reach = xp.exp(xp.where(is_far, xp.zeros_like(rough), rough))
    near = xp.where(is_near, v, xp.zeros_like(v))
    terms = xp.where(is_near, p * exp_above_tangent(near), q * reach - p - p * v)
    close = xp.log1p(xp.sum(terms, axis=axis, keepdims=True))
    return drop_axes(xp.astype(xp.where(is_far, rough, close), dtype), axis, keepdims)


def kl_divergence_gradients(x, y, axis=-1):
    """Gradients of the divergence with respect to the logits of p and to those of q.

    They are -p v and q - p, and the latter is ``p expm1(v - KL)`` where q and p would cancel.

    Returns: two arrays of the shape of `x`, in the dtype of `kl_divergence`. At a class that is
    masked by -inf in x the first is 0 and the second q; the first is nan in a row whose divergence
    is inf, and both where it is nan.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, dtype = _two(x, y, axis)
    p, q = softmax_shifted(x, axis), softmax_shifted(y, axis)
    v, is_near = _differences(x, y, p, axis, xp)
    kl = kl_divergence(x, y, axis, keepdims=True)
    infinite = kl == math.inf
    d = xp.where(is_near & ~infinite, v - xp.where(infinite, xp.zeros_like(kl), kl), 0 * v)
    of_x = xp.where(infinite, xp.full_like(p, math.nan), 0 - p * v)
    of_y = xp.where(is_near & ~infinite, p * xp.expm1(d), q - p)
    return xp.astype(of_x, dtype), xp.astype(of_y, dtype)


def jensen_shannon(x, y, axis=-1):
    """Jensen-Shannon divergence of two softmaxes from their logits, in nats.

    The mean of the divergences of p and of q from their mean m, as one sum of terms that are not
    negative: ``m (h tanh(h) - log(cosh(h)))``, where h is half of log q - log p.

    Source: Lin 1991 (the divergence); the chapter ``divergence`` (the sum).

    Returns: as `kl_divergence`, from 0 to log 2, the same to a few u if x and y change places. A
    class that is masked in one of the two adds m log 2, in both nothing.

    Parameters and errors: see `kl_divergence`.
    """
    x, y, axis, xp, dtype = _two(x, y, axis)
    p, q = softmax_shifted(x, axis), softmax_shifted(y, axis)
    v, is_near = _differences(x, y, p, axis, xp)
    kl = kl_divergence(x, y, axis, keepdims=True)
    is_near, one_sided = is_near & (kl <= 1), (p == 0) | (q == 0)
    log_p, log_q = (
        xp.where(one_sided, xp.zeros_like(p), log_softmax_log1p(z, axis)) for z in (x, y)
    )
    d = xp.where(is_near, v - xp.where(kl <= 1, kl, xp.zeros_like(kl)), log_q - log_p)
    size = xp.abs(d)
    tail = xp.exp(-size)
    far = math.log(2) - xp.log1p(tail) - size * tail / (1 + tail)
    h = xp.where(size > 1, xp.zeros_like(d), d / 2)
    near = h * xp.tanh(h) - xp.log1p(2 * xp.sinh(h / 2) ** 2)
    psi = xp.where(one_sided, xp.full_like(d, math.log(2)), xp.where(size > 1, far, near))
    return xp.astype(xp.sum((p + q) / 2 * psi, axis=axis), dtype)


def exp_above_tangent(d):
    """How far the exponential lies above its tangent at 0: exp(d) - 1 - d, never negative.

    Up to a size of 1 by its series, d**2/2 + d**3/6 + ..., because exp(d) - 1 and d would cancel.

    Parameters
    ----------
    d : array_like, any shape
        Real numbers.

    Returns
    -------
    array, shape of d
        In its floating-point dtype, within some u; -inf gives inf, inf and nan give nan.

    Raises
    ------
    TypeError
        If `d` is not real.
    """
    d, _, xp = as_logits(d, ())
    is_small = xp.abs(d) <= 1
    small, large = (xp.where(c, d, xp.zeros_like(d)) for c in (is_small, ~is_small))
    series = xp.ones_like(d)
    for k in range(_TERMS, 2, -1):
        series = 1 + small / k * series
    return xp.where(is_small, small * small / 2 * series, xp.expm1(large) - large)


def _two(x, y, axis, widen=True):
    """Return both logits in one dtype, the class axes, the namespace and the dtype of results."""
    x, axis, _ = as_logits(x, axis)
    y = as_real(y, "y")
    xp = namespace_of_all(x=x, y=y)
    if tuple(x.shape) != tuple(y.shape):
        raise ValueError(
            f"x has shape {tuple(x.shape)}, and y has shape {tuple(y.shape)}: give the logits of "
            "the same classes, in one shape"
        )
    if x.dtype != y.dtype:  # two short formats have no longer one in common but float32
        x, y = at_least_float32(x), at_least_float32(y)
    dtype = xp.result_type(x, y)
    x, y = (z if z.dtype == dtype else xp.astype(z, dtype) for z in (x, y))
    return (*((at_least_float32(z) if widen else z) for z in (x, y)), axis, xp, dtype)


def _probabilities(x, axis, xp):
    """Return the softmax and its logarithm, with 0 in the place of a logarithm that p = 0 hides."""
    p, log_p = softmax_shifted(x, axis), log_softmax_log1p(x, axis)
    return p, xp.where(p == 0, xp.zeros_like(log_p), log_p)


def _differences(x, y, p, axis, xp):
    """Return y - x less its mean under p, and where it is small enough for its exponential.

    The mean is subtracted from the rounded difference, and what the rounding lost is put back: a
    common offset of the logits costs nothing. Where p is 0, or y is masked, the difference is 0.
    """
    out = (p == 0) | (y == -math.inf)
    zero = xp.zeros_like(x)
    v, lost = two_sum(xp.where(out, zero, y), -xp.where(out, zero, x))
    v = v - _mean(v, p, axis, xp) + lost
    v = v - _mean(v, p, axis, xp)
    v = xp.where(out, zero, v)
    return v, (xp.abs(v) <= 1) & ~out


def _mean(v, p, axis, xp):
    """Return the mean under p, from the entry of the largest p: of equal numbers it is exact."""
    is_top = p == xp.max(p, axis=axis, keepdims=True)
    top = xp.max(xp.where(is_top, v, xp.full_like(v, -math.inf)), axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    return top + xp.sum(p * (v - top), axis=axis, keepdims=True)


def _keep(result, x, axis, xp):
    """Give a result its class axes back, with length one."""
    shape = tuple(1 if a in axis else n for a, n in enumerate(x.shape))
    return xp.reshape(result, shape)
