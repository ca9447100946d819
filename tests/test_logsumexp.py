import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP32,
    FP64,
    log1mexp,
    log1mexp_exact,
    logsumexp_exact,
    logsumexp_log1p,
    logsumexp_naive,
    logsumexp_shifted,
    softmax_exact,
    ulp_error,
)
from stable_softmax.libraries.adapters import is_installed
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors, whole_vectors

ALL = [logsumexp_naive, logsumexp_shifted, logsumexp_log1p]
STABLE = [logsumexp_shifted, logsumexp_log1p]


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("logsumexp", ALL)
def test_ordinary_logits_are_within_16_ulp_of_the_exact_values(logsumexp, fmt):
    # (n + 1) / |lse| + 1 <= 11 / 1.4 + 1 u (the smallest lse of these rows is 1.4), with a factor
    # for exp and log that are not correctly rounded
    x = ordinary_logits(fmt)
    exact = logsumexp_exact(x, dtype=FP64)
    assert exact.min() > 1.4
    assert np.max(ulp_error(logsumexp(x), exact)) <= 16


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("logsumexp", ALL)
def test_the_format_of_the_logits_is_kept(logsumexp, fmt):
    assert logsumexp(np.zeros((2, 3), fmt.dtype)).dtype == fmt.dtype


def test_naive_overflows_to_inf_and_underflows_to_minus_inf():
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert logsumexp_naive([1000.0, 0.0]) == INF
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert logsumexp_naive([-1000.0, -1000.0]) == -INF


@pytest.mark.parametrize("logsumexp", STABLE)
def test_stable_forms_survive_both_ends(logsumexp):
    assert logsumexp([1000.0, 0.0]) == 1000.0
    assert ulp_error(logsumexp([-1000.0, -1000.0]), logsumexp_exact([-1000.0, -1000.0])) <= 1


def test_log1p_keeps_the_small_term_that_the_shifted_form_absorbs():
    # PyTorch issue 113708, SciPy issue 18295
    assert logsumexp_shifted([0.0, -40.0]) == 0.0
    exact = logsumexp_exact([0.0, -40.0])
    assert exact > 0
    assert ulp_error(logsumexp_log1p([0.0, -40.0]), exact) <= 2


def test_ties_for_the_maximum_are_counted():
    x = [0.0, 0.0, -40.0]
    assert ulp_error(logsumexp_log1p(x), logsumexp_exact(x)) <= 1


@given(vectors(-700, 700))
def test_log_sum_exp_lies_between_the_maximum_and_the_maximum_plus_log_n(x):
    m, slack = x.max(), 4 * FP64.unit_roundoff
    for logsumexp in STABLE:
        value = logsumexp(x)
        assert value >= m
        upper = m + np.log(len(x))
        assert value <= upper + slack * (abs(m) + np.log(len(x)) + 1)


@given(whole_vectors(), st.integers(-1000, 1000))
def test_a_common_offset_is_added(x, offset):
    for logsumexp in STABLE:
        difference = logsumexp(x + offset) - (logsumexp(x) + offset)
        assert abs(difference) <= 4 * FP64.unit_roundoff * 4000  # values up to 2003


@given(vectors())
def test_the_argument_is_not_changed(x):
    before = x.copy()
    with np.errstate(all="ignore"):
        for logsumexp in ALL:
            logsumexp(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("logsumexp", ALL)
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None, ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_shapes_have_the_meaning_of_numpy(logsumexp, axis, keepdims):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    value = logsumexp(x, axis=axis, keepdims=keepdims)
    assert np.shape(value) == np.shape(np.sum(x, axis=axis, keepdims=keepdims))
    want = logsumexp_exact(x, axis=axis).reshape(np.shape(value))
    np.testing.assert_allclose(value, want, rtol=0, atol=64 * FP64.unit_roundoff)


@pytest.mark.parametrize("logsumexp", ALL)
def test_a_scalar_is_its_own_log_sum_exp(logsumexp):
    assert logsumexp(3.0) == pytest.approx(3.0, abs=2**-51)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("logsumexp", ALL)
def test_a_scalar_keeps_its_format(logsumexp, fmt):
    # NumPy 1 promotes an array without axes where a Python number is added to it
    assert logsumexp(np.array(3.0).astype(fmt.dtype)).dtype == fmt.dtype


TABLE = [  # row, log-sum-exp: the same for all forms
    ([0.0, -INF], 0),
    ([INF, 0.0], INF),
    ([INF, INF], INF),
    ([INF, -INF], INF),
    ([-INF, -INF], -INF),
    ([NAN, 0.0], NAN),
    ([NAN, INF], NAN),
    ([5.0], 5),
]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("logsumexp", ALL)
@pytest.mark.parametrize(("row", "want"), TABLE)
def test_special_rows(logsumexp, row, want, library):
    xp = np if library == "numpy" else pytest.importorskip("torch")
    x = xp.asarray([row, [0.0] * len(row)])
    with np.errstate(all="ignore"):
        value = np.asarray(logsumexp(x))
    np.testing.assert_allclose(value, [want, np.log(len(row))], rtol=1e-6)


@pytest.mark.parametrize("logsumexp", ALL)
def test_the_gradient_of_log_sum_exp_is_softmax(logsumexp):
    torch = pytest.importorskip("torch")
    x = torch.tensor(np.array(ordinary_logits(FP32)), requires_grad=True)
    (gradient,) = torch.autograd.grad(logsumexp(x).sum(), x)
    exact = softmax_exact(x, dtype=FP64)
    assert np.max(np.abs(gradient.double().numpy() - exact)) <= 32 * FP32.unit_roundoff


@pytest.mark.parametrize("logsumexp", STABLE)
def test_ties_share_the_gradient(logsumexp):
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(logsumexp(x), x)
    exact = softmax_exact([1.0, 1.0, 0.0])
    np.testing.assert_allclose(gradient, exact, atol=4 * FP64.unit_roundoff)


@pytest.mark.parametrize("f", [logsumexp_naive, logsumexp_shifted, logsumexp_log1p])
def test_a_masked_array_and_a_keepdims_of_text_are_refused(f):
    with pytest.raises(TypeError, match="x hides entries behind a mask"):
        f(np.ma.array([0.0, 1, 2], mask=[1, 0, 0]))  # scipy#3034
    with pytest.raises(TypeError, match="keepdims must be True or False"):
        f([0.0, 1.0], keepdims="no")


def test_a_sum_of_tied_classes_ends_where_the_docstring_of_the_softmax_says():
    with np.errstate(over="ignore"):
        for f in (logsumexp_shifted, logsumexp_log1p):
            assert np.isfinite(f(np.zeros(65519, np.float16)))
            assert f(np.zeros(65520, np.float16)) == INF


@pytest.mark.parametrize("row", [[INF, 0.0], [INF, INF], [INF, -INF], [-INF, -INF]])
def test_infinite_maxima_warn_of_nothing_and_stay(row):
    assert logsumexp_log1p(row) == max(row)


def log_probabilities(fmt):
    """Log-probabilities from the smallest number of a format to beyond the end of exp."""
    sizes = np.geomspace(fmt.smallest_normal, -1.1 * fmt.exp_range[2], 2001)
    half = np.log(2) + np.linspace(-0.1, 0.1, 201)  # where the two forms meet
    return -np.concatenate([sizes, half]).astype(fmt.dtype)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_log1mexp_is_within_4_ulp_of_the_exact_values(fmt):
    # The worst place is -log 2, where a relative error of exp or expm1, 3 u in NumPy's float32,
    # counts 1 / log 2 times: 4.3 u, which are 3 ulp of a result of 0.69; and one for the logarithm.
    x = log_probabilities(fmt)
    assert np.max(ulp_error(log1mexp(x), log1mexp_exact(x, dtype=FP64), fmt)) <= 4


def test_either_half_of_log1mexp_fails_at_the_other_end():
    x = np.array([-1e-8, -20.0], np.float32)
    with np.errstate(divide="ignore"):
        far, near = np.log1p(-np.exp(x)), np.log(-np.expm1(x))
    exact = log1mexp_exact(x)
    assert (far[0], near[1]) == (-INF, 0)
    assert exact[0] == near[0] == pytest.approx(-18.42, abs=0.01)
    assert ulp_error(far[1], exact[1]) <= 1


@pytest.mark.parametrize("library", ["numpy", "torch", "jax", "array_api_strict"])
def test_log1mexp_at_the_ends_of_its_range_and_beyond(library):
    if not is_installed(library):
        pytest.skip(f"{library} is not installed")
    xp = __import__(library).numpy if library == "jax" else __import__(library)
    with np.errstate(all="ignore"):
        y = log1mexp(xp.asarray([0.0, -INF, NAN, 1.0, INF, -1.0]))
    want = [-INF, 0, NAN, NAN, NAN, np.log1p(-np.exp(-1))]
    np.testing.assert_allclose(np.asarray(y), want, rtol=1e-6)


def test_log1mexp_warns_where_its_result_is_infinite_and_nowhere_else():
    log1mexp([-1e-300, -0.5, -1.0, -745.0, -1e300])  # a warning is an error
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        assert log1mexp(0.0) == -INF


def test_log1mexp_takes_any_shape_and_refuses_what_is_not_real():
    assert log1mexp(np.full((2, 0, 3), -1.0)).shape == (2, 0, 3)
    assert log1mexp([[-1, -2]]).dtype == np.float64
    with pytest.raises(TypeError, match="real numbers"):
        log1mexp([1j])


@pytest.mark.parametrize("x", [-1e-300, -1e-8, -0.3, -np.log(2), -1.0, -40.0, -1000.0, -INF])
def test_the_derivative_of_log1mexp_is_the_odds(x):
    # d/dx log(1 - exp(x)) = -exp(x) / (1 - exp(x)), and no branch that is not taken gives nan
    torch = pytest.importorskip("torch")
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(log1mexp(t), t)
    np.testing.assert_allclose(gradient, np.exp(x) / np.expm1(x), rtol=8 * FP64.unit_roundoff)


def test_the_second_derivative_of_log1mexp_is_that_of_the_function():
    torch = pytest.importorskip("torch")
    x = torch.tensor([-20.0, -3.0, -0.7, -0.69, -0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log1mexp, x)
    assert torch.autograd.gradgradcheck(log1mexp, x)


def test_log1mexp_undoes_itself():
    # the complement of the complement: p, 1 - p, and p again
    x = np.log(np.linspace(0.05, 0.95, 19))
    np.testing.assert_allclose(log1mexp(log1mexp(x)), x, rtol=200 * FP64.unit_roundoff)
