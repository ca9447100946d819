import numpy as np
import pytest

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


def test_the_starter_loss_fails_at_every_gap():
    report = check_loss_without_cap(lambda x, label: -np.log(softmax_shifted(x)[label] + 1e-7))
    passed = [name for name, reason in report.reasons.items() if reason is None]
    assert passed == ["float32, two logits of 1e8"]
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
    assert failed == ["label behind by 740", "label behind by 1000"]


def _switch(p, epsilon):
    return p / (p + epsilon)


def gap_where_p_is_0(x, label):
    p = softmax_shifted(x)[label]
    return np.max(x) - x[label] if p == 0 else -np.log(p)


def wrong_order(x, label):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m))) - x[label]


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_epsilon_gradient,
            lambda x, label, epsilon: (
                gradient(x, label, 0.0) * _switch(softmax_shifted(x), epsilon)
            ),
            "Hint: every entry has the same factor, with the probability of the label",
        ),
        (
            check_epsilon_gradient,
            lambda x, label, epsilon: (
                gradient(x, label, 0.0) / (softmax_shifted(x)[label] + epsilon)
            ),
            "Hint: the factor lacks its numerator p_y",
        ),
        (
            check_epsilon_gradient,
            lambda *given: -gradient(*given),
            "Hint: the sign is that of an ascent",
        ),
        (
            check_loss_without_cap,
            lambda x, label: -np.log(np.maximum(softmax_shifted(x)[label], 1e-7)),
            "Hint: a clamp is a cap as well",
        ),
        (
            check_loss_without_cap,
            lambda x, label: -np.log(softmax_shifted(x)[label]),
            "Hint: p has lost its digits, or is 0, before the logarithm",
        ),
        (
            check_loss_without_cap,
            lambda x, label: -np.log(softmax_shifted(x)[label] + 1e-300),
            "got 690.776, expected 1000",
        ),
        (
            check_loss_without_cap,
            wrong_order,
            "Hint: m + log(s) has no room for log(s) next to a large m",
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
        (check_loss_without_cap, gap_where_p_is_0, "float32, label behind by 100"),
        (check_loss_without_cap, gap_where_p_is_0, "label behind by 740"),
        (check_loss_without_cap, gap_where_p_is_0, "float16, label behind by 15.75"),
        (check_loss_without_cap, wrong_order, "float32, two logits of 1e8"),
        (
            check_loss_without_cap,
            lambda x, label: loss(x, label).astype(np.float16),
            "label behind by 3",
        ),
        (
            check_loss_without_cap,
            lambda x, label: loss(x, label) if x.size != 3 or np.max(x) > 99 else 1.0,
            "a drawn case",
        ),
        (check_epsilon_gradient, lambda *given: gradient(*given).astype(np.float32), "label ahead"),
        (
            check_epsilon_gradient,
            lambda *given: gradient(*given) if given[0].size != 4 else given[0],
            "a drawn case",
        ),
        (
            check_loss_without_cap,
            lambda x, label: np.log(np.sum(np.exp(x - x[0]))) - (x - x[0])[label],
            "label behind by 1000",
        ),
        (
            check_loss_without_cap,
            lambda x, label: np.log(np.sum(np.exp(x - x[-1]))) - (x - x[-1])[label],
            "label behind by 1000",
        ),
        (
            check_loss_without_cap,
            lambda x, label: np.log(np.sum(np.exp(x - np.mean(x)))) - (x - np.mean(x))[label],
            "label behind by 1000",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_loss_without_cap, lambda x, label: float(loss(x, label))),
        (check_epsilon_gradient, lambda *given: tuple(gradient(*given))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
