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


def _masked_by_a_product(x, labels):
    kept = labels != -100
    losses = cross_entropy_shifted(x, np.where(kept, labels, 0))
    return np.sum(losses * kept) / np.sum(kept)


def _ignores_negative_labels(x, labels):
    kept = labels >= 0
    return np.sum(cross_entropy_shifted(x[kept], labels[kept])) / max(np.sum(kept), 1)


def _counts_from_the_last_class(x, labels):
    kept = labels != -100
    x, labels = x[kept], labels[kept]
    losses = [cross_entropy_shifted(row, label % 3) for row, label in zip(x, labels, strict=True)]
    return sum(losses) / max(len(losses), 1)


def _starter_binary(z, y):
    p = 1 / (1 + np.exp(-z))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_mean_loss,
            lambda x, labels: right_mean(x, labels) * np.mean(labels != -100),
            "Hint: the sum is divided by the number of all samples",
        ),
        (
            check_mean_loss,
            lambda x, labels: right_mean(x, labels) * np.sum(labels != -100),
            "Hint: this is the sum, not the mean",
        ),
        (check_mean_loss, _ignores_negative_labels, "Hint: only the label -100 is ignored"),
        (
            check_mean_loss,
            lambda x, labels: cross_entropy_shifted(x, labels).mean(),
            "raised ValueError",
        ),
        (
            check_binary_loss,
            lambda z, y: right_binary(z, 1 - y),
            "Hint: the labels are swapped",
        ),
        (
            check_binary_loss,
            pytorch_binary,
            "Hint: (1 - y) z + log(1 + exp(-z)) cancels for a large negative z and label 0",
        ),
        (
            check_binary_loss,
            lambda z, y: np.maximum(z, 0) - z * y + np.log(1 + np.exp(-abs(z))),
            "Hint: log(1 + exp(t)) rounds a small exp(t) away: use log1p",
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
        (check_mean_loss, _ignores_negative_labels, "the label -1 is not ignored"),
        (check_mean_loss, lambda *given: np.float32(right_mean(*given)), "nothing ignored"),
        (
            check_mean_loss,
            lambda x, labels: right_mean(x, labels) if len(x) < 4 else 1.0,
            "a drawn case",
        ),
        (
            check_binary_loss,
            lambda z, y: right_binary(z, np.full_like(y, y[0])),
            "both labels at once",
        ),
        (
            check_binary_loss,
            lambda z, y: pytorch_binary(z, y).astype(np.float16),
            "moderate, label 0",
        ),
        (
            check_binary_loss,
            lambda z, y: right_binary(z, y) if z.size != 4 or (z[2] == 0.5 and z[3] == -3) else z,
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_mean_loss, lambda x, labels: right_mean(x, labels) if np.any(labels != -100) else 0),
        (check_mean_loss, lambda x, labels: float(right_mean(x, labels))),
        (check_mean_loss, _counts_from_the_last_class),
        (check_binary_loss, lambda z, y: np.logaddexp(0, np.where(y == 1, -z, z))),
        (check_binary_loss, lambda z, y: right_binary(z, y).tolist()),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
