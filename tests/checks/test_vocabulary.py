"""The exercise checks of the chapter vocabulary: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import check_carried_loss, check_mean_of_machines


def carried(pieces, label, rescale=True, early=False, guard=True):
    m, s, start, x_label = -np.inf, 0.0, 0, None
    for x in pieces:
        new = max(m, x.max())
        shift = 0.0 if guard and new == -np.inf else new
        s = (s * np.exp(m - shift) if rescale else s) + np.exp(x - shift).sum()
        m = new
        if start <= label < start + x.size:
            x_label = x[label - start]
        start += x.size
    return m + np.log(s) - x_label if early else np.log(s) - (x_label - m)


def mean(losses, weights):
    total = sum(k.sum() for k in weights)
    return sum((a * k).sum() for a, k in zip(losses, weights, strict=True)) / (total or 1.0)


def test_right_answers_pass():
    assert check_carried_loss(carried)
    assert check_carried_loss(lambda pieces, y: carried([np.concatenate(pieces)], y))
    assert check_mean_of_machines(mean)
    assert check_mean_of_machines(lambda a, k: mean([np.concatenate(a)], [np.concatenate(k)]))


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_carried_loss, lambda p, y: carried(p, y, rescale=False), "multiply it by exp(old"),
        (check_carried_loss, lambda p, y: carried(p, y, early=True), "rounded to the digits of m"),
        (check_carried_loss, lambda p, y: carried(p, y, guard=False), "-inf - (-inf) is nan"),
        (
            check_mean_of_machines,
            lambda a, k: (
                sum((b * c).sum() for b, c in zip(a, k, strict=True)) / max(sum(map(len, a)), 1)
            ),
            "divides by the number of tokens",
        ),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize("check", [check_carried_loss, check_mean_of_machines])
def test_an_answer_that_knows_only_the_printed_cases_is_refused(check):
    right = carried if check is check_carried_loss else mean
    report = check(lambda first, second: right(first, second) if len(first) != 3 else 0.0)
    assert not report
