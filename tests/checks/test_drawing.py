"""The exercise checks of the chapter drawing: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax.checks import check_drawn_class, check_smallest_nucleus


def starter_draw(p, r):
    return np.searchsorted(np.cumsum(p), r)


def right_draw(p, r):
    sums = np.cumsum(p)
    return np.searchsorted(sums, r * sums[-1], side="right")


def walk(p, r):
    left = r * np.cumsum(p)[-1]
    for i, p_i in enumerate(np.cumsum(p)):
        if left < p_i:
            return i


def falling(p):
    return np.sort(p)[::-1]


def before(p):
    return np.cumsum(falling(p).astype(float)) - falling(p)


def starter_nucleus(p, share):
    return np.sum(np.cumsum(falling(p)) <= share)


def right_nucleus(p, share):
    return np.sum(before(p) < share)


def by_a_loop(p, share):
    total = 0.0
    for number, q in enumerate(falling(p), 1):
        total += float(q)
        if total >= share:
            return number


@pytest.mark.parametrize(
    "answer", [right_draw, walk, lambda p, r: int(np.sum(np.cumsum(p) <= r * np.cumsum(p)[-1]))]
)
def test_a_draw_that_is_right_at_both_ends_passes(answer):
    assert check_drawn_class(answer)


@pytest.mark.parametrize(
    "answer", [right_nucleus, by_a_loop, lambda p, share: float(by_a_loop(p, share))]
)
def test_a_smallest_nucleus_passes(answer):
    assert check_smallest_nucleus(answer)


def test_the_starters_are_right_in_the_middle():
    passed = {name for name, why in check_drawn_class(starter_draw).reasons.items() if not why}
    assert {"inside of a piece", "one class"} <= passed
    passed = {n for n, why in check_smallest_nucleus(starter_nucleus).reasons.items() if not why}
    assert passed == {"the line is met", "the first token has exactly enough", "everything"}


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_drawn_class, starter_draw, "got 4, expected 2"),
        (
            check_drawn_class,
            lambda p, r: np.searchsorted(np.cumsum(p), r, side="right"),
            "Hint: r falls beyond the last piece where the sum is below 1: scale it to the sum",
        ),
        (
            check_drawn_class,
            lambda p, r: np.searchsorted(np.cumsum(p), r * np.sum(p)),
            "Hint: at the end of a piece begins the next one",
        ),
        (
            check_drawn_class,
            lambda p, r: np.minimum(np.searchsorted(np.cumsum(p), r, side="right"), len(p) - 1),
            "Hint: the last class may have probability 0",
        ),
        (check_drawn_class, lambda p, r: [right_draw(p, r)], "expected one number"),
        (check_smallest_nucleus, starter_nucleus, "got 0, expected 1"),
        (
            check_smallest_nucleus,
            lambda p, share: np.sum(np.cumsum(falling(p)) - falling(p) < share),
            "Hint: the sum in float16 stops: add in a longer format",
        ),
        (
            check_smallest_nucleus,
            lambda p, share: np.sum(before(p) <= share),
            "Hint: the token that meets the line is the last one",
        ),
        (
            check_smallest_nucleus,
            lambda p, share: np.sum(before(p) + falling(p) < share),
            "Hint: the sum before a token decides",
        ),
        (check_smallest_nucleus, lambda p, share: before(p) < share, "expected"),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (check_drawn_class, lambda p, r: right_draw(p, r) if p.size != 1 else 1, "one class"),
        (check_drawn_class, lambda p, r: right_draw(p / p.sum(), r) % 3, "ten times 0.1"),
        (
            check_drawn_class,
            lambda p, r: right_draw(p, r) if r * 2**20 % 2 != 1 else -1,
            "a drawn case",
        ),
        (
            check_smallest_nucleus,
            lambda p, share: by_a_loop(p, share) if len(p) != 6 else 7,
            "a drawn case",
        ),
        (check_smallest_nucleus, lambda p, share: 2, "one token"),
    ],
)
def test_a_wrong_answer_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}
