import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    entropy_exact,
    kl_divergence_exact,
    relative_error,
    softmax_exact,
    ulp_error,
)
from stable_softmax.beyond.divergence import (
    cross_entropy_between,
    entropy,
    entropy_gradient,
    entropy_naive,
    exp_above_tangent,
    jensen_shannon,
    kl_divergence,
    kl_divergence_expm1,
    kl_divergence_from_logs,
    kl_divergence_gradients,
    kl_divergence_naive,
)
from stable_softmax.measure.conditioning import softmax_bound_counted
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

LONG = [FP64, FP32]
ALPHA = 3  # the error of exp, log and log1p in u: NumPy's of float32 exceed 1
OF_TWO = [
    cross_entropy_between,
    kl_divergence_naive,
    kl_divergence_from_logs,
    kl_divergence_expm1,
    kl_divergence,
    jensen_shannon,
]
OF_ONE = [entropy_naive, entropy]
FORMS = [kl_divergence_from_logs, kl_divergence_expm1, kl_divergence]
by_name = {"ids": lambda f: getattr(f, "__name__", str(f))}


def pairs(fmt, apart, rows=50, n=10, scale=1.0, offset=0.0):
    """Two seeded rows of logits that differ by normal numbers, rounded to the format."""
    rng = np.random.default_rng(0)
    x = (scale * rng.normal(size=(rows, n))).astype(fmt.dtype)
    y = x.astype(np.float64) + offset + apart * rng.normal(size=x.shape)
    return x, y.astype(fmt.dtype)


def error_in_u(got, exact, fmt):
    return relative_error(got, exact) / fmt.unit_roundoff


def softmax_bound(x):
    """The bound of the chapter rounding_error, the largest of each row, in units of u."""
    x = x.astype(np.float64)
    n = x.shape[-1]
    return np.max(softmax_bound_counted(x, softmax_exact(x), n - 1, ALPHA), axis=-1)


def divergence_bound(x, y):
    """First-order bound on the relative error of `kl_divergence` in u, for |v| up to 1.

    A term has the error of p; 3 roundings of v, which the function above the tangent multiplies by
    at most v (exp(v) - 1) / (exp(v) - 1 - v) = 2.4; 4 of that function, whose series is near 1; and
    1 of the product. Then come n - 1 additions and the logarithm. The mean of v, wrong by some u
    itself, counts by its square only.
    """
    return softmax_bound(x) + 3 * 2.4 + 4 + 1 + x.shape[-1] - 1 + ALPHA + 1


# Against exact values


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("scale", [1, 30])
def test_the_entropy_is_within_its_bound(fmt, scale):
    x = (scale * ordinary_logits(fmt).astype(np.float64)).astype(fmt.dtype)
    got, exact = entropy(x), entropy_exact(x, dtype=FP64)
    assert got.dtype == fmt.dtype
    if fmt in LONG:
        # a term: p; z and the logarithm of the sum, which have one sign, and their sum; a product
        assert np.all(error_in_u(got, exact, fmt) <= softmax_bound(x) + 2 + ALPHA + 10 + 1 + 1 + 9)
    else:
        assert np.max(ulp_error(got, exact)) <= 0.6  # computed in float32, rounded once


@pytest.mark.parametrize("fmt", LONG, ids=str)
def test_the_entropy_of_a_sure_row_keeps_its_digits(fmt):
    gap = np.array([5.0, 17, 40, 80], fmt.dtype)
    x = np.stack([gap, 0 * gap, -gap], axis=-1)
    assert np.all(error_in_u(entropy(x), entropy_exact(x, dtype=FP64), fmt) <= softmax_bound(x) + 9)


@pytest.mark.parametrize("offset", [0, 1024])
@pytest.mark.parametrize("apart", 10.0 ** np.arange(-7, 0))
@pytest.mark.parametrize("fmt", LONG, ids=str)
def test_the_divergence_is_within_its_bound_however_close_the_rows_are(fmt, apart, offset):
    x, y = pairs(fmt, apart, offset=offset)
    y = np.where(np.max(x != y, axis=-1, keepdims=True), y, y + 1)
    exact = kl_divergence_exact(x, y, dtype=FP64)
    got = kl_divergence(x, y)
    assert got.dtype == fmt.dtype
    centered = (y.astype(float) - x.astype(float)).T
    centered = centered - np.sum(softmax_exact(x, dtype=FP64).T * centered, axis=0)
    near = np.max(np.abs(centered), axis=0) <= 1
    assert np.mean(near) > 0.9
    assert np.all(error_in_u(got, exact, fmt)[near] <= divergence_bound(x, y)[near])


@pytest.mark.parametrize("apart", [0.5, 1, 3, 10, 100])
@pytest.mark.parametrize("fmt", LONG, ids=str)
def test_the_divergence_of_rows_that_are_far_apart_is_within_its_bound(fmt, apart):
    # Where |v| > 1, the parts of q r - p - p v are together at most 6.6 times its value (at v = 1:
    # (e + 2) / (e - 2)), and where KL > 1, those of p log p - p log q at most (2 log n + KL) / KL.
    x, y = pairs(fmt, apart)
    exact = kl_divergence_exact(x, y, dtype=FP64)
    bound = 6.6 * (divergence_bound(x, y) + softmax_bound(y))
    assert np.all(error_in_u(kl_divergence(x, y), exact, fmt) <= bound)


@pytest.mark.parametrize("apart", [2.0**-6, 0.1, 1, 10])
@pytest.mark.parametrize("fmt", [FP16, BF16], ids=str)
def test_the_divergence_of_a_short_format_is_rounded_once(fmt, apart):
    x, y = pairs(fmt, apart)
    assert np.max(ulp_error(kl_divergence(x, y), kl_divergence_exact(x, y, dtype=FP64))) <= 0.6


def test_one_distant_rare_class_takes_no_digits_from_the_others():
    # The rare class is 40 nats below in p, and 60 in q; the others are 1e-4 apart.
    x, y = pairs(FP32, 1e-4)
    x[:, 0], y[:, 0] = -40, -60
    exact = kl_divergence_exact(x, y, dtype=FP64)
    assert np.all(error_in_u(kl_divergence(x, y), exact, FP32) <= 7 * divergence_bound(x, y))
    y[:, 0] = -20  # the other way round: q has more of it
    exact = kl_divergence_exact(x, y, dtype=FP64)
    assert np.all(error_in_u(kl_divergence(x, y), exact, FP32) <= 7 * divergence_bound(x, y))


def mp_jensen_shannon(x, y):
    with mpmath.workdps(60):
        p, q = ([mpmath.exp(mpmath.mpf(float(v))) for v in row] for row in (x, y))
        p, q = ([v / sum(row) for v in row] for row in (p, q))
        parts = [
            a * mpmath.log(2 * a / (a + b)) + b * mpmath.log(2 * b / (a + b))
            for a, b in zip(p, q, strict=True)
        ]
        return float(sum(parts) / 2)


@pytest.mark.parametrize("apart", [1e-6, 1e-4, 1e-2, 1, 10, 100])
@pytest.mark.parametrize("fmt", LONG, ids=str)
def test_the_jensen_shannon_divergence_is_within_its_bound(fmt, apart):
    x, y = pairs(fmt, apart, rows=20)
    exact = np.array([mp_jensen_shannon(*pair) for pair in zip(x, y, strict=True)])
    got = jensen_shannon(x, y)
    # h tanh h and log cosh h are together 3 times their difference at h = 0, and 4.6 times at 1/2,
    # with about 8 roundings each; beyond, the parts are at most 9 times the whole
    bound = softmax_bound(x) + softmax_bound(y) + 9 * (8 + 2 * ALPHA)
    assert np.all(error_in_u(got, exact, fmt) <= bound)
    assert np.all((got >= 0) & (got <= np.log(2) * (1 + 16 * fmt.unit_roundoff)))


@pytest.mark.parametrize("fmt", LONG, ids=str)
def test_the_exponential_above_its_tangent_has_all_its_digits(fmt):
    size = np.geomspace(1e-12, 20, 300)
    d = np.concatenate([-size, size]).astype(fmt.dtype)
    with mpmath.workdps(60):
        numbers = [mpmath.mpf(float(v)) for v in d]
        exact = np.array([float(mpmath.expm1(v) - v) for v in numbers])
    # the series: two products, and one of a third; beyond 1, (|exp(d) - 1| + |d|) / value <= 4
    assert np.max(error_in_u(exp_above_tangent(d), exact, fmt)) <= 4 * (ALPHA + 1)
    assert np.max(error_in_u(np.expm1(d) - d, exact, fmt)) > 1e4  # what cancels there


def test_the_exponential_above_its_tangent_at_its_edges():
    got = exp_above_tangent(np.array([0.0, -INF, NAN, 1, -1]))
    # (e + 1 + 1) / (e - 2) = 6.6 times the rounding of the number to compare with
    np.testing.assert_allclose(got, [0, INF, NAN, np.e - 2, 1 / np.e], rtol=2e-15)
    with np.errstate(invalid="ignore"):
        assert np.isnan(exp_above_tangent(INF))  # inf - inf
    assert exp_above_tangent([1, 2]).dtype == np.float64
    with pytest.raises(TypeError, match="must hold real numbers"):
        exp_above_tangent([1j])


# Properties


@given(vectors(-300, 300, max_size=6), st.floats(0, 100), st.integers(0, 2**32))
def test_neither_entropy_nor_divergence_is_negative(x, apart, seed):
    y = x + apart * np.random.default_rng(seed).normal(size=x.shape)
    with np.errstate(under="ignore"):
        for f in (kl_divergence, kl_divergence_expm1, jensen_shannon, cross_entropy_between):
            assert f(x, y) >= 0
        assert 0 <= entropy(x) <= np.log(len(x)) * (1 + 64 * FP64.unit_roundoff)


@given(vectors(-300, 300), st.floats(-1e6, 1e6))
def test_rows_that_differ_by_an_offset_have_no_divergence_at_all(x, offset):
    x = np.round(x)
    y = x + np.round(offset)
    assert kl_divergence(x, x) == kl_divergence(x, y) == jensen_shannon(x, y) == 0
    np.testing.assert_array_equal(kl_divergence_gradients(x, y), 0)


@pytest.mark.parametrize("offset", [1.0, 3.0, 1e5, -999_999.0])
def test_no_rounding_of_the_mean_is_left_of_an_offset(offset):
    # the probabilities of these rows add up to 1 + u or 1 - u, and their mean would be off
    x = np.round(20 * ordinary_logits(FP64))
    assert not np.any(kl_divergence(x, x + offset))
    assert not np.any(jensen_shannon(x, x + offset))


def test_the_second_derivative_at_equal_rows_is_that_of_the_softmax():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.tensor([0.5, 1.0, 1.0, -2.0], dtype=torch.float64)
    p = softmax_exact(x)
    want = np.diag(p) - np.outer(p, p)
    for f in (lambda y: kl_divergence(x, y), lambda y: kl_divergence(y, x)):
        got = torch.autograd.functional.hessian(f, x.clone())
        np.testing.assert_allclose(got, want, atol=8 * FP64.unit_roundoff)


def test_cross_entropy_is_entropy_and_divergence():
    x, y = pairs(FP64, 1.0)
    total = entropy(x) + kl_divergence(x, y)
    # each part is within 60 u, of numbers that are not negative
    np.testing.assert_allclose(cross_entropy_between(x, y), total, rtol=64 * FP64.unit_roundoff)


def test_the_jensen_shannon_divergence_is_symmetric_and_the_mean_of_two_divergences():
    x, y = pairs(FP64, 1.0)
    m = np.log((softmax_exact(x) + softmax_exact(y)) / 2)
    mean = (kl_divergence(x, m) + kl_divergence(y, m)) / 2
    # m is rounded, as are the logits: u (1 + max |m|) / d of the divergence, d being about 0.1
    np.testing.assert_allclose(jensen_shannon(x, y), mean, rtol=1e-13)
    np.testing.assert_allclose(jensen_shannon(x, y), jensen_shannon(y, x), rtol=1e-14)


# Special values: zero and -inf as limits

TABLE = [  # x, y, KL, JS, cross-entropy; h is log 2
    ([0, -INF], [0, -INF], 0, 0, 0),
    ([0, -INF], [0, 0], "h", None, "h"),
    ([0, 0], [0, -INF], INF, None, INF),
    ([0, -INF], [-INF, 0], INF, "h", INF),
    ([0, 0, -INF], [0, 0, -INF], 0, 0, "h"),
    ([0, -200], [0, -200], 0, 0, 0),
    ([0, -200], [-200, 0], 200, "h", 200),
    ([0, -2000], [-2000, 0], 2000, "h", 2000),
    ([1], [5], 0, 0, 0),
    ([-INF, -INF], [0, 0], NAN, NAN, NAN),
    ([0, 0], [-INF, -INF], NAN, NAN, NAN),
    ([INF, 0], [0, 0], NAN, NAN, NAN),
    ([0, 0], [INF, 0], NAN, NAN, NAN),
    ([NAN, 0], [0, 0], NAN, NAN, NAN),
    ([0, 0], [NAN, 0], NAN, NAN, NAN),
    ([NAN, 0], [0, -INF], NAN, NAN, NAN),
]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # inf - inf in a row of them
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("x", "y", "kl", "js", "ce"), TABLE)
def test_special_rows(x, y, kl, js, ce, dtype):
    x, y = np.array(x, dtype), np.array(y, dtype)
    results = {
        kl: [kl_divergence, kl_divergence_expm1, kl_divergence_from_logs],
        js: [jensen_shannon],
        ce: [cross_entropy_between],
    }
    for f, want in [(f, want) for want, forms in results.items() for f in forms]:
        if want is not None:
            want = np.log(2) if want == "h" else want
            np.testing.assert_allclose(f(x, y), want, rtol=4 * np.finfo(dtype).eps, atol=1e-38)


@pytest.mark.parametrize("row", [[0, -INF], [0, -200], [-INF, 3, -INF], [0, -1e30]])
def test_a_probability_of_0_adds_nothing_and_nobody_warns(row):
    x = np.array(row, np.float32)
    y = np.array([1.0] * len(row), np.float32)
    assert entropy(x) == 0
    assert not np.any(entropy_gradient(x))
    # log 2, or log 3
    want = np.log(np.float32(len(row)))
    for f in (*FORMS, cross_entropy_between):
        assert ulp_error(f(x, y), want) <= 4


def test_p_log_p_is_nan_at_a_gap_of_200():
    for x in ([0, -200], [0, -INF]):
        with np.errstate(divide="ignore", invalid="ignore"):
            assert np.isnan(entropy_naive(np.float32(x)))
            assert np.isnan(kl_divergence_naive(np.float32(x), np.zeros(2, np.float32)))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_special_rows_of_the_gradients():
    x = np.array([[0, -INF, 1], [0, 0, 1], [NAN, 0, 0], [0, 0, 0]])
    y = np.array([[0.5, 1, 1], [0, -INF, 1], [0, 0, 0], [INF, 0, 0]])
    of_x, of_y = kl_divergence_gradients(x, y)
    assert of_x[0, 1] == 0 and np.isfinite(of_x[0]).all()
    np.testing.assert_allclose(of_y[:2], softmax_exact(y[:2]) - softmax_exact(x[:2]), atol=1e-15)
    assert np.isnan(of_x[1:]).all() and np.isnan(of_y[2:]).all()
    assert np.isnan(entropy_gradient([NAN, 0.0])).all()
    np.testing.assert_array_equal(entropy_gradient([3.0]), 0)


# Gradients


def exact_gradients(x, y):
    """The formulas in float64, in which the function itself is held to central differences."""
    return kl_divergence_gradients(x.astype(np.float64), y.astype(np.float64))


@pytest.mark.parametrize("apart", [1e-3, 0.1, 1, 10])
def test_the_gradients_are_the_derivatives(apart):
    x, y = pairs(FP64, apart, rows=3, n=5)
    of_x, of_y = kl_divergence_gradients(x, y)
    h = 1e-4 * apart
    for i, step in enumerate(h * np.eye(5)):
        along_x = (kl_divergence(x + step, y) - kl_divergence(x - step, y)) / (2 * h)
        along_y = (kl_divergence(x, y + step) - kl_divergence(x, y - step)) / (2 * h)
        # the third derivative times h squared, and rounding, some u KL kappa / h
        np.testing.assert_allclose(along_x, of_x[:, i], rtol=1e-5, atol=1e-6 * apart)
        np.testing.assert_allclose(along_y, of_y[:, i], rtol=1e-5, atol=1e-6 * apart)


def test_the_gradient_of_the_entropy_is_its_derivative():
    x, h = ordinary_logits(FP64)[:5], 1e-5
    for i, step in enumerate(h * np.eye(10)):
        slope = (entropy(x + step) - entropy(x - step)) / (2 * h)
        np.testing.assert_allclose(slope, entropy_gradient(x)[:, i], atol=1e-9)


@pytest.mark.parametrize("apart", [1e-6, 1e-4, 1e-2, 1])
def test_the_gradients_keep_their_digits_in_float32(apart):
    x, y = pairs(FP32, apart)
    for got, exact in zip(kl_divergence_gradients(x, y), exact_gradients(x, y), strict=True):
        error = np.linalg.norm(got - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
        # v is wrong by some u max |v|, and p by its bound
        assert np.all(error <= (softmax_bound(x) + softmax_bound(y) + 16) * FP32.unit_roundoff)


@pytest.mark.parametrize("apart", [1e-6, 1e-4, 1e-2, 1, 10])
def test_autograd_passes_back_the_gradients(apart):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, y = pairs(FP32, apart)
    X, Y = (torch.tensor(z, requires_grad=True) for z in (x, y))
    got = torch.autograd.grad(kl_divergence(X, Y).sum(), (X, Y))
    for ours, exact in zip(got, exact_gradients(x, y), strict=True):
        error = np.linalg.norm(ours.numpy() - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
        bound = 7 * (softmax_bound(x) + softmax_bound(y) + 16)  # as for the value, far apart
        assert np.all(error <= bound * FP32.unit_roundoff)


@pytest.mark.parametrize(
    ("x", "y"),
    [([0, 1, -INF], [1, 0, -INF]), ([0, 1, -INF], [1, 0, 0]), ([0, -200, 1], [0, 1, -200])],
)
def test_a_probability_of_0_passes_no_nan_back(x, y):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    X, Y = (torch.tensor(z, dtype=torch.float32, requires_grad=True) for z in (x, y))
    got = torch.autograd.grad(kl_divergence(X, Y), (X, Y))
    for ours, want in zip(got, exact_gradients(np.array(x), np.array(y)), strict=True):
        np.testing.assert_allclose(ours.numpy(), want, atol=64 * FP32.unit_roundoff)
    (of_entropy,) = torch.autograd.grad(entropy(X), X)
    want = entropy_gradient(np.array(x, dtype=float))
    np.testing.assert_allclose(of_entropy.numpy(), want, atol=16 * FP32.unit_roundoff)
    (of_ce,) = torch.autograd.grad(cross_entropy_between(X, Y), Y)
    assert torch.isfinite(of_ce).all()
    for gradient in torch.autograd.grad(jensen_shannon(X, Y), (X, Y)):
        assert torch.isfinite(gradient).all()


# Arguments and array libraries


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 0), None, ()])
def test_shapes_and_axes_have_the_meaning_of_numpy(axis):
    x, y = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    shape = np.shape(np.sum(x, axis=axis))
    assert all(np.shape(f(x, y, axis)) == shape for f in OF_TWO)
    assert all(np.shape(f(x, axis)) == shape for f in OF_ONE)
    np.testing.assert_allclose(
        kl_divergence(x, y, axis), kl_divergence_exact(x, y, axis), rtol=1e-14, atol=1e-30
    )
    kept = kl_divergence(x, y, axis, keepdims=True)
    assert np.shape(kept) == np.shape(np.sum(x, axis=axis, keepdims=True))
    assert [g.shape for g in kl_divergence_gradients(x, y, axis)] == [x.shape] * 2


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_format_of_the_logits_is_kept(fmt):
    x, y = np.zeros((2, 3), fmt.dtype), np.ones((2, 3), fmt.dtype)
    for result in (*(f(x, y) for f in OF_TWO), *(f(x) for f in OF_ONE)):
        assert result.dtype == fmt.dtype
    assert [g.dtype for g in kl_divergence_gradients(x, y)] == [fmt.dtype] * 2
    assert entropy_gradient(x).dtype == exp_above_tangent(x).dtype == fmt.dtype


def test_two_formats_give_the_longer_one():
    x = np.array([0.0, 1.0])
    for one, other, both in [
        (FP32, FP64, FP64),
        (FP16, FP32, FP32),
        (BF16, FP16, FP32),
        (BF16, FP32, FP32),
    ]:
        for f in OF_TWO:
            assert f(x.astype(one.dtype), x.astype(other.dtype)).dtype == both.dtype


def test_arguments_are_not_changed_and_empty_batches_give_empty_results():
    x, y = pairs(FP32, 1e-3)
    before = x.copy(), y.copy()
    for f in (*OF_TWO, kl_divergence_gradients):
        f(x, y)
    entropy(x)
    entropy_gradient(x)
    np.testing.assert_array_equal((x, y), before)
    assert all(f(x[:0], y[:0]).shape == (0,) for f in OF_TWO)
    assert entropy(x[:0]).shape == (0,)


def test_lists_and_integers_are_promoted():
    assert kl_divergence([1, 2], [2, 1]) == kl_divergence([1.0, 2.0], [2.0, 1.0])
    assert entropy([0, 0]) == np.log(2)
    assert kl_divergence(3.0, 4.0) == entropy(3.0) == 0


@pytest.mark.parametrize("f", OF_TWO, **by_name)
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([1.0], [1.0, 2.0], ValueError, r"x has shape \(1,\), and y has shape \(2,\)"),
        ([[1.0, 2.0]], [1.0, 2.0], ValueError, "in one shape"),
        ([1j], [1.0], TypeError, "x must hold real numbers"),
        ([1.0], ["a"], TypeError, "y must hold real numbers"),
        ([1.0, 2.0], None, TypeError, "y must hold real numbers"),
        ([], [], ValueError, "x has no class"),
        (np.ma.array([1.0], mask=[1]), [1.0], TypeError, "x hides entries behind a mask"),
        ([1.0], np.ma.array([1.0], mask=[1]), TypeError, "y hides entries behind a mask"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(f, x, y, error, message):
    with pytest.raises(error, match=message):
        f(x, y)


def test_wrong_axes_and_keepdims_are_refused():
    x = np.zeros((2, 3))
    for f in (lambda **k: kl_divergence(x, x, **k), lambda **k: entropy(x, **k)):
        with pytest.raises(TypeError, match="axis must"):
            f(axis=True)
        with pytest.raises(np.exceptions.AxisError):
            f(axis=2)
    with pytest.raises(TypeError, match="keepdims must be True or False"):
        kl_divergence(x, x, keepdims=1)


def test_logits_of_two_libraries_are_refused_by_their_names():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(TypeError, match=r"these are x of numpy, y of torch$"):
        kl_divergence(np.zeros(3), torch.zeros(3))


@pytest.mark.parametrize("library", ["torch", "array_api_strict", "jax.numpy", "dask.array"])
def test_every_library_computes_what_numpy_does(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed here")
    x, y = pairs(FP32, 1e-3, rows=4)
    x[0, 0], y[0, 0], y[1, 1] = -INF, -INF, 3
    X, Y = xp.asarray(x), xp.asarray(y)
    for f in (entropy, entropy_gradient):
        # a few u each, of numbers of size one
        np.testing.assert_allclose(np.asarray(f(X)), f(x), rtol=1e-5, atol=1e-6)
    for f in (cross_entropy_between, kl_divergence, jensen_shannon):
        np.testing.assert_allclose(np.asarray(f(X, Y)), f(x, y), rtol=64 * FP32.unit_roundoff)
    for theirs, ours in zip(
        kl_divergence_gradients(X, Y), kl_divergence_gradients(x, y), strict=True
    ):
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=1e-4, atol=1e-9)


def test_derivatives_and_maps_of_functions_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, y = pairs(FP64, 1e-3, rows=4)
    X, Y = torch.tensor(x), torch.tensor(y)
    got = torch.func.vmap(torch.func.grad(kl_divergence, argnums=(0, 1)))(X, Y)
    for ours, exact in zip(got, kl_divergence_gradients(x, y), strict=True):
        np.testing.assert_allclose(ours.numpy(), exact, rtol=1e-10, atol=1e-16)


# What the chapter measures


def test_logits_1e_4_apart_have_a_negative_divergence_in_half_of_the_rows():
    x, y = pairs(FP32, 1e-4, rows=1000)
    exact = kl_divergence_exact(x, y, dtype=FP64)
    for f in (kl_divergence_naive, kl_divergence_from_logs):
        got = f(x, y)
        assert 0.4 < np.mean(got < 0) < 0.6
        assert np.median(relative_error(got, exact)) > 5
    assert 1e-4 < np.median(relative_error(kl_divergence_expm1(x, y), exact)) < 2e-3
    assert np.max(relative_error(kl_divergence(x, y), exact)) < 20 * FP32.unit_roundoff


def test_pytorch_s_divergences_are_negative_as_often():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, y = pairs(FP32, 1e-4, rows=1000)
    X, Y = torch.tensor(x), torch.tensor(y)
    log_p, log_q = torch.log_softmax(X, -1), torch.log_softmax(Y, -1)
    kl_div, categorical = torch.nn.functional.kl_div, torch.distributions.Categorical
    results = [
        kl_div(log_q, log_p.exp(), reduction="none").sum(-1),
        kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1),
        torch.distributions.kl_divergence(categorical(logits=X), categorical(logits=Y)),
    ]
    for got in results:
        assert 0.4 < np.mean(got.numpy() < 0) < 0.6
