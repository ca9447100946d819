import itertools
import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest

from stable_softmax import FP32, FP64, cross_entropy_exact
from stable_softmax.measure import balls, intervals
from stable_softmax.measure.exact_sequences import (
    ctc_exact,
    forward_exact,
    sequence_log_probability_exact,
)

HALF = [[0.5, 0.5], [0.25, 0.75]]


def test_a_sequence_of_one_token_is_its_log_probability():
    x = 5 * np.random.default_rng(0).normal(size=(1, 6))
    assert sequence_log_probability_exact(x, [2]) == -cross_entropy_exact(x, [2])[0]


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_a_sequence_is_the_rounded_sum_of_many_digits(fmt):
    x = 30 * np.random.default_rng(0).normal(size=(20, 6))
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for row in x.tolist():
            total += mpmath.mpf(row[1]) - mpmath.log(sum(map(mpmath.exp, row)))
        right = float(total)
    got = sequence_log_probability_exact(x, [1] * 20, dtype=fmt)
    assert got == float(fmt.dtype.type(right))


def likelihood(start, move, seen):
    """The sum over all paths, in fractions."""
    start, move, seen = (np.vectorize(Fraction, otypes=[object])(t) for t in (start, move, seen))
    total = Fraction(0)
    for path in itertools.product(range(len(start)), repeat=len(seen)):
        p = start[path[0]] * seen[0][path[0]]
        for t in range(1, len(seen)):
            p *= move[path[t - 1]][path[t]] * seen[t][path[t]]
        total += p
    return total


@pytest.mark.parametrize("states", [1, 2, 3])
@pytest.mark.parametrize("scale", [1, 2.0**-1060, 1e300])
def test_the_forward_algorithm_is_the_sum_over_all_paths(states, scale):
    rng = np.random.default_rng(states)
    tables = rng.uniform(size=states), rng.uniform(size=(states, states)), None
    tables = (*tables[:2], scale * rng.uniform(size=(5, states)))
    total = likelihood(*tables)
    with mpmath.workdps(60):
        right = mpmath.log(mpmath.mpf(total.numerator)) - mpmath.log(total.denominator)
        assert forward_exact(*tables) == float(right)


def test_the_forward_algorithm_takes_longer_numbers_as_they_are():
    one_up = np.nextafter(np.longdouble(1), 2)  # not a float64, where longdouble is longer
    got = forward_exact([1], [[1]], [[one_up]])
    assert got == float(np.log1p(one_up - 1))
    assert forward_exact([1], [[1]], [[2**60 + 1]]) == pytest.approx(math.log(2**60), abs=1e-15)


def test_a_likelihood_of_0_has_the_logarithm_minus_infinity():
    assert forward_exact([1, 0], [[1, 0], [0, 1]], [[0.0, 1.0]]) == -math.inf
    assert forward_exact([1, 0], [[1, 0], [0, 1]], [[1.0, 1.0], [0.0, 1.0]]) == -math.inf


def test_what_is_two_to_the_minus_5000_behind_is_not_lost():
    seen = np.array([[0.5, 1.0]] * 5000 + [[0.5, 0.0]])
    assert forward_exact([0.5, 0.5], np.eye(2), seen) == pytest.approx(-5002 * math.log(2))


def test_both_libraries_of_balls_give_the_same(monkeypatch):
    x = np.random.default_rng(0).normal(size=(5, 3))
    results = []
    for library in (flint, intervals):
        monkeypatch.setattr(balls, "ball_arithmetic", lambda library=library: library)
        balls.power_of_two.cache_clear()
        loss, gradient = ctc_exact(x, [1, 2])
        results.append([loss, *gradient.ravel(), sequence_log_probability_exact(x, [0] * 5)])
    balls.power_of_two.cache_clear()
    assert results[0] == results[1]


def test_the_gradient_of_ctc_is_the_slope_of_its_loss():
    x, labels, h = np.random.default_rng(0).normal(size=(4, 3)), [1, 2], 1e-6
    loss, gradient = ctc_exact(x, labels)
    assert math.isfinite(loss)
    for index in np.ndindex(x.shape):
        side = np.zeros_like(x)
        side[index] = h
        slope = (ctc_exact(x + side, labels)[0] - ctc_exact(x - side, labels)[0]) / (2 * h)
        assert gradient[index] == pytest.approx(slope, abs=1e-9)  # h**2, and u / h


def test_ctc_that_cannot_be_is_inf_with_the_gradient_nan():
    loss, gradient = ctc_exact(np.zeros((2, 3)), [1, 1])
    assert loss == math.inf
    assert np.all(np.isnan(gradient)) and gradient.shape == (2, 3)
