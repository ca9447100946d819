"""Log-sum-exp: log(exp(x_1) + ... + exp(x_n)) without the exponentials leaving the format.

First and second derivatives are right for finite logits, ties included. The gradient of a row of
-inf is nan, and 1/n for each of its n classes in `logsumexp_log1p`. `log1mexp` is the logarithm of
a difference, 1 - exp(x).
"""

import math

from .arrays import as_logits, as_weights, drop_axes


def logsumexp_naive(x, axis=-1, keepdims=False):
    """Logarithm of the sum of exponentials, as it is defined.

    Returns: `x` without the class axes (0-dimensional for a vector), its floating-point dtype. inf
    as soon as one exponential or the sum overflows, -inf where all underflow. A logit of
    -inf adds nothing; +inf gives +inf; nan gives nan.

    Parameters: see `logsumexp_shifted`. Errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021.
    """
    x, axis, xp = as_logits(x, axis)
    return drop_axes(xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True)), axis, keepdims)


def logsumexp_shifted(x, axis=-1, keepdims=False, weights=None):
    """Log-sum-exp with the maximum taken out of the exponentials: m + log(sum(exp(x - m))).

    With weights it is the logarithm of ``sum(w exp(x))``.

    Returns: `x` without the class axes, its floating-point dtype. Finite for finite logits while
    their sum is (`softmax_shifted` says how many tied classes a short format counts), and at least
    their maximum. +inf gives +inf, a row of -inf gives -inf, nan gives nan. With weights -inf where
    the sum is 0, and nan where it is negative: negate the weights to have the logarithm of its
    size. Where terms cancel, digits are lost (`condition_number_weighted_sum` tells how many), and
    where those at the maximum cancel exactly, all others may have underflowed before.

    Other parameters and errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021.

    Parameters
    ----------
    keepdims : bool
        Keep the reduced axes with length one; TypeError if it is not True or False.
    weights : array_like, optional
        Real factors of the exponentials, of either sign, broadcast to the shape of `x` and rounded
        to its dtype; TypeError or ValueError if they cannot be. A class of weight 0 is left out,
        whatever its logit; a weight that is inf or nan gives inf or nan.
    """
    x, axis, xp = as_logits(x, axis)
    x, w = _with_weights(x, weights, xp)
    m = _finite(xp.max(x, axis=axis, keepdims=True), xp)
    s = xp.sum(_weigh(xp.exp(x - m), w), axis=axis, keepdims=True)
    return drop_axes(m + xp.log(s), axis, keepdims)


def logsumexp_log1p(x, axis=-1, keepdims=False, weights=None):
    """Log-sum-exp with the largest terms left out of the sum: m + log(k) + log1p(rest / k).

    The k terms that equal the maximum are exactly 1 after the shift. They are counted instead of
    added, so that a small rest is not absorbed by them; in a short format neither count nor rest
    goes further than in `softmax_shifted`.

    Returns: `x` without the class axes, its floating-point dtype. +inf gives +inf, a row of -inf
    gives -inf, nan gives nan. With weights, k is the sum of those at the maximum, and special
    values are as in `logsumexp_shifted`.

    Parameters: see `logsumexp_shifted`. Errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021 (one maximum); SciPy pull request 21597 (ties).
    """
    x, axis, xp = as_logits(x, axis)
    x, w = _with_weights(x, weights, xp)
    m = xp.max(x, axis=axis, keepdims=True)
    shift, zero = _finite(m, xp), xp.zeros_like(m)
    at_max, e = x == shift, _weigh(xp.exp(x - shift), w)
    # Not a count, which would have no derivative: a sum of ones.
    k = xp.sum(xp.where(at_max, e, zero), axis=axis, keepdims=True)
    rest = xp.sum(xp.where(at_max, zero, e), axis=axis, keepdims=True)
    k, rest = _larger_first(k, rest, w, xp)
    return drop_axes(m + (xp.log(k) + xp.log1p(rest / k)), axis, keepdims)


def log1mexp(x):
    """Logarithm of 1 - exp(x): the log-probability of everything else, x being one of a class.

    Close to 0, ``1 - exp(x)`` cancels and `expm1` keeps its digits; far below, the result is small
    and `log1p` keeps it. The two parts meet at -log 2, where exp(x) is one half. Each sees a
    harmless number in place of the elements of the other, so that derivatives are right as well.

    Source: Maechler 2012.

    Parameters
    ----------
    x : array_like, any shape
        Log-probabilities, at most 0; a library or a list, as for `softmax_shifted`.

    Returns
    -------
    array, shape of x
        In its floating-point dtype, never positive. 0 gives -inf, -inf gives 0; a positive number
        or nan gives nan.

    Raises
    ------
    TypeError
        If `x` is not real or hides entries behind a mask.
    """
    x, _, xp = as_logits(x, ())
    is_near, half = x > -math.log(2), xp.full_like(x, -math.log(2))
    near = xp.log(-xp.expm1(xp.where(is_near, x, half)))
    far = xp.log1p(-xp.exp(xp.where(is_near, half, x)))
    return xp.where(is_near, near, far)


def _finite(m, xp):
    """Return the maxima m, but 0 where they are infinite or nan: inf - inf would be nan."""
    return xp.where(xp.isfinite(m), m, xp.zeros_like(m))


def _with_weights(x, weights, xp):
    """Return the logits, -inf where the weight is 0, and the weights; None stays None."""
    if weights is None:
        return x, None
    w = as_weights(weights, x)
    return xp.where(w == 0, xp.full_like(x, -math.inf), x), w


def _weigh(e, w):
    return e if w is None else w * e


def _larger_first(k, rest, w, xp):
    """Return two numbers with the same sum, for log(k) + log1p(rest / k).

    Without weights k is 1 or more, but 0 in a row without a finite maximum, where 1 does no harm.
    With weights both may have any sign and size. Where k is small or negative and has more beside
    it, the two change places: log(k) and log1p(rest / k) would cancel, or be nan. 0 + 0 is 1 - 1.
    """
    one = xp.ones_like(k)
    if w is None:
        return xp.where(k > one, k, one), rest
    stay = (k >= one) | ((k > 0) & (xp.abs(rest) <= k))
    k, rest = xp.where(stay, k, rest), xp.where(stay, rest, k)
    are_0 = (k == 0) & (rest == 0)
    return xp.where(are_0, one, k), xp.where(are_0, rest - one, rest)
