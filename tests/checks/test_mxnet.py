import numpy as np

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
