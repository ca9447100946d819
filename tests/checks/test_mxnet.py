import numpy as np
import pytest

from stable_softmax import cross_entropy_shifted
from stable_softmax.checks import check_log_distribution, check_strict_labels, check_wide_sum


def strict_loss(x, labels):
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError("labels must be integers")
    return cross_entropy_shifted(x, labels)


def clipping_loss(x, labels):
    return cross_entropy_shifted(x, np.clip(labels.astype(int), 0, x.shape[-1] - 1))


def wide_sum(x):
    total = np.sum(np.exp(x - np.max(x)), dtype=np.float32)
    return (np.float32(np.max(x)) + np.log(total)).astype(np.float16)


def test_a_loss_that_refuses_wrong_labels_passes():
    assert check_strict_labels(strict_loss)
    assert check_strict_labels(cross_entropy_shifted)


def test_the_starter_accepts_every_wrong_label():
    report = check_strict_labels(clipping_loss)
    assert report.score == (2, 9)
    assert report.reasons["label 3 of 3 classes"] == "no ValueError was raised"
    assert report.reasons["label 0.9"] == "no TypeError was raised"


def test_numpy_indexing_alone_accepts_minus_one():
    def indexing(x, labels):
        return cross_entropy_shifted(x, labels) if labels[0] >= 0 else np.zeros(2)

    assert check_strict_labels(indexing).reasons["label -1"] == "no ValueError was raised"


def test_a_check_of_sign_and_sum_passes():
    assert check_log_distribution(
        lambda y: bool(np.all(y <= 0) and abs(np.sum(np.exp(y)) - 1) <= 1e-5)
    )


def test_the_starter_accepts_a_positive_log_probability():
    report = check_log_distribution(lambda y: bool(abs(np.sum(np.exp(y)) - 1) <= 1e-5))
    failed = [name for name, reason in report.reasons.items() if reason]
    assert failed == ["a sure class with log p = 1.43e-6", "the same in float32"]


def test_a_check_of_the_sign_alone_fails():
    report = check_log_distribution(lambda y: bool(np.all(y <= 0)))
    assert report.reasons["a sum of 0.9"] == "got True, expected False"


def test_a_check_that_returns_no_truth_value_fails():
    report = check_log_distribution(lambda y: np.max(y))
    assert report.reasons["a nan"].startswith("expected True or False")


def test_a_sum_in_float32_passes():
    assert check_wide_sum(wide_sum)


def test_the_starter_stops_at_2048():
    def starter(x):
        m = np.max(x)
        return m + np.log(np.cumsum(np.exp(x - m), dtype=x.dtype)[-1])

    report = check_wide_sum(starter)
    assert report.score == (2, 6)
    assert "got 7.625, expected 10.8203" in report.reasons["50,000 equal classes"]


def test_the_result_must_be_float16():
    report = check_wide_sum(lambda x: wide_sum(x).astype(np.float32))
    assert report.reasons["two classes"] == "float16 was asked for, this is float32"


def test_without_the_shift_large_logits_fail():
    report = check_wide_sum(lambda x: np.log(np.sum(np.exp(x), dtype=np.float32)).astype(x.dtype))
    assert "overflow" in report.reasons["logits near 1000"]


def _asserts(x, labels):
    if np.any((labels < 0) | (labels >= 3)):
        raise AssertionError
    return strict_loss(x, labels)


def _accepts_whole_floats(x, labels):
    if labels.dtype == bool or np.any(labels != np.rint(labels)):
        raise TypeError
    return cross_entropy_shifted(x, labels.astype(int))


def _looks_at_both_ends(x, labels):
    if labels.dtype.kind not in "iu":
        raise TypeError
    if labels[0] < 0 or labels[-1] >= x.shape[-1]:
        raise ValueError
    return cross_entropy_shifted(x, np.clip(labels, 0, 2))


def _guard(logp, tolerance=1e-5):
    return bool(np.all(logp <= 0) and abs(np.sum(np.exp(logp)) - 1) <= tolerance)


def _sum_only(logp, tolerance=1e-5):
    return bool(abs(np.sum(np.exp(logp)) - 1) <= tolerance)


def _starter_sum(x):
    m = np.max(x)
    return m + np.log(np.cumsum(np.exp(x - m), dtype=x.dtype)[-1])


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_strict_labels,
            clipping_loss,
            "label 3 of 3 classes no ValueError was raised",
        ),
        (
            check_strict_labels,
            lambda x, labels: cross_entropy_shifted(x, labels % 3),
            "label -1 no ValueError was raised",
        ),
        (
            check_strict_labels,
            lambda x, labels: cross_entropy_shifted(x, labels.astype(int)),
            "label 0.9 no TypeError was raised",
        ),
        (check_strict_labels, _asserts, "raised AssertionError; no ValueError was raised"),
        (
            check_log_distribution,
            lambda y, tolerance=0: bool(np.all(y <= 0)),
            "Hint: the signs alone accept any sum",
        ),
        (
            check_log_distribution,
            lambda y, tolerance=0: _guard(y),
            "Hint: the argument tolerance is not used",
        ),
        (
            check_log_distribution,
            lambda y, tolerance=1e-5: bool(np.all(y < 0)) and _guard(y, tolerance),
            "Hint: a log-probability of 0 is the sure class: accept it",
        ),
        (
            check_log_distribution,
            lambda y, tolerance=1e-5: y <= 0,
            "expected True or False, got array([ True, True, True])",
        ),
        (
            check_wide_sum,
            lambda x: wide_sum(x).astype(np.float32),
            "float16 was asked for, this is float32",
        ),
        (
            check_wide_sum,
            lambda x: np.log(np.sum(np.exp(x), dtype=np.float32)).astype(x.dtype),
            "Hint: the exponentials overflow in float16: keep the shift by the maximum",
        ),
        (check_wide_sum, _starter_sum, "50,000 equal classes got 7.625, expected 10.8203"),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (check_strict_labels, _accepts_whole_floats, "labels 1.0 and 2.0"),
        (check_strict_labels, _looks_at_both_ends, "label -1 in the second place"),
        (check_strict_labels, _looks_at_both_ends, "label 3 in the first place"),
        (
            check_strict_labels,
            lambda x, labels: strict_loss(x, labels).astype(np.float32),
            "labels 2 and 1",
        ),
        (check_log_distribution, lambda y, tolerance=1e-5: _guard(y, 0.05), "a sum of 1 + 2e-5"),
        (check_log_distribution, lambda y, tolerance=1e-5: _guard(y, 0.05), "a sum of 1 - 2e-5"),
        (
            check_log_distribution,
            lambda y, tolerance=1e-5: _guard(y, 1e-5),
            "a sum of 0.9, tolerance 0.2",
        ),
        (
            check_wide_sum,
            lambda x: wide_sum(x) if x.size in (2, 2000, 3000, 5000, 50_000) else x[0],
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (
            check_log_distribution,
            lambda y, tolerance=1e-5: np.all(y <= 0) & (abs(np.sum(np.exp(y)) - 1) <= tolerance),
        ),
        (check_log_distribution, lambda y, tolerance=1e-5: np.array(_guard(y, tolerance))),
        (check_strict_labels, lambda x, labels: strict_loss(x, labels).tolist()),
        (check_wide_sum, lambda x: np.float16(np.logaddexp.reduce(x.astype(float)))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
