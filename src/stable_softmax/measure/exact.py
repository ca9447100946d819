"""Exact values: softmax and its relatives, provably rounded to the nearest number of a format.

Each value is computed in ball arithmetic (Arb, through python-flint): a ball is an interval that
is guaranteed to contain the real number. If both ends of the ball round to the same number of the
format, that number is the correctly rounded result; if not, the precision is doubled. Where a
tail that no precision reaches decides a tie, it does so here (`stable_softmax.measure.balls`).
python-flint comes with the extra ``exact``; without it mpmath takes its place, and where neither is
installed each function raises an ImportError that says so.

References
----------
Johansson 2017 (Arb); Ziv 1991 (raising the precision until the rounding is safe).
"""

import functools
import math
from fractions import Fraction

import numpy as np

from ..arrays import as_logits, as_numpy, check_labels, class_axis, from_rows
from ..exact_numbers import exact_numbers, kind_of
from ..floating_point import FP64, format_of
from .balls import (
    LEAST_BITS,
    Terms,
    ball_of,
    bits_of,
    power_of_two,
    round_ball,
    with_enough_bits,
)


def exp_exact(x, dtype=None):
    """Exponential of each element, correctly rounded.

    Parameters
    ----------
    x : array_like, any shape
        Real numbers of any numeric type, as in `stable_softmax.exact_numbers`, integers of any
        size and longdouble included; each is taken as exactly the number it is.
    dtype : dtype, Format or str, optional
        The format of the result; default: that of `x`; for integers float64, or the default float
        of a library other than NumPy.

    Returns
    -------
    numpy.ndarray, shape of x
        inf where it overflows (nan in e4m3, see `round_to`), 0 where it underflows; nan for nan.

    Raises
    ------
    TypeError
        If `x` is not real or hides entries behind a mask, or the format is not one of this book.
    """
    x, _, fmt = exact_logits(x, (), dtype)
    results = [_row(_exp_balls, row, fmt, _exp_of_special) for row in _rows(x, ())]
    return _array(results, fmt).reshape(x.shape)


def log1mexp_exact(x, dtype=None):
    """Logarithm of 1 - exp(x) of each element, correctly rounded.

    Parameters and errors: see `exp_exact`.

    Returns
    -------
    numpy.ndarray, shape of x
        0 gives -inf, -inf gives 0; a positive number or nan gives nan.
    """
    x, _, fmt = exact_logits(x, (), dtype)
    results = [_log1mexp_row(row, fmt) for row in _rows(x, ())]
    return _array(results, fmt).reshape(x.shape)


def softmax_exact(x, axis=-1, dtype=None):
    """Softmax, correctly rounded.

    Returns: -inf gives 0; +inf or nan in a row, or a row of -inf, gives nan in the whole row.

    TypeError: see `exp_exact`. ValueError: see `stable_softmax.arrays.as_logits`.

    Other parameters: see `softmax_shifted`.

    Parameters
    ----------
    x, dtype
        As in `exp_exact`. A result in float64 serves as the exact value for every shorter format.
    """
    return _per_class(x, axis, dtype, _softmax_balls, if_infinite=0.0)


def log_softmax_exact(x, axis=-1, dtype=None):
    """Log-softmax, correctly rounded.

    Returns: -inf gives -inf; +inf or nan in a row, or a row of -inf, gives nan in the whole row.

    Errors: see `softmax_exact`.

    Parameters
    ----------
    x, axis, dtype
        As in `softmax_exact`.
    """
    return _per_class(x, axis, dtype, _log_softmax_balls, if_infinite=-math.inf)


def logsumexp_exact(x, axis=-1, dtype=None, weights=None):
    """Log-sum-exp, correctly rounded, also where it nearly cancels to zero.

    Returns: `x` without the class axes. +inf gives +inf, a row of -inf gives -inf, nan gives nan.
    With weights -inf where their sum is exactly 0, and nan where it is negative, whatever cancels.

    Other parameters: see `log_softmax_exact`. Errors: see `softmax_exact`; ValueError also for
    weights that are not finite or cannot be broadcast to the shape of `x`.

    Parameters
    ----------
    weights : array_like, optional
        Factors of the exponentials, as in `logsumexp_shifted`; each is taken exactly.
    """
    x, axes, fmt = exact_logits(x, axis, dtype)
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    if weights is None:
        results = [
            _row(_logsumexp_balls, row, fmt, _logsumexp_of_special) for row in _rows(x, axes)
        ]
    else:
        rows = zip(_rows(x, axes), _rows(_exact_weights(weights, x), axes), strict=True)
        results = [_weighted_row(*pair, fmt) for pair in rows]
    return _array(results, fmt).reshape(kept)


def cross_entropy_exact(x, labels, axis=-1, dtype=None):
    """Cross-entropy of logits and class indices, correctly rounded, one value per sample.

    TypeError, ValueError: see `stable_softmax.arrays.check_labels`.

    Other parameters: see `cross_entropy_shifted`.

    Parameters
    ----------
    x, dtype
        As in `softmax_exact`.

    Returns
    -------
    numpy.ndarray, shape of labels
        inf where the label's logit is -inf and another is finite; nan where a row holds +inf or
        nan, or only -inf.
    """
    return _at_labels(Terms.loss, x, labels_of(x, labels, axis), axis, dtype, if_infinite=math.inf)


def cross_entropy_gradient_exact(x, labels, axis=-1, dtype=None):
    """Gradient of the cross-entropy with respect to the logits, correctly rounded.

    Returns: p at the other classes, minus their sum at the label; nan as in `softmax_exact`.

    Errors: see `cross_entropy_exact`.

    Parameters
    ----------
    x, labels, axis, dtype
        As in `cross_entropy_exact`.
    """
    labels = labels_of(x, labels, axis)
    gradient = softmax_exact(x, axis, dtype)
    at_label = -_at_labels(Terms.complement, x, labels, axis, dtype, if_infinite=1.0)
    axis = class_axis(axis, gradient.ndim)
    index, values = (np.expand_dims(a, axis) for a in (labels, at_label))
    np.put_along_axis(gradient, index, values, axis)
    return gradient


def entropy_exact(x, axis=-1, dtype=None):
    """Entropy of the softmax, in nats, correctly rounded.

    Returns: `x` without the class axes. A logit of -inf adds nothing; +inf or nan in a row, or a
    row of -inf, gives nan.

    Parameters: see `log_softmax_exact`. Errors: see `softmax_exact`.
    """
    x, axes, fmt = exact_logits(x, axis, dtype)
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    results = [_row(_entropy_balls, row, fmt, _entropy_of_special) for row in _rows(x, axes)]
    return _array(results, fmt).reshape(kept)


def kl_divergence_exact(x, y, axis=-1, dtype=None):
    """Kullback-Leibler divergence of the softmax of y from that of x, in nats, correctly rounded.

    Other parameters: see `log_softmax_exact`. Errors: see `softmax_exact`.

    Parameters
    ----------
    x, y : array_like, of one shape
        The logits of p and of q, as in `exp_exact`; ValueError if the shapes differ.
    dtype : dtype, Format or str, optional
        As in `exp_exact`; default: the format of `x`.

    Returns
    -------
    numpy.ndarray
        `x` without the class axes; 0 where y - x is the same for all classes. A class that is
        masked by -inf in x adds nothing, and one that is masked in y alone gives inf; nan where a
        row of x or y holds +inf or nan, or only -inf.
    """
    x, axes, fmt = exact_logits(x, axis, dtype)
    y = exact_numbers(y, "y")
    if x.shape != y.shape:
        raise ValueError(f"x and y must have one shape, not {x.shape} and {y.shape}")
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    pairs = zip(_rows(x, axes), _rows(y, axes), strict=True)
    return _array([[_divergence(*pair, fmt)] for pair in pairs], fmt).reshape(kept)


def hessian_vector_product_exact(x, v, axis=-1, dtype=None):
    """Second derivatives of the cross-entropy times a vector, correctly rounded.

    Returns: `x`'s shape; -inf in `x` gives 0, and +inf or nan, a row of -inf, or an entry of `v`
    that is not finite gives nan in the whole row.

    TypeError: see `exp_exact`. ValueError: see `hessian_vector_product`. ArithmeticError where a
    probability below ``2**-100000`` decides between two numbers of the format.

    Parameters
    ----------
    x, axis, dtype
        As in `softmax_exact`; one axis.
    v : array_like, shape of x
        The vector of each sample, taken exactly.
    """
    x, _, fmt = exact_logits(x, axis, dtype)
    v, axis = exact_numbers(v, "v"), class_axis(axis, x.ndim)
    if v.shape != x.shape:
        raise ValueError(f"v must have the shape of x, {x.shape}, not {v.shape}")
    rows = zip(_rows(x, (axis,)), _rows(v, (axis,)), strict=True)
    results = [_hessian_row(*pair, fmt) for pair in rows]
    return from_rows(_array(results, fmt), x, (axis,))


def _exp_balls(row):
    return [ball_of(row[0]).exp()]


def _log1mexp_row(row, fmt):
    if row[0] < 0:
        return _row(_log1mexp_balls, row, fmt, lambda *_: [0.0])
    return [-math.inf if row[0] == 0 else math.nan]


def _log1mexp_balls(row):
    x = ball_of(row[0])
    return [(-x.expm1()).log() if row[0] > -1 else (-x.exp()).log1p()]


def _softmax_balls(row):
    return Terms(row).softmax()


def _log_softmax_balls(row):
    return Terms(row).log_softmax()


def _logsumexp_balls(row):
    return [Terms(row).logsumexp()]


def _entropy_balls(row):
    terms = Terms(row)
    p = terms.softmax()
    return [terms.log_sum - sum([a * z for a, z in zip(p, terms.z, strict=True)], 0 * p[0])]


def _entropy_of_special(balls_of, row, fmt):
    if any(v != v or v == math.inf for v in row) or max(row) == -math.inf:
        return [math.nan]
    return _row(balls_of, [v for v in row if v != -math.inf], fmt, None)


def _divergence(x, y, fmt):
    """Return the correctly rounded divergence of two rows of Python numbers."""
    if any(v != v or v == math.inf for v in x + y) or -math.inf in (max(x), max(y)):
        return math.nan
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if a != -math.inf]
    if any(b == -math.inf for _, b in pairs):
        return math.inf if fmt.has_infinity else math.nan
    others = [b for a, b in zip(x, y, strict=True) if a == -math.inf and b != -math.inf]
    if not others and len({Fraction(b) - Fraction(a) for a, b in pairs}) == 1:
        return 0.0  # which no precision would decide
    seen, q = [a for a, _ in pairs], [b for _, b in pairs] + others

    def attempt():
        p, q_terms = Terms(seen), Terms(q)
        # Not their logarithms of the sum: here no tail is replaced by one that decides a tie.
        norm = p.rest.log1p() - q_terms.rest.log1p()
        d = [a - b - norm for a, b in zip(p.z, q_terms.z, strict=False)]
        terms = [e * gap / (1 + p.rest) for e, gap in zip(p.e, d, strict=True)]
        result = round_ball(sum(terms, 0 * norm), fmt)
        return None if result is None else [max(result, 0.0)]

    return with_enough_bits(attempt, seen + q, fmt)[0]


def _hessian_row(row, vector, fmt):
    finite = [v for v in row if v != -math.inf]
    if not (finite and all(v - v == 0 for v in [*finite, *vector])):
        return [math.nan] * len(row)
    vector = [w for v, w in zip(row, vector, strict=True) if v != -math.inf]
    results = iter(_row(functools.partial(_hessian_balls, vector), finite, fmt, None))
    return [0.0 if v == -math.inf else next(results) for v in row]


def _hessian_balls(vector, row):
    """Return ``e_i (w_i S - sum(e_j w_j)) / S**2`` with S the sum of e, and w = 0 at a maximum."""
    terms, at = Terms(row), vector[row.index(max(row))]
    w = [ball_of(v) - ball_of(at) for v in vector]
    total, mean = 1 + terms.rest, sum([e * v for e, v in zip(terms.e, w, strict=True)], ball_of(0))
    return [e * (v * total - mean) / total**2 for e, v in zip(terms.e, w, strict=True)]


def _exact_weights(weights, x):
    weights = exact_numbers(weights, "weights")
    if not all(w - w == 0 for w in weights.ravel().tolist()):
        raise ValueError("weights must be finite")
    try:
        return np.broadcast_to(weights, x.shape)
    except ValueError:
        raise ValueError(
            f"weights has shape {weights.shape}, which does not broadcast to the shape of x, "
            f"{x.shape}"
        ) from None


def _weighted_row(row, weights, fmt):
    """Return the weighted log-sum-exp of a row, in a list; see `logsumexp_exact`."""
    counted = [(v, Fraction(w)) for v, w in zip(row, weights, strict=True) if w != 0]
    if any(v != v for v, _ in counted):
        return [math.nan]
    if signs := {w > 0 for v, w in counted if v == math.inf}:
        return [math.inf if signs == {True} else math.nan]
    totals = {}
    for v, w in counted:
        totals[v] = totals.get(v, 0) + w
    # Equal exponentials have been added exactly. Those left add up to 0 only if there are none,
    # because they are linearly independent over the rational numbers (Lindemann, Weierstrass).
    totals = {v: w for v, w in totals.items() if w != 0 and v != -math.inf}

    def attempt():
        ball = _weighted_ball(totals)
        if ball is None or isinstance(ball, float):
            return ball and [ball]
        rounded = round_ball(ball, fmt)
        return None if rounded is None else [rounded]

    return with_enough_bits(attempt, [*totals], fmt) if totals else [-math.inf]


def _weighted_ball(totals):
    """Return the ball of a weighted log-sum-exp, nan for a negative sum, or None if undecided.

    The result is a rational number only for a single term of weight 1. Beside such a term, a tail
    that no precision reaches decides a tie, as it does in `Terms`.
    """
    top = max(totals)
    shifted = {v: ball_of(v) - ball_of(top) for v in totals if v != top}
    tail = sum([ball_of(totals[v]) * z.exp() for v, z in shifted.items()], ball_of(0))
    least = power_of_two(-LEAST_BITS - bits_of([*totals]))
    if totals[top] == 1 and shifted and least > tail and least > -tail:
        if not (tail > 0 or -tail > 0):
            return None
        tail = least if tail > 0 else -least
    total = ball_of(totals[top]) + tail
    if -total > 0:
        return math.nan
    if not total > 0:
        return None
    is_small = totals[top] == 1 and tail + 0.25 > 0  # log1p is asked for nothing below -1/2
    return ball_of(top) + (tail.log1p() if is_small else total.log())


def _row(balls_of, row, fmt, of_special):
    """Correctly rounded results of one row of Python numbers."""
    if not all(v - v == 0 for v in row):  # an infinity, or nan
        return of_special(balls_of, row, fmt)

    def attempt():
        results = [round_ball(ball, fmt) for ball in balls_of(row)]
        return None if None in results else results

    return with_enough_bits(attempt, row, fmt)


def _per_class(x, axis, dtype, balls_of, if_infinite):
    """Results with one value per class, in the layout of x."""
    x, axes, fmt = exact_logits(x, axis, dtype)

    def of_special(balls_of, row, fmt):
        if any(v != v or v == math.inf for v in row) or max(row) == -math.inf:
            return [math.nan] * len(row)
        finite = iter(_row(balls_of, [v for v in row if v != -math.inf], fmt, of_special))
        return [if_infinite if v == -math.inf else next(finite) for v in row]

    results = [_row(balls_of, row, fmt, of_special) for row in _rows(x, axes)]
    return from_rows(_array(results, fmt), x, axes)


def _at_labels(ball_at, x, labels, axis, dtype, if_infinite):
    """Results with one value per sample, that of its label's class."""
    x, axes, fmt = exact_logits(x, axis, dtype)

    def result(row, label):
        if any(v != v or v == math.inf for v in row) or max(row) == -math.inf:
            return math.nan
        if row[label] == -math.inf:
            return if_infinite
        label -= row[:label].count(-math.inf)
        finite = [v for v in row if v != -math.inf]
        return _row(lambda row: [ball_at(Terms(row), label)], finite, fmt, None)[0]

    rows = zip(_rows(x, axes), labels.ravel().tolist(), strict=True)
    return _array([[result(*pair)] for pair in rows], fmt).reshape(labels.shape)


def _exp_of_special(balls_of, row, fmt):
    return [
        {math.inf: math.inf if fmt.has_infinity else math.nan, -math.inf: 0.0}.get(row[0], math.nan)
    ]


def _logsumexp_of_special(balls_of, row, fmt):
    if any(v != v for v in row):
        return [math.nan]
    if max(row) == math.inf:
        return [math.inf]
    finite = [v for v in row if v != -math.inf]
    return _row(balls_of, finite, fmt, None) if finite else [-math.inf]


def exact_logits(x, axis, dtype):
    """Return logits as exactly the numbers they are, the class axes, and the format of results.

    Parameters
    ----------
    x, axis, dtype
        As in `softmax_exact`.

    Returns
    -------
    x : numpy.ndarray
        As returned by `exact_numbers`.
    axes : tuple of int
    fmt : Format
    """
    given, x = x, exact_numbers(x)
    _, axes, _ = as_logits(np.broadcast_to(0.0, x.shape), axis)
    if dtype is None:
        return x, axes, _default_format(given)
    return x, axes, format_of(dtype)


def labels_of(x, labels, axis):
    """Return class indices that fit the logits, as a NumPy array; see `check_labels`."""
    shape = x.shape if hasattr(x, "shape") else exact_numbers(x).shape
    return as_numpy(check_labels(labels, np.broadcast_to(0.0, tuple(shape)), axis))


def _default_format(x):
    """Return the format of x; of integers, that of the library's default float."""
    if isinstance(x, np.ndarray | np.generic) or not hasattr(x, "dtype"):
        dtype = np.asarray(x).dtype
        return FP64 if kind_of(dtype) in "biuO" else format_of(dtype)
    try:
        return format_of(x)
    except TypeError:
        return format_of(as_logits(x, ())[0])


def _rows(x, axes):
    """Return the rows of x along the class axes as lists of Python numbers."""
    n = math.prod(x.shape[a] for a in axes)
    return np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim)).reshape(-1, n).tolist()


def _array(rows, fmt):
    """Return the results in the format's dtype; TF32 numbers are stored in float32."""
    return np.array(rows, dtype=np.float64).astype(fmt.dtype or np.float32)
