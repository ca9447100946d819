import numpy as np
import pytest

from stable_softmax import cross_entropy_shifted
from stable_softmax.checks.pytorch import check_binary_loss, check_mean_loss

RIGHT_AND_SURE = "right and sure, label 0"


def reasons(report):
    return {name: reason for name, reason in report.reasons.items() if reason}


def right_mean(x, labels):
    kept = labels != -100
    return np.sum(cross_entropy_shifted(x[kept], labels[kept])) / max(np.sum(kept), 1)


def right_binary(z, y):
    t = np.where(y == 1, -z, z)
    return np.maximum(t, 0) + np.log1p(np.exp(-np.abs(t)))


def classical_binary(z, y):
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def pytorch_binary(z, y):
    """What PyTorch computes: (1 - y) z - log sigmoid(z)."""
    log_sigmoid = np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))
    return (1 - y) * z - log_sigmoid


def test_a_mean_over_the_selected_rows_passes():
    assert check_mean_loss(right_mean)


@pytest.mark.parametrize("answer", [right_binary, classical_binary])
def test_a_binary_loss_by_log1p_passes(answer):
    assert check_binary_loss(answer)


def test_the_starter_of_the_mean_lets_an_ignored_nan_through():
    def starter(x, labels):
        kept = labels != -100
        losses = cross_entropy_shifted(x, np.where(kept, labels, 0))
        return np.sum(losses * kept) / np.sum(kept)

    failed = reasons(check_mean_loss(starter))
    assert set(failed) == {"ignored sample of nan", "ignored sample of inf", "all samples ignored"}
    assert failed["ignored sample of nan"].startswith("got nan")
    assert failed["all samples ignored"].startswith("NumPy warned: invalid value")


def test_masking_after_the_loss_still_computes_with_the_ignored_row():
    def masked(x, labels):
        kept = labels != -100
        losses = cross_entropy_shifted(x, np.where(kept, labels, 0))
        return np.sum(np.where(kept, losses, 0)) / max(np.sum(kept), 1)

    assert list(reasons(check_mean_loss(masked))) == ["ignored sample of inf"]


@pytest.mark.parametrize(
    ("wrong", "case"),
    [
        (lambda x, labels: right_mean(x, labels) * np.mean(labels != -100), "one sample ignored"),
        (lambda x, labels: cross_entropy_shifted(x, labels).mean(), "one sample ignored"),
        (
            lambda x, labels: right_mean(x, labels) + np.nan * np.all(labels < 0),
            "all samples ignored",
        ),
        (lambda x, labels: None, "nothing ignored"),
    ],
)
def test_other_wrong_means_fail(wrong, case):
    assert case in reasons(check_mean_loss(wrong))


def test_the_starter_of_the_binary_loss_fails_at_both_ends():
    def starter(z, y):
        p = 1 / (1 + np.exp(-z))
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    failed = reasons(check_binary_loss(starter))
    assert "moderate, label 0" not in failed
    assert failed["wrong and sure, label 0"].startswith("NumPy warned: divide by zero")
    assert failed["wrong and sure, label 1"].startswith("NumPy warned: overflow")
    assert failed[RIGHT_AND_SURE].startswith("got ")


def test_the_formula_of_pytorch_fails_only_for_a_sure_sample_of_label_0():
    failed = reasons(check_binary_loss(pytorch_binary))
    assert {RIGHT_AND_SURE, "float32, label 0"} <= set(failed)
    assert not any("label 1" in name for name in failed)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z, y: -np.log(1 / (1 + np.exp(-np.clip(z, -30, 30))) + 1e-7),
        lambda z, y: right_binary(z, 1 - y),
        lambda z, y: right_binary(z, y).mean(),
        lambda z, y: None,
    ],
)
def test_other_wrong_binary_losses_fail(wrong):
    assert not check_binary_loss(wrong)
