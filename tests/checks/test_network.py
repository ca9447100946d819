from itertools import pairwise

import numpy as np
import pytest

from stable_softmax.checks.network import check_count, check_forward, check_merge
from stable_softmax.network import count_parameters, relu


def reasons(report):
    return {name: reason for name, reason in report.reasons.items() if reason}


def right_forward(A, W1, b1, W2, b2):
    return relu(A @ W1.T + b1) @ W2.T + b2


def right_merge(W1, b1, W2, b2):
    return W2 @ W1, W2 @ b1 + b2


@pytest.mark.parametrize(
    ("check", "answer"),
    [(check_count, count_parameters), (check_forward, right_forward), (check_merge, right_merge)],
)
def test_the_right_answer_passes(check, answer):
    assert check(answer)


def test_counting_without_biases_fails_in_every_case():
    def starter(sizes):
        return sum(k * n for k, n in pairwise(sizes))

    assert reasons(check_count(starter))["layers [10, 7, 5]"] == "got 105, expected 117"


@pytest.mark.parametrize("wrong", [lambda s: sum(s), lambda s: None, lambda s: (s[0] + 1) * s[1]])
def test_other_wrong_counts_fail(wrong):
    assert not check_count(wrong)


def test_the_starter_for_one_sample_fails_for_a_matrix():
    def starter(A, W1, b1, W2, b2):
        return W2 @ relu(W1 @ A + b1) + b2

    failed = reasons(check_forward(starter))
    assert "one sample" not in failed
    assert failed["six samples"].startswith("raised ValueError")
    assert failed["four samples, network 4-4-4"].startswith("got")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda A, W1, b1, W2, b2: (A @ W1.T + b1) @ W2.T + b2,  # no ReLU
        lambda A, W1, b1, W2, b2: relu(right_forward(A, W1, b1, W2, b2)),  # one ReLU too many
        lambda A, W1, b1, W2, b2: relu(A @ W1.T) @ W2.T + b2,  # a bias is missing
        lambda A, W1, b1, W2, b2: right_forward(A, W1, b1, W2, b2).T,  # classes first
        lambda A, W1, b1, W2, b2: right_forward(np.atleast_2d(A), W1, b1, W2, b2),
    ],
)
def test_other_wrong_forward_passes_fail(wrong):
    assert not check_forward(wrong)


def test_an_answer_that_works_in_place_fails():
    def in_place(A, W1, b1, W2, b2):
        result = right_forward(A, W1, b1, W2, b2)
        A *= 0
        return result

    assert "the argument was changed" in reasons(check_forward(in_place)).values()


def test_the_starter_that_forgets_the_first_bias_fails_only_where_there_is_one():
    failed = reasons(check_merge(lambda W1, b1, W2, b2: (W2 @ W1, b2)))
    assert list(failed) == ["both biases"]
    assert failed["both biases"].startswith("for a = 0 logit 0 is 2 instead of -8")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda W1, b1, W2, b2: ((W2 @ W1).T, W2 @ b1 + b2), "shapes"),
        (lambda W1, b1, W2, b2: W2 @ W1, "return 2 results, W and b; got 5"),
        (lambda W1, b1, W2, b2: None, "nothing was returned"),
        (lambda W1, b1, W2, b2: (W2 @ np.abs(W1), W2 @ b1 + b2), "right for a = 0"),
        (lambda W1, b1, W2, b2: (W1 @ W2, W2 @ b1 + b2), "raised ValueError"),
    ],
)
def test_other_wrong_merges_fail_with_their_reason(wrong, why):
    assert reasons(check_merge(wrong))["both biases"].startswith(why)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_count,
            lambda s: count_parameters(s) + s[0],
            "Hint: the units of the input layer have no bias",
        ),
        (check_count, sum, "Hint: a unit is counted instead of its weights"),
        (
            check_forward,
            lambda A, W1, b1, W2, b2: W2 @ relu(W1 @ A + b1) + b2,
            "(shapes: A (6, 10), W1 (7, 10), b1 (7,)",
        ),
        (
            check_forward,
            lambda A, W1, b1, W2, b2: (W2 @ relu(W1 @ A.T + b1[:, None]) + b2[:, None]).T,
            "shape (7, 5) instead of (5,)",
        ),
        (
            check_forward,
            lambda A, W1, b1, W2, b2: (A @ W1.T + b1) @ W2.T + b2,
            "Hint: the hidden layer has no activation",
        ),
        (
            check_forward,
            lambda *given: relu(right_forward(*given)),
            "Hint: the last layer has no activation",
        ),
        (
            check_forward,
            lambda A, W1, b1, W2, b2: relu(A @ W1.T) @ W2.T + b2,
            "Hint: the first bias is missing",
        ),
        (check_merge, lambda W1, b1, W2, b2: (W2 @ W1, b1 + b2), "b1 (7,), W2 (5, 7), b2 (5,)"),
        (
            check_merge,
            lambda W1, b1, W2, b2: ((W2 @ W1).T, W2 @ b1 + b2),
            "shapes (10, 5) and (5,) instead of (5, 10) and (5,)",
        ),
        (check_merge, lambda W1, b1, W2, b2: W2 @ W1, "return 2 results, W and b; got 5"),
        (
            check_count,
            lambda s: sum((k + 1) * (n + 1) for k, n in pairwise(s)),
            "Hint: a layer of n units after k others has (k + 1) n numbers",
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
            check_count,
            lambda s: {5: 117, 1: 2, 4: 16, 10: 2778}[s[-1]] if len(s) < 5 else 0,
            "a drawn case",
        ),
        (check_count, lambda s: count_parameters(s[:4]), "a drawn case"),
        (
            check_forward,
            lambda *given: right_forward(*given) if given[0].shape[-1] in (4, 10) else given[0],
            "a drawn case",
        ),
        (
            check_merge,
            lambda *given: right_merge(*given) if given[0].shape[1] == 10 else given[:2],
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_count, lambda s: float(count_parameters(s))),
        (check_count, lambda s: np.array(count_parameters(s))),
        (check_forward, lambda *given: right_forward(*given).astype(int)),
        (check_merge, lambda *given: list(right_merge(*given))),
        (check_merge, lambda *given: [part.tolist() for part in right_merge(*given)]),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
