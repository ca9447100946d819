"""The exercise checks of the chapter gpu: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import check_exp_from_exp2, check_mean_gradient

LOG2_E = np.log2(np.e)


def starter_mean(g):
    return g / g.dtype.type(len(g))


def starter_exp(x):
    return np.exp2(x * np.float32(LOG2_E))


def wide_mean(g):
    return (g.astype(np.float32) / np.float32(len(g))).astype(g.dtype)


def split_exp(x):
    """The rest after k log 2, with log 2 in two parts: float32 only."""
    k = np.rint(x * np.float32(LOG2_E))
    rest = (x - k * np.float32(0.693359375)) - k * np.float32(-2.12194440e-4)
    return np.ldexp(np.exp2(rest * np.float32(LOG2_E)), k.astype(np.int32))


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_a_division_in_a_longer_format_passes_in_any_form():
    assert check_mean_gradient(wide_mean)
    assert check_mean_gradient(lambda g: (g.astype(np.float64) / len(g)).astype(g.dtype))
    assert check_mean_gradient(lambda g: (g.astype(np.float32) * (1 / len(g))).astype(g.dtype))


def test_the_starter_of_the_mean_fails_where_the_count_is_rounded():
    report = check_mean_gradient(starter_mean)
    assert not report
    assert report.reasons["four samples"] is None
    assert "0.996 ulp" in report.reasons["257 samples (bfloat16)"]
    assert "got 0" in report.reasons["65,520 samples (float16)"]


def test_a_mean_in_another_format_or_shape_fails():
    report = check_mean_gradient(lambda g: g.astype(np.float32) / len(g))
    assert report.reasons["four samples"] == "float16 was asked for, this is float32"
    report = check_mean_gradient(lambda g: np.mean(g.astype(float), axis=0).astype(g.dtype))
    assert report.reasons["four samples"] == "shape (2,) instead of (4, 2)"
    assert len(failed(check_mean_gradient(lambda g: None))) == 7


def test_an_exponential_with_a_longer_product_passes_in_any_form():
    assert check_exp_from_exp2(split_exp)
    assert check_exp_from_exp2(lambda x: np.exp2(x.astype(float) * LOG2_E).astype(np.float32))
    assert check_exp_from_exp2(np.exp)


def test_the_starter_of_the_exponential_is_right_near_zero_only():
    report = check_exp_from_exp2(starter_exp)
    assert {name for name in report.reasons} - failed(report) == {"small arguments", "zero"}


def test_an_exponential_of_another_format_or_shape_fails():
    report = check_exp_from_exp2(lambda x: np.exp(x.astype(float)))
    assert report.reasons["zero"] == "float32 was asked for, this is float64"
    assert "shape" in check_exp_from_exp2(lambda x: np.exp(x).ravel()).reasons["two rows"]
    assert len(failed(check_exp_from_exp2(lambda x: "large"))) == 6


def test_a_range_that_is_cut_fails():
    report = check_exp_from_exp2(lambda x: np.exp(np.clip(x, -80, 80)))
    assert failed(report) >= {"large arguments", "far below the maximum"}


def test_a_mean_over_the_samples_gets_the_message_that_repairs_it():
    report = check_mean_gradient(lambda g: np.mean(g.astype(np.float32), axis=0).astype(g.dtype))
    hint = "Hint: a mean of the gradients was not asked for: one gradient for each loss"
    assert not report
    assert hint in " ".join(str(report).split())


def test_a_rounded_factor_is_no_better_than_a_rounded_count():
    report = check_mean_gradient(lambda g: g * (np.float32(1) / len(g)).astype(g.dtype))
    assert "385 samples (bfloat16)" in failed(report) or "257 samples (bfloat16)" in failed(report)
    assert "65,520 samples (float16)" in failed(report)


def test_more_digits_of_log2_e_do_not_save_a_product_that_is_rounded():
    report = check_exp_from_exp2(lambda x: np.exp2((x.astype(float) * LOG2_E).astype(np.float32)))
    assert failed(report) >= {"large arguments", "far below the maximum"}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_mean_gradient, lambda g: wide_mean(g) if len(g) in known(g) else starter_mean(g)),
        (check_exp_from_exp2, lambda x: np.exp(x) if x.size != 8 else starter_exp(x)),
    ],
)
def test_an_answer_that_knows_the_cases_fails_on_a_drawn_one(check, answer):
    assert "a drawn case" in failed(check(answer))


def known(g):
    return {4, 257, 385, 2049, 65_519, 65_520, 100_000}
