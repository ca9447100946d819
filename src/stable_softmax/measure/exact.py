"""Exact values: softmax and its relatives, provably rounded to the nearest number of a format.

Each value is computed in ball arithmetic (Arb, through python-flint): a ball is an interval that
is guaranteed to contain the real number. If both ends of the ball round to the same number of the
format, that number is the correctly rounded result; if not, the precision is doubled. Nothing is
assumed about the accuracy of exp or log. python-flint comes with the extra ``exact``; without it,
each function here raises an ImportError that says so.

References
----------
Johansson 2017 (Arb); Ziv 1991 (raising the precision until the rounding is safe).
"""

import functools
import math

import numpy as np

from ..arrays import as_logits, check_labels, class_axis, from_rows, to_rows
from ..extras import needs
from ..floating_point import format_of

_START_BITS, _MOST_BITS = 96, 1 << 17
_LEAST_LOG_BITS = 4000


def exp_exact(x, dtype=None):
    """Exponential of each element, correctly rounded.

    Parameters
    ----------
    x : array_like, any shape
        Real numbers; each is taken as exactly the number it is.
    dtype : dtype, Format or str, optional
        The format of the result; default: that of `x`.

    Returns
    -------
    numpy.ndarray, shape of x
        inf (nan in e4m3) where it overflows, 0 where it underflows; nan for nan.

    Raises
    ------
    TypeError
        If `x` is not real or the format is not one of this book.
    """
    arb = ball_arithmetic().arb
    x, _, _ = as_logits(x, ())
    rows, fmt = _rows(x, (), dtype)
    results = [_row(lambda v: [arb(v[0]).exp()], row, fmt, _exp_of_special) for row in rows]
    return _array(results, fmt).reshape(tuple(x.shape))


def softmax_exact(x, axis=-1, dtype=None):
    """Softmax, correctly rounded.

    Returns: -inf gives 0; +inf or nan in a row, or a row of -inf, gives nan in the whole row.

    TypeError, ValueError: see `stable_softmax.arrays.as_logits`.

    Other parameters: see `softmax_shifted`.

    Parameters
    ----------
    x : array_like, any shape
        Logits; each is taken as exactly the number it is.
    dtype : dtype, Format or str, optional
        The format of the result; default: that of `x`. float64 serves as the exact value for
        every shorter format.
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


def logsumexp_exact(x, axis=-1, dtype=None):
    """Log-sum-exp, correctly rounded, also where it nearly cancels to zero.

    Returns: `x` without the class axes. +inf gives +inf, a row of -inf gives -inf, nan gives nan.

    Parameters: see `log_softmax_exact`. Errors: see `softmax_exact`.
    """
    x, axes, _ = as_logits(x, axis)
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    rows, fmt = _rows(x, axes, dtype)
    results = [_row(_logsumexp_balls, row, fmt, _logsumexp_of_special) for row in rows]
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
    x, _, _ = as_logits(x, axis)
    labels = np.asarray(check_labels(labels, x, axis))
    losses = -log_softmax_exact(x, axis, dtype)
    axis = class_axis(axis, losses.ndim)
    picked = np.take_along_axis(losses, np.expand_dims(labels, axis), axis).squeeze(axis)
    return picked + losses.dtype.type(0)  # no -0.0


def cross_entropy_gradient_exact(x, labels, axis=-1, dtype=None):
    """Gradient of the cross-entropy with respect to the logits, correctly rounded.

    Returns: p at the other classes, minus their sum at the label; nan as in `softmax_exact`.

    Errors: see `cross_entropy_exact`.

    Parameters
    ----------
    x, labels, axis, dtype
        As in `cross_entropy_exact`.
    """
    x, _, _ = as_logits(x, axis)
    labels = np.asarray(check_labels(labels, x, axis))
    gradient = softmax_exact(x, axis, dtype)
    complement = _per_class(x, axis, dtype, _complement_balls, if_infinite=1.0)
    axis = class_axis(axis, gradient.ndim)
    index = np.expand_dims(labels, axis)
    at_label = -np.take_along_axis(complement, index, axis)
    np.put_along_axis(gradient, index, at_label, axis)
    return gradient


@functools.cache
def ball_arithmetic():
    """Return the library of balls, imported when it is first needed.

    Returns
    -------
    module
        ``flint``: its numbers are ``arb``, its precision is in ``ctx``.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    with needs("exact"):
        import flint
    return flint


def shifted_terms(row):
    """Shift a row by its maximum.

    Parameters
    ----------
    row : list of float

    Returns
    -------
    z, e : list of flint.arb
        The differences and their exponentials.
    top : int
        The position of one maximum.
    """
    arb = ball_arithmetic().arb
    top = max(range(len(row)), key=row.__getitem__)
    z = [arb(v) - arb(row[top]) for v in row]
    return z, [v.exp() for v in z], top


def rest_of(e, top):
    """Add all terms but the one at position `top`.

    Parameters
    ----------
    e : list of flint.arb
    top : int

    Returns
    -------
    flint.arb
        Exactly 0 if there is no other term.
    """
    return sum((v for i, v in enumerate(e) if i != top), ball_arithmetic().arb(0))


def _softmax_balls(row):
    _, e, top = shifted_terms(row)
    total = 1 + rest_of(e, top)
    return [v / total for v in e]


def _log_softmax_balls(row):
    z, e, top = shifted_terms(row)
    log_sum = log_total(rest_of(e, top))
    return [v - log_sum for v in z]


def log_total(rest):
    """Return the ball of log(1 + rest), or 2**-4000 where it is positive and still smaller.

    Added to a difference of two float64 numbers, which has at most 2100 bits, every such number
    has the same effect: it decides a tie. The true one may need millions of bits.

    Parameters
    ----------
    rest : flint.arb
        Not negative; exactly 0 if there is no second class.

    Returns
    -------
    flint.arb
    """
    log_sum, least = rest.log1p(), ball_arithmetic().arb(2) ** -_LEAST_LOG_BITS
    return log_sum if log_sum == 0 or log_sum > least else least


def _logsumexp_balls(row):
    _, e, top = shifted_terms(row)
    return [ball_arithmetic().arb(row[top]) + log_total(rest_of(e, top))]


def _complement_balls(row):
    """Return 1 - p without cancellation: the other terms over the sum.

    The sum without one term costs n additions, but the total minus the term is as good unless
    the term is the largest, for which `_rest` is used.
    """
    _, e, top = shifted_terms(row)
    rest = rest_of(e, top)
    total = 1 + rest
    return [(rest if i == top else total - v) / total for i, v in enumerate(e)]


def _row(balls_of, row, fmt, of_special):
    """Correctly rounded results of one row of Python floats."""
    if not all(map(math.isfinite, row)):
        return of_special(balls_of, row, fmt)
    bits = _START_BITS
    while bits <= _MOST_BITS:
        with ball_arithmetic().ctx.workprec(bits):
            results = [_round_ball(ball, fmt) for ball in balls_of(row)]
        if None not in results:
            return results
        bits *= 2
    raise ArithmeticError(f"{_MOST_BITS} bits do not decide the rounding of row {row} to {fmt}")


def _round_ball(ball, fmt):
    """Return the number of the format to which the whole ball rounds, or None if undecided."""
    low = _round(*ball.lower().man_exp(), fmt) if ball.is_finite() else None
    high = _round(*ball.upper().man_exp(), fmt) if ball.is_finite() else None
    same = low == high or (low is not None and low != low and high != high)
    return low if same else None


def _round(mantissa, exponent, fmt):
    """Round ``mantissa * 2**exponent`` (integers) to nearest, ties to even."""
    mantissa, exponent = int(mantissa), int(exponent)
    size = abs(mantissa)
    if size == 0:
        return 0.0
    leading = size.bit_length() + exponent - 1
    last = max(leading, fmt.min_exponent) - fmt.precision + 1
    if leading < last - 1:
        return 0.0
    if leading > fmt.max_exponent:
        rounded = math.inf
    else:
        drop = last - exponent
        units = size << -drop if drop <= 0 else _shift_to_even(size, drop)
        rounded = units * 2.0**last  # exact: units has at most 53 bits
    if rounded > fmt.largest:
        rounded = math.inf if fmt.has_infinity else math.nan
    return -rounded if mantissa < 0 else rounded


def _shift_to_even(size, drop):
    units, remainder = size >> drop, size & ((1 << drop) - 1)
    half = 1 << (drop - 1)
    return units + (remainder > half or (remainder == half and units & 1))


def _per_class(x, axis, dtype, balls_of, if_infinite):
    """Results with one value per class, in the layout of x."""
    x, axes, _ = as_logits(x, axis)
    rows, fmt = _rows(x, axes, dtype)

    def of_special(balls_of, row, fmt):
        if any(math.isnan(v) or v == math.inf for v in row) or max(row) == -math.inf:
            return [math.nan] * len(row)
        finite = iter(_row(balls_of, [v for v in row if v != -math.inf], fmt, of_special))
        return [if_infinite if v == -math.inf else next(finite) for v in row]

    results = _array([_row(balls_of, row, fmt, of_special) for row in rows], fmt)
    return from_rows(results, x, axes)


def _exp_of_special(balls_of, row, fmt):
    return [
        {math.inf: math.inf if fmt.has_infinity else math.nan, -math.inf: 0.0}.get(row[0], math.nan)
    ]


def _logsumexp_of_special(balls_of, row, fmt):
    if any(map(math.isnan, row)):
        return [math.nan]
    if max(row) == math.inf:
        return [math.inf]
    finite = [v for v in row if v != -math.inf]
    return _row(balls_of, finite, fmt, None) if finite else [-math.inf]


def _rows(x, axes, dtype):
    """Return the rows of x along the class axes as Python floats, and the format of the result."""
    format_of(x)
    return to_rows(x, axes).tolist(), format_of(x if dtype is None else dtype)


def _array(rows, fmt):
    """Return the results in the format's dtype; TF32 numbers are stored in float32."""
    return np.array(rows, dtype=np.float64).astype(fmt.dtype or np.float32)
