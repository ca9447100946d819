"""The exercise checks of the chapter speed: right answers pass, wrong ones say why not."""

import numpy as np

from stable_softmax.checks import check_bytes_moved, check_needs_shift


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_eight_arrays_or_two_pass():
    assert check_bytes_moved(lambda rows, n, size, c: (2 if c else 8) * rows * n * size)


def test_the_starter_counts_the_numbers_and_not_the_bytes():
    assert not check_bytes_moved(lambda rows, n, size, in_cache: 8 * rows * n)


def test_who_counts_steps_forgets_that_what_is_written_moves(capsys):
    assert not check_bytes_moved(lambda rows, n, s, c: (1 if c else 5) * rows * n * s)
    assert "what is written moves as well" in capsys.readouterr().out


def test_who_counts_the_maxima_is_told_to_leave_them_out(capsys):
    assert not check_bytes_moved(
        lambda rows, n, s, c: (2 if c else 8) * rows * n * s + 2 * rows * s
    )
    assert "next to nothing" in capsys.readouterr().out


def test_who_forgets_the_cache_fails_on_blocks_only():
    report = check_bytes_moved(lambda rows, n, size, in_cache: 8 * rows * n * size)
    assert failed(report) and all("in blocks" in name for name in failed(report))


def test_two_comparisons_that_must_hold_pass():
    assert check_needs_shift(lambda x: not bool(x.max() <= 60 and x.min() >= -60))
    assert check_needs_shift(lambda x: not bool(np.all(np.abs(x) <= 60)))


def test_the_starter_looks_at_large_logits_only():
    report = check_needs_shift(lambda x: bool(x.max() > 60))
    assert {"a row far below 0", "nan", "a mask of -inf"} <= failed(report)


def test_comparisons_that_must_not_hold_let_nan_through(capsys):
    report = check_needs_shift(lambda x: bool(x.max() > 60 or x.min() < -60))
    assert failed(report) == {"nan"}
    assert "a comparison with nan is false" in capsys.readouterr().out


def test_the_upper_limit_alone_is_not_enough(capsys):
    assert not check_needs_shift(lambda x: bool(not x.max() <= 60))
    assert "only large logits are found" in capsys.readouterr().out
