import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import BF16, E4M3, FP16, FP32, FP64
from stable_softmax.ladder.pair_arithmetic import (
    add,
    add_triples,
    add_up,
    divide,
    exp_pair,
    expm1_triple,
    log1p_pair,
    multiply,
    multiply_triples,
    round_pair,
    round_to_odd,
    two_product,
    two_sum,
)
from tests.cases import ALL_FORMATS

numbers = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-80)
RNG = np.random.default_rng(0)


def exact(parts):
    parts = (np.ravel(part).astype(float).tolist() for part in parts)
    return [sum(map(Fraction, numbers)) for numbers in zip(*parts, strict=True)]


def random_pair(n=500):
    high = RNG.normal(size=n) * 10.0 ** RNG.integers(-20, 20, size=n)
    return high, high * RNG.uniform(-1, 1, size=n) * 2.0**-54


def round_fraction(value, fmt):
    """Round a Fraction to nearest even, by the definition of the format."""
    if value == 0:
        return 0.0
    exponent = math.frexp(float(value))[1] if abs(value) > Fraction(1, 2**1000) else -1074
    while abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    last = max(exponent, fmt.min_exponent) - fmt.precision + 1
    rounded = round(value / Fraction(2) ** last) * Fraction(2) ** last  # round() ties to even
    if abs(rounded) > Fraction(fmt.largest):
        return math.copysign(math.inf, value) if fmt.has_infinity else math.nan
    return float(rounded)


@given(numbers, numbers)
def test_two_sum_loses_nothing(a, b):
    s, t = two_sum(np.float64(a), np.float64(b))
    assert s == a + b
    assert Fraction(float(s)) + Fraction(float(t)) == Fraction(a) + Fraction(b)


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16, BF16], ids=str)
def test_two_sum_is_exact_in_every_format(fmt):
    a, b = (RNG.normal(size=300).astype(fmt.dtype) * fmt.dtype.type(c) for c in (1, 30))
    s, t = two_sum(a, b)
    assert s.dtype == t.dtype == fmt.dtype
    assert exact((s, t)) == exact((a, b))


@given(numbers, numbers)
def test_two_product_loses_nothing(a, b):
    p, t = two_product(np.float64(a), np.float64(b))
    assert p == a * b
    assert Fraction(float(p)) + Fraction(float(t)) == Fraction(a) * Fraction(b)


@pytest.mark.parametrize(
    ("ours", "exactly"),
    [(add, Fraction.__add__), (multiply, Fraction.__mul__), (divide, Fraction.__truediv__)],
)
def test_arithmetic_of_pairs_has_more_than_100_bits(ours, exactly):
    x, y = random_pair(), random_pair()
    y = tuple(
        np.where(np.sign(x[0]) == np.sign(y[0]), part, -part) for part in y
    )  # no cancellation
    for got, a, b in zip(exact(ours(x, y)), exact(x), exact(y), strict=True):
        want = exactly(a, b)
        assert abs(got - want) <= abs(want) * Fraction(1, 2**100)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 1001])
def test_a_row_of_pairs_is_added_up(n):
    high = RNG.uniform(0, 1, size=(3, n)) * 10.0 ** -RNG.integers(0, 30, size=(3, n))
    low = high * 2.0**-55
    for got, h, t in zip(exact(add_up((high, low))), high, low, strict=True):
        want = sum(exact((h, t)), Fraction(0))
        assert abs(got - want) <= want * Fraction(1, 2**98)


def random_triple(n=500):
    high, middle = random_pair(n)
    return high, middle, middle * RNG.uniform(-1, 1, size=n) * 2.0**-54


@pytest.mark.parametrize(
    ("ours", "exactly"), [(add_triples, Fraction.__add__), (multiply_triples, Fraction.__mul__)]
)
def test_arithmetic_of_triples_has_more_than_150_bits(ours, exactly):
    x, y = random_triple(), random_triple()
    for got, a, b in zip(exact(ours(x, y)), exact(x), exact(y), strict=True):
        size = max(abs(a), abs(b)) if ours is add_triples else abs(a * b)
        assert abs(got - exactly(a, b)) <= size * Fraction(1, 2**152)


def test_triples_keep_what_is_left_when_two_numbers_cancel():
    x = random_triple()
    y = -x[0], -x[1], np.zeros_like(x[0])
    assert exact(add_triples(x, y)) == exact((0 * x[0], 0 * x[0], x[2]))


def test_a_row_of_triples_is_added_up():
    high = RNG.uniform(0, 1, size=(3, 1001))
    x = high, high * 2.0**-55, high * 2.0**-110
    for got, *row in zip(exact(add_up(x, add_triples)), *x, strict=True):
        want = sum(exact(row), Fraction(0))
        assert abs(got - want) <= want * Fraction(1, 2**145)


@pytest.mark.parametrize("size", [1e-300, 1e-100, 1e-12, 1e-3, 1.0, 30.0, 700.0])
def test_exp_in_triples_has_130_bits_and_120_of_a_small_step(size):
    x = -RNG.uniform(0, size, size=2000)
    start, step = (exact(parts) for parts in expm1_triple(x, scale=600))
    with ctx.workprec(2000):
        for first, second, value in zip(start, step, x.tolist(), strict=True):
            first, second = first / 2**600, second / 2**600
            ball = arb(value).exp()
            total = ball - arb(first.numerator) / arb(first.denominator)
            error = total - arb(second.numerator) / arb(second.denominator)
            assert abs(error) < ball * arb(2) ** -130
            if first == 1:
                assert abs(error) < abs(arb(value).expm1()) * arb(2) ** -120


def relative_errors(pairs, balls, k=0):
    """Errors of pairs (times 2**k) against balls of 300 bits."""
    k = np.broadcast_to(k, pairs[0].shape).tolist()
    errors = []
    for high, low, power, ball in zip(*(p.tolist() for p in pairs), k, balls, strict=True):
        computed = (arb(high) + arb(low)) * arb(2) ** power
        errors.append(float(abs(computed / ball - 1)))
    return np.array(errors)


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 30.0, 999.0])
def test_exp_of_a_pair_has_76_bits(size):
    high = RNG.uniform(-size, size, size=2000)
    low = high * RNG.uniform(-1, 1, size=2000) * 2.0**-53
    y, k = exp_pair((high, low))
    assert np.all((y[0] > 0.99) & (y[0] < 2.01))
    with ctx.workprec(300):
        balls = [(arb(h) + arb(t)).exp() for h, t in zip(high.tolist(), low.tolist(), strict=True)]
        assert np.max(relative_errors(y, balls, k)) < 2.0**-76


@pytest.mark.parametrize("exponent", [-290, -30, -9, -4, -3, -2, -1, 0, 1, 2, 5, 15])
def test_log1p_of_a_pair_has_70_bits(exponent):
    high = 10.0**exponent * RNG.uniform(0.1, 1, size=2000)
    low = high * RNG.uniform(-1, 1, size=2000) * 2.0**-54
    y = log1p_pair((high, low))
    with ctx.workprec(300):
        pairs = zip(high.tolist(), low.tolist(), strict=True)
        balls = [(arb(h) + arb(t)).log1p() for h, t in pairs]
        floor = 0.0 if exponent > -200 else 2.0**-52  # the tail of a tiny pair underflows
        assert np.max(relative_errors(y, balls)) < 2.0**-70 + floor


def test_log1p_of_zero_is_zero():
    y = log1p_pair((np.zeros(3), np.zeros(3)))
    np.testing.assert_array_equal(y, np.zeros((2, 3)))


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_a_pair_is_rounded_once(fmt):
    # numbers of the format, their neighbors' middles, and both of these moved by next to nothing
    base = np.abs(RNG.normal(size=200)) * 2.0 ** RNG.integers(-6, 6, size=200)
    base = base.astype(fmt.dtype).astype(float)
    middle = base * (1 + fmt.unit_roundoff) if fmt != FP64 else base
    for high in (base, middle, -middle):
        for low in (0.0, 2.0**-60, -(2.0**-60), 2.0**-53, -(2.0**-53)):
            x = high, high * low
            want = [round_fraction(value, fmt) for value in exact(x)]
            np.testing.assert_array_equal(round_pair(x, fmt).astype(float), want)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_a_subnormal_result_is_rounded_once(fmt):
    power = fmt.min_exponent - fmt.precision  # 2**power is half the smallest number
    high = RNG.uniform(0.25, 40, size=300)
    high[:100] = np.round(high[:100] * 4) / 4
    for low in (0.0, 2.0**-55, -(2.0**-55)):
        x = high, high * low
        want = [round_fraction(value * Fraction(2) ** power, fmt) for value in exact(x)]
        np.testing.assert_array_equal(round_pair(x, fmt, power).astype(float), want)


def test_too_large_a_pair_becomes_infinite_or_nan():
    x = np.array([1e6, -1e6]), np.zeros(2)
    np.testing.assert_array_equal(round_pair(x, FP16), [np.inf, -np.inf])
    assert np.isnan(round_pair(x, E4M3).astype(float)).all()


def test_rounding_to_odd_keeps_a_number_off_the_middle():
    middle = np.array([1 + 2.0**-11, -1 - 2.0**-11])  # between two float16 numbers
    lost = np.array([1e-30, -1e-30])
    moved = round_to_odd(middle, lost)
    np.testing.assert_array_equal(moved, np.nextafter(middle, np.sign(lost) * np.inf))
    np.testing.assert_array_equal(round_to_odd(middle, np.zeros(2)), middle)
    odd = np.nextafter(middle, np.inf)
    np.testing.assert_array_equal(round_to_odd(odd, lost), odd)
    single = middle.astype(np.float32)
    assert round_to_odd(single, lost.astype(np.float32)).dtype == np.float32


def test_rounding_to_odd_moves_subnormal_numbers_and_leaves_zero():
    tiny = np.finfo(np.float32).smallest_subnormal
    s = np.array([0, 2, 2, -2, 3], dtype=np.float32) * tiny
    lost = np.array([1, 1, -1, -1, 1], dtype=np.float32)
    np.testing.assert_array_equal(round_to_odd(s, lost) / tiny, [0, 3, 1, -3, 3])


def test_rounding_to_odd_works_on_tensors():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    middle = torch.tensor([1 + 2.0**-11], dtype=torch.float64)
    moved = round_to_odd(middle, torch.ones_like(middle))
    assert moved.item() == np.nextafter(1 + 2.0**-11, 2)


def test_rounding_to_odd_is_the_identity_to_autograd():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    s = torch.tensor([1 + 2.0**-11, -3.0], dtype=torch.float64, requires_grad=True)
    round_to_odd(s, s / 3).sum().backward()
    assert s.grad.tolist() == [1, 1]
