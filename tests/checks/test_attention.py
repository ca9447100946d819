"""The exercise checks of the chapter attention: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import check_attention_merge, check_padded_values


def right_merge(out, m, s, other_out, other_m, other_s):
    top = max(m, other_m)
    shift = 0.0 if top == -np.inf else top
    one, other = s * np.exp(m - shift), other_s * np.exp(other_m - shift)
    total = one + other
    return (one * out + other * other_out) / (1.0 if total == 0 else total)


def starter_merge(out, m, s, other_out, other_m, other_s):
    return (s * out + other_s * other_out) / (s + other_s)


def unshifted(out, m, s, other_out, other_m, other_s):
    one, other = s * np.exp(m), other_s * np.exp(other_m)
    return (one * out + other * other_out) / (one + other)


def without_sums(out, m, s, other_out, other_m, other_s):
    top = max(m, other_m)
    one, other = np.exp(m - top), np.exp(other_m - top)
    return (one * out + other * other_out) / (one + other)


def without_guard(out, m, s, other_out, other_m, other_s):
    top = max(m, other_m)
    one, other = s * np.exp(np.subtract(m, top)), other_s * np.exp(np.subtract(other_m, top))
    return (one * out + other * other_out) / (one + other)


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_the_right_merge_passes_and_so_does_one_by_the_log_sum_exp():
    def by_log_sum_exp(out, m, s, other_out, other_m, other_s):
        if s + other_s == 0:
            return 0 * out
        with np.errstate(divide="ignore"):
            lead = (m - other_m) + np.log(s) - np.log(other_s) if s and other_s else np.inf
        if not s:
            return other_out
        return out if not other_s else other_out + (out - other_out) / (1 + np.exp(-lead))

    assert check_attention_merge(right_merge)
    assert check_attention_merge(by_log_sum_exp)


def test_the_starter_of_the_merge_fails_where_the_maxima_differ():
    report = check_attention_merge(starter_merge)
    assert failed(report) == {
        "the other block is ahead by 2",
        "this block is ahead by 2",
        "scores near 1000",
        "scores near -1000",
        "both are masked",
    }


def test_without_the_guard_only_two_masked_blocks_fail():
    assert failed(check_attention_merge(without_guard)) == {"both are masked"}


def test_exponentials_without_a_shift_fail_for_large_scores():
    names = failed(check_attention_merge(unshifted))
    assert {"scores near 1000", "scores near -1000"} <= names
    assert "the other block is ahead by 2" not in names


def right_mean(p, v, seen):
    return p @ np.where(seen[:, None], v, 0.0)


def test_the_right_mean_passes_and_so_does_a_selection():
    assert check_padded_values(right_mean)
    assert check_padded_values(lambda p, v, seen: p[:, seen] @ v[seen])


def test_the_starter_of_the_mean_fails_where_padding_is_no_number():
    report = check_padded_values(lambda p, v, seen: p @ v)
    assert {"padding of nan", "padding of +inf", "padding of -inf", "padding only"} == failed(
        report
    )


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_attention_merge, starter_merge, "relative error"),
        (check_attention_merge, unshifted, "Hint: exp(m) leaves the format"),
        (check_attention_merge, without_sums, "Hint: each block counts by its sum"),
        (check_attention_merge, without_guard, "Hint: -inf - (-inf) is nan"),
        (check_padded_values, lambda p, v, seen: p @ v, "got nan"),
        (
            check_padded_values,
            lambda p, v, seen: p @ np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0),
            "Hint: nan_to_num also replaces",
        ),
        (
            check_padded_values,
            lambda p, v, seen: np.nan_to_num(p @ v, nan=0.0),
            "Hint: this also hides the nan",
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
            check_attention_merge,
            lambda *arguments: right_merge(*arguments).astype(np.float32),
            "the other block is ahead by 2",
        ),
        (
            check_attention_merge,
            lambda *arguments: right_merge(*arguments) if len(arguments[0]) == 2 else 0.0,
            "a drawn case",
        ),
        (
            check_padded_values,
            lambda p, v, seen: right_mean(p, v, seen) if len(v) == 3 else p @ v,
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_for_some_cases_is_refused(check, answer, case):
    assert case in failed(check(answer))
