"""Exact values from mpmath's intervals: those of Arb, and never a number outside the interval."""

import math
from fractions import Fraction

import flint
import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    exp_exact,
    hessian_vector_product_exact,
    log1mexp_exact,
    log_softmax_exact,
    logsumexp_exact,
    softmax_exact,
)
from stable_softmax.measure import balls, intervals
from stable_softmax.measure.exact_parts import exact_parts
from stable_softmax.measure.families import FAMILIES
from tests.cases import ALL_FORMATS

SPECIAL = [
    [7.0],
    [0.0, -np.inf, 2.0],
    [-np.inf, -np.inf],
    [np.inf, 0.0],
    [np.nan, 1.0],
    [1e308, -1e308, 0.0],
    [2**53 + 1, 2**53],
    [2.0**-1074, 0.0],
    [4096.0, -2.0],  # a tie in float16 that a tail below 2**-4000 decides
    [65520.0, 0.0],
]


def of_both(function, *arguments, monkeypatch, **options):
    """Return what a function computes with Arb, and with mpmath."""
    results = []
    for library in (flint, intervals):
        monkeypatch.setattr(balls, "ball_arithmetic", lambda library=library: library)
        balls.power_of_two.cache_clear()  # which keeps numbers of the library before
        results.append(function(*arguments, **options))
    balls.power_of_two.cache_clear()
    return results


def same(one, other):
    np.testing.assert_array_equal(one.astype(np.float64), other.astype(np.float64))


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_both_libraries_give_the_same_exact_values(family, fmt, monkeypatch):
    x, labels = family.samples(fmt if fmt in family.formats else family.formats[0], 10)
    x, labels = x[:1, :100], np.minimum(labels[:1], min(x.shape[1], 100) - 1)
    for function in (softmax_exact, log_softmax_exact, logsumexp_exact):
        same(*of_both(function, x, dtype=fmt, monkeypatch=monkeypatch))
    for function in (cross_entropy_exact, cross_entropy_gradient_exact):
        same(*of_both(function, x, labels, dtype=fmt, monkeypatch=monkeypatch))


@pytest.mark.parametrize("row", SPECIAL, ids=str)
@pytest.mark.parametrize("fmt", ["fp64", "fp16"])
def test_both_agree_on_rows_that_are_special(row, fmt, monkeypatch):
    for function in (exp_exact, softmax_exact, log_softmax_exact, logsumexp_exact):
        same(*of_both(function, row, dtype=fmt, monkeypatch=monkeypatch))


@pytest.mark.parametrize("fmt", ["fp64", "fp32"])
def test_both_agree_on_the_logarithm_of_one_minus_an_exponential(fmt, monkeypatch):
    x = [-1e-300, -(2.0**-60), -1e-9, -0.3, -math.log(2), -0.999, -1.0, -1.001, -40.0, -700.0]
    same(*of_both(log1mexp_exact, x, dtype=fmt, monkeypatch=monkeypatch))


@pytest.mark.parametrize("row", SPECIAL, ids=str)
@pytest.mark.parametrize("fmt", ["fp64", "fp16"])
def test_both_agree_on_weighted_sums_and_on_products_with_the_hessian(row, fmt, monkeypatch):
    v = np.array([1.0, -3.0, 0.1])[: len(row)]
    same(*of_both(hessian_vector_product_exact, row, v, dtype=fmt, monkeypatch=monkeypatch))
    for weights in (v, -v, [1.0, 0.0, -1.0][: len(row)]):
        both = of_both(logsumexp_exact, row, dtype=fmt, weights=weights, monkeypatch=monkeypatch)
        same(*both)


def test_both_find_the_same_rest_of_a_rounding(monkeypatch):
    x = np.random.default_rng(0).normal(size=(20, 10)).astype(np.float32)
    one, other = of_both(exact_parts, x, np.arange(20) % 10, monkeypatch=monkeypatch)
    for name in one:
        np.testing.assert_array_equal(one[name][0], other[name][0])
        np.testing.assert_allclose(one[name][1], other[name][1], rtol=0, atol=2e-9)


@pytest.mark.parametrize("x", [0, 1, 3.7, Fraction(1, 3), 2.0**-60, 2.0**-500, 1e300])
def test_log1p_and_exp_hold_the_number_that_twice_the_bits_give(x):
    def of(number):
        return intervals.arb(number.as_integer_ratio() if isinstance(number, Fraction) else number)

    for bits in (53, 100, 300):
        with intervals.ctx.workprec(bits):
            coarse = of(x).log1p(), of(-x).exp()
            width = [float((end / (1 + end)).rad()) for end in coarse]
        with intervals.ctx.workprec(20 * bits + 4000):
            fine = of(x).log1p(), of(-x).exp()
            for wide, narrow in zip(coarse, fine, strict=True):
                assert not wide.lower() > narrow.lower() and not narrow.upper() > wide.upper()
        assert all(w <= 2.0 ** (4 - bits) for w in width), "and is narrow"


@pytest.mark.parametrize("x", [0.3, 2.0**-60, 2.0**-500])
def test_the_functions_near_zero_hold_their_numbers_on_both_sides(x):
    for argument in (x, -x):
        for name in ("log1p", "expm1"):
            with intervals.ctx.workprec(60):
                wide = getattr(intervals.arb(argument), name)()
                assert float((wide / argument).rad()) <= 2.0**-56, "and is narrow"
            with intervals.ctx.workprec(2000):
                narrow = getattr(intervals.arb(argument), name)()
                assert not wide.lower() > narrow.lower() and not narrow.upper() > wide.upper()


def test_an_interval_is_compared_only_where_it_is_certain():
    with intervals.ctx.workprec(53):
        third = intervals.arb(intervals.fmpq(1, 3))
        assert third * 3 != 1 and not third * 3 > 1 and third > 0.333
        assert intervals.arb(0).exp() == 1 and math.isclose(float(third), 1 / 3, rel_tol=2**-52)


def test_an_interval_is_shown_by_its_ends():
    with intervals.ctx.workprec(53):
        shown = repr(intervals.arb(intervals.fmpq(1, 3)))
    low, high = shown.strip("[]").split(", ")
    assert low.startswith("0.33333333") and Fraction(low) < Fraction(1, 3) < Fraction(high)


def test_the_precision_is_that_of_before_after_an_error():
    with pytest.raises(ZeroDivisionError), intervals.ctx.workprec(200):
        raise ZeroDivisionError
    assert intervals.ctx.prec == 53
