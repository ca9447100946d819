import sys

import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_shifted,
)
from stable_softmax.experiments import training
from stable_softmax.experiments.training import (
    LOSSES,
    Breakdown,
    first_nonfinite,
    forward_backward,
    load_digits_split,
    train,
)
from stable_softmax.libraries.autograd import loss_and_gradient

NAMES = [
    "hidden",
    "logits",
    "probabilities",
    "loss",
    "gradient of the logits",
    "gradient of layer 2",
    "gradient of layer 1",
]


def toy_data(scale=1.0, classes=3):
    """Two clouds per class; small, so that a test takes milliseconds."""
    rng = np.random.default_rng(1)
    labels = np.arange(60) % classes
    centers = rng.normal(size=(classes, 4)) * 2
    x = (scale * (centers[labels] + 0.3 * rng.normal(size=(60, 4)))).astype(np.float32)
    return x[:40], labels[:40], x[40:], labels[40:]


def train_toy(name="from logits", rate=0.3, scale=1.0, **options):
    pytest.importorskip("torch")
    options = {"sizes": (4, 8, 3), "steps": 30, "batch": 16} | options
    return train(*LOSSES[name], toy_data(scale), rate, **options)


@pytest.fixture(scope="module")
def split():
    pytest.importorskip("sklearn")
    return load_digits_split()


class TestDigits:
    def test_1347_images_train_and_450_test(self, split):
        assert [part.shape for part in split] == [(1347, 64), (1347,), (450, 64), (450,)]

    def test_pixels_are_float32_and_labels_int64(self, split):
        assert [part.dtype for part in split] == [np.float32, np.int64, np.float32, np.int64]

    def test_scaled_pixels_run_from_0_to_1(self, split):
        assert split[0].min() == 0 and split[0].max() == 1

    def test_every_digit_is_in_both_parts(self, split):
        assert set(split[1]) == set(split[3]) == set(range(10))

    def test_another_scale_multiplies_the_same_images(self, split):
        other = load_digits_split(scale=1.0)
        np.testing.assert_array_equal(other[0], 16 * split[0])  # exact: a power of two
        np.testing.assert_array_equal(other[1], split[1])

    def test_another_seed_splits_differently(self, split):
        assert not np.array_equal(load_digits_split(seed=1)[1], split[1])

    def test_the_caller_may_change_what_is_returned(self, split):
        mine = load_digits_split()
        mine[0][:] = 7
        mine[1][:] = 7
        again = load_digits_split()
        np.testing.assert_array_equal(again[0], split[0])
        np.testing.assert_array_equal(again[1], split[1])


class TestFirstNonfinite:
    good, nan, inf = np.array([1.0]), np.array([1.0, np.nan]), np.array([[np.inf], [2.0]])

    def test_it_names_the_first_in_the_given_order(self):
        assert first_nonfinite({"a": self.good, "b": self.inf, "c": self.nan}) == ("b", "inf")
        assert first_nonfinite([("c", self.nan), ("b", self.inf)]) == ("c", "nan")

    def test_a_tensor_with_inf_and_nan_counts_as_nan(self):
        assert first_nonfinite({"a": np.array([np.inf, np.nan])}) == ("a", "nan")

    def test_minus_infinity_counts_as_inf(self):
        assert first_nonfinite({"a": -self.inf}) == ("a", "inf")

    def test_finite_and_empty_tensors_give_none(self):
        assert first_nonfinite({"a": self.good, "b": np.zeros((0, 3))}) is None
        assert first_nonfinite({}) is None

    def test_it_reads_pytorch_tensors(self):
        torch = pytest.importorskip("torch")
        assert first_nonfinite({"a": torch.tensor([1.0, float("inf")])}) == ("a", "inf")


def test_the_gradient_by_autograd_is_that_of_the_exact_formula():
    pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(20, 5))
    labels = np.arange(20) % 5
    losses, gradient = loss_and_gradient(cross_entropy_shifted, x, labels)
    # 5 classes: about n + 3 roundings of size u, times the logits of size 3
    np.testing.assert_allclose(losses, cross_entropy_exact(x, labels), rtol=0, atol=30 * 1.1e-16)
    exact = cross_entropy_gradient_exact(x, labels)
    np.testing.assert_allclose(gradient, exact, rtol=0, atol=30 * 1.1e-16)


def test_tensors_come_in_the_order_of_computation():
    torch = pytest.importorskip("torch")
    layers = [
        (torch.ones(8, 4, requires_grad=True), torch.zeros(8, requires_grad=True)),
        (torch.ones(3, 8, requires_grad=True), torch.zeros(3, requires_grad=True)),
    ]
    tensors = forward_backward(*LOSSES["naive"], layers, torch.ones(2, 4), torch.tensor([0, 1]))
    assert list(tensors) == NAMES
    assert [tuple(tensor.shape) for tensor in tensors.values()] == [
        (2, 8),
        (2, 3),
        (2, 3),
        (2,),
        (2, 3),
        (3, 8),
        (8, 4),
    ]
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_one_run_repeats_bit_by_bit():
    first, second = train_toy(), train_toy()
    for name in ("losses", "largest_logit", "measured", "accuracy"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for one, other in zip(first.parameters, second.parameters, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_another_seed_gives_another_run():
    assert not np.array_equal(train_toy(seed=0).losses, train_toy(seed=1).losses)


def test_every_loss_starts_from_the_same_network_and_batch():
    first = [train_toy(name, steps=1).losses[0] for name in LOSSES]
    # the same loss up to rounding in float32, and up to the 1e-7 of epsilon
    np.testing.assert_allclose(first, first[0], rtol=1e-5)


def test_training_learns_easy_data():
    history = train_toy(steps=100)
    assert history.breakdown is None
    assert history.losses[-1] < 0.2 * history.losses[0]
    assert history.accuracy[-1] > 0.9


def test_accuracy_is_measured_at_the_start_regularly_and_at_the_end():
    history = train_toy(steps=25, every=10)
    assert history.measured.tolist() == [0, 10, 20, 25]
    assert history.accuracy.shape == (4,)
    assert history.losses.shape == history.largest_logit.shape == (25,)


def test_no_step_leaves_the_network_as_it_was():
    history = train_toy(steps=0)
    assert history.losses.shape == (0,)
    assert history.measured.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("naive", 1e3, Breakdown(1, "probabilities", "nan")),
        ("log(softmax)", 1e3, Breakdown(1, "loss", "inf")),
        ("epsilon", 1e3, None),
        ("from logits", 1e3, None),
    ],
)
def test_a_run_ends_at_the_first_tensor_that_is_not_finite(name, scale, expected):
    history = train_toy(name, rate=1e-9, scale=scale)
    assert history.breakdown == expected
    assert len(history.losses) == (30 if expected is None else 1)
    assert history.measured[-1] == len(history.losses)


def test_a_stable_loss_cannot_save_a_run_whose_logits_overflow():
    history = train_toy(rate=1e30)
    assert history.breakdown.step > 1
    assert history.breakdown.tensor in ("hidden", "logits")


def test_a_dead_network_answers_class_0():
    history = train_toy("naive", scale=1e3)
    assert history.accuracy[-1] == np.mean(toy_data()[3] == 0)
    assert all(np.isnan(W).any() for W, _ in history.parameters)


def test_training_leaves_data_and_thread_count_alone():
    torch = pytest.importorskip("torch")
    data, before = toy_data(), torch.get_num_threads()
    train(*LOSSES["from logits"], data, 0.3, sizes=(4, 8, 3), steps=2)
    assert torch.get_num_threads() == before
    for part, original in zip(data, toy_data(), strict=True):
        np.testing.assert_array_equal(part, original)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({1: np.zeros(39, int)}, ValueError, "labels of shape .* do not fit"),
        ({2: np.zeros(20, np.float32)}, ValueError, "images of shape .* do not fit"),
        ({1: np.full(40, 3)}, ValueError, "labels must lie in 0 .. 2"),
        ({1: np.zeros(40)}, TypeError, "labels must be integer class indices"),
        (
            dict.fromkeys((0, 2), np.zeros((40, 5), np.float32)) | {3: np.zeros(40, int)},
            ValueError,
            "W",
        ),
    ],
)
def test_data_that_do_not_fit_give_one_clear_error(change, error, message):
    pytest.importorskip("torch")
    data = [change.get(i, part) for i, part in enumerate(toy_data())]
    with pytest.raises(error, match=message):
        train(*LOSSES["from logits"], data, 0.3, sizes=(4, 8, 3), steps=1)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("torch", lambda: train(*LOSSES["naive"], toy_data(), 0.3)),
        ("sklearn.datasets", load_digits_split),
    ],
)
def test_a_missing_library_gives_one_clear_error(monkeypatch, module, call):
    training._digits.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'stable-softmax\[frameworks\]'"):
        call()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rate": 0}, ValueError, "learning_rate must be positive and finite, not 0"),
        ({"rate": "a"}, TypeError, "learning_rate must hold real numbers, not"),
        ({"steps": -1}, ValueError, "steps must be at least 0, not -1"),
        ({"steps": 1.5}, TypeError, r"steps must be an int, not 1\.5"),
        ({"batch": 0}, ValueError, "batch must be positive, not 0"),
        ({"every": 0}, ValueError, "every must be positive, not 0"),
        ({"every": True}, TypeError, "every must be an int, not True"),
        ({"sizes": (4, 0, 3)}, ValueError, "sizes must"),
        ({"sizes": (4,)}, ValueError, "sizes must"),
    ],
)
def test_a_run_that_cannot_be_made_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        train_toy(**change)


def test_data_are_four_arrays_of_the_right_kind():
    pytest.importorskip("torch")
    loss, (x, y, *rest) = LOSSES["from logits"], toy_data()
    for data in (None, (x, y), [x, y, x]):
        with pytest.raises(ValueError, match="data must be four arrays: x_train, y_train"):
            train(*loss, data, 0.3, sizes=(4, 8, 3))
    with pytest.raises(TypeError, match="images must hold floating-point numbers, not int64"):
        train(*loss, (x.astype(np.int64), y, *rest), 0.3, sizes=(4, 8, 3))


def test_the_split_of_the_digits_checks_its_arguments():
    with pytest.raises(TypeError, match="scale must hold real numbers, not"):
        load_digits_split(scale="a")
    with pytest.raises(TypeError, match=r"seed must be an int, not 0\.5"):
        load_digits_split(seed=0.5)


@pytest.mark.parametrize("wrong", [None, [1.0], "ab"])
def test_tensors_come_with_their_names(wrong):
    with pytest.raises(TypeError, match="named_tensors must be a dictionary, or pairs"):
        first_nonfinite(wrong)
