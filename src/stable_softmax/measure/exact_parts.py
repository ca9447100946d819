"""Exact values beyond the last bit: a rounded number, and what the rounding left over.

The functions of `stable_softmax.measure.exact` return the nearest number of a format. That is
enough to find an error of one ulp, but not to tell 0.5000 from 0.5001. Here each value comes in two
parts: a number of the format, and the rest in units of its last place, between -0.5 and 0.5.
"""

import math

import numpy as np

from ..floating_point import ulp_of
from .balls import Terms, power_of_two, round_ball, with_enough_bits
from .exact import exact_logits, labels_of


def exact_parts(x, labels, dtype=None):
    """All functions of the book for finite rows of logits, to about a billionth of an ulp.

    Parameters
    ----------
    x : array_like, shape (rows, n)
        Finite logits of any numeric type; each is taken as exactly the number it is.
    labels : array_like of int, shape (rows,)
        Class indices.
    dtype : dtype, Format or str, optional
        The format of the results; default: as in `exp_exact`.

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
        See `exp_exact`.
    ValueError
        If `x` is not finite or not of two dimensions, or the labels do not fit.
    ImportError
        If neither python-flint nor mpmath is installed.
    """
    x, _, fmt = exact_logits(x, -1, dtype)
    rows = x.tolist()
    if x.ndim != 2 or not all(v - v == 0 for row in rows for v in row):
        raise ValueError("x must hold finite logits in the shape (rows, classes)")
    labels = labels_of(x, labels, -1).tolist()
    samples, n = zip(rows, labels, strict=True), x.shape[1]
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

    def attempt():
        terms = Terms(row)
        one_by_one = [terms.logsumexp(), terms.complement(label)]
        return _split([*terms.softmax(), *terms.log_softmax(), *one_by_one], fmt)

    return with_enough_bits(attempt, row, fmt)


def _split(balls, fmt):
    """Return the rounded values and the rest of a list of balls, or None if they are too wide."""
    heads = [round_ball(ball, fmt) for ball in balls]
    if None in heads:
        return None
    last = (np.frexp(ulp_of(np.array(heads), fmt))[1] - 1).tolist()
    rests = [0.0] * len(heads)
    for i, (ball, head) in enumerate(zip(balls, heads, strict=True)):
        if math.isfinite(head):
            left = (ball - head) * power_of_two(-last[i])
            if not float(left.rad()) <= 1e-9:
                return None
            rests[i] = min(max(float(left), -0.5), 0.5)
    return np.stack([heads, rests], axis=-1)
