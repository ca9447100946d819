"""Checks of the exercises of the chapter ``sequences``. They need NumPy only."""

import functools
import math

import numpy as np

from ..measure.exact import log_softmax_exact
from ..measure.exact_sequences import forward_exact
from .drawn import eighths
from .report import Case, check_cases


def check_log_ratio(function):
    """Check an answer to "The ratio of two models".

    ``function(x, other, labels)`` returns the logarithm of the ratio of the probabilities that two
    models give to the same tokens: logits of shape (steps, classes), twice, and one label for each
    step.
    """
    x, other = np.array([[1.0, 2.0, 0.0], [0.5, 0.0, 1.5]]), np.zeros((2, 3))
    rng = np.random.default_rng(0)
    many = eighths(rng, 2, 2000, 3, within=4)
    labels = rng.integers(0, 3, 2000)
    rare = np.array([[0.0, 800.0], [0.0, 801.0]])
    return check_cases(
        function,
        [
            _ratio_case("one token", x[:1], other[:1], [1]),
            _ratio_case("two tokens", x, other, [1, 0]),
            _ratio_case("the same model twice", x, x, [2, 2]),
            _ratio_case("an offset of 1000 in one of them", x + 1000, other, [1, 0]),
            _ratio_case("a token that is 800 behind", rare, rare[::-1], [0, 1]),
            _ratio_case("2000 tokens", *many, labels),
        ],
        draw=lambda rng: _ratio_case(
            "drawn", eighths(rng, 3, 4), eighths(rng, 3, 4), rng.integers(0, 4, 3)
        ),
        mistakes={
            "the other model is in the denominator": (
                lambda x, other, labels: _difference(other, x, labels)
            ),
            "this is the mean over the tokens: add them up": (
                lambda x, other, labels: _difference(x, other, labels) / len(labels)
            ),
            "a floor under the probabilities hides the rare tokens": (
                lambda x, other, labels: np.sum(
                    np.log(np.exp(_of_labels(x, labels)) + 1e-12)
                    - np.log(np.exp(_of_labels(other, labels)) + 1e-12)
                )
            ),
        },
    )


def check_scaled_forward(function):
    """Check an answer to "The forward algorithm, any number of steps".

    ``function(start, transitions, likelihoods)`` returns the log-likelihood of one sequence; see
    `stable_softmax.beyond.hidden_markov.forward_log`.
    """
    start, move = np.array([0.5, 0.5]), np.array([[0.75, 0.25], [0.125, 0.875]])
    seen = np.array([[0.5, 0.25], [0.125, 1.0], [0.75, 0.5]])
    long = np.tile(seen, (400, 1))
    return check_cases(
        function,
        [
            _forward_case("one step", start, move, seen[:1]),
            _forward_case("three steps", start, move, seen),
            _forward_case("a state that is never left", start, np.eye(2), seen),
            # a running sum of 1200 logarithms is rounded by up to half an ulp at each step
            _forward_case("1200 steps", start, move, long, max_ulp=1024.0),
            _forward_case("likelihoods near 1e-200", start, move, 1e-200 * seen),
            _forward_case("10,000 steps in float32", *_long_float32(), max_ulp=32.0),
        ],
        draw=lambda rng: _forward_case(
            "drawn",
            start,
            (1 + rng.integers(0, 8, (2, 2))) / 16,
            (1 + rng.integers(0, 8, (5, 2))) / 8,
        ),
        mistakes={
            "the last sum is missing: add its logarithm as well": (
                lambda *tables: _scaled(*tables, skip_last=True)
            ),
            "log(p + 1e-300) is the logarithm of the added number where p underflows": (
                lambda *tables: np.log(np.exp(_scaled(*tables)) + 1e-300)
            ),
            "in the log domain the numbers grow, and with them their rounding: divide the "
            "probabilities by their sum instead": _in_log_domain,
        },
    )


def _of_labels(x, labels):
    z = x - np.max(x, axis=1, keepdims=True)
    return (z - np.log(np.sum(np.exp(z), axis=1, keepdims=True)))[np.arange(len(labels)), labels]


def _difference(x, other, labels):
    return np.sum(_of_labels(x, labels) - _of_labels(other, labels))


def _ratio_case(name, x, other, labels):
    """One sequence: thousands of roundings of log-probabilities, each of a few, in their sum."""
    rows, labels = np.arange(len(labels)), np.asarray(labels)
    parts = (log_softmax_exact(z)[rows, labels] for z in (x, other))
    exact = math.fsum(np.subtract(*parts))
    return Case(name, (x, other, labels), np.float64(exact), max_ulp=2.0**14)


def _forward_case(name, start, move, seen, max_ulp=64.0):
    exact = forward_exact(start, move, seen)
    return Case(name, (start, move, seen), seen.dtype.type(exact), max_ulp=max_ulp)


@functools.cache
def _long_float32():
    """Return a model whose log-likelihood is wrong by 79 ulp in the log domain, as measured."""
    rng = np.random.default_rng(0)
    move = rng.dirichlet(np.ones(4), size=4).astype(np.float32)
    kinds = rng.dirichlet(np.ones(20), size=4).astype(np.float32)
    return np.full(4, 0.25, dtype=np.float32), move, kinds.T[rng.integers(20, size=10_000)]


def _scaled(start, move, seen, skip_last=False):
    p, totals = start, []
    for t, factors in enumerate(seen):
        p = (p if t == 0 else p @ move) * factors
        totals.append(np.sum(p))
        p = p / totals[-1]
    return np.sum(np.log(totals[:-1] if skip_last else totals))


def _in_log_domain(start, move, seen):
    with np.errstate(divide="ignore"):
        a, move, seen = np.log(start), np.log(move), np.log(seen)
    a = a + seen[0]
    for later in seen[1:]:
        z = a[:, np.newaxis] + move
        m = np.max(z, axis=0)
        a = m + np.log(np.sum(np.exp(z - m), axis=0)) + later
    m = np.max(a)
    return m + np.log(np.sum(np.exp(a - m)))
