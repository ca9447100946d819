"""Checks of the exercises of the chapter ``vocabulary``."""

import numpy as np

from ..cross_entropy import cross_entropy_shifted
from ..measure.exact import cross_entropy_exact
from .drawn import eighths
from .report import Case, check_cases

_INF = np.inf


def check_carried_loss(function):
    """Check an answer to "The loss from pieces".

    ``function(pieces, label)`` takes the logits of one token as a list of arrays, and the index of
    its label in the whole vocabulary; returns the loss.
    """
    tokens = {
        "one piece": ([[2.0, 1.0, 0.1]], 0),
        "the maximum comes first": ([[3.0, 1.0], [2.0, 0.0]], 0),
        "the maximum comes last": ([[0.0, 1.0], [2.0, 5.0]], 3),
        "the label is in the middle": ([[0.0, 1.0], [2.0, 1.0], [5.0, 0.0]], 2),
        "pieces of different size": ([[1.0], [2.0, 3.0, 0.5], [1.5, 2.5]], 4),
        "large logits (1000)": ([[1000.0, 1001.0], [1002.0, 999.0]], 1),
        "a common offset of 1e8": ([[1e8, 1e8 + 1], [1e8 + 2, 1e8 - 1]], 1),
        "a first piece of -inf": ([[-_INF, -_INF], [1.0, 2.0]], 3),
    }

    def draw(rng):
        return _pieces_case("drawn", list(eighths(rng, 3, 4)), int(rng.integers(12)))

    return check_cases(
        function,
        [_pieces_case(name, pieces, label) for name, (pieces, label) in tokens.items()],
        draw=draw,
        mistakes={
            "the sum is in the scale of the old maximum: multiply it by exp(old - new)": (
                lambda pieces, label: _carried(pieces, label, rescale=False)
            ),
            "m + log(s) is rounded to the digits of m: subtract m from the label's logit first": (
                lambda pieces, label: _carried(pieces, label, early=True)
            ),
            "-inf - (-inf) is nan: subtract 0 from a piece of nothing but -inf": (
                lambda pieces, label: _carried(pieces, label, guard=False)
            ),
        },
    )


def check_mean_of_machines(function):
    """Check an answer to "The mean of four machines".

    ``function(losses, weights)`` takes two lists of arrays, one for each machine: the losses of its
    tokens, not yet multiplied by anything, and the class weights of their labels. Returns the mean
    over all tokens that divides by the sum of the weights, and 0 if that sum is 0.
    """
    machines = {
        "one machine": ([[1.0, 2.0]], [[1.0, 1.0]]),
        "weights of 1": ([[1.0, 2.0], [3.0, 6.0]], [[1.0, 1.0], [1.0, 1.0]]),
        "a rare class on one machine": ([[1.0, 2.0], [3.0, 6.0]], [[1.0, 1.0], [9.0, 1.0]]),
        "a machine with more tokens": ([[1.0], [2.0, 4.0, 8.0]], [[0.5], [1.0, 1.0, 2.0]]),
        "a machine without tokens": ([[1.0, 3.0], []], [[1.0, 2.0], []]),
        "no token at all": ([[], []], [[], []]),
    }

    def draw(rng):
        losses = [eighths(rng, k) + 3 for k in (2, 5, 3)]
        return _machines_case("drawn", losses, [eighths(rng, k) + 3 for k in (2, 5, 3)])

    return check_cases(
        function,
        [_machines_case(name, *lists) for name, lists in machines.items()],
        draw=draw,
        mistakes={
            "this divides by the number of tokens: divide by the sum of their weights": (
                lambda losses, weights: (
                    sum(np.sum(a * k) for a, k in zip(losses, weights, strict=True))
                    / max(sum(len(a) for a in losses), 1)
                )
            ),
        },
    )


def _carried(pieces, label, rescale=True, early=False, guard=True):
    m, s, start, at_label = -_INF, 0.0, 0, 0.0
    for x in pieces:
        new = max(m, np.max(x))
        shift = 0.0 if guard and new == -_INF else new
        with np.errstate(invalid="ignore"):
            s = s * (np.exp(m - shift) if rescale else 1.0) + np.sum(np.exp(x - shift))
        m = new
        if start <= label < start + len(x):
            at_label = x[label - start]
        start += len(x)
    return m + np.log(s) - at_label if early else np.log(s) - (at_label - m)


def _pieces_case(name, pieces, label):
    pieces = [np.array(piece, dtype=float) for piece in pieces]
    row = np.concatenate(pieces)
    exact = cross_entropy_exact(row, label)
    # sums of a few numbers, and the shifted form as the yardstick of a small loss
    error = abs(cross_entropy_shifted(row, label) - exact) / np.spacing(exact)
    return Case(name, (pieces, label), exact, max_ulp=8.0 + 2 * float(error))


def _machines_case(name, losses, weights):
    losses, weights = ([np.array(a, dtype=float) for a in part] for part in (losses, weights))
    total = np.sum(np.concatenate(weights))
    mean = np.sum(np.concatenate(losses) * np.concatenate(weights)) / (total or 1.0)
    return Case(name, (losses, weights), mean, max_ulp=8.0)
