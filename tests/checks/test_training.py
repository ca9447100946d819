import numpy as np

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
