"""Each statement of the summary of chapter numbers, asserted; and the other facts of its text."""

import warnings

import numpy as np
import pytest

from stable_softmax import (
    BF16,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    FP64,
    accurate_digits,
    exp_exact,
    relative_error,
    round_to,
    ulp_error,
)
from stable_softmax.floating_point import ulp
from stable_softmax.measure.balls import ball_arithmetic, ball_of
from stable_softmax.notebook.number_line import bits_of, numbers_between

STORED = [fmt for fmt in FORMATS.values() if fmt.dtype_name]
SHORT = [FP16, BF16, E5M2, E4M3]
formats = pytest.mark.parametrize("fmt", STORED, ids=str)


@pytest.mark.parametrize("fmt", SHORT, ids=str)
@pytest.mark.parametrize("exponent", [-6, -1, 0, 4, 7])
def test_a_format_has_the_same_number_of_steps_between_powers_of_two(fmt, exponent):
    """Between two neighboring powers of two, a format with p significant bits has `2**(p - 1)`
    equal steps."""
    numbers = numbers_between(2.0**exponent, 2.0 ** (exponent + 1), fmt)
    steps = np.diff(numbers)
    assert steps.size == 2 ** (fmt.precision - 1)
    assert np.all(steps == ulp(2.0**exponent, fmt))


@formats
def test_rounding_moves_a_number_by_at_most_half_an_ulp_and_a_tie_goes_to_even(fmt):
    """Rounding moves a number by at most half an ulp, in the normal range by at most u times its
    size, and a tie goes to the even neighbor."""
    rng = np.random.default_rng(0)
    inside = np.log2(fmt.smallest_normal), np.log2(fmt.largest)
    x = rng.choice([-1.0, 1.0], 2000) * 2.0 ** rng.uniform(*inside, 2000)
    assert ulp_error(round_to(x, fmt), x, dtype=fmt).max() <= 0.5
    assert relative_error(round_to(x, fmt), x).max() <= fmt.unit_roundoff
    tiny = rng.uniform(-1, 1, 2000) * fmt.smallest_normal
    assert ulp_error(round_to(tiny, fmt), tiny, dtype=fmt).max() <= 0.5
    # Ties of whole numbers between 2**p and 2**(p + 1), where the spacing is 2.
    odd = np.array([k for k in range(1, 20, 2) if k < 2**fmt.precision])
    ties = 2**fmt.precision + odd
    rounded = round_to(ties, fmt).astype(np.float64).astype(int)
    assert np.all(np.abs(rounded - ties) == 1)
    assert np.all(rounded // 2 % 2 == 0)


@pytest.mark.parametrize("fmt", SHORT, ids=str)
def test_ones_never_count_beyond_two_to_the_number_of_bits(fmt):
    """Added one by one in a format with p significant bits, ones never count beyond `2**p`."""
    counts = np.cumsum(np.ones(10_000, dtype=fmt.dtype)).astype(float)
    assert counts.max() == 2**fmt.precision
    assert np.array_equal(counts, np.minimum(np.arange(1, 10_001), 2**fmt.precision))
    for longer in [FP32, FP64]:
        last = longer.dtype.type(2.0**longer.precision)
        one = longer.dtype.type(1)
        assert last - one + one == last
        assert last + one == last


def test_twenty_million_ones_need_another_order_in_float32():
    ones = np.ones(20_000_000, dtype=np.float32)
    assert np.cumsum(ones)[-1] == 16_777_216
    assert ones.sum() == 20_000_000


@pytest.mark.parametrize("fmt", [fmt for fmt in STORED if fmt.has_infinity], ids=str)
def test_a_result_beyond_the_largest_number_becomes_infinite(fmt):
    """A result beyond the largest number becomes infinite, and infinity minus infinity is nan."""
    largest = np.array([fmt.largest, -fmt.largest]).astype(fmt.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        beyond = largest + largest
        difference = beyond - beyond
    assert beyond.astype(float).tolist() == [np.inf, -np.inf]
    assert np.isnan(difference.astype(float)).all()


def test_e4m3_has_no_infinity_and_two_libraries_disagree():
    """E4m3 has no infinity: 500 becomes nan in ml_dtypes and 448 in PyTorch."""
    x = np.array([440.0, 500.0, np.inf])
    with np.errstate(invalid="ignore"):
        found = x.astype(E4M3.dtype).astype(float)
    assert np.array_equal(found, [448, np.nan, np.nan], equal_nan=True)
    torch = pytest.importorskip("torch")
    assert torch.tensor(x).to(torch.float8_e4m3fn).tolist() == [448.0, 448.0, 448.0]


def test_a_subnormal_result_can_be_correctly_rounded_and_have_few_digits():
    """A correctly rounded result is at most half an ulp off, and if it is subnormal it can still
    have a relative error far above u."""
    x = np.linspace(-17, 11, 400).astype(np.float16)
    exact = exp_exact(x, dtype=FP64)
    rounded = exp_exact(x)
    assert ulp_error(rounded, exact).max() <= 0.5
    normal = exact >= FP16.smallest_normal
    assert relative_error(rounded, exact)[normal].max() <= FP16.unit_roundoff
    assert relative_error(rounded, exact)[~normal].max() > 100 * FP16.unit_roundoff


def test_the_three_exponentials_of_the_table_are_correctly_rounded():
    x = np.array([10, -9, -16], dtype=np.float16)
    exact = exp_exact(x, dtype=FP64)
    assert np.array_equal(np.exp(x), exp_exact(x))
    digits = accurate_digits(np.exp(x), exact)
    assert np.all(digits[:2] > 3)
    assert 1 < digits[2] < 2


def test_the_bits_of_20_are_as_drawn():
    assert bits_of(20, E4M3) == {"sign": "0", "exponent": "1011", "fraction": "010"}
    assert int("1011", 2) == 4 + 7
    assert bits_of(20, FP32) == {"sign": "0", "exponent": "10000011", "fraction": "01" + "0" * 21}
    assert int("10000011", 2) == 4 + 127
    assert 20 == 1.25 * 2**4


def test_e4m3_has_253_numbers_and_the_spacings_of_the_text():
    values = np.arange(256, dtype=np.uint8).view(E4M3.dtype).astype(float)
    numbers = np.unique(values[np.isfinite(values)])
    assert numbers.size == 253
    assert np.array_equal(numbers, numbers_between(-448, 448, E4M3))
    assert np.isnan(values).sum() == 2
    assert (E4M3.largest, E4M3.smallest_normal, E4M3.smallest_subnormal) == (448, 1 / 64, 1 / 512)
    spacings = [float(ulp(x, E4M3)) for x in (256, 128, 64, 20, 1 / 1024)]
    assert spacings == [32, 16, 8, 2, 1 / 512]
    assert numbers_between(18, 22, E4M3).tolist() == [18, 20, 22]
    assert round_to([17, 19, 21, 22.9], E4M3).astype(float).tolist() == [16, 20, 20, 22]


def test_one_tenth_is_not_a_number_of_any_format():
    assert 0.1 + 0.2 != 0.3
    assert f"{np.float32(0.1):.12f}" == "0.100000001490"


def test_a_ball_contains_the_exact_value_and_more_bits_make_it_smaller():
    first = ball_of(10).exp()
    with ball_arithmetic().ctx.workprec(150):
        second = ball_of(10).exp()
        assert first.contains(second)
        assert second.rad() < first.rad() / 1e20
    assert exp_exact(10.0) == 22026.465794806718
    assert exp_exact(10.0, dtype=np.float16) == 22032.0


def test_in_float16_numpy_adds_ones_within_u_until_the_sum_is_infinite():
    for n in [2048, 2049, 3000, 20_001, 65_519]:
        error = relative_error(np.ones(n, dtype=np.float16).sum(), n)
        assert error <= FP16.unit_roundoff
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert np.isinf(np.ones(65_520, dtype=np.float16).sum())


def test_a_rounded_logarithm_does_no_harm_to_a_rounding_to_40_bits():
    k = np.repeat(np.arange(-1000, 1001.0, 10), 50)
    x = 2.0**k * (1 - np.tile(2.0 ** np.arange(-53, -3), 201))
    e = np.floor(np.log2(x))
    assert np.any(e != np.frexp(x)[1] - 1)  # the logarithm errs here
    for p in [2, 11, 24, 40]:
        spacing, right = 2.0 ** (e - p + 1), np.ldexp(1.0, np.frexp(x)[1] - p)
        assert np.array_equal(spacing * np.rint(x / spacing), right * np.rint(x / right))


def test_6691_token_numbers_survive_float16():
    tokens = np.arange(50_257)
    stored = tokens.astype(np.float16).astype(int)
    assert np.sum(stored == tokens) == 6691 == 2049 + 4 * 1024 + 546
    assert tokens[stored != tokens][0] == 2049
    assert stored[-1] == 50_240
