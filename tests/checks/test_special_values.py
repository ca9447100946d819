"""The exercise checks of the chapter special_values: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import (
    check_masked_rows,
    check_mean_of_batches,
    check_where_backward,
)
from stable_softmax.special_values import softmax_filled, softmax_masked, softmax_masked_late


def starter_masked_softmax(x, mask):
    m = np.max(x, axis=-1, keepdims=True)
    e = np.exp(x - m) * mask
    return e / np.sum(e, axis=-1, keepdims=True)


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_our_masked_softmax_passes():
    assert check_masked_rows(softmax_masked)


def test_the_starter_of_the_masked_softmax_fails():
    report = check_masked_rows(starter_masked_softmax)
    assert report.score == (4, 11)
    assert report.reasons["the last class masked"] is None
    assert "got nan" in report.reasons["a masked logit of nan"]
    assert "invalid value" in report.reasons["all classes masked"]


def test_a_finite_fill_fails_for_low_logits_and_for_empty_rows():
    report = check_masked_rows(lambda x, mask: softmax_filled(x, mask, -1e6))
    assert failed(report) == {
        "kept logits near -1e9",
        "all classes masked",
        "all logits -inf, none masked",
        "a batch with one empty row",
    }


def test_minus_infinity_without_the_empty_row_fails_only_there():
    report = check_masked_rows(lambda x, mask: softmax_filled(x, mask, -np.inf))
    assert failed(report) == {
        "all classes masked",
        "all logits -inf, none masked",
        "a batch with one empty row",
    }


def test_a_nan_made_and_replaced_fails():
    report = check_masked_rows(softmax_masked_late)
    assert "all classes masked" in failed(report)
    assert "a masked logit of nan" in failed(report)


def test_nan_to_num_is_no_solution():
    def answer(x, mask):
        with np.errstate(all="ignore"):
            return np.nan_to_num(starter_masked_softmax(x, mask))

    assert "a masked class far ahead" in failed(check_masked_rows(answer))


def test_a_nan_that_is_hidden_fails():
    def answer(x, mask):
        with np.errstate(all="ignore"):
            return np.nan_to_num(softmax_filled(x, mask, -np.inf))

    assert failed(check_masked_rows(answer)) == {"a nan at a class that counts"}


def test_a_masked_reduction_passes():
    def answer(x, mask):
        m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-np.inf)
        counts = mask & (x > -np.inf) | mask & np.isnan(x)
        e = np.exp(np.subtract(x, m, where=counts, out=np.full_like(x, -np.inf)))
        s = np.sum(e, axis=-1, keepdims=True)
        return np.divide(e, s, where=s != 0, out=np.zeros_like(e))

    assert check_masked_rows(answer)


def test_an_epsilon_in_the_denominator_fails():
    def answer(x, mask):
        x = np.where(mask, x, -np.inf)
        m = np.max(x, axis=-1, keepdims=True)
        e = np.exp(x - np.where(np.isfinite(m), m, 0))
        return e / (np.sum(e, axis=-1, keepdims=True) + 1e-9)

    assert "nothing masked" in failed(check_masked_rows(answer))


def starter_backward(x, upstream):
    received = np.where(x > 0, upstream, 0.0)
    return received * (1 / x)


def test_the_double_where_passes_and_so_does_a_selection():
    def selection(x, upstream):
        result = np.zeros_like(x)
        inside = x > 0
        result[inside] = upstream[inside] / x[inside]
        return result

    assert check_where_backward(lambda x, g: np.where(x > 0, g, 0) / np.where(x > 0, x, 1))
    assert check_where_backward(selection)


def test_the_starter_of_the_backward_pass_fails_at_zero_and_nan():
    report = check_where_backward(starter_backward)
    assert failed(report) == {"a zero", "a nan", "nothing positive"}


def test_a_where_around_the_starter_fails_because_the_nan_was_made():
    report = check_where_backward(lambda x, g: np.where(x > 0, starter_backward(x, g), 0))
    assert "divide by zero" in report.reasons["a zero"]


def test_an_epsilon_in_the_slope_fails():
    report = check_where_backward(lambda x, g: np.where(x > 0, g, 0) / (x + 1e-7))
    assert "positive numbers" in failed(report)


def starter_mean(means, counts):
    return np.sum(means * counts) / np.sum(counts)


def test_selected_batches_pass():
    def answer(means, counts):
        some = counts > 0
        return np.sum(means[some] * counts[some]) / max(np.sum(counts), 1)

    assert check_mean_of_batches(answer)


def test_the_starter_of_the_mean_is_nan_where_a_batch_is_empty():
    report = check_mean_of_batches(starter_mean)
    assert failed(report) == {"an empty batch", "two empty batches", "no sample at all"}
    assert "got nan, expected 2" in report.reasons["an empty batch"]


def test_nansum_hides_the_failure_that_matters():
    report = check_mean_of_batches(lambda m, c: np.nansum(m * c) / max(np.sum(c), 1))
    assert failed(report) == {"a nan of three samples"}


def test_the_plain_mean_of_the_means_fails():
    assert "two batches" in failed(check_mean_of_batches(lambda m, c: np.mean(m)))


def _selected(means, counts):
    some = counts > 0
    return np.sum(means[some] * counts[some]) / max(np.sum(counts), 1)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_masked_rows,
            lambda x, mask: softmax_filled(x, mask, -1e6),
            "Hint: a finite fill is a logit like any other",
        ),
        (
            check_masked_rows,
            lambda x, mask: softmax_filled(x, mask, -np.inf),
            "Hint: a row without any class is -inf - (-inf) and 0/0",
        ),
        (
            check_masked_rows,
            lambda x, mask: np.nan_to_num(softmax_filled(x, mask, -np.inf)),
            "Hint: nan_to_num also hides the nan of a class that takes part",
        ),
        (
            check_where_backward,
            lambda x, g: np.where(x > 0, g / x, 0),
            "Hint: the slope is computed where it does not count",
        ),
        (
            check_where_backward,
            lambda x, g: np.where(x > 0, g, 0) / (x + 1e-7),
            "Hint: a number added to x changes every slope",
        ),
        (
            check_where_backward,
            lambda x, g: np.where(x > 0, 1, 0) / np.where(x > 0, x, 1),
            "Hint: the gradient that was received is missing",
        ),
        (
            check_mean_of_batches,
            lambda m, c: np.nansum(m * c) / max(np.sum(c), 1),
            "Hint: this also hides the nan of a batch that has samples",
        ),
        (
            check_mean_of_batches,
            lambda m, c: np.mean(m),
            "Hint: batches of different size have different weights",
        ),
        (
            check_mean_of_batches,
            lambda m, c: np.nansum(m * c) / np.sum(c),
            "no sample at all NumPy warned: invalid value encountered in",
        ),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (
            check_masked_rows,
            lambda x, mask: softmax_masked(x, mask).astype(np.float32),
            "nothing masked",
        ),
        (
            check_masked_rows,
            lambda x, mask: softmax_masked(x, mask) if x.shape[-1] == 3 else x,
            "a drawn case",
        ),
        (
            check_where_backward,
            lambda x, g: np.float16(np.where(x > 0, g, 0) / np.where(x > 0, x, 1)),
            "positive numbers",
        ),
        (
            check_where_backward,
            lambda x, g: np.where(x > 0, g, 0) / np.where(x > 0, x, 1) if len(x) < 4 else g,
            "a drawn case",
        ),
        (
            check_mean_of_batches,
            lambda m, c: _selected(m, c) if len(m) < 4 else -1.0,
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_mean_of_batches, lambda m, c: _selected(m, c) if np.any(c) else 0),
        (check_mean_of_batches, lambda m, c: float(_selected(m, c))),
        (check_masked_rows, lambda x, mask: softmax_masked(x, mask).tolist()),
        (
            check_where_backward,
            lambda x, g: [float(b / a) if a > 0 else 0 for a, b in zip(x, g, strict=True)],
        ),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
