import numpy as np
import pytest

from stable_softmax.checks import check_clip, check_monitor, check_standardize


def reasons(report):
    return {name: reason for name, reason in report.reasons.items() if reason}


# --- watch every tensor


def right_monitor(names, tensors):
    for name, tensor in zip(names, tensors, strict=True):
        if not np.all(np.isfinite(tensor)):
            return name
    return None


def test_the_right_monitor_passes():
    assert check_monitor(right_monitor)


def test_the_starter_that_looks_for_nan_misses_the_infinity_before_it():
    def starter(names, tensors):
        for name, tensor in zip(names, tensors, strict=True):
            if np.any(np.isnan(tensor)):
                return name
        return None

    failed = reasons(check_monitor(starter))
    assert failed["inf in the loss, nan after it"] == "got 'gradient', expected 'loss'"
    assert failed["only -inf"] == "got None, expected 'logits'"


def test_a_monitor_that_adds_the_numbers_up_is_caught():
    def by_sum(names, tensors):
        for name, tensor in zip(names, tensors, strict=True):
            with np.errstate(all="ignore"):
                if not np.isfinite(np.sum(tensor)):
                    return name
        return None

    assert set(reasons(check_monitor(by_sum))) == {"large, but finite"}


def test_a_monitor_that_looks_at_the_loss_only_is_caught():
    def loss_only(names, tensors):
        return None if np.all(np.isfinite(tensors[1])) else "loss"

    assert not check_monitor(loss_only)


# --- standardize the inputs


def right_standardize(x_train, x_test):
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    divisor = np.where(deviation > 0, deviation, 1)
    return (x_train - mean) / divisor, (x_test - mean) / divisor


def test_the_right_standardization_passes():
    assert check_standardize(right_standardize)


def test_the_starter_divides_zero_by_zero():
    def starter(x_train, x_test):
        mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
        return (x_train - mean) / deviation, (x_test - mean) / deviation

    failed = reasons(check_standardize(starter))
    assert list(failed) == [
        "a pixel that is always 0",
        "a pixel that is 0 in training only",
        "a pixel that is always 16",
    ]
    assert failed["a pixel that is always 0"].startswith("NumPy warned: invalid value")


def test_test_images_treated_with_their_own_mean_are_caught():
    def own(x_train, x_test):
        return right_standardize(x_train, x_train)[0], right_standardize(x_test, x_test)[0]

    assert (
        "x_test: column 0 has the mean 0 instead of 0.288"
        in reasons(check_standardize(own))["ordinary columns"]
    )


def test_silenced_nans_and_wrong_types_are_caught():
    def silenced(x_train, x_test):
        with np.errstate(all="ignore"):
            deviation = x_train.std(axis=0)
            return (x_train - x_train.mean(axis=0)) / deviation, x_test / deviation

    assert reasons(check_standardize(silenced))["a pixel that is always 0"] == (
        "x_train holds nan; x_test holds nan"
    )
    assert (
        "return 2 results, x_train and x_test; got one int"
        in reasons(check_standardize(lambda a, b: 1))["ordinary columns"]
    )
    failed = reasons(check_standardize(lambda a, b: (a[0], b)))
    assert failed["ordinary columns"].startswith("x_train: shape (3,) instead of (40, 3); x_test:")


# --- clip a gradient


def test_the_right_clipping_passes():
    def right(gradient, limit):
        largest = np.max(np.abs(gradient))
        if largest == 0:
            return gradient
        length = largest * np.sqrt(np.sum((gradient / largest) ** 2))
        return gradient if length <= limit else gradient * (limit / length)

    assert check_clip(right)


def test_the_starter_lengthens_short_gradients_and_fails_at_zero():
    def starter(gradient, limit):
        return limit * gradient / np.sqrt(np.sum(gradient**2))

    failed = reasons(check_clip(starter))
    assert failed["short enough: unchanged"].startswith("got 4 at (1,), expected 0.4")
    assert failed["all zero: unchanged"].startswith("NumPy warned: invalid value")
    assert failed["squares overflow in float32"].startswith("NumPy warned: overflow")


def test_clipping_that_forgets_overflow_is_caught():
    def forgets(gradient, limit):
        length = np.sqrt(np.sum(gradient**2))
        return gradient if length <= limit else gradient * (limit / length)

    assert list(reasons(check_clip(forgets))) == ["squares overflow in float32"]


def test_clipping_each_entry_turns_the_gradient_and_is_caught():
    assert not check_clip(lambda gradient, limit: np.clip(gradient, -limit, limit))


def _first(names, found):
    rows = np.flatnonzero(np.any(found, axis=1))
    return names[rows[0]] if rows.size else None


def _scaled(x, like, ddof):
    deviation = like.std(axis=0, ddof=ddof)
    return (x - like.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _starter_standardize(x_train, x_test):
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    return (x_train - mean) / deviation, (x_test - mean) / deviation


def _spares_zeros_only(x_train, x_test):
    divisor = np.where(np.all(x_train == 0, axis=0), 1, x_train.std(axis=0))
    return (x_train - x_train.mean(axis=0)) / divisor, (x_test - x_train.mean(axis=0)) / divisor


def _to_length_1(gradient, limit):
    length = np.linalg.norm(gradient.astype(float))
    return gradient if length <= limit else (gradient / length).astype(gradient.dtype)


def _right_clip(gradient, limit):
    largest = np.max(np.abs(gradient))
    if largest == 0:
        return gradient
    length = largest * np.sqrt(np.sum((gradient / largest) ** 2))
    return gradient if length <= limit else gradient * (limit / length)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_monitor,
            lambda names, rows: _first(names, np.isnan(rows) | (rows == np.inf)),
            "Hint: minus infinity is not finite either",
        ),
        (
            check_monitor,
            lambda names, rows: _first(names, ~np.isfinite(np.sum(rows, axis=1, keepdims=True))),
            "Hint: the sum of finite numbers may overflow: look at each number",
        ),
        (
            check_standardize,
            lambda a, b: (_scaled(a, a, 0), _scaled(b, b, 0)),
            "Hint: the test images need the mean and deviation of the training images",
        ),
        (
            check_standardize,
            lambda a, b: (_scaled(a, a, 1), _scaled(b, a, 1)),
            "Hint: np.std divides by the number of images, not by one less (ddof=1)",
        ),
        (
            check_standardize,
            lambda a, b: (_scaled(a, a, 1), _scaled(b, a, 1)),
            "x_train: column 0 has the standard deviation 0.987421 instead of 1",
        ),
        (
            check_standardize,
            lambda a, b: (a - a.mean(axis=0), b - a.mean(axis=0)),
            "Hint: the columns are not divided by their standard deviation",
        ),
        (
            check_standardize,
            lambda a, b: (a - a.mean(axis=0), b - a.mean(axis=0)),
            "x_train: column 0 has the standard deviation 2.21984 instead of 1",
        ),
        (
            check_standardize,
            lambda a, b: ((a - a.mean()) / a.std(), (b - a.mean()) / a.std()),
            "Hint: this takes one mean and one deviation of all pixels",
        ),
        (
            check_clip,
            lambda g, limit: np.clip(g, -limit, limit),
            "Hint: each entry is clipped, which turns the gradient",
        ),
        (
            check_clip,
            lambda g, limit: g * min(1, limit / max(np.sqrt(np.sum(g**2)), 1e-300)),
            "Hint: the squares overflow in float32: divide by the largest entry before squaring",
        ),
        (
            check_monitor,
            lambda names, rows: None if np.all(np.isfinite(rows[1])) else "loss",
            "nan in the logits and after got 'loss', expected 'logits'",
        ),
        (
            check_clip,
            _to_length_1,
            "Hint: a gradient that is too long gets the length limit, not 1",
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
            check_monitor,
            lambda names, rows: right_monitor(names, rows) if len(names) == 3 else None,
            "a drawn case",
        ),
        (check_standardize, _spares_zeros_only, "a pixel that is always 16"),
        (
            check_standardize,
            lambda *given: right_standardize(*given) if len(given[0]) == 40 else given,
            "a drawn case",
        ),
        (
            check_standardize,
            lambda *given: tuple(np.float32(part) for part in right_standardize(*given)),
            "ordinary columns",
        ),
        (
            check_clip,
            lambda g, limit: _right_clip(g, limit).astype(np.float16),
            "short enough: unchanged",
        ),
        (check_clip, lambda g, limit: _right_clip(g, limit) if len(g) < 3 else g, "a drawn case"),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (
            check_monitor,
            lambda names, rows: (
                np.array(names)[0]
                if names[0] == right_monitor(names, rows)
                else right_monitor(names, rows)
            ),
        ),
        (check_standardize, lambda *given: list(right_standardize(*given))),
        (check_standardize, lambda *given: [part.tolist() for part in right_standardize(*given)]),
        (check_clip, lambda g, limit: list(_right_clip(g, limit))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
