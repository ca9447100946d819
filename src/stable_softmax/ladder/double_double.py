"""The top rung of the accuracy ladder: everything in pairs of float64, and one rounding at the end.

The shift is exact as a pair, `stable_softmax.ladder.pair_arithmetic` computes exp and log to more
than 70 bits, and the result is rounded once to the format of the logits. That is within 0.51 ulp of
the exact value, and nearly always the nearest number, but it is not correct rounding, which has no
exception: ``softmax_double_double([0.0, 3 * 2**-52])`` returns the wrong one of two neighbors that
are almost equally near. All formats of the book go through the same lines. The bits of the results
depend neither on the processor nor on NumPy.

NumPy arrays only: the pairs know nothing of autograd.
"""

from decimal import Decimal, localcontext

import numpy as np
from array_api_compat import array_namespace

from ..arrays import as_logits, as_samples, drop_axes, from_rows, take_label, to_rows
from ..floating_point import FP64, format_of
from .pair_arithmetic import (
    add,
    add_triples,
    add_up,
    divide,
    exp_pair,
    expm1_triple,
    log1p_pair,
    round_pair,
    round_to_odd,
    two_sum,
)

_SCALE = 600  # sums are kept times 2**600, so that the tails of tiny ones stay normal numbers
_BLOCK = 1 << 14  # classes worked on at a time: what fits into the cache


def softmax_double_double(x, axis=-1):
    """Softmax in pairs of float64, rounded once.

    Returns: probabilities: the shape of `x`, its floating-point dtype; within 0.51 ulp (measured,
    subnormal results included). A logit of -inf gives 0; +inf or nan in a row, or a row of -inf,
    gives nan in the whole row; one class gives 1.

    TypeError: if `x` is not real, or belongs to another array library. ValueError: see
    `stable_softmax.arrays.as_logits`: no such axis, no classes.

    Other parameters: see `softmax_shifted`.

    Source: chapter ``accuracy``; Tang 1989; Dekker 1971.

    Parameters
    ----------
    x : array_like, any shape
        Logits: NumPy or ml_dtypes array, list or scalar. Integers and booleans become float64.
    """
    return _per_class(_softmax_rows, x, axis)


def log_softmax_double_double(x, axis=-1):
    """Log-softmax in pairs of float64, rounded once.

    Returns: log-probabilities, never positive: the shape of `x`, its floating-point dtype; within
    0.51 ulp (measured). -inf gives -inf; +inf or nan in a row, or a row of -inf, gives nan in the
    whole row; one class gives 0. -inf also where the result is below the format's range.

    Parameters and errors: see `softmax_double_double`.
    """
    return _per_class(_log_softmax_rows, x, axis)


def logsumexp_double_double(x, axis=-1, keepdims=False):
    """Log-sum-exp in pairs of float64, rounded once, also where it nearly cancels to zero.

    Where the pairs cancel to less than a thousandth, as they do for log-probabilities, the row is
    computed again in triples, which takes about three times as long. Where those nearly cancel,
    which happens to one row of log-probabilities in a thousand, it is computed with as many decimal
    digits as it needs.

    Returns: `x` without the class axes, its floating-point dtype; within 0.51 ulp (measured). +inf
    gives +inf, a row of -inf gives -inf, nan gives nan.

    Other parameters: see `logsumexp_shifted`. Errors: see `softmax_double_double`.

    Parameters
    ----------
    x : array_like, any shape
        Logits: NumPy or ml_dtypes array, list or scalar. Integers and booleans become float64.
    axis : int, tuple of int or None
        The class axis or axes.
    """
    x, axes, rows, fmt = _rows(x, axis)
    results = _by_blocks(_logsumexp_rows, rows, fmt, special=np.max(rows, axis=-1))
    results = results.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])
    return drop_axes(results, axes, keepdims)


def cross_entropy_double_double(x, labels, axis=-1):
    """Cross-entropy in pairs of float64, rounded once.

    Returns: one loss per sample, in nats, never negative: the shape of `labels`, the floating-point
    dtype of `x`; within 0.51 ulp (measured). inf where the label's logit is -inf and another is
    finite; nan where a row holds nan or +inf, or only -inf; 0 for one class; empty for no samples.

    TypeError, ValueError: if `x` is not real or belongs to another array library, `axis` is not
    one existing axis, or `labels` is not made of integers in ``0 .. n-1`` of the right shape.

    Other parameters: see `cross_entropy_shifted`.

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many: NumPy or ml_dtypes array or list. Integers and booleans
        become float64.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax_double_double(x, axis), labels, axis)


def cross_entropy_gradient_double_double(x, labels, axis=-1):
    """Gradient of the cross-entropy in pairs of float64, rounded once.

    Returns: the gradient of each sample's own loss: shape and floating-point dtype of `x`; within
    0.51 ulp (measured). The entry of a label that is the maximum is minus the sum of the others,
    any other one ``p - 1``. nan where `softmax_double_double` is nan; 0 for one class; empty for
    no samples.

    Parameters and errors: see `cross_entropy_double_double`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return _per_class(_gradient_rows, x, axis, array_namespace(x).reshape(labels, (-1, 1)))


def _softmax_rows(x, fmt):
    _, _, e, k, total, _ = _terms(x)
    return round_pair(divide(e, total), fmt, k)


def _log_softmax_rows(x, fmt):
    z, t, _, _, _, rest = _terms(x)
    log_sum, scaled = _log_total(rest)
    # A sum of three or four numbers. The last one may decide a tie of the first two, so it is
    # kept above 0, as it is in the real numbers where there is a second class.
    positive = np.maximum(log_sum[0], FP64.smallest_subnormal)
    high, middle = two_sum(np.maximum(z, -FP64.largest), -positive)
    middle, low = two_sum(middle, t)
    far = round_pair((high, round_to_odd(*two_sum(middle, low - log_sum[1]))), fmt)
    result = np.where(z == 0, -round_pair(scaled, fmt, -_SCALE), far)
    result[np.isneginf(z)] = -np.inf
    return result


def _logsumexp_rows(x, fmt):
    m = np.max(x, axis=-1, keepdims=True)
    log_sum, scaled = _log_total(_terms(x)[-1])
    is_small = np.abs(m) < 1  # then the result can be as tiny as a tail
    log_sum = tuple(np.where(is_small, *both) for both in zip(scaled, log_sum, strict=True))
    k = np.where(is_small, _SCALE, 0)
    high, low = two_sum(np.ldexp(m, k), log_sum[0])
    result = round_pair((high, low + log_sum[1]), fmt, -k)
    cancels = np.abs(high) < 1e-3 * np.abs(np.ldexp(m, k))
    if np.any(cancels):
        i = np.flatnonzero(cancels)
        result[i] = _logsumexp_near_0(x[i], fmt)
    return result


def _logsumexp_near_0(x, fmt):
    """Log-sum-exp of rows that nearly cancel, such as log-probabilities: log(1 + (sum - 1))."""
    more = _sum_minus_1(x)
    below = more[0] < 0
    one = np.ones_like(more[0]), np.zeros_like(more[0])
    less = divide(tuple(-part for part in more), add(one, _unscaled(more)))
    size = tuple(np.where(below, *both) for both in zip(less, more, strict=True))
    _, log = _log_total(size)  # log(1 - p) = -log(1 + p/(1 - p))
    result = round_pair(tuple(np.where(below, -part, part) for part in log), fmt, -_SCALE)
    m = np.abs(np.max(x, axis=-1, keepdims=True))
    for i in np.flatnonzero((np.abs(_unscaled(more)[0]) < 2.0**-64 * m) | (m < 2.0**-850)):
        result[i] = round_pair(_logsumexp_decimal(x[i]), fmt, -_SCALE)
    return result


def _sum_minus_1(x):
    """Return sum(exp(x)) - 1, times 2**600, as a pair, added up in triples.

    exp(max) - 1 is one of the terms, so that nothing is lost where the maximum is near 0.
    """
    counts = x > -700
    is_max = np.arange(x.shape[-1]) == np.argmax(x, axis=-1, keepdims=True)
    start, step = expm1_triple(np.where(counts, x, 0.0), _SCALE)
    terms = add_triples(add_triples(start, (np.where(is_max, -(2.0**_SCALE), 0.0), 0.0, 0.0)), step)
    terms = tuple(np.where(counts, part, 0.0) for part in terms)
    return tuple(part[:, np.newaxis] for part in add_up(terms, add_triples)[:2])


def _log_total(rest):
    """Return log(1 + r), and the same times 2**600: there, a tiny log(1 + r) = r is normal."""
    log_sum = log1p_pair(_unscaled(rest))
    is_tiny = rest[0] < 2.0 ** (_SCALE - 110)
    large = (np.ldexp(part, _SCALE) for part in log_sum)
    scaled = tuple(np.where(is_tiny, r, part) for r, part in zip(rest, large, strict=True))
    return log_sum, scaled


def _logsumexp_decimal(row, digits=60):
    """Log-sum-exp of one row, times 2**600, as a pair with enough digits despite cancellation."""
    m = Decimal(float(row.max()))
    with localcontext(prec=digits):
        near = [Decimal(v) - m for v in row[row > row.max() - 3 * digits].tolist()]
        result = m + sum(z.exp() for z in near).ln()
        if result.adjusted() < 40 - digits:  # the last digit of the sum, which is 1 at least
            return _logsumexp_decimal(row, 2 * digits)
        result *= Decimal(2) ** _SCALE
        high = float(result)
        return np.array([high]), np.array([float(result - Decimal(high))])


def _gradient_rows(x, labels, fmt):
    z, _, e, k, total, rest = _terms(x)
    p = divide(e, total)
    result = round_pair(p, fmt, k)
    p_label = tuple(np.take_along_axis(np.ldexp(part, k), labels, axis=-1) for part in p)
    minus_one = -np.ones_like(p_label[0]), np.zeros_like(p_label[0])
    is_top = labels == np.argmax(z, axis=-1, keepdims=True)
    others = round_pair(divide(rest, total), fmt, -_SCALE)
    at_label = np.where(is_top, -others, round_pair(add(minus_one, p_label), fmt))
    np.put_along_axis(result, labels, at_label, axis=-1)
    return result


def _terms(x):
    """Return what all functions share, for rows whose maximum is finite.

    Returns
    -------
    z, t : array, shape (rows, n)
        ``x - m`` as a pair; ``(-inf, 0)`` where the difference is outside float64.
    e, k : pair of arrays, and int array, shape (rows, n)
        ``exp(x - m) = e * 2**k``; e is 0 where ``x - m`` is below -1000.
    total, rest : pair of arrays, shape (rows, 1)
        The sum, and ``2**600`` times the sum without one maximum.
    """
    m = np.max(x, axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        outside = np.isneginf(x - m)
    inside = np.where(outside, m, x)
    ahead = np.abs(inside) > np.abs(m)  # the larger one goes first, so that no part overflows
    z, t = two_sum(np.where(ahead, inside, -m), np.where(ahead, -m, inside))
    z = np.where(outside, -np.inf, z)
    counts = z > -1000.0
    e, k = exp_pair(tuple(np.where(counts, part, 0.0) for part in (z, t)))
    e = tuple(np.where(counts, part, 0.0) for part in e)
    others = np.arange(x.shape[-1]) != np.argmax(x, axis=-1, keepdims=True)
    scaled = tuple(np.where(others, np.ldexp(part, k + _SCALE), 0.0) for part in e)
    rest = tuple(part[:, np.newaxis] for part in add_up(scaled))
    one = np.ones_like(rest[0]), np.zeros_like(rest[0])
    return z, t, e, k, add(one, _unscaled(rest)), rest


def _unscaled(x):
    return tuple(np.ldexp(part, -_SCALE) for part in x)


def _per_class(rows_function, x, axis, *labels):
    """Apply a function of rows along the class axes, and put the results in the layout of x."""
    x, axes, rows, fmt = _rows(x, axis)
    results = _by_blocks(rows_function, rows, fmt, *labels, special=np.full(len(rows), np.nan))
    return from_rows(results, x, axes)


def _rows(x, axis):
    """Return the array, its class axes, its rows in float64 (exact), and its format."""
    x, axes, _ = as_logits(x, axis)
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"x must be a NumPy array, not {type(x).__module__}.{type(x).__name__}: the "
            "double-double functions are for NumPy only; the ones named ..._wider take tensors"
        )
    return x, axes, to_rows(x, axes), format_of(x)


def _by_blocks(rows_function, x, fmt, *labels, special):
    """Apply a function of rows block by block; rows without a finite maximum become `special`."""
    is_special = ~np.isfinite(np.max(x, axis=-1))
    x = np.where(is_special[:, np.newaxis], 0.0, x)
    step = max(1, _BLOCK // x.shape[-1])
    blocks = [slice(i, i + step) for i in range(0, max(len(x), 1), step)]
    parts = [rows_function(x[b], *(y[b] for y in labels), fmt) for b in blocks]
    results = np.concatenate(parts)
    results[is_special] = special[is_special, np.newaxis].astype(results.dtype)
    return results
