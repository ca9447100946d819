import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stable_softmax import (
    BF16,
    FP32,
    FP64,
    entropy_exact,
    kl_divergence_exact,
    logsumexp_exact,
    relative_error,
    softmax_bound_shifted,
    softmax_exact,
    softmax_shifted,
)
from stable_softmax.measure.conditioning import (
    condition_number_entropy,
    condition_number_kl_divergence,
    condition_number_logsumexp,
    condition_number_softmax,
    condition_number_weighted_sum,
    softmax_bound_counted,
    softmax_shifted_by,
    sum_pairwise,
    sum_sequential,
)
from tests.cases import INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

SUMS = [sum_sequential, sum_pairwise]
STEP = 2.0**-20  # a relative change of the logits, large enough to be seen in float64


@pytest.mark.parametrize("row", [[1.0, 2.0, 3.0], [-3.0, 0.5, 2.0], [40.0, 0.0], [5.0, 5.001]])
def test_the_condition_number_of_softmax_is_the_largest_relative_change(row):
    x = np.array(row)
    kappa, p = condition_number_softmax(x), softmax_exact(x)
    assert np.all(kappa <= 2 * np.max(np.abs(x)))
    for i in range(x.size):
        sign = np.where(np.arange(x.size) == i, 1, -1)  # the worst signs: all push p_i upward
        moved = softmax_exact(x + STEP * sign * np.abs(x))
        # first order in STEP: the second-order term is at most (2 max|x| STEP)**2
        slack = (2 * np.max(np.abs(x)) * STEP) ** 2 + 4 * FP64.unit_roundoff
        assert abs((moved[i] - p[i]) / p[i] - STEP * kappa[i]) <= slack


@pytest.mark.parametrize("row", [[1.0, 2.0, 3.0], [-3.0, 0.5, 2.0], [40.0, 0.0], [-0.7, -0.69]])
def test_the_condition_number_of_logsumexp_is_the_largest_relative_change(row):
    x = np.array(row)
    kappa, lse = condition_number_logsumexp(x), logsumexp_exact(x)
    moved = logsumexp_exact(x + STEP * np.abs(x))
    slack = (np.max(np.abs(x)) * STEP) ** 2 + 4 * FP64.unit_roundoff * abs(lse)
    assert abs(abs(moved - lse) - STEP * kappa * abs(lse)) <= slack
    assert kappa <= np.max(np.abs(x)) / abs(lse) * (1 + 4 * FP64.unit_roundoff)


@pytest.mark.parametrize("weights", [[1, -1, 1], [2, 0.5, -3], [-1, -2, -3], [1, 2, 3], [0, 1, -1]])
def test_the_condition_number_of_a_weighted_sum_is_its_largest_relative_change(weights):
    x, w = np.array([0.5, 0.25, -1.0]), np.array(weights, float)
    terms, kappa = w * np.exp(x), condition_number_weighted_sum(x, w)
    worst = np.sum(terms + STEP * np.sign(np.sum(terms)) * np.abs(terms)) / np.sum(terms) - 1
    # linear in STEP; the roundings of the sums, divided by the sum
    assert abs(worst - STEP * kappa) <= 8 * FP64.unit_roundoff * (1 + kappa)
    assert (abs(kappa - 1) <= 8 * FP64.unit_roundoff) == (np.all(w > 0) or np.all(w < 0))


def test_the_condition_number_of_a_difference_of_exponentials_is_two_over_their_distance():
    d = np.geomspace(1e-9, 1e-3, 7)
    kappa = condition_number_weighted_sum(np.stack([d, 0 * d], axis=1), [1, -1])
    # coth(d / 2) = 2 / d + d / 6 - ...; the logarithms of the sums, up to 21, are rounded to 2 u
    np.testing.assert_allclose(kappa, 1 / np.tanh(d / 2), rtol=100 * FP64.unit_roundoff)
    np.testing.assert_allclose(kappa, 2 / d, rtol=1e-6)


def test_special_rows_of_the_condition_number_of_a_weighted_sum():
    rows = [[0.0, 0], [0, -INF], [INF, 0], [NAN, 0], [-INF, -INF]]
    got = condition_number_weighted_sum(rows, [1, -1])
    np.testing.assert_array_equal(got, [INF, 1, NAN, NAN, NAN])
    assert np.isnan(condition_number_weighted_sum([0.0, 1], 0))
    with pytest.raises(ValueError, match="weights must be finite"):
        condition_number_weighted_sum([0.0, 1], NAN)


@given(vectors(-50, 50), st.integers(0, 2**32))
def test_no_rounding_of_the_logits_moves_a_probability_further_than_the_condition_number(x, seed):
    signs = np.random.default_rng(seed).uniform(-1, 1, x.size)
    change = relative_error(softmax_exact(x * (1 + STEP * signs)), softmax_exact(x))
    slack = (2 * np.max(np.abs(x)) * STEP) ** 2 + 8 * FP64.unit_roundoff
    assert np.all(change <= STEP * condition_number_softmax(x) + slack)


def test_condition_numbers_take_any_axis_and_any_format():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(BF16.dtype)
    assert condition_number_softmax(x, axis=1).shape == (2, 3, 4)
    assert condition_number_softmax(x, axis=1).dtype == np.float64
    assert condition_number_logsumexp(x, axis=(0, 2)).shape == (3,)
    want = condition_number_softmax(x.astype(np.float64)[0, :, 1])
    np.testing.assert_array_equal(condition_number_softmax(x, axis=1)[0, :, 1], want)


def test_condition_numbers_of_special_rows():
    assert condition_number_softmax([7.0]) == 0
    assert condition_number_logsumexp([7.0]) == 1
    assert np.isnan(condition_number_logsumexp([0.0]))  # 0/0: no relative change is defined
    for row in ([0.0, -INF], [0.0, INF], [NAN, 0.0]):
        assert np.all(np.isnan(condition_number_softmax(row)))
        assert np.isnan(condition_number_logsumexp(row))
    with pytest.raises(ValueError, match="no class"):
        condition_number_softmax([])


def test_logsumexp_near_zero_is_ill_conditioned():
    x = np.full(2, -np.log(2), dtype=np.float32)
    assert condition_number_logsumexp(x) > 1 / FP32.unit_roundoff
    assert np.all(condition_number_softmax(x) < 1)


whole = hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(-1000, 1000).map(float))


@pytest.mark.parametrize("add", SUMS)
@given(x=whole)
def test_sums_of_whole_numbers_are_exact_and_keep_the_axis(add, x):
    before = x.copy()
    np.testing.assert_array_equal(add(x), [np.sum(x)])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_partial_sums_are_rounded_to_the_format_in_the_order_of_the_sum(fmt):
    u = fmt.unit_roundoff  # 1 + u is halfway to the next number and rounds to 1; 1 + 2u is exact
    for add, row, want in [
        (sum_sequential, [1, u, 0, u], 1),
        (sum_sequential, [0, u, u, 1], 1 + 2 * u),
        (sum_pairwise, [1, u, 0, u], 1 + 2 * u),  # (1 + 0) + (u + u)
        (sum_pairwise, [0, u, u, 1], 1),  # (0 + u) + (u + 1)
    ]:
        total = add(np.array(row, dtype=fmt.dtype))
        assert total.dtype == fmt.dtype
        assert float(total[0]) == want, (add, row)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 100, 257])
def test_a_sum_by_halves_needs_log2_n_additions_and_one_from_left_to_right_n_minus_1(n):
    # errors of u in each addition, on equal numbers that are not exact: bounded by the depth
    x = np.full(n, 0.1, dtype=np.float32)
    exact = n * np.float64(x[0])
    for add, depth in [(sum_pairwise, (n - 1).bit_length()), (sum_sequential, n - 1)]:
        assert relative_error(add(x), exact) <= depth * FP32.unit_roundoff


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("add", SUMS)
def test_sums_run_along_the_last_axis_of_any_library(add, library):
    xp = np if library == "numpy" else pytest.importorskip("torch")
    x = xp.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, INF]])
    np.testing.assert_array_equal(np.asarray(add(x)), [[6.0], [INF]])
    assert add(xp.asarray(3.0)) == 3.0
    assert add([True, True]) == 2.0
    with pytest.raises(ValueError, match="no class"):
        add(xp.asarray([[]]))


def test_only_the_sequential_sum_absorbs_small_numbers_one_by_one():
    e = np.exp(np.array([0.0] + 50_000 * [-16.7], dtype=np.float32))
    exact = np.sum(e.astype(np.float64))
    assert sum_sequential(e) == 1
    assert relative_error(sum_pairwise(e), exact)[0] <= 16 * FP32.unit_roundoff  # 16 additions


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("add", SUMS)
def test_the_softmax_with_a_given_sum_is_the_shifted_softmax(add, fmt):
    x = ordinary_logits(fmt)
    p = softmax_shifted_by(add, x)
    assert p.dtype == fmt.dtype
    # the same exponentials; sums of ten numbers in any order differ by at most 2 (n - 1) u, and
    # the two quotients are rounded
    error = relative_error(p, softmax_shifted(x).astype(np.float64))
    assert np.max(error) <= 20 * fmt.unit_roundoff * (1 + 20 * fmt.unit_roundoff)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_special_rows_of_the_softmax_with_a_given_sum(library):
    xp = np if library == "numpy" else pytest.importorskip("torch")
    rows = xp.asarray([[0.0, -INF], [0.0, INF], [-INF, -INF], [NAN, 0.0]])
    want = [[1, 0], [NAN, NAN], [NAN, NAN], [NAN, NAN]]
    for add in SUMS:
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(np.asarray(softmax_shifted_by(add, rows)), want)
        assert softmax_shifted_by(add, 7.0) == 1


@pytest.mark.parametrize("n", [2, 10, 100, 1000])
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0, 80.0])
def test_measured_errors_stay_below_the_counted_bound(n, scale):
    # entry by entry; np.exp in float32 is documented to be within 2.52 ulp, which is 5.04 u
    x = (scale * np.random.default_rng(1).random((20, n))).astype(np.float32)
    p = softmax_exact(x, dtype=FP64)
    for add, additions in [(sum_pairwise, (n - 1).bit_length()), (sum_sequential, n - 1)]:
        bound = softmax_bound_counted(x, p, additions, exp_error=5.04)
        error = relative_error(softmax_shifted_by(add, x), p) / FP32.unit_roundoff
        assert np.all(error <= bound)


@given(vectors(-500, 500))
def test_the_counted_bound_is_below_that_of_the_paper(x):
    p = softmax_exact(x)
    counted = softmax_bound_counted(x, p, additions=x.size - 1)
    published = softmax_bound_shifted(x.size, np.max(x) - np.min(x))
    assert np.all(counted <= published * (1 + 1e-12))  # rounding of the bounds themselves
    # the probabilities weigh the distances: their mean is at most the entropy, at most log n
    depth = np.max(x) - x
    assert np.all(counted - (x.size + 2) - depth <= np.log(x.size) + 1e-9)


def test_the_counted_bound_counts_what_the_chapter_counts():
    # p = (3/4, 1/4), two exp within 1/4 u, one addition, one division: 1/2 + 1 + 1, then the
    # distance log 3 of the second class, and its weighted mean
    x = np.array([0.0, -np.log(3)])
    want = 2.5 + np.array([0, np.log(3)]) + np.log(3) / 4
    counted = softmax_bound_counted(x, [0.75, 0.25], additions=1, exp_error=0.25)
    np.testing.assert_allclose(counted, want, rtol=4 * FP64.unit_roundoff)


def test_the_counted_bound_takes_tensors():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0, 3.0])
    want = softmax_bound_counted([1.0, 2.0, 3.0], softmax_exact([1.0, 2.0, 3.0]), 2)
    np.testing.assert_allclose(softmax_bound_counted(x, torch.softmax(x, -1), 2), want, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": None}, TypeError, "x must hold real numbers, not"),
        ({"p": ["a", "b"]}, TypeError, "p must hold real numbers, not"),
        ({"p": [1.0]}, ValueError, "p must have the shape of x"),
        ({"x": [], "p": []}, ValueError, "one class or more"),
        ({"additions": 1.5}, TypeError, r"additions must be an int, not 1\.5"),
        ({"additions": -1}, ValueError, "additions must be at least 0, not -1"),
        ({"exp_error": -1}, ValueError, "exp_error be at least 0"),
        ({"exp_error": "a"}, TypeError, "exp_error must hold real numbers, not"),
    ],
)
def test_arguments_of_the_counted_bound_are_checked(change, error, message):
    with pytest.raises(error, match=message):
        softmax_bound_counted(**{"x": [0.0, 1.0], "p": [0.3, 0.7], "additions": 1} | change)


def test_the_counted_bound_of_special_rows_and_of_one_class():
    assert softmax_bound_counted(5.0, 1.0, 0) == 3
    assert np.isnan(softmax_bound_counted([np.inf, 0.0], [np.nan, np.nan], 1)).all()


def test_condition_numbers_of_large_integers_are_those_of_the_integers():
    x = np.array([2**53 + 1, 2**53])
    p, size = softmax_exact([1, 0]), 2.0**53
    np.testing.assert_allclose(condition_number_softmax(x), 2 * p[::-1] * size, rtol=1e-15)
    assert condition_number_logsumexp(x) == pytest.approx(1, rel=1e-15)
    with pytest.raises(TypeError, match="x hides entries behind a mask"):
        condition_number_softmax(np.ma.array([1.0, 2.0], mask=[0, 1]))


@pytest.mark.parametrize("row", [[1.0, 2.0, 3.0], [-3.0, 0.5, 2.0], [20.0, 0.0], [5.0, 4.0]])
def test_the_condition_number_of_the_entropy_is_its_largest_relative_change(row):
    x, step = np.array(row), 2.0**-26
    kappa, h = condition_number_entropy(x), entropy_exact(x)
    p = softmax_exact(x)
    signs = -np.sign((np.log(p) + h) * x)
    moved = entropy_exact(x + step * signs * x)
    # the second derivatives, of size p (1 + |log p|), give a few times (max |x| step)**2 / h
    slack = 4 * (np.max(np.abs(x)) * step) ** 2 * (1 + np.max(-np.log(p))) / h
    assert abs((moved - h) / h - step * kappa) <= slack + 4 * FP64.unit_roundoff


@pytest.mark.parametrize("apart", [1.0, 1e-2, 1e-4])
def test_the_condition_number_of_the_divergence_is_its_largest_relative_change(apart):
    rng = np.random.default_rng(0)
    x = rng.normal(size=7)
    y, step = x + apart * rng.normal(size=7), 2.0**-26 * apart
    kappa, kl = condition_number_kl_divergence(x, y), kl_divergence_exact(x, y)
    p, q = softmax_exact(x), softmax_exact(y)
    v = np.log(q / p) + kl
    moved = kl_divergence_exact(
        x + step * np.sign(-v * x) * x,  # the worst signs
        y + step * np.sign((q - p) * y) * y,
    )
    # to second order, KL is half the variance of y - x, in which 2 max |x| step is squared; the
    # moved logits are rounded, which counts kappa u
    slack = (2 * np.max(np.abs([x, y])) * step) ** 2 / kl + 2 * kappa * FP64.unit_roundoff
    assert abs((moved - kl) / kl - step * kappa) <= slack


def test_the_condition_number_of_the_divergence_is_the_inverse_of_the_distance():
    rng = np.random.default_rng(0)
    x, step = rng.normal(size=(2, 5, 10))
    kappa = [condition_number_kl_divergence(x, x + apart * step) for apart in (1e-2, 1e-4, 1e-6)]
    for near, far in zip(kappa[1:], kappa, strict=False):
        np.testing.assert_allclose(near / far, 100, rtol=0.05)  # up to the third order, 1e-2


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_condition_numbers_of_special_rows_of_entropy_and_divergence():
    x, y = np.zeros((3, 2)), np.array([[0.0, 1.0], [0.0, INF], [NAN, 0.0]])
    kappa = condition_number_kl_divergence(x, y)
    assert np.isfinite(kappa[0]) and np.isnan(kappa[1:]).all()
    assert np.isnan(condition_number_kl_divergence(y[0], y[0]))  # 0 / 0
    assert np.isnan(condition_number_entropy([[0.0, -INF], [3.0, NAN], [INF, 0.0]])).all()
    assert np.isnan(condition_number_entropy([5.0]))
    assert condition_number_entropy([0.0, 0.0]) == 0
    assert np.isnan(condition_number_entropy([0.0, -2000.0]))  # 0 / 0 in float64
