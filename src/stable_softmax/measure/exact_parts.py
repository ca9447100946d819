"""Exact values beyond the last bit: a rounded number, and what the rounding left over.

The functions of `stable_softmax.measure.exact` return the nearest number of a format. That is
enough to find an error of one ulp, not to tell 0.5000 from 0.5001. Here each value comes in two
parts: a number of the format, and the rest in units of its last place, between -0.5 and 0.5.
"""

import functools

import numpy as np

from ..arrays import as_logits, check_labels
from ..floating_point import FP64, format_of, ulp
from .exact import ball_arithmetic, log_total, rest_of, shifted_terms

_START_BITS, _MOST_BITS = 128, 1 << 14


def exact_parts(x, labels, dtype=None):
    """All functions of the book for finite rows of logits, to about a billionth of an ulp.

    Parameters
    ----------
    x : array_like, shape (rows, n)
        Finite logits; each is taken as exactly the number it is.
    labels : array_like of int, shape (rows,)
        Class indices.
    dtype : dtype, Format or str, optional
        The format of the results; default: that of `x`.

    Returns
    -------
    dict of str to pair of float64 arrays
        ``softmax``, ``log_softmax``, ``cross_entropy_gradient`` of shape (rows, n),
        ``logsumexp``, ``cross_entropy`` of shape (rows,). Each is a pair: the value rounded to the
        format, and ``(exact - rounded) / ulp(rounded)``. Ball arithmetic (Arb) bounds the error;
        the precision is raised until it is small enough.

    Raises
    ------
    TypeError
        If `x` is not real or the format is not one of this book.
    ValueError
        If `x` is not finite or not of two dimensions, or the labels do not fit.
    ImportError
        If python-flint is not installed.
    """
    x, _, _ = as_logits(x)
    fmt = format_of(x if dtype is None else dtype)
    values = np.asarray(x).astype(np.float64)
    if values.ndim != 2 or not np.all(np.isfinite(values)):
        raise ValueError("x must hold finite logits in the shape (rows, classes)")
    labels = np.asarray(check_labels(labels, x)).tolist()
    samples = zip(values.tolist(), labels, strict=True)
    n = values.shape[1]
    parts = np.array([_row(*sample, fmt) for sample in samples]).reshape(-1, 2 * n + 2, 2)
    softmax, log_softmax, lse, others = np.split(parts, (n, 2 * n, 2 * n + 1), axis=1)
    gradient = softmax.copy()
    index = np.arange(len(parts)), np.array(labels, dtype=np.int64)
    gradient[index] = -others[:, 0]
    loss = -log_softmax[index]
    parts = {
        "softmax": softmax,
        "log_softmax": log_softmax,
        "logsumexp": lse[:, 0],
        "cross_entropy": loss,
        "cross_entropy_gradient": gradient,
    }
    return {name: (both[..., 0] + 0.0, both[..., 1] + 0.0) for name, both in parts.items()}


def _row(row, label, fmt):
    """Return the parts of softmax, log-softmax, log-sum-exp and 1 - p[label], in this order."""
    bits = _START_BITS
    while bits <= _MOST_BITS:
        with ball_arithmetic().ctx.workprec(bits):
            parts = _split(_balls(row, label), fmt)
        if parts is not None:
            return parts
        bits *= 2
    raise ArithmeticError(f"{_MOST_BITS} bits are not enough for row {row} in {fmt}")


def _balls(row, label):
    z, e, top = shifted_terms(row)
    rest = rest_of(e, top)
    total, log_sum = 1 + rest, log_total(rest)
    others = rest if label == top else total - e[label]
    return [
        *(v / total for v in e),
        *(v - log_sum for v in z),
        ball_arithmetic().arb(row[top]) + log_sum,
        others / total,
    ]


def _split(balls, fmt):
    """Return the rounded values and the rest of a list of balls, or None if they are too wide."""
    head = np.clip([float(ball) for ball in balls], -FP64.largest, FP64.largest)
    if fmt != FP64:
        unit = ulp(head, fmt)
        head = np.rint(head / unit) * unit
    unit = ulp(head, fmt)
    rest = np.empty_like(head)
    values = zip(balls, head.tolist(), (np.frexp(unit)[1] - 1).tolist(), strict=True)
    for i, (ball, number, exponent) in enumerate(values):
        left = (ball - number) * _power_of_two(-exponent)
        rest[i] = float(left)
        if not float(left.rad()) <= 1e-9:
            return None
        if abs(rest[i]) == 0.5 and not left.is_exact():  # on which side of the tie?
            beyond = left - rest[i]
            if beyond.contains(0):
                return None
            rest[i] = np.nextafter(rest[i], np.inf if beyond > 0 else -np.inf)
    wrong = np.abs(rest) > 0.5  # rounded twice, or cut off
    step = np.copysign(1.0, rest) * wrong
    with np.errstate(over="ignore"):
        head, rest = head + step * unit, rest - step
    too_large = np.abs(head) > fmt.largest
    infinity = np.inf if fmt.has_infinity else np.nan
    head = np.where(too_large, np.copysign(infinity, head), head)
    return np.stack([head, np.where(too_large, 0.0, rest)], axis=-1)


@functools.cache
def _power_of_two(exponent):
    return ball_arithmetic().arb(2) ** exponent
