"""The exercise checks of the chapter sequences: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax import log_softmax_shifted, softmax_shifted
from stable_softmax.beyond.hidden_markov import forward_log, forward_scaled, forward_shifted
from stable_softmax.beyond.sequences import log_ratio
from stable_softmax.checks import check_log_ratio, check_scaled_forward


def starter_ratio(x, other, labels):
    rows = np.arange(len(labels))
    p, q = softmax_shifted(x)[rows, labels], softmax_shifted(other)[rows, labels]
    return np.log(np.prod(p) / np.prod(q))


def starter_forward(start, transitions, likelihoods):
    p = start * likelihoods[0]
    for seen_now in likelihoods[1:]:
        p = (p @ transitions) * seen_now
    return np.log(np.sum(p))


def by_token(x, other, labels):
    rows = np.arange(len(labels))
    return log_softmax_shifted(x)[rows, labels] - log_softmax_shifted(other)[rows, labels]


def by_sums(x, other, labels):
    rows = np.arange(len(labels))
    return np.sum(log_softmax_shifted(x)[rows, labels]) - np.sum(
        log_softmax_shifted(other)[rows, labels]
    )


def by_quotients(x, other, labels):
    rows = np.arange(len(labels))
    p, q = softmax_shifted(x)[rows, labels], softmax_shifted(other)[rows, labels]
    return np.log(np.prod(p / q))


def by_logarithms(x, other, labels):
    rows = np.arange(len(labels))
    p, q = softmax_shifted(x)[rows, labels], softmax_shifted(other)[rows, labels]
    return np.sum(np.log(p) - np.log(q))


def floored(x, other, labels):
    rows = np.arange(len(labels))
    p, q = softmax_shifted(x)[rows, labels], softmax_shifted(other)[rows, labels]
    return np.sum(np.log(p + 1e-12) - np.log(q + 1e-12))


@pytest.mark.parametrize(
    "answer",
    [
        log_ratio,
        by_sums,
        lambda *given: np.sum(by_token(*given)),
        lambda *given: sum(by_token(*given)),
    ],
)
def test_a_ratio_from_log_probabilities_passes(answer):
    assert check_log_ratio(answer)


def failed(report):
    return {name for name, why in report.reasons.items() if why}


def test_the_starter_of_the_ratio_fails_for_long_texts_and_rare_tokens():
    report = check_log_ratio(starter_ratio)
    assert failed(report) == {"a token that is 800 behind", "2000 tokens"}


def test_quotients_of_probabilities_fail_for_rare_tokens_alone():
    assert failed(check_log_ratio(by_quotients)) == {"a token that is 800 behind"}
    assert failed(check_log_ratio(by_logarithms)) == {"a token that is 800 behind"}


def scaled(start, transitions, likelihoods, total=0.0):
    p = start
    for t, seen_now in enumerate(likelihoods):
        p = (p if t == 0 else p @ transitions) * seen_now
        total = total + np.log(np.sum(p))
        p = p / np.sum(p)
    return total


def without_the_last(start, transitions, likelihoods):
    return scaled(start, transitions, likelihoods[:-1]) if len(likelihoods) > 1 else np.float64(0)


def in_log_domain(start, transitions, likelihoods):
    return forward_log(start, transitions, likelihoods)


@pytest.mark.parametrize("answer", [forward_scaled, forward_shifted, scaled])
def test_a_scaled_forward_algorithm_passes(answer):
    assert check_scaled_forward(answer)


def test_a_running_sum_in_float32_passes():
    def answer(*tables):
        return scaled(*tables, total=tables[2].dtype.type(0))

    assert check_scaled_forward(answer)


def test_the_starter_of_the_forward_algorithm_underflows():
    report = check_scaled_forward(starter_forward)
    assert failed(report) == {
        "1200 steps",
        "likelihoods near 1e-200",
        "10,000 steps in float32",
    }


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_log_ratio, starter_ratio, "NumPy warned: invalid value encountered"),
        (
            check_log_ratio,
            lambda x, other, labels: log_ratio(other, x, labels),
            "Hint: the other model is in the denominator",
        ),
        (
            check_log_ratio,
            lambda *given: np.mean(by_token(*given)),
            "Hint: this is the mean over the tokens",
        ),
        (check_log_ratio, floored, "Hint: a floor under the probabilities hides the rare tokens"),
        (check_scaled_forward, starter_forward, "NumPy warned: divide by zero"),
        (check_scaled_forward, without_the_last, "Hint: the last sum is missing"),
        (check_scaled_forward, in_log_domain, "Hint: in the log domain the numbers grow"),
        (
            check_scaled_forward,
            lambda *tables: np.log(np.exp(forward_scaled(*tables)) + 1e-300),
            "Hint: log(p + 1e-300) is the logarithm of the added number",
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
        (check_log_ratio, lambda *given: np.exp(log_ratio(*given)), "one token"),
        (check_log_ratio, lambda x, other, y: np.sum(x - other), "one token"),
        (
            check_log_ratio,
            lambda x, other, y: log_ratio(x, other, y) if len(y) != 3 else 0.0,
            "a drawn case",
        ),
        (
            check_scaled_forward,
            lambda *t: forward_scaled(*t) if len(t[2]) != 5 else starter_forward(*t) + 1,
            "a drawn case",
        ),
        (
            check_scaled_forward,
            lambda start, move, seen: forward_scaled(start, move.T, seen),
            "three steps",
        ),
    ],
)
def test_a_wrong_answer_is_refused(check, answer, case):
    assert case in failed(check(answer))
