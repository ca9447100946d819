import functools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import BF16, E4M3, FP32, FP64, softmax_exact
from stable_softmax.beyond.drawing import (
    at_temperature,
    draw_gumbel,
    draw_inverse_cdf,
    greedy,
    nucleus,
    top_k,
)
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

DRAWS = {"inverse CDF": draw_inverse_cdf, "Gumbel": draw_gumbel}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
CHOICES = {"top-k": lambda x: top_k(x, 3), "nucleus": lambda x: nucleus(x, 0.8)}
CHOICES["temperature"] = lambda x: at_temperature(x, 0.7)
N = 100_000


def chi_square(classes, p):
    """Pearson's statistic of drawn classes."""
    counts = np.bincount(classes, minlength=len(p))
    assert counts.sum() == classes.size
    return np.sum((counts - N * p) ** 2 / (N * p))


def chi_square_bound(n, chance=1e-6):
    """What Pearson's statistic of n classes exceeds by chance at most once in a million.

    Laurent & Massart 2000, lemma 1: P(X >= k + 2 sqrt(k t) + 2 t) <= exp(-t) for a chi-square
    number X with k degrees of freedom. The statistic has nearly that distribution where each class
    is expected hundreds of times.
    """
    k, t = n - 1, -math.log(chance)
    return k + 2 * math.sqrt(k * t) + 2 * t


class Fixed(np.random.Generator):
    """A generator whose uniform numbers are given."""

    def __new__(cls, *numbers):
        return super().__new__(cls, np.random.PCG64(0))

    def __init__(self, *numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = np.array(numbers)

    def random(self, size):
        return self.numbers.reshape(size)


# Frequencies against exact probabilities


@each_draw
@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_drawn_frequencies_fit_the_exact_probabilities(fmt, draw):
    x = ordinary_logits(fmt)[0]
    p = softmax_exact(x, dtype=FP64)
    assert N * p.min() > 500
    assert chi_square(draw(x, 0, N), p) < chi_square_bound(10)


@each_draw
def test_the_bound_would_find_logits_that_are_off_by_a_twentieth(draw):
    x = ordinary_logits(FP64)[0]
    off = softmax_exact(x + np.where(np.arange(10) < 5, 0.05, 0), dtype=FP64)
    # expected: N (exp(0.05) - 1)**2 / 4 = 66 more
    assert chi_square(draw(x, 0, N), off) > chi_square_bound(10)


@each_draw
@pytest.mark.parametrize(
    "choose",
    [
        lambda x: at_temperature(x, 0.5),
        lambda x: at_temperature(x, 3),
        lambda x: at_temperature(x, INF),
        lambda x: at_temperature(x, 0),
        lambda x: top_k(x, 4),
        lambda x: nucleus(x, 0.75),
        lambda x: nucleus(at_temperature(top_k(x, 8), 2), 0.9),
    ],
)
def test_what_is_drawn_after_a_choice_is_the_softmax_of_what_is_left(choose, draw):
    x = np.array([0.5, 2, 1, -1, 2, 0, -0.5, 1.5, 0.25, -2])
    p = softmax_exact(choose(x), dtype=FP64)
    classes = draw(choose(x), 1, N)
    kept = np.flatnonzero(p)
    assert np.isin(classes, kept).all()
    counts = np.searchsorted(kept, classes)
    assert chi_square(counts, p[kept]) < chi_square_bound(len(kept))


@each_draw
def test_the_rows_of_a_batch_are_drawn_independently_of_each_other(draw):
    x = np.zeros((2, 2))
    first, second = draw(x, 0, N).T
    # four pairs, each expected N / 4 times
    assert chi_square(2 * first + second, np.full(4, 0.25)) < chi_square_bound(4)


# Which classes can be drawn


def test_the_inverse_cdf_returns_the_first_class_whose_running_sum_exceeds_the_share():
    x = np.log([0.25, 0.5, 0.25])
    u = [0, 0.2, 0.26, 0.7, 0.76, 1 - 2**-53]
    assert draw_inverse_cdf(x, Fixed(*u), len(u)).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("u", [0, 2**-53, 0.5, 1 - 2**-53])
@pytest.mark.parametrize("scale", [1, 1.1, 3, 7])
def test_no_share_draws_a_class_without_probability(u, scale):
    x = np.log(scale) + np.array([-INF, 0, -INF, -1, -INF, -INF])
    assert draw_inverse_cdf(x, Fixed(u)) in (1, 3)


@pytest.mark.parametrize("others", [1e-6, 1.0, 1.7, 40.0, 1e4])
def test_the_inverse_cdf_reaches_every_class_of_probability_2_to_the_minus_51(others):
    # The interval of the class is (p - 2**-53) or more of the sum: its end is rounded by half an
    # ulp, which is at most 2**-53 of the sum. The shares are 2**-53 apart, each rounded by that
    # much, so that one lies in any interval of 3 * 2**-53.
    rng = np.random.default_rng(0)
    weights = np.concatenate([[others], rng.uniform(0, 1, 50)])
    for place in (0, 25, 50):
        sums = np.cumsum(weights)
        rare = 2.0**-51 * sums[-1]
        x = np.log(np.insert(weights, place, rare))
        e = np.exp(x - x.max())
        before, after = (Fraction(v) for v in np.append(0, np.cumsum(e))[[place, place + 1]])
        whole = Fraction(np.cumsum(e)[-1])
        near = int(before / whole * 2**53)
        shares = [k / 2**53 for k in range(max(near - 3, 0), min(near + 4, 2**53))]
        assert after > before
        assert place in draw_inverse_cdf(x, Fixed(*shares), len(shares))


def test_numpys_gumbel_numbers_lie_where_the_docstring_says():
    # -log(-log(u)) of the least and the largest u of 53 bits
    ends = -np.log(-np.log([2.0**-53, 1 - 2.0**-53]))
    assert -3.7 < ends[0] < ends[1] < 36.8
    drawn = np.random.default_rng(0).gumbel(size=10**6)
    assert ends[0] < drawn.min() and drawn.max() < ends[1]


@each_draw
def test_a_masked_class_is_never_drawn_and_a_sure_one_always(draw):
    x = np.array([[-INF, 0, -INF], [0, -800, -INF], [5, -INF, -INF]])
    assert np.unique(draw(x, 0, 1000), axis=0).tolist() == [[1, 0, 0]]


# Seeds, shapes, dtypes


@each_draw
def test_a_seed_repeats_the_draw_and_a_generator_moves_on(draw):
    x = ordinary_logits(FP32)
    np.testing.assert_array_equal(draw(x, 7), draw(x, 7))
    np.testing.assert_array_equal(draw(x, 7), draw(x, np.random.default_rng(7)))
    rng = np.random.default_rng(7)
    assert np.any(draw(x, rng) != draw(x, rng))


@each_draw
@pytest.mark.parametrize("size", [None, 0, 1, 5])
@pytest.mark.parametrize(
    ("shape", "axis", "kept"),
    [((4,), 0, ()), ((4,), -1, ()), ((2, 4), 1, (2,)), ((4, 2), 0, (2,)), ((2, 4, 3), 1, (2, 3))],
)
def test_the_shape_is_that_of_the_logits_without_the_class_axis(draw, size, shape, axis, kept):
    x = np.zeros(shape)
    classes = draw(x, 0, size, axis)
    assert classes.shape == (kept if size is None else (size, *kept))
    assert classes.dtype == np.int64


@each_draw
def test_another_class_axis_gives_the_same_classes(draw):
    x = ordinary_logits(FP64)
    np.testing.assert_array_equal(draw(x, 0, 3), draw(x.T.copy(), 0, 3, axis=0))
    np.testing.assert_array_equal(greedy(x), greedy(x.T, axis=0))


@each_draw
def test_a_batch_without_rows_and_a_row_of_one_class(draw):
    assert draw(np.zeros((0, 3)), 0).shape == (0,)
    assert draw(np.zeros((0, 3)), 0, 5).shape == (5, 0)
    assert draw([7.0], 0) == 0
    assert top_k(np.zeros((0, 3)), 1).shape == nucleus(np.zeros((0, 3)), 0.5).shape == (0, 3)
    assert nucleus([7.0], 0.5).tolist() == top_k([7], 1).tolist() == [7]


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_numbers_that_are_kept_are_the_logits_in_at_least_float32(fmt):
    x = ordinary_logits(fmt)
    for choose in (lambda x: top_k(x, 3), lambda x: nucleus(x, 0.8)):
        y = choose(x)
        assert y.dtype == (fmt.dtype if fmt in (FP64, FP32) else np.float32)
        kept = y > -INF
        np.testing.assert_array_equal(y[kept], x.astype(np.float64)[kept])
        assert kept.any(axis=1).all() and not kept.all()
    assert at_temperature(x, 2).dtype == y.dtype


@each_draw
def test_integers_lists_and_booleans_are_logits(draw):
    assert draw([[0, 1000], [1000, 0]], 0).tolist() == [1, 0]
    assert greedy([[False, True]]).tolist() == [1]


def test_no_argument_is_changed():
    x = ordinary_logits(FP32)  # cannot be written to
    before = x.copy()
    for f in (*CHOICES.values(), *(functools.partial(d, rng=0) for d in DRAWS.values()), greedy):
        f(x)
    np.testing.assert_array_equal(x, before)


# Temperature


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
@pytest.mark.parametrize("t", [1e-3, 0.1, 0.5, 1, 2, 30, 1e6])
def test_logits_at_a_temperature_are_the_differences_divided_by_it(fmt, t):
    x = ordinary_logits(fmt)
    exact = x.astype(np.float64) - np.max(x.astype(np.float64), axis=-1, keepdims=True)
    far = exact < -1000 * t
    # the difference, the temperature and the quotient are rounded
    np.testing.assert_allclose(
        at_temperature(x, t), np.where(far, -INF, exact / t), rtol=4 * fmt.unit_roundoff
    )


@pytest.mark.parametrize("t", [0, -0.0, 5e-324, 1e-300, 1e-39])
@pytest.mark.parametrize("fmt", [FP32, BF16, E4M3], ids=str)
def test_at_temperature_0_only_the_largest_are_left(t, fmt):
    x = np.array([[1, 3, 2], [3, 3, -INF if fmt.has_infinity else -9]]).astype(fmt.dtype)
    assert at_temperature(x, t).tolist() == [[-INF, 0, -INF], [0, 0, -INF]]


def test_at_temperature_infinity_all_are_alike_but_those_that_are_masked():
    x = np.float32([1, 3, -INF, -3e38])
    for t in (INF, 1e300):
        assert at_temperature(x, t).tolist() == [0, 0, -INF, 0]


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_no_temperature_overflows(fmt):
    x = np.array([2.875, 2.955, 11.0625], dtype=fmt.dtype)  # of vLLM's pull request 890
    for t in (1e-45, 1e-30, 1e-5, 1e-4, 1e4, 1e38):
        y = at_temperature(x, t)
        assert not np.isnan(y).any() and y[2] == 0
    assert greedy(at_temperature(x, 1e-4)) == 2


def test_a_row_without_a_distribution_has_none_at_any_temperature():
    with np.errstate(invalid="ignore"):
        for row in ([NAN, 1], [INF, 1], [-INF, -INF]):
            assert np.isnan(at_temperature(row, 0.5)).any()


def test_derivatives_flow_through_what_is_kept():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.tensor([1.0, 3.0, 2.0, -5000.0], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 2.0, 4.0, 8.0])

    def gradient(y):
        kept = torch.isfinite(y)
        return torch.autograd.grad((y[kept] * weights[kept]).sum(), x)[0].tolist()

    # the largest, which all others are measured from, gets minus what the others get
    assert gradient(at_temperature(x, 0.5)) == [2.0, -10.0, 8.0, 0.0]
    assert gradient(at_temperature(x, 0)) == [0.0] * 4
    assert gradient(top_k(x, 2)) == [0.0, 2.0, 4.0, 0.0]
    assert gradient(nucleus(x, 0.9)) == [0.0, 2.0, 4.0, 0.0]


# Top-k and nucleus


@given(vectors(), st.integers(1, 15))
def test_top_k_keeps_the_k_largest_and_their_ties(x, k):
    kept = top_k(x, k) > -INF
    smallest = np.sort(x)[::-1][min(k, x.size) - 1]
    np.testing.assert_array_equal(kept, x >= smallest)


def smallest_sets(x, p):
    """The fewest classes with a probability of p, by exact sums; whether p is clearly met."""
    q = [Fraction(v) for v in softmax_exact(x, dtype=FP64)]
    order = sorted(range(len(q)), key=lambda i: -x[i])
    total, whole = Fraction(0), sum(q)
    for number, i in enumerate(order, 1):
        total += q[i]
        if total >= Fraction(p) * whole:
            margin = min(total - Fraction(p) * whole, Fraction(p) * whole - (total - q[i]))
            return order[:number], number == 1 or margin > Fraction(1, 10**13)
    raise AssertionError


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("p", [1e-20, 0.1, 0.5, 0.9, 0.99, 0.999])
def test_a_nucleus_is_the_smallest_set_by_exact_sums(fmt, p):
    for x in ordinary_logits(fmt):
        kept = np.flatnonzero(nucleus(x, p) > -INF)
        smallest, clear = smallest_sets(x.astype(np.float64), p)
        assert clear
        ties = [i for i in range(len(x)) if x[i] == x[smallest[-1]]]
        assert set(kept) == set(smallest) | set(ties)


@given(vectors(low=-50, high=50), st.floats(0, 1, exclude_min=True))
def test_a_nucleus_holds_its_share_and_no_class_that_it_could_do_without(x, p):
    q = softmax_exact(x, dtype=FP64)
    kept = nucleus(x, p) > -INF
    assert kept[np.argmax(x)]
    # probabilities and sums of at most 12 of them, each rounded
    assert math.fsum(q[kept]) >= p - 1e-14
    least = q[kept & (x == x[kept].min())]
    assert math.fsum(q[kept]) - math.fsum(least) < p + 1e-14


def test_a_nucleus_of_1_drops_only_what_has_no_exponential():
    x = np.array([0, -700, -746, -INF])
    assert nucleus(x, 1).tolist() == [0, -700, -INF, -INF]


def test_a_nucleus_of_a_large_vocabulary_has_the_right_number_of_classes():
    x = (3 * np.random.default_rng(0).normal(size=128_256)).astype(np.float32)
    q = np.sort(np.exp(x.astype(np.float64) - x.max()))[::-1]
    sums = [math.fsum(q[:n]) / math.fsum(q) for n in (4793, 4794)]
    assert sums[0] < 0.9 <= sums[1]
    assert np.sum(nucleus(x, 0.9) > -INF) == 4794


# Any array library


@pytest.fixture(params=["torch", "torch in bfloat16", "jax", "dask", "strict"])
def convert(request):
    """A function that turns a NumPy array into one of a library."""
    name = request.param
    if name.startswith("torch"):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
        if name == "torch":
            return torch.tensor
        return lambda x: torch.tensor(x).to(torch.bfloat16)
    if name == "jax":
        return pytest.importorskip("jax.numpy", reason="JAX is not installed here").asarray
    if name == "dask":
        dask = pytest.importorskip("dask.array", reason="dask is not installed here")
        return functools.partial(dask.from_array, chunks=2)
    return pytest.importorskip("array_api_strict", reason="it is not installed here").asarray


@pytest.mark.parametrize("f", [*DRAWS.values(), *CHOICES.values(), greedy])
def test_a_seed_gives_the_same_in_every_library(convert, f):
    x = ordinary_logits(BF16).astype(np.float32)
    call = functools.partial(f, rng=3, size=4) if f in DRAWS.values() else f
    got, want = call(convert(x)), call(x)
    assert type(got) is type(convert(x))
    assert tuple(got.shape) == want.shape
    got = np.asarray(got)
    if f is CHOICES["temperature"]:
        np.testing.assert_allclose(got, want, rtol=4 * FP32.unit_roundoff)
    else:
        np.testing.assert_array_equal(got, want)


def test_the_result_lies_on_the_device_of_the_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    for f in (functools.partial(draw_gumbel, rng=0), greedy, CHOICES["nucleus"]):
        got = f(torch.zeros(2, 3, requires_grad=True))
        assert got.device == torch.device("cpu")
    assert draw_gumbel(torch.zeros(2, 3), 0).dtype == torch.int64


@pytest.mark.parametrize("f", [functools.partial(draw_gumbel, rng=0), greedy, CHOICES["top-k"]])
def test_what_has_no_values_is_refused(f):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(TypeError, match="has no values to be read here"):
        f(torch.zeros(2, 3, device="meta"))
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    with pytest.raises(TypeError, match="has no values to be read here"):
        jax.jit(f)(np.zeros((2, 3)))


# What is refused

ROWS = [[NAN, 1.0], [INF, 1.0], [-INF, -INF], [[0.0, 1.0], [NAN, NAN]]]


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize(
    "f",
    [
        *(functools.partial(d, rng=0) for d in DRAWS.values()),
        *(greedy, CHOICES["top-k"], CHOICES["nucleus"]),
    ],
)
def test_a_row_without_a_distribution_is_refused(f, row):
    with pytest.raises(ValueError, match="x has a row without a distribution: it holds nan or"):
        f(row)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        *(
            (lambda t=t: at_temperature([1.0], t), ValueError, "temperature must be at least 0")
            for t in (-1, -1e-9, -INF)
        ),
        (lambda: at_temperature([1.0], -1), ValueError, "not -1: to put the least .* negate"),
        (lambda: at_temperature([1.0], NAN), ValueError, "temperature must be a number, not nan"),
        (lambda: at_temperature([1.0], "1"), TypeError, "temperature must be a real number"),
        (lambda: top_k([1.0], 0), ValueError, "k must be positive, not 0"),
        (lambda: top_k([1.0], -1), ValueError, "k must be positive, not -1"),
        (lambda: top_k([1.0], True), TypeError, "k must be an int, not True"),
        (lambda: top_k([1.0], 1.5), TypeError, "k must be an int"),
        *(
            (lambda p=p: nucleus([1.0], p), ValueError, "p must be above 0 and at most 1, not")
            for p in (0, -0.1, 1.0000001, 90)
        ),
        (lambda: nucleus([1.0], NAN), ValueError, "p must be a number, not nan"),
        (lambda: nucleus([1.0], "0.9"), TypeError, "p must be a real number"),
        (lambda: nucleus(3.0, 0.9), ValueError, "x is a scalar: give at least one axis"),
        (lambda: greedy(3.0), ValueError, "x is a scalar"),
        (lambda: greedy([1.0], axis=True), TypeError, "axis must be an int"),
        (lambda: greedy([1.0], axis=None), TypeError, "axis must be one int"),
        (lambda: greedy([1.0], axis=1), ValueError, "axis 1 does not exist"),
        (lambda: greedy([]), ValueError, "x has no class along axis"),
        (lambda: greedy(np.zeros((3, 0))), ValueError, "x has no class along axis"),
        (lambda: greedy([1j]), TypeError, "x must hold real numbers"),
        (lambda: greedy(["a"]), TypeError, "x must hold real numbers"),
        *(
            (lambda rng=rng, d=d: d([1.0], rng), TypeError, "rng must be a numpy.random.Generator")
            for d in DRAWS.values()
            for rng in (None, True, "seed", -1, 1.5, np.random.RandomState(0))
        ),
        (lambda: draw_gumbel([1.0], 0, -1), ValueError, "size must be at least 0, not -1"),
        (lambda: draw_gumbel([1.0], 0, (2, 3)), TypeError, "size must be an int"),
        (lambda: draw_inverse_cdf([1.0], 0, True), TypeError, "size must be an int"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
