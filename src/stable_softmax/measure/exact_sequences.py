"""Exact values of sequences: sums of logarithms, and sums over all paths, correctly rounded.

The sums over paths are computed on the probabilities themselves, whose exponents have no limit
here: nothing underflows, and there is no logarithm before the last step. CTC does so in balls. The
forward algorithm has two integers for each probability, one below it and one above, which is as
safe, and fast enough for a hundred thousand steps wherever Python runs.
"""

import math
import operator
from fractions import Fraction

import numpy as np

from ..exact_numbers import exact_numbers
from ..floating_point import FP64, format_of
from .balls import Terms, ball_arithmetic, ball_of, round_ball, with_enough_bits


def sequence_log_probability_exact(x, labels, dtype=FP64):
    """Log-probability of one sequence, correctly rounded.

    Parameters
    ----------
    x : array_like, shape (steps, classes)
        Finite logits, each taken as exactly the number it is.
    labels : array_like of int, shape (steps,)
    dtype : dtype, Format or str
        The format of the result.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If `x` is not real.
    ArithmeticError
        If `x` holds an infinity or nan.
    """
    rows, labels = exact_numbers(x).tolist(), np.asarray(labels).tolist()

    def total():
        parts = (Terms(row).log_softmax()[i] for row, i in zip(rows, labels, strict=True))
        return [sum(parts, ball_of(0))]

    return _rounded(total, dtype)[0]


def forward_exact(start, transitions, likelihoods, dtype=FP64):
    """Log-likelihood of one sequence under a hidden Markov model, correctly rounded.

    Parameters
    ----------
    start, transitions, likelihoods : array_like
        See `stable_softmax.beyond.hidden_markov.forward_log`; of one sequence, and no number
        negative, infinite or nan. Each is taken as exactly the number it is.
    dtype : dtype, Format or str
        The format of the result.

    Returns
    -------
    float
        -inf for observations that no path allows.
    """
    tables = [exact_numbers(table) for table in (start, transitions, likelihoods)]
    (first, move, seen), exponents = zip(*map(_integers, tables), strict=True)
    move = list(zip(*move, strict=True))
    each_step = -exponents[1] - exponents[2]

    def log_likelihood():
        bits, low, high, exponent = ball_arithmetic().ctx.prec, first, first, -exponents[0]
        for t, factors in enumerate(seen):
            if t:
                low, high = _moved(low, move), _moved(high, move)
            low, high = _products(low, factors), _products(high, factors)
            exponent += each_step if t else -exponents[2]
            extra = max(high).bit_length() - bits
            if extra > 2 * bits:  # not at every step, to save time
                low, high = [v >> extra for v in low], [-(-v >> extra) for v in high]
                exponent += extra
        return _log_of_integers(sum(low), sum(high), exponent)

    fmt = format_of(dtype)

    def attempt():
        ends = log_likelihood()
        rounded = [end if end == -math.inf else round_ball(end, fmt) for end in ends]
        return None if None in rounded or rounded[0] != rounded[1] else rounded

    return with_enough_bits(attempt, [], fmt)[0]


def ctc_exact(x, labels, blank=0, dtype=FP64):
    """Loss of connectionist temporal classification and its gradient, correctly rounded.

    Parameters
    ----------
    x : array_like, shape (steps, classes)
        Finite logits, each taken as exactly the number it is.
    labels : array_like of int, shape (length,)
    blank : int
    dtype : dtype, Format or str
        The format of the results.

    Returns
    -------
    loss : float
        inf where no path spells the labels.
    gradient : numpy.ndarray of float64, shape of x
        With respect to the logits; nan where the loss is inf.
    """
    rows, states = exact_numbers(x).tolist(), [blank]
    for label in np.asarray(labels, dtype=int).tolist():
        states += [label, blank]

    def loss_and_gradient():
        p, after = _paths(rows, states)
        before_end = [b[::-1] for b in _paths(rows[::-1], states[::-1], without_last=True)[1]][::-1]
        total = sum(after[-1][-2:], ball_of(0))
        if total == 0:
            return [ball_of(0)]
        gradient = []
        for t, row in enumerate(p):
            share = [ball_of(0)] * len(row)
            for k, path in zip(states, _products(after[t], before_end[t]), strict=True):
                share[k] = share[k] + path
            gradient += [v - part / total for v, part in zip(row, share, strict=True)]
        return [-total.log(), *gradient]

    loss, *gradient = _rounded(loss_and_gradient, dtype)
    shape = len(rows), len(rows[0])
    if not gradient:
        return math.inf, np.full(shape, math.nan)
    return loss, np.reshape(gradient, shape)


def _paths(rows, states, without_last=False):
    """Return the probabilities of all classes, and of all paths up to each step, by state."""
    p, sums, a = [Terms(row).softmax() for row in rows], [], None
    zero, n = ball_of(0), len(states)
    for row in p:
        if a is None:
            moved = [ball_of(1) if i < 2 else zero for i in range(n)]
        else:
            moved = [
                a[i]
                + (a[i - 1] if i > 0 else zero)
                + (a[i - 2] if i > 1 and states[i] != states[i - 2] else zero)
                for i in range(n)
            ]
        a = _products(moved, [row[k] for k in states])
        sums.append(moved if without_last else a)
    return p, sums


def _integers(table):
    """Return a table as integers k and an exponent e, for the numbers k / 2**e."""
    if table.dtype == object:  # integers beyond float64, or longer than it
        parts = [Fraction(v) for v in table.flat]
        e = max(part.denominator.bit_length() - 1 for part in parts)
        integers = [int(part * 2**e) for part in parts]
    else:
        mantissas, exponents = np.frexp(table.ravel())
        mantissas = (mantissas * 2.0**53).astype(np.int64)
        last = np.frexp((mantissas & -mantissas).astype(float))[1] + exponents - 54
        e = max(0, -int(np.min(last, where=mantissas != 0, initial=0)))
        pairs = zip(mantissas.tolist(), (exponents - 53 + e).tolist(), strict=True)
        integers = [m << k if k >= 0 else m >> -k for m, k in pairs]
    return _nested(integers, table.shape), e


def _nested(flat, shape):
    """Return a list as lists within a list, of the shape of a table."""
    if len(shape) < 2:
        return flat
    return [flat[i : i + shape[1]] for i in range(0, len(flat), shape[1])]


def _moved(p, columns):
    """Return a row times a matrix, which is given by its columns."""
    return [sum(map(operator.mul, p, column)) for column in columns]


def _log_of_integers(low, high, exponent):
    """Return balls of the logarithms of two integers times a power of two; -inf for 0."""
    if not high:
        return -math.inf, -math.inf
    scale = ball_of(2).log() * exponent
    return [ball_of(n).log() + scale if n else -math.inf for n in (low, high)]


def _products(one, other):
    return [a * b for a, b in zip(one, other, strict=True)]


def _rounded(balls, dtype):
    """Round each of the balls that a function returns, with as many bits as that takes."""
    fmt = format_of(dtype)

    def attempt():
        results = [round_ball(ball, fmt) for ball in balls()]
        return None if None in results else results

    return with_enough_bits(attempt, [], fmt)
