"""Each statement of the summary of chapter logsumexp, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    FORMATS,
    FP32,
    FP64,
    absolute_error,
    log1mexp,
    log1mexp_exact,
    log_softmax_exact,
    log_softmax_from_logsumexp,
    log_softmax_shifted,
    logsumexp_exact,
    logsumexp_log1p,
    logsumexp_shifted,
    ulp,
    ulp_error,
)
from stable_softmax.measure.conditioning import condition_number_weighted_sum


def test_log_sum_exp_moves_with_a_common_offset():
    """
    Log-sum-exp moves with a common offset, `lse(x + b) = lse(x) + b`; only the differences
    `x - lse(x)` stay the same.
    """
    x = np.array([1.0, 2.0, 3.0])
    # x + 5 is exact; the two results are roundings of numbers that differ by exactly 5
    assert abs(logsumexp_exact(x + 5) - (logsumexp_exact(x) + 5)) <= ulp(8.4)
    assert logsumexp_exact(x + 5) != logsumexp_exact(x)
    np.testing.assert_array_equal(log_softmax_shifted(x + 5), log_softmax_shifted(x))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e300])
@pytest.mark.parametrize("f", [logsumexp_shifted, logsumexp_log1p])
def test_the_shifted_form_is_finite_and_between_its_bounds(f, scale):
    """
    The shifted form is finite for finite logits, and its result lies between `max(x)` and
    `max(x) + log(n)`, up to rounding.
    """
    x = scale * np.random.default_rng(0).normal(size=(500, 10))
    m, lse = np.max(x, axis=-1), f(x)
    assert np.all(np.isfinite(lse))
    assert np.all(m <= lse)
    assert np.all(lse <= (m + np.log(10)) + 2 * ulp(m + np.log(10)))  # two roundings


def test_the_log1p_form_keeps_what_the_shifted_form_loses():
    r"""
    The shifted form returns 0 for `lse([0, -40])`, and the log1p form returns the true
    $4.25 \cdot 10^{-18}$.
    """
    x = np.array([0.0, -40.0])
    assert logsumexp_shifted(x) == 0
    assert f"{logsumexp_exact(x):.2e}" == "4.25e-18"
    # one exp and one log1p, each within two ulp on any machine
    assert abs(logsumexp_log1p(x) - logsumexp_exact(x)) <= 4 * ulp(logsumexp_exact(x))


def test_the_order_of_operations_decides_at_a_large_offset():
    """
    For two equal float32 logits of 1e8, `x - (m + log(s))` returns 0 and `(x - m) - log(s)`
    returns the correctly rounded `log(1/2)`.
    """
    x = np.full(2, 1e8, dtype=np.float32)
    np.testing.assert_array_equal(log_softmax_from_logsumexp(x), [0, 0])
    np.testing.assert_array_equal(log_softmax_shifted(x), np.float32(np.log(0.5)))


def test_each_form_of_the_complement_fails_at_one_end_and_log1mexp_at_none():
    """
    In float32 `log1p(-exp(lp))` is -inf at lp = -1e-8 and `log(-expm1(lp))` is 0 at lp = -20,
    while `log1mexp(lp)` is right to a few ulp for every lp < 0.
    """
    with np.errstate(divide="ignore"):
        assert np.log1p(-np.exp(np.float32(-1e-8))) == -np.inf
    assert np.log(-np.expm1(np.float32(-20))) == 0
    sizes = [*np.geomspace(1e-37, 110, 3000), *np.linspace(0.0009, 0.0011, 100)]
    x = -np.array(sizes, dtype=np.float32)
    with np.errstate(divide="ignore"):
        far = np.log1p(-np.exp(x))
    nearly_sure = (x > -0.0011) & (x < -0.0009)
    assert np.max(ulp_error(far, log1mexp_exact(x, dtype=FP64), "fp32")[nearly_sure]) > 24  # dozens
    # see the test of log1mexp for the 4
    assert np.max(ulp_error(log1mexp(x), log1mexp_exact(x, dtype=FP64), "fp32")) <= 4


def test_a_difference_of_exponentials_loses_what_its_condition_number_says():
    """
    With the weights 1 and -1, logits 1e-3 apart have a condition number of 2000, and in float32
    both stable forms lose about three digits, where `a + log1mexp(b - a)` is right to a few ulp.
    """
    a = np.random.default_rng(0).uniform(1, 2, 1000)
    x = np.stack([a, a - 1e-3], axis=1).astype(np.float32)
    exact = logsumexp_exact(x, dtype=FP64, weights=[1, -1])
    kappa = condition_number_weighted_sum(x, [1, -1])
    np.testing.assert_allclose(kappa, 2000, rtol=2e-4)  # the logits are rounded by up to 6e-8 each
    u = FP32.unit_roundoff
    for f in (logsumexp_shifted, logsumexp_log1p):
        error = absolute_error(f(x, weights=[1, -1]), exact)
        # exp(b - a) is off by an ulp at most, which is u below 1; the logarithm, about -7, and the
        # sum are rounded as well
        assert np.all(error <= (kappa + 16) * u)
        assert np.max(error / (kappa * u)) > 0.1
        digits = -np.log10(np.max(error) / 6)  # results of -6 to -5
        assert 3.5 < digits < 5  # of 7.2
    difference = x[:, 0] + log1mexp(x[:, 1] - x[:, 0])
    # log1mexp, near -7, is right to 4 ulp, and the sum of it and a number below 2 to half of one
    assert np.all(ulp_error(difference, exact, FP32) <= 5)


def test_on_a_row_of_minus_infinity_the_forms_agree_in_value_only():
    """
    On a row of -inf all forms return -inf, but the gradient of the shifted form and of PyTorch is
    nan, and that of the log1p form is 1/n.
    """
    torch = pytest.importorskip("torch")
    x = torch.full((3,), -torch.inf, requires_grad=True)
    values = logsumexp_shifted(x), torch.logsumexp(x, 0), logsumexp_log1p(x)
    assert [value.item() for value in values] == [-np.inf] * 3
    shifted, theirs, log1p = (torch.autograd.grad(value, x)[0].numpy() for value in values)
    assert np.isnan(shifted).all()
    assert np.isnan(theirs).all()
    np.testing.assert_allclose(log1p, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16"])
def test_beyond_an_offset_of_ten_the_wrong_order_errs_by_up_to_half_a_spacing(name):
    offset, z = np.logspace(1, 8, 29), np.random.default_rng(0).normal(size=10)
    x = (offset[:, np.newaxis] + z).astype(FORMATS[name].dtype)
    exact = log_softmax_exact(x, dtype=FP64)
    wrong = np.max(absolute_error(log_softmax_from_logsumexp(x), exact), axis=1)
    half = ulp(logsumexp_exact(x)).astype(float) / 2
    # beside the rounding of m + log(s): those of s and log(s), and of the difference
    assert np.all(wrong <= half + 20 * FORMATS[name].unit_roundoff)
    assert np.max(wrong / half) > 0.9


# What the chapter says outside its summary.


def test_the_two_rows_that_the_naive_form_loses_are_right_to_the_digits_of_the_page():
    x = np.array([[1000.0, 1000.0], [-1000.0, -1000.0]])
    assert [f"{v:.2f}" for v in logsumexp_shifted(x)] == ["1000.69", "-999.31"]


def test_scipy_and_pytorch_on_the_values_of_the_chapter():
    special = pytest.importorskip("scipy.special")
    small, sure = np.array([0.0, -40.0]), np.array([40.0, 0.0])
    equal = np.full(2, 1e8, dtype=np.float32)
    assert ulp_error(special.logsumexp(small), logsumexp_exact(small)) <= 4  # since 1.15
    assert special.log_softmax(sure)[0] == 0
    np.testing.assert_allclose(special.log_softmax(equal), np.log(0.5), rtol=1e-6)
    with np.errstate(all="ignore"):
        assert np.isnan(special.logsumexp([0.0, 1.0], b=[1, -2]))
    size, sign = special.logsumexp([0.0, 1.0], b=[1, -2], return_sign=True)
    assert sign == -1
    np.testing.assert_allclose(size, np.log(2 * np.e - 1), rtol=1e-14)
    torch = pytest.importorskip("torch")
    assert torch.logsumexp(torch.tensor(small), 0) == 0
    assert torch.log_softmax(torch.tensor(sure), 0)[0] == 0
    np.testing.assert_allclose(torch.log_softmax(torch.tensor(equal), 0), np.log(0.5), rtol=1e-6)


def test_the_weights_of_the_chapter_give_what_its_text_says():
    x = np.array([1000.0, 999.0])
    for f in (logsumexp_shifted, logsumexp_log1p, logsumexp_exact):
        with np.errstate(invalid="ignore", divide="ignore"):
            results = [f(x, weights=w) for w in ([0.5, 0.5], [1, 0], [1, -1], [-1, 1], [0, 0])]
        want = [999.62011, 1000, 999.54132, np.nan, -np.inf]
        np.testing.assert_allclose(results, want, rtol=1e-8)
