import numpy as np

from stable_softmax import log_softmax_log1p, softmax_shifted
from stable_softmax.checks import check_epsilon_gradient, check_loss_without_cap


def gradient(x, label, epsilon):
    p = softmax_shifted(x)
    y = np.arange(p.size) == label
    return p[label] / (p[label] + epsilon) * (p - y)


def loss(x, label):
    return -log_softmax_log1p(x)[label]


def test_the_right_gradient_passes():
    assert check_epsilon_gradient(gradient)


def test_the_starter_gradient_passes_only_without_epsilon():
    report = check_epsilon_gradient(lambda x, label, epsilon: gradient(x, label, 0.0))
    assert not report
    passed = [name for name, reason in report.reasons.items() if reason is None]
    assert passed == ["epsilon is 0: the true gradient"]
    assert "0.375 (" in report.reasons["p and epsilon of equal size"]


def test_a_switch_made_of_each_classes_own_probability_fails():
    def wrong(x, label, epsilon):
        p = softmax_shifted(x)
        return p / (p + epsilon) * (p - (np.arange(p.size) == label))

    assert not check_epsilon_gradient(wrong)


def test_a_naive_softmax_in_the_gradient_is_found_by_the_large_logits():
    def naive(x, label, epsilon):
        p = np.exp(x) / np.sum(np.exp(x))
        return p[label] / (p[label] + epsilon) * (p - (np.arange(p.size) == label))

    report = check_epsilon_gradient(naive)
    assert "overflow" in report.reasons["logits near 1000"]


def test_the_losses_from_logits_pass():
    assert check_loss_without_cap(loss)
    assert check_loss_without_cap(
        lambda x, y: np.log(np.sum(np.exp(x - x.max()))) - (x - x.max())[y]
    )


def test_the_starter_loss_fails_every_case():
    report = check_loss_without_cap(lambda x, label: -np.log(softmax_shifted(x)[label] + 1e-7))
    assert report.score[0] == 0
    assert "got 16.1181, expected 1000" in report.reasons["label behind by 1000"]
    assert "got -1e-07" in report.reasons["a sure sample: loss 0, not negative"]


def test_a_smaller_constant_fails():
    report = check_loss_without_cap(lambda x, label: -np.log(softmax_shifted(x)[label] + 1e-300))
    assert "expected 1000" in report.reasons["label behind by 1000"]
    assert report.reasons["float16, label behind by 40"]


def test_a_clamp_fails():
    report = check_loss_without_cap(
        lambda x, label: -np.log(np.maximum(softmax_shifted(x)[label], 1e-7))
    )
    assert report.reasons["a sure sample: loss 0, not negative"] is None
    assert not report


def test_the_loss_in_double_precision_only_fails_nothing_but_the_gap():
    report = check_loss_without_cap(lambda x, y: -np.log(softmax_shifted(np.float64(x))[y]))
    failed = [name for name, reason in report.reasons.items() if reason]
    assert failed == ["label behind by 1000"]
