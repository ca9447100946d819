import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    BF16,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FP64,
    relative_error,
    softmax_exact,
    softmax_from_logsumexp,
    softmax_naive,
    softmax_shifted,
    ulp_error,
)
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors, whole_vectors

ALL = [softmax_naive, softmax_shifted, softmax_from_logsumexp]
STABLE = [softmax_shifted, softmax_from_logsumexp]


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("softmax", ALL)
def test_ordinary_logits_are_within_32_ulp_of_the_exact_values(softmax, fmt):
    # each of the n = 10 terms, the sum, and |x - m| <= 7 or |x - lse| <= 7 contribute about one u
    # each: n + 3 + 2 * 7 at the most, and u is at most one ulp
    x = ordinary_logits(fmt)
    assert np.max(ulp_error(softmax(x), softmax_exact(x, dtype=FP64))) <= 32


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("softmax", ALL)
def test_the_format_of_the_logits_is_kept(softmax, fmt):
    x = np.array([[0, 1, 2]], dtype=fmt.dtype)
    assert softmax(x).dtype == fmt.dtype


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_naive_overflows_where_exp_does_and_shifted_does_not(fmt):
    x = np.array([fmt.exp_range[0] * 1.1, 0.0]).astype(fmt.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(softmax_naive(x).astype(float)[0])
    assert np.max(ulp_error(softmax_shifted(x), softmax_exact(x, dtype=FP64))) <= 20


@pytest.mark.parametrize(
    ("top", "dtype"), [(88.7, np.float32), (709.7, np.float64), (11, np.float16)]
)
def test_naive_returns_silent_zeros_where_only_the_sum_overflows(top, dtype):
    with np.errstate(over="ignore"):
        p = softmax_naive(np.array([top, top], dtype))
    np.testing.assert_array_equal(p, [0, 0])


def test_naive_warns_when_it_overflows():
    with pytest.warns(RuntimeWarning, match="overflow"), np.errstate(invalid="ignore"):
        p = softmax_naive([1000.0, 1000.0, 100.0])
    np.testing.assert_array_equal(p, [NAN, NAN, 0])


def test_naive_divides_zero_by_zero_for_very_negative_logits():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        p = softmax_naive([-1000.0, -1000.0])
    assert np.isnan(p).all()
    np.testing.assert_array_equal(softmax_shifted([-1000.0, -1000.0]), [0.5, 0.5])


def test_division_free_softmax_loses_accuracy_with_the_offset():
    x = np.array([0.0, 1.0, 2.0]) + 2.0**20
    exact = softmax_exact(x)
    u = FP64.unit_roundoff
    assert np.max(relative_error(softmax_shifted(x), exact)) <= 8 * u
    assert np.max(relative_error(softmax_from_logsumexp(x), exact)) >= 2**16 * u


@given(vectors())
def test_probabilities_sum_to_one(x):
    # n terms and their sum are rounded: n + 1 errors of u at most, n <= 12
    assert abs(softmax_shifted(x).sum() - 1) <= 13 * FP64.unit_roundoff


@given(whole_vectors(), st.integers(-(2**40), 2**40))
def test_a_common_offset_that_is_exact_changes_no_bit(x, offset):
    np.testing.assert_array_equal(softmax_shifted(x + offset), softmax_shifted(x))


@given(vectors(), st.randoms(use_true_random=False))
def test_permuting_the_logits_permutes_the_probabilities(x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    # the sum is added up in another order: at most n u on each side
    errors = relative_error(softmax_shifted(x[order]), softmax_shifted(x)[order])
    normal = softmax_shifted(x)[order] >= FP64.smallest_normal
    assert np.all(errors[normal] <= 2 * 12 * FP64.unit_roundoff)


@given(vectors())
def test_larger_logits_get_no_smaller_probabilities(x):
    p = softmax_shifted(x)
    assert np.all(np.diff(p[np.argsort(x, kind="stable")]) >= 0)


@given(vectors())
def test_no_softmax_changes_its_argument(x):
    before = x.copy()
    with np.errstate(all="ignore"):
        for softmax in ALL:
            softmax(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("softmax", ALL)
def test_a_read_only_array_is_accepted(softmax):
    x = np.array([1.0, 2.0])
    x.setflags(write=False)
    assert softmax(x).sum() == pytest.approx(1, abs=4 * FP64.unit_roundoff)


@pytest.mark.parametrize("softmax", STABLE)
@pytest.mark.parametrize(
    "x",
    [
        np.array([0, 200, 255], np.uint8),
        np.array([-100, 100], np.int8),
        np.array([-(2**63), 2**63 - 1], np.int64),
        np.array([True, False]),
        [0, 200, 255],
    ],
    ids=["uint8", "int8", "int64", "bool", "list"],
)
def test_integers_do_not_wrap_around(softmax, x):
    exact = softmax_exact(np.asarray(x, dtype=np.float64))
    assert np.max(np.abs(softmax(x) - exact)) <= 600 * FP64.unit_roundoff  # exponents up to 255


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None])
@pytest.mark.parametrize("softmax", ALL)
def test_probabilities_sum_to_one_over_the_axes_that_are_named(softmax, axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_allclose(
        softmax(x, axis=axis).sum(axis=axis), 1, rtol=64 * FP64.unit_roundoff
    )
    exact = softmax_exact(x, axis=axis)
    assert np.max(ulp_error(softmax(x, axis=axis), exact)) <= 32


@pytest.mark.parametrize("softmax", ALL)
def test_a_scalar_is_one_class(softmax):
    assert softmax(3.0) == 1.0


TABLE = [  # row, naive, shifted, division-free
    ([0.0, -INF], [1, 0], [1, 0], [1, 0]),
    ([INF, 0.0], [NAN, 0], [NAN, NAN], [NAN, 0]),
    ([INF, INF], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ([-INF, -INF], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ([NAN, 0.0], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ([NAN, INF], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ([5.0], [1], [1], [1]),
]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(("row", "naive", "shifted", "division_free"), TABLE)
def test_special_rows(row, naive, shifted, division_free, library):
    xp = np if library == "numpy" else pytest.importorskip("torch")
    x = xp.asarray([row, [0.0] * len(row)])
    for softmax, want in zip(ALL, [naive, shifted, division_free], strict=True):
        with np.errstate(all="ignore"):
            p = np.asarray(softmax(x))
        np.testing.assert_array_equal(p[0], want)
        np.testing.assert_allclose(p[1], 1 / len(row), rtol=1e-6)  # the other row is untouched


@pytest.mark.parametrize("softmax", ALL)
def test_pytorch_gets_the_numbers_of_numpy(softmax):
    torch = pytest.importorskip("torch")
    x = ordinary_logits(FP32)
    ours = softmax(torch.tensor(np.array(x)))
    assert ours.dtype == torch.float32
    assert np.max(ulp_error(ours, softmax_exact(x, dtype=FP64), FP32)) <= 32


def test_the_gradient_of_softmax_flows_through():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    p = softmax_shifted(x)
    (gradient,) = torch.autograd.grad(p[0], x)
    p = p.detach()
    want = p[0] * (torch.tensor([1.0, 0.0, 0.0]) - p)
    torch.testing.assert_close(gradient, want, rtol=0, atol=4 * FP64.unit_roundoff)


@pytest.mark.parametrize(
    ("fmt", "axis", "counted"),
    [(FP16, -1, 65519), (FP16, 0, 2048), (BF16, -1, 256), (E4M3, -1, 16), (E5M2, -1, 8)],
    ids=str,
)
def test_nearly_tied_classes_are_counted_as_far_as_the_docstring_says(fmt, axis, counted):
    def total(n):
        x = np.zeros((n, 2) if axis == 0 else n, fmt.dtype)
        with np.errstate(over="ignore"):
            p = softmax_shifted(x, axis=axis).ravel()[0]
        return float(p) * n

    right = 1 + 2 * fmt.unit_roundoff
    assert 1 / right <= total(counted) <= right
    beyond = total(2 * counted)
    assert beyond == 0 or beyond >= 1.9
