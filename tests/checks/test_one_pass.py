"""The exercise checks of the chapter one_pass: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax import softmax_shifted
from stable_softmax.checks import check_guarded_merge, check_weighted_mean
from stable_softmax.scale.one_pass import merge


def starter_merge(m1, s1, m2, s2):
    m = max(m1, m2)
    s = s1 * np.exp(m1 - m) + s2 * np.exp(m2 - m)
    return m, s


def starter_mean(scores, values):
    m, s, w = -np.inf, 0.0, 0.0
    for x, v in zip(scores, values, strict=True):
        if x > m:
            m, s = x, s * np.exp(m - x)
        if x > -np.inf:
            s, w = s + np.exp(x - m), w + np.exp(x - m) * v
    return w / s


def guarded(m1, s1, m2, s2):
    m = max(m1, m2)
    shift = m if m > -np.inf else 0
    return m, s1 * np.exp(m1 - shift) + s2 * np.exp(m2 - shift)


def both_rescaled(scores, values):
    m, s, w = -np.inf, 0.0, 0.0
    for x, v in zip(scores, values, strict=True):
        if x > m:
            m, s, w = x, s * np.exp(m - x), w * np.exp(m - x)
        if x > -np.inf:
            s, w = s + np.exp(x - m), w + np.exp(x - m) * v
    return w / s


@pytest.mark.parametrize(
    "answer",
    [
        guarded,
        lambda m1, s1, m2, s2: merge((m1, s1), (m2, s2)),
        lambda m1, s1, m2, s2: (
            (m1, s1 + s2)
            if m1 == m2
            else (max(m1, m2), s1 * np.exp(min(m1 - m2, 0)) + s2 * np.exp(min(m2 - m1, 0)))
        ),
        lambda m1, s1, m2, s2: [*guarded(m1, s1, m2, s2)],
        lambda m1, s1, m2, s2: np.array(guarded(m1, s1, m2, s2)),
    ],
)
def test_a_guarded_merge_passes(answer):
    assert check_guarded_merge(answer)


def test_the_starter_of_the_merge_fails_only_for_nothing_twice():
    report = check_guarded_merge(starter_merge)
    failed = {name for name, why in report.reasons.items() if why}
    assert failed == {"nothing twice"}
    assert "invalid" in report.reasons["nothing twice"]


@pytest.mark.parametrize(
    "answer",
    [both_rescaled, lambda scores, values: np.sum(softmax_shifted(scores) * values)],
)
def test_a_weighted_mean_passes_in_one_pass_and_in_two(answer):
    assert check_weighted_mean(answer)


def test_the_starter_of_the_mean_is_right_while_the_maximum_stays():
    report = check_weighted_mean(starter_mean)
    assert {name for name, why in report.reasons.items() if not why} == {
        "falling scores",
        "equal scores",
        "one score",
    }


def without_scales(m1, s1, m2, s2):
    return max(m1, m2), s1 + s2


def replaced_late(m1, s1, m2, s2):
    m, s = starter_merge(m1, s1, m2, s2)
    return m, np.nan_to_num(s)


def zero_for_nothing(m1, s1, m2, s2):
    return starter_merge(m1, s1, m2, s2) if max(m1, m2) > -np.inf else (0.0, 0.0)


def started_again(scores, values):
    m, s, w = -np.inf, 0.0, 0.0
    for x, v in zip(scores, values, strict=True):
        if x > m:
            m, s, w = x, s * np.exp(m - x), 0.0
        if x > -np.inf:
            s, w = s + np.exp(x - m), w + np.exp(x - m) * v
    return w / s


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_guarded_merge, starter_merge, "NumPy warned: invalid value encountered"),
        (check_guarded_merge, replaced_late, "Hint: nan is replaced too late"),
        (check_guarded_merge, zero_for_nothing, "Hint: m of nothing is -inf"),
        (check_guarded_merge, without_scales, "Hint: the sums are on different scales"),
        (check_weighted_mean, starter_mean, "relative error"),
        (check_weighted_mean, started_again, "Hint: w has to be rescaled by the factor of s, not"),
        (
            check_weighted_mean,
            lambda x, v: np.sum(np.exp(x) * v) / np.sum(np.exp(x)),
            "Hint: exp overflows or underflows: subtract the largest score so far",
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
            check_guarded_merge,
            lambda *four: guarded(*four) if abs(four[0]) > 2 or four == (0, 1, 1, 2) else four[:2],
            "a drawn case",
        ),
        (
            check_guarded_merge,
            lambda m1, s1, m2, s2: (0, np.exp(m1) * s1 + np.exp(m2) * s2),
            "large shifts (1000)",
        ),
        (
            check_weighted_mean,
            lambda x, v: both_rescaled(x, v) if len(x) < 5 else np.mean(v),
            "a drawn case",
        ),
        (check_weighted_mean, lambda x, v: np.float16(both_rescaled(x, v)), "rising scores"),
        (check_weighted_mean, lambda x, v: v[np.argmax(x)], "falling scores"),
    ],
)
def test_a_wrong_answer_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}
