"""Connectionist temporal classification: the loss of labels that nobody has aligned.

A network gives logits for each of many short steps, and the labels are fewer and have no times. One
more class, the blank, means "nothing new". A path chooses a class for each step; it spells the
labels if they are what is left after repetitions are merged and blanks removed. The probability of
the labels is the sum over all paths that spell them, a forward algorithm with one state for each
label and one for each gap between labels (Graves et al. 2006).

The logarithms are kept relative to the largest at each step, as in
`stable_softmax.beyond.hidden_markov.forward_shifted`. Derivatives flow through `ctc_loss`.
"""

import math

import numpy as np
from array_api_compat import device

from ..arrays import as_int, as_logits, at_least_float32, check_labels, one_hot
from ..exact_numbers import is_compiled
from ..log_softmax import log_softmax_log1p
from ..softmax import softmax_shifted
from .hidden_markov import log_sum, shifted

_INF = math.inf


def ctc_loss(x, labels, blank=0):
    """Minus the logarithm of the probability of all paths that spell the labels.

    Source: Graves et al. 2006, section 4.1.

    Parameters
    ----------
    x : array_like, shape (..., steps, classes)
        The logits of each step; at least one step.
    labels : array_like of int, shape (..., length)
        What is to be spelled: classes other than `blank`. The length may be 0. Sequences of
        different lengths are different calls.
    blank : int
        The class that means "nothing new".

    Returns
    -------
    array, shape (...)
        In nats; the dtype of `x`, and at least float32. inf where no path spells the labels: there
        are too few steps, or a logit of -inf is in the way of each. nan where a row of `x` holds
        nan or +inf, or only -inf. Where the labels are nearly certain, the loss is right to a few
        units of roundoff for each step, and can be as far below 0.

    Raises
    ------
    TypeError
        If `x` is not real, or labels or `blank` are not integers; also for arrays of dask, which
        cannot pick entries along an axis.
    ValueError
        If the shapes do not fit, there is no step, or a label is not a class, or is the blank.
    """
    log_p, states, xp = _prepared(x, labels, blank)
    shifts, _, after = _walk(log_p, states, xp)
    ends = after[-1][..., -2:]  # after the last label, and the blank behind it
    total = xp.sum(xp.concat(shifts, axis=-1), axis=-1) + log_sum(ends, -1, xp)
    return xp.zeros_like(total) - total  # no -0.0


def ctc_gradient(x, labels, blank=0):
    """Gradient of `ctc_loss` with respect to the logits: p - q.

    q is the share of each class in the paths that spell the labels. It comes from one walk forwards
    and one backwards, whose sum at each step goes through a softmax over the states. The common
    part, the loss itself, never enters: it would bring the rounding of a large number.

    Returns: the shape of `x`, the dtype of `ctc_loss`; each row sums to 0. nan where the loss is
    inf or nan.

    Parameters and errors: see `ctc_loss`.

    Source: Graves et al. 2006, equation 16.
    """
    log_p, states, xp = _prepared(x, labels, blank)
    _, _, after = _walk(log_p, states, xp)
    _, before, _ = _walk(xp.flip(log_p, axis=-2), xp.flip(states, axis=-1), xp)
    after = xp.stack(after, axis=-2)
    before = xp.flip(xp.stack(before, axis=-2), axis=(-2, -1))
    paths = after + before
    impossible = xp.all(paths == -_INF, axis=-1, keepdims=True)
    shares = softmax_shifted(xp.where(impossible, xp.zeros_like(paths), paths))
    gradient = xp.exp(log_p) - xp.matmul(shares, one_hot(states, log_p))
    return xp.where(impossible, xp.full_like(gradient, math.nan), gradient)


def _walk(log_p, states, xp):
    """Go through all steps with the states side by side.

    Returns
    -------
    shifts : list of arrays, shape (..., 1)
        What was subtracted at each step.
    before, after : lists of arrays, shape (..., states)
        Relative logarithms of the probability to be in each state at a step, without and with the
        probability of its class at that step.
    """
    seen = _at_states(log_p, states, xp)
    may_skip = states[..., 2:] != states[..., :-2]  # over the blank between two different labels
    n, shifts, before, after = states.shape[-1], [], [], []
    none = xp.full_like(seen[..., 0, :1], -_INF)
    first = xp.arange(n, device=device(log_p)) < 2
    a = xp.where(first, xp.zeros_like(seen[..., 0, :]), none)
    for t in range(log_p.shape[-2]):
        if t:
            one = xp.concat([none, a[..., :-1]], axis=-1)
            two = xp.where(may_skip, a[..., :-2], none) if n > 2 else a[..., :0]
            two = xp.concat([*[none] * min(n, 2), two], axis=-1)
            a = log_sum(xp.stack([a, one, two], axis=-1), -1, xp)
        before.append(a)
        a, shift = shifted(a + seen[..., t, :], xp)
        shifts.append(shift)
        after.append(a)
    return shifts, before, after


def _at_states(log_p, states, xp):
    """Return the log-probability of the class of each state at each step."""
    if not hasattr(xp, "take_along_axis"):
        raise TypeError("dask cannot pick entries along an axis: give x.compute()")
    shape = (*log_p.shape[:-1], states.shape[-1])
    return xp.take_along_axis(log_p, xp.broadcast_to(states[..., None, :], shape), axis=-1)


def _prepared(x, labels, blank):
    """Return log-probabilities, the class of each state, and the namespace."""
    x, _, xp = as_logits(x)
    blank, given = as_int(blank), blank
    if blank is None:
        raise TypeError(f"blank must be one class, an int, not {given!r}")
    if x.ndim < 2 or x.shape[-2] == 0:
        raise ValueError(
            f"x must have the shape (..., steps, classes), with at least one step, not "
            f"{tuple(x.shape)}"
        )
    if not 0 <= blank < x.shape[-1]:
        raise ValueError(f"blank must lie in 0 .. {x.shape[-1] - 1}, not {blank}")
    labels = _as_labels(labels, x, blank, xp)
    blanks = xp.full_like(labels, blank)
    states = xp.stack([blanks, labels], axis=-1)
    states = xp.reshape(states, (*labels.shape[:-1], 2 * labels.shape[-1]))
    last = xp.full((*labels.shape[:-1], 1), blank, dtype=labels.dtype, device=device(labels))
    return log_softmax_log1p(at_least_float32(x)), xp.concat([states, last], axis=-1), xp


def _as_labels(labels, x, blank, xp):
    """Return the labels as class indices for `x`, without the blank."""
    shape = tuple(labels.shape if hasattr(labels, "shape") else np.shape(labels))
    if len(shape) == 0:
        raise ValueError("labels must have the shape (..., length), not ()")
    like = xp.broadcast_to(x[..., :1, :], (*x.shape[:-2], shape[-1], x.shape[-1]))
    labels = check_labels(labels, like)
    if _holds(labels == blank, xp):
        raise ValueError(f"labels must not hold the blank, {blank}: it stands between them")
    return labels


def _holds(condition, xp):
    """Tell whether one is true; False where nobody can know yet, under a compiler."""
    try:
        return not is_compiled(xp) and bool(xp.any(condition))
    except (TypeError, RuntimeError):
        return False
