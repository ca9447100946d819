"""What rounding does to softmax: what the input decides, and what the order of a sum adds.

A condition number belongs to the problem, whatever the formula. The sums here are written out,
because libraries do not say in which order they add.
"""

import numpy as np

from ..arrays import as_logits
from ..beyond.divergence import kl_divergence_gradients
from ..exact_numbers import count, float_numbers, one_number
from .exact import (
    entropy_exact,
    exact_logits,
    kl_divergence_exact,
    logsumexp_exact,
    softmax_exact,
)


def condition_number_logsumexp(x, axis=-1):
    """Condition number of log-sum-exp: its largest relative change if each logit is rounded.

    Returns: ``sum(p |x|) / |lse(x)|``, `x` without the class axes; large where the log-sum-exp is
    close to 0. nan in a row with a logit that is infinite or nan.

    Other parameters: see `softmax_shifted`. Errors: see `softmax_exact`.

    Parameters
    ----------
    x : array_like, any shape
        Logits, as in `softmax_exact`. Each may change by its own relative amount, of one size for
        all.

    Notes
    -----
    The gradient of log-sum-exp is p. By the triangle inequality, the value is never above
    ``max |x| / |lse(x)|``, the condition number in the maximum norm.
    """
    p, size, axes = _weights(x, axis)
    lse = logsumexp_exact(x, axis, dtype="fp64")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sum(p * size, axis=axes) / np.abs(lse)


def condition_number_softmax(x, axis=-1):
    """Condition number of each probability: its largest relative change if each logit is rounded.

    Returns: the sum of ``p_j (|x_i| + |x_j|)`` over the other classes j; at most ``2 max |x|``,
    and 0 for one class. nan in a row with a logit that is infinite or nan.

    Parameters and errors: see `condition_number_logsumexp`.

    Notes
    -----
    The relative derivative of p_i with respect to x_j is 1 - p_i for j = i, and -p_j otherwise.
    """
    p, size, axes = _weights(x, axis)
    with np.errstate(invalid="ignore"):
        others = np.sum(p * size, axis=axes, keepdims=True) - p * size
        return (1 - p) * size + others


def condition_number_entropy(x, axis=-1):
    """Condition number of the entropy: its largest relative change if each logit is rounded.

    Returns: ``sum(p |log p + H| |x|) / H``, `x` without the class axes. nan in a row with a logit
    that is infinite or nan, and for one class.

    Parameters and errors: see `condition_number_logsumexp`.

    Notes
    -----
    The derivative of the entropy H with respect to a logit is ``-p (log p + H)``.
    """
    p, size, axes = _weights(x, axis)
    h = entropy_exact(x, axis, dtype="fp64")
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.log(p) + np.expand_dims(h, axes)
        gap = np.where((p == 0) & np.isfinite(size), 0.0, gap)
        return np.sum(p * np.abs(gap) * size, axis=axes) / h


def condition_number_kl_divergence(x, y, axis=-1):
    """Condition number of the divergence: its largest relative change if all logits are rounded.

    Returns: ``sum(p |v| |x| + |q - p| |y|) / KL``, `x` without the class axes; about 1 over the
    distance of the two rows. nan where the divergence is 0, and in a row with a logit that is
    infinite or nan.

    Errors: see `kl_divergence_exact`.

    Parameters
    ----------
    x, y : array_like, of one shape
        The logits of p and of q. Each may change by its own relative amount, of one size for all.
    axis : int, tuple of int or None
        The class axes.

    Notes
    -----
    v is ``log(q / p) + KL``, and -p v the derivative with respect to the logits of p.
    """
    kl = kl_divergence_exact(x, y, axis, dtype="fp64")
    _, axes, _ = exact_logits(x, axis, "fp64")
    x, y = float_numbers(x), float_numbers(y, "y")
    with np.errstate(invalid="ignore", divide="ignore"):
        of_x, of_y = kl_divergence_gradients(x, y, axes)
        return np.sum(np.abs(of_x * x) + np.abs(of_y * y), axis=axes) / kl


def condition_number_weighted_sum(x, weights, axis=-1):
    """Condition number of a weighted sum: how much its exponentials cancel.

    It is ``sum(|w| exp(x)) / |sum(w exp(x))|``, the largest relative change of the sum, and so the
    largest absolute change of its logarithm, if each term changes by one relative amount.

    Returns: `x` without the class axes. 1 where no two terms have different signs, inf where they
    cancel completely; nan where there are none, or in a row with a logit of +inf or nan.

    Other parameters: see `condition_number_logsumexp`. Errors: see `logsumexp_exact`.

    Parameters
    ----------
    weights : array_like
        Factors of the exponentials, as in `logsumexp_exact`.
    """
    weights = np.asarray(float_numbers(weights, "weights"))
    sizes, sums, negated = (
        logsumexp_exact(x, axis, "fp64", w) for w in (np.abs(weights), weights, -weights)
    )
    with np.errstate(invalid="ignore"):
        return np.exp(sizes - np.where(np.isnan(sums), negated, sums))


def sum_sequential(x):
    """Sum along the last axis from left to right, each partial sum rounded to the format of x.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Numbers; integers and booleans are promoted to the default float.

    Returns
    -------
    array, shape (..., 1)
        The dtype of `x`. The axis is kept, so that the sum can divide the row; a scalar is its
        own sum. Infinities and nan as in any sum.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, or its last axis is empty.

    Notes
    -----
    The first number takes part in n - 1 additions. NumPy's and PyTorch's cumulative sums
    cannot replace it: PyTorch's may use a longer format inside.
    """
    x, axis, _ = as_logits(x)
    if not axis:
        return x
    total = x[..., :1]
    for j in range(1, x.shape[-1]):
        total = total + x[..., j : j + 1]
    return total


def sum_pairwise(x):
    """Sum along the last axis by halves, each partial sum rounded to the format of x.

    Parameters and errors: see `sum_sequential`.

    Returns
    -------
    array, shape (..., 1)
        The dtype of `x`. The axis is kept, so that the sum can divide the row; a scalar is its
        own sum. Infinities and nan as in any sum.

    Notes
    -----
    Each number takes part in at most ``ceil(log2(n))`` additions (Higham 2002, chapter 4).
    """
    x, axis, xp = as_logits(x)
    while axis and (n := x.shape[-1]) > 1:
        half = n // 2
        pairs = x[..., :half] + x[..., half : 2 * half]
        x = xp.concat([pairs, x[..., 2 * half :]], axis=-1)
    return x


def softmax_shifted_by(add, x):
    """Shifted softmax along the last axis, with the order of the sum given.

    Parameters
    ----------
    add : callable
        `sum_sequential`, `sum_pairwise` or another sum along the last axis, which it keeps.
    x : array_like, shape (..., n)
        Logits. Integers and booleans are promoted to the default float.

    Returns
    -------
    array, shape of x
        The dtype of `x`. Special values as in `stable_softmax.softmax.softmax_shifted`.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, no classes.
    """
    x, axis, xp = as_logits(x)
    m = xp.max(x, axis=axis, keepdims=True)
    e = xp.exp(x - m)
    return e / add(e)


def softmax_bound_counted(x, p, additions, exp_error=1.0):
    """First-order bound on the relative error of each entry of the shifted softmax, in units of u.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Finite logits.
    p : array_like, shape of x
        Their softmax; a few digits are enough.
    additions : int
        The most additions that one number takes part in: n - 1 from left to right,
        ``ceil(log2(n))`` by halves.
    exp_error : float
        The largest relative error of `exp`, in units of u; 1 if it is correctly rounded.

    Returns
    -------
    numpy.ndarray of float64, shape of x
        ``2 exp_error + additions + 1 + |x_i - m| + sum(p |x - m|)``. The last term is at most
        the entropy of p, hence at most log(n). It holds for probabilities that are not subnormal;
        nan in a row with an infinite logit or a nan.

    Raises
    ------
    TypeError
        If `additions` is not an int, or another argument not real.
    ValueError
        If `p` does not have the shape of `x`, there are no classes, or a number is negative.

    Notes
    -----
    Derived in the chapter ``rounding_error``. The bound of Blanchard, Higham & Higham 2021 has
    ``2 max |x - m|`` in the place of the last two terms, and n + 2 in that of the others.
    """
    x, p = (float_numbers(v, name) for v, name in ((x, "x"), (p, "p")))
    alpha, additions = one_number(exp_error, "exp_error"), count(additions, "additions", 0)
    if x.shape != p.shape or 0 in x.shape[-1:] or not alpha >= 0:
        raise ValueError(
            "p must have the shape of x, with one class or more, and exp_error be at least 0: they "
            f"are of shapes {p.shape} and {x.shape}, and {exp_error}"
        )
    axis = -1 if x.ndim else None
    with np.errstate(invalid="ignore"):
        depth = np.max(x, axis=axis, keepdims=True) - x
        return 2 * alpha + additions + 1 + depth + np.sum(p * depth, axis=axis, keepdims=True)


def _weights(x, axis):
    """Return exact probabilities, the sizes of the logits and the axes."""
    x, axes, fmt = exact_logits(x, axis, "fp64")
    return softmax_exact(x, axes, fmt), np.abs(float_numbers(x)), axes
