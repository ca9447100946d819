import importlib

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
from stable_softmax.measure.conditioning import condition_number_weighted_sum
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


def weighted_rows(fmt, signs):
    x = np.array(ordinary_logits(fmt))
    w = np.random.default_rng(1).uniform(0.5, 2, x.shape)
    return x, (w if signs == "positive" else w * np.where(np.arange(10) % 3 == 1, -1, 1)).astype(
        fmt.dtype
    )


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("signs", ["positive", "both"])
@pytest.mark.parametrize("logsumexp", STABLE)
def test_a_weighted_log_sum_exp_is_as_accurate_as_the_condition_number_allows(
    logsumexp, signs, fmt
):
    x, w = weighted_rows(fmt, signs)
    exact = logsumexp_exact(x, dtype=FP64, weights=w.astype(np.float64))
    positive = np.isfinite(exact)
    with np.errstate(invalid="ignore"):
        got = logsumexp(x, weights=w).astype(np.float64)
    np.testing.assert_array_equal(np.isfinite(got), positive)
    assert positive.sum() >= 25
    # Each term: exp of a rounded shift of at most 6 (6 u), exp itself (2 u), the product, and nine
    # additions. Then a quotient, log, log1p and the last sum, all of numbers below 6.
    kappa = condition_number_weighted_sum(x, w)
    allowed = (18 * kappa + 20) * fmt.unit_roundoff
    error = np.abs(got - exact)[positive]
    assert np.all(error <= allowed[positive] + 4 * fmt.smallest_normal)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("logsumexp", STABLE)
def test_without_weights_and_with_weights_of_one_the_arithmetic_is_the_same(logsumexp, fmt):
    x = np.array(ordinary_logits(fmt))
    want = logsumexp(x)
    assert want.dtype == logsumexp(x, weights=True).dtype == fmt.dtype
    np.testing.assert_array_equal(logsumexp(x, weights=None), want)
    np.testing.assert_array_equal(logsumexp(x, weights=1), want)


def test_the_arithmetic_without_weights_is_what_it_was_before_there_were_any():
    # bit for bit, written out once more, because the accuracy tables rest on it
    for fmt in MAIN_FORMATS:
        x = np.array(ordinary_logits(fmt, 200))
        m = np.max(x, axis=-1, keepdims=True)
        e = np.exp(x - m)
        shifted = (m + np.log(np.sum(e, axis=-1, keepdims=True)))[:, 0]
        np.testing.assert_array_equal(logsumexp_shifted(x), shifted)
        k = np.sum(np.where(x == m, e, np.zeros_like(e)), axis=-1, keepdims=True)
        rest = np.sum(np.where(x == m, np.zeros_like(e), e), axis=-1, keepdims=True)
        log1p = (m + (np.log(k) + np.log1p(rest / k)))[:, 0]
        np.testing.assert_array_equal(logsumexp_log1p(x), log1p)


WEIGHTED = [  # row, weights, log-sum-exp of both forms
    ([0.0, 0.0], [1, -1], -INF),
    ([3.0, 0.0], [0, 0], -INF),
    ([0.0, 1.0], [-1, -1], NAN),
    ([0.0, 1.0], [1, -2], NAN),
    ([5.0, 5.0, 0.0], [1, -1, 1], 0),
    ([0.0, INF], [1, 0], 0),
    ([0.0, NAN], [1, 0], 0),
    ([0.0, -INF], [1, 0], 0),
    ([0.0, NAN], [1, 1], NAN),
    ([INF, 0.0], [2, -1], INF),
    ([INF, 0.0], [-2, 1], NAN),
    ([INF, INF], [1, -1], NAN),
    ([-INF, -INF], [1, -1], -INF),
    ([-INF, 0.0], [-1, 1], 0),
    ([0.0, 1.0], [INF, 1], INF),
    ([0.0, 1.0], [-INF, 1], NAN),
    ([0.0, 1.0], [NAN, 1], NAN),
    ([1000.0, 999.0], [1, 0], 1000),
    ([7.0], [True], 7),
    ([7.0], [False], -INF),
]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # dask computes elsewhere
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("library", ["numpy", "torch", "jax", "array_api_strict", "dask"])
@pytest.mark.parametrize("logsumexp", STABLE)
@pytest.mark.parametrize(("row", "weights", "want"), WEIGHTED)
def test_special_rows_with_weights(logsumexp, row, weights, want, library):
    if not is_installed(library):
        pytest.skip(f"{library} is not installed")
    names = {"jax": "jax.numpy", "dask": "dask.array"}
    xp = importlib.import_module(names.get(library, library))
    with np.errstate(all="ignore"):
        value = np.asarray(logsumexp(xp.asarray([row, [1.0] * len(row)]), weights=weights))
    assert value.shape == (2,)
    np.testing.assert_allclose(value[0], want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("logsumexp", STABLE)
def test_the_negated_weights_have_the_logarithm_of_the_size_of_a_negative_sum(logsumexp):
    x, w = np.array([0.0, 1.0, -2.0]), np.array([1.0, -2.0, 0.5])
    with np.errstate(invalid="ignore"):
        assert np.isnan(logsumexp(x, weights=w))
    np.testing.assert_allclose(logsumexp(x, weights=-w), np.log(-(w @ np.exp(x))), rtol=1e-14)


def test_weights_that_are_all_alike_add_their_logarithm():
    x = np.array(ordinary_logits(FP64))
    for f in STABLE:
        for weight in (2, 0.125, 1e-300):
            shift = np.log(weight)
            np.testing.assert_allclose(
                f(x, weights=weight), f(x) + shift, atol=8 * FP64.unit_roundoff * 700
            )


def test_log1p_does_not_cancel_where_the_maximum_has_a_tiny_weight():
    # log(1e-20) and log1p(3.7e19) are 46 and of different signs
    x, w = [1.0, 0.0], [1e-20, 1]
    assert abs(logsumexp_log1p(x, weights=w)) <= 2 * FP64.unit_roundoff
    assert 0 < logsumexp_exact(x, weights=w) < 3e-20


def test_log1p_keeps_a_small_weighted_term_of_either_sign():
    for sign in (1, -1):
        x, w = [0.0, -40.0], [1, sign * 0.5]
        assert logsumexp_shifted(x, weights=w) == 0
        assert ulp_error(logsumexp_log1p(x, weights=w), logsumexp_exact(x, weights=w)) <= 2


def test_where_the_largest_terms_cancel_exactly_the_others_have_underflowed():
    # the limit that the docstring states
    x, w = [1000.0, 1000.0, 0.0], [1, -1, 1]
    assert logsumexp_exact(x, weights=w) == 0
    with np.errstate(divide="ignore"):
        for f in STABLE:
            assert f(x, weights=w) == -INF


def test_scipy_agrees_on_weights():
    special = pytest.importorskip("scipy.special")
    x, w = weighted_rows(FP64, "both")
    exact = logsumexp_exact(x, weights=w)
    kappa = condition_number_weighted_sum(x, w)
    with np.errstate(all="ignore"):
        theirs = special.logsumexp(x, axis=-1, b=w)
    np.testing.assert_array_equal(np.isnan(theirs), np.isnan(exact))
    size, sign = special.logsumexp(x, axis=-1, b=w, return_sign=True)
    np.testing.assert_array_equal(sign == -1, np.isnan(exact))
    found = np.where(np.isnan(exact), logsumexp_exact(x, weights=-w), exact)
    assert np.all(np.abs(size - found) <= (18 * kappa + 20) * FP64.unit_roundoff)


@pytest.mark.parametrize("f", STABLE)
def test_weights_are_broadcast_moved_and_converted_and_never_changed(f):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    w = np.array([[1], [2], [0]])
    before = w.copy()
    value = f(x, axis=(1, 2), weights=w)
    np.testing.assert_allclose(value, np.log(np.sum(w * np.exp(x), axis=(1, 2))), rtol=1e-14)
    np.testing.assert_array_equal(w, before)
    assert f(x, axis=1, keepdims=True, weights=w).shape == (2, 1, 4)
    assert f(x.astype(np.float32), weights=np.ones(4)).dtype == np.float32
    tensor = torch.tensor(x, dtype=torch.float32)
    beside = f(tensor, axis=(1, 2), weights=w)
    assert beside.dtype == torch.float32
    np.testing.assert_allclose(beside, value, rtol=1e-6)
    weights = torch.tensor([1.0, 2, 3, 4], dtype=torch.bfloat16)
    np.testing.assert_allclose(f(x, weights=weights), f(x, weights=[1, 2, 3, 4]))


@pytest.mark.parametrize("f", STABLE)
def test_weights_that_do_not_fit_are_refused(f):
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"weights has shape \(2,\), which does not broadcast"):
        f(x, weights=[1, 2])
    with pytest.raises(ValueError, match="does not broadcast to the shape of x"):
        f(x, weights=np.ones((4, 2, 3)))
    for wrong in ([1j, 0, 0], ["a", "b", "c"], [None] * 3):
        with pytest.raises(TypeError, match="weights must hold real numbers"):
            f(x, weights=wrong)
    with pytest.raises(TypeError, match="weights hides entries behind a mask"):
        f(x, weights=np.ma.array([1.0, 1, 1], mask=[0, 0, 1]))


@pytest.mark.parametrize("f", STABLE)
def test_the_derivatives_of_a_weighted_log_sum_exp_are_the_terms_over_the_sum(f):
    torch = pytest.importorskip("torch")
    x = torch.tensor([0.5, 1.0, 1.0, -2.0, 30.0], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([2.0, 1.0, -0.5, 3.0, 0.0], dtype=torch.float64, requires_grad=True)
    by_x, by_w = torch.autograd.grad(f(x, weights=w), (x, w))
    e, weights = np.exp(x.detach().numpy()), w.detach().numpy()
    total = np.sum(weights * e)
    np.testing.assert_allclose(by_x, weights * e / total, rtol=1e-14)
    np.testing.assert_allclose(by_w, np.where(weights == 0, 0, e / total), rtol=1e-14)


@pytest.mark.parametrize("f", STABLE)
def test_weights_may_be_traced_by_a_compiler(f):
    jax = pytest.importorskip("jax", reason="jax is not installed here")
    x, w = jax.numpy.asarray([0.0, 1.0, -40.0]), jax.numpy.asarray([1.0, -0.1, 2.0])
    compiled = jax.jit(lambda x, w: f(x, weights=w))
    np.testing.assert_allclose(compiled(x, w), f(np.asarray(x), weights=np.asarray(w)), rtol=1e-6)
