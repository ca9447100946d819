import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    absolute_error,
    log_softmax_clamped,
    log_softmax_epsilon,
    log_softmax_exact,
    log_softmax_from_logsumexp,
    log_softmax_jacobian,
    log_softmax_log1p,
    log_softmax_naive,
    log_softmax_shifted,
    log_softmax_two_step,
    softmax_exact,
    ulp_error,
)
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors, whole_vectors

EXACT_FORMULA = [
    log_softmax_naive,
    log_softmax_two_step,
    log_softmax_from_logsumexp,
    log_softmax_shifted,
    log_softmax_log1p,
]
BIASED = [log_softmax_epsilon, log_softmax_clamped]
ALL = EXACT_FORMULA + BIASED
STABLE = [log_softmax_shifted, log_softmax_log1p]


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("log_softmax", EXACT_FORMULA)
def test_ordinary_logits_are_within_40_u_of_the_exact_values(log_softmax, fmt):
    # n + 3 + 2 * spread <= 27 errors of u, relative to values of size at most 8: absolute error
    x = ordinary_logits(fmt)
    error = absolute_error(log_softmax(x), log_softmax_exact(x, dtype=FP64))
    assert np.max(error) <= 40 * fmt.unit_roundoff


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("log_softmax", ALL)
def test_the_format_of_the_logits_is_kept(log_softmax, fmt):
    assert log_softmax(np.zeros((2, 3), fmt.dtype)).dtype == fmt.dtype


def test_two_steps_lose_the_logarithm_of_a_probability_that_underflows():
    x = [-10000.0, -1020.0, 100.0, -70220.0]
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        log_p = log_softmax_two_step(x)
    np.testing.assert_array_equal(log_p, [-INF, -INF, 0, -INF])
    np.testing.assert_array_equal(log_softmax_shifted(x), [-10100, -1120, 0, -70320])


def test_epsilon_makes_different_classes_equal_and_the_sure_one_positive():
    log_p = log_softmax_epsilon([-10000.0, -1020.0, 100.0, -70220.0])
    np.testing.assert_allclose(log_p[[0, 1, 3]], np.log(1e-7), rtol=4 * FP64.unit_roundoff)
    assert log_p[2] > 0


def test_epsilon_vanishes_in_float16():
    x = np.array([0.0, 20.0], np.float16)
    with np.errstate(divide="ignore"):
        assert log_softmax_epsilon(x, epsilon=1e-8)[0] == -INF
    assert log_softmax_epsilon(x, epsilon=1e-7)[1] == 0


def test_clamp_is_exact_above_epsilon_and_constant_below():
    exact = log_softmax_exact([0.0, -10.0])
    assert np.max(ulp_error(log_softmax_clamped([0.0, -10.0]), exact)[1]) <= 2
    values = [log_softmax_clamped([0.0, -gap])[1] for gap in (20.0, 50.0, 1000.0)]
    assert values == [np.log(1e-7)] * 3


def test_the_bad_order_loses_log_2_at_a_large_offset():
    x = np.full(2, 1e8, np.float32)
    np.testing.assert_array_equal(log_softmax_from_logsumexp(x), [0, 0])
    assert np.max(ulp_error(log_softmax_shifted(x), log_softmax_exact(x))) <= 1


def test_log1p_keeps_the_digits_of_the_sure_class():
    # SciPy issue 19521: scipy.special.log_softmax returns 0
    exact = log_softmax_exact([40.0, 0.0])
    assert log_softmax_shifted([40.0, 0.0])[0] == 0.0
    assert np.max(ulp_error(log_softmax_log1p([40.0, 0.0]), exact)) <= 2


def test_differences_that_overflow_give_minus_infinity_correctly():
    x = np.array([3e38, -3e38], np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(log_softmax_shifted(x), [0, -INF])
    np.testing.assert_array_equal(log_softmax_exact(x), [0, -INF])


@given(vectors())
def test_log_probabilities_are_never_positive(x):
    for log_softmax in STABLE:
        assert np.all(log_softmax(x) <= 0)


@given(whole_vectors(), st.integers(-(2**40), 2**40))
def test_a_common_offset_that_is_exact_changes_no_bit(x, offset):
    for log_softmax in STABLE:
        np.testing.assert_array_equal(log_softmax(x + offset), log_softmax(x))


@given(vectors())
def test_the_stable_forms_are_right_to_a_few_u_of_the_largest_gap(x):
    # x - m is rounded (half an ulp of the gap), and log s <= log 12 carries n + 1 errors of u
    exact = log_softmax_exact(x)
    allowed = FP64.unit_roundoff * (2 * (x.max() - x.min()) + 2 * 12 + 16)
    for log_softmax in STABLE:
        assert np.all(absolute_error(log_softmax(x), exact) <= allowed)


@given(vectors())
def test_the_argument_is_not_changed(x):
    before = x.copy()
    with np.errstate(all="ignore"):
        for log_softmax in ALL:
            log_softmax(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("log_softmax", EXACT_FORMULA)
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None])
def test_axes_have_the_meaning_of_numpy(log_softmax, axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    error = absolute_error(log_softmax(x, axis=axis), log_softmax_exact(x, axis=axis))
    assert np.max(error) <= 64 * FP64.unit_roundoff


TABLE = [  # row, log-softmax of the stable forms
    ([0.0, -INF], [0, -INF]),
    ([INF, 0.0], [NAN, NAN]),
    ([INF, INF], [NAN, NAN]),
    ([INF, -INF], [NAN, NAN]),
    ([-INF, -INF], [NAN, NAN]),
    ([NAN, 0.0], [NAN, NAN]),
    ([NAN, INF], [NAN, NAN]),
    ([5.0], [0]),
]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("log_softmax", STABLE)
@pytest.mark.parametrize(("row", "want"), TABLE)
def test_special_rows(log_softmax, row, want, library):
    xp = np if library == "numpy" else pytest.importorskip("torch")
    x = xp.asarray([row, [0.0] * len(row)])
    with np.errstate(all="ignore"):
        log_p = np.asarray(log_softmax(x))
    np.testing.assert_array_equal(log_p[0], want)
    np.testing.assert_allclose(log_p[1], -np.log(len(row)), rtol=1e-6)


def test_special_rows_of_the_bad_order():
    with np.errstate(invalid="ignore", divide="ignore"):
        np.testing.assert_array_equal(log_softmax_from_logsumexp([INF, 0.0]), [NAN, -INF])
        np.testing.assert_array_equal(log_softmax_from_logsumexp([-INF, -INF]), [NAN, NAN])
    np.testing.assert_array_equal(log_softmax_from_logsumexp([0.0, -INF]), [0, -INF])


def test_the_jacobian_is_the_identity_minus_the_probabilities():
    x = np.array([1.0, -2.0, 0.5])
    jacobian = log_softmax_jacobian(x)
    want = np.eye(3) - softmax_exact(x)
    np.testing.assert_allclose(jacobian, want, atol=4 * FP64.unit_roundoff)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=8 * FP64.unit_roundoff)


@pytest.mark.parametrize("log_softmax", STABLE)
def test_the_jacobian_is_the_one_autograd_finds(log_softmax):
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    found = torch.autograd.functional.jacobian(log_softmax, x)
    want = log_softmax_jacobian(x)
    torch.testing.assert_close(found, want, rtol=0, atol=8 * FP64.unit_roundoff)


@pytest.mark.parametrize("x", [np.zeros((2, 3)), 1.0, []])
def test_the_jacobian_is_of_one_sample(x):
    with pytest.raises(ValueError, match=r"one sample|no class"):
        log_softmax_jacobian(x)


@pytest.mark.parametrize("fmt", [FP16, FP32], ids=str)
def test_the_jacobian_keeps_the_format(fmt):
    assert log_softmax_jacobian(np.zeros(3, fmt.dtype)).dtype == fmt.dtype


@pytest.mark.parametrize("log_softmax", BIASED)
def test_an_epsilon_that_is_no_number_or_negative_is_refused(log_softmax):
    for epsilon in (None, "a", 1j):
        with pytest.raises(TypeError, match="epsilon must be a real number, not"):
            log_softmax([0.0, 1.0], epsilon=epsilon)
    for epsilon in (-1, NAN):
        with pytest.raises(ValueError, match="epsilon must be at least 0"):
            log_softmax([0.0, 1.0], epsilon=epsilon)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("log_softmax", BIASED)
def test_an_epsilon_does_not_change_the_format_of_one_sample(log_softmax, fmt):
    assert log_softmax(np.zeros(2, fmt.dtype), epsilon=1e-3).dtype == fmt.dtype


def test_the_jacobian_is_on_the_device_of_its_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    assert log_softmax_jacobian(torch.zeros(3, device="meta")).device.type == "meta"
