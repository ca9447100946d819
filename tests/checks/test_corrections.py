import numpy as np
import pytest

from stable_softmax.checks.corrections import (
    check_log_gradient,
    check_masked_softmax,
    check_three_bugs,
)
from stable_softmax.pitfalls import softmax_in_place
from stable_softmax.softmax import softmax_naive, softmax_shifted


def reasons(report):
    return {name: reason for name, reason in report.reasons.items() if reason}


def right_gradient(x, y):
    g = -softmax_shifted(x)
    g[y] += 1
    return g


def right_mask(x, mask):
    return softmax_shifted(np.where(mask, x, -np.inf))


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_three_bugs, softmax_shifted),
        (check_log_gradient, right_gradient),
        (check_masked_softmax, right_mask),
    ],
)
def test_the_right_answer_passes(check, answer):
    assert check(answer)


def test_the_starter_with_three_bugs_shows_all_of_them_at_once():
    def starter(x):
        x -= np.max(x)
        e = np.exp(x)
        return e / np.sum(e, axis=0)

    report = check_three_bugs(starter)
    failed = reasons(report)
    assert len(failed) == 4
    assert all("the argument was changed; got " in why for why in failed.values())
    assert report.hint is None  # the book prints this table


def test_each_of_the_three_bugs_alone_is_found():
    def in_place(x):
        x -= np.max(x, axis=-1, keepdims=True)
        return softmax_naive(x)

    def one_maximum(x):
        return softmax_naive(x - np.max(x))

    def wrong_axis(x):
        return softmax_shifted(x, axis=0)

    assert "the argument was changed" in reasons(check_three_bugs(in_place)).values()
    assert list(reasons(check_three_bugs(one_maximum))) == ["two samples, far apart"]
    assert reasons(check_three_bugs(wrong_axis))["one small sample"].startswith("got 1 at")


def test_the_naive_softmax_has_a_bug_of_its_own():
    assert "overflow" in reasons(check_three_bugs(softmax_naive))["two samples, far apart"]


def test_the_diagonal_taken_for_the_gradient_fails_where_there_are_two_classes():
    failed = reasons(check_log_gradient(lambda x, y: 1 - softmax_shifted(x)))
    assert "one class" not in failed
    assert failed["two equal logits"].startswith("got 0.5 at (1,), expected -0.5")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, y: -right_gradient(x, y),  # the gradient of the loss
        lambda x, y: right_gradient(x, 0),  # always the first label
        lambda x, y: 1 - softmax_shifted(x)[y],  # one number
        lambda x, y: right_gradient(x, y) / len(x),  # a mean over the classes
    ],
)
def test_other_wrong_gradients_fail(wrong):
    assert not check_log_gradient(wrong)


def test_masking_by_a_factor_leaves_the_logit_0():
    failed = reasons(check_masked_softmax(lambda x, mask: softmax_shifted(x * mask)))
    assert "nothing masked" not in failed
    assert failed["the last class masked"].startswith("got 0.0900306 at (2,), expected 0")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (lambda x, mask: softmax_shifted(x) * mask, "the last class masked"),  # no renormalization
        (
            lambda x, mask: softmax_shifted(np.where(mask, x, x.dtype.type(-1e4))),
            "very negative, float16",
        ),
        (lambda x, mask: right_mask(x, ~mask), "nothing masked"),
        (lambda x, mask: softmax_naive(np.where(mask, x, -np.inf)), "very negative, float16"),
    ],
)
def test_other_wrong_masks_fail(wrong, where):
    assert where in reasons(check_masked_softmax(wrong))


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_three_bugs,
            lambda x: softmax_naive(x - np.max(x)),
            "Hint: one maximum is subtracted from all samples; each needs its own",
        ),
        (check_three_bugs, softmax_in_place, "the argument was changed"),
        (
            check_log_gradient,
            lambda x, y: -right_gradient(x, y),
            "Hint: this is the gradient of the loss -log p, with the other sign",
        ),
        (check_log_gradient, lambda x, y: 1 - softmax_shifted(x)[y], "shape () instead of (2,)"),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(x) * mask,
            "Hint: the other classes share what is left: mask before the softmax",
        ),
        (
            check_masked_softmax,
            lambda x, mask: right_mask(x, ~mask),
            "Hint: the mask is True for the classes that take part",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x, x.dtype.type(-1e4))),
            "Hint: a finite fill value is the largest logit where the others lie below it",
        ),
        (
            check_three_bugs,
            lambda x: softmax_shifted(x, axis=0),
            "one small sample got 1 at (0, 2), expected 0.0985659",
        ),
        (
            check_three_bugs,
            lambda x: softmax_naive(x - np.mean(x, axis=-1, keepdims=True)),
            "two samples, far apart NumPy warned: overflow encountered in exp",
        ),
        (
            check_log_gradient,
            lambda x, y: right_gradient(x, 0),
            "Hint: the label is not always class 0",
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
        (check_three_bugs, lambda x: softmax_shifted(x).astype(np.float32), "one small sample"),
        (check_three_bugs, lambda x: softmax_shifted(x) if x.shape[-1] == 3 else x, "a drawn case"),
        (
            check_log_gradient,
            lambda x, y: right_gradient(x, y) if x.size < 5 else x,
            "a drawn case",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x, x.dtype.type(-6e4))),
            "the lowest numbers of float16",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x, np.finfo(x.dtype).min)),
            "the lowest numbers of float16",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x, np.finfo(x.dtype).min)),
            "the lowest numbers of float64",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x.astype(float), -1e6)),
            "the lowest numbers of float64",
        ),
        (
            check_masked_softmax,
            lambda x, mask: softmax_shifted(np.where(mask, x, -1e9)),
            "the lowest numbers of float64",
        ),
        (
            check_masked_softmax,
            lambda x, mask: right_mask(x, mask) if x.shape != (2, 4) else x,
            "a drawn case",
        ),
        (check_three_bugs, lambda x: softmax_naive(x - x[..., :1]), "two samples, far apart"),
        (check_three_bugs, lambda x: softmax_naive(x - x[..., -1:]), "two samples, far apart"),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_three_bugs, lambda x: softmax_shifted(x).tolist()),
        (check_log_gradient, lambda x, y: tuple(right_gradient(x, y))),
        (check_masked_softmax, lambda x, mask: right_mask(x.astype(float), mask)),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
