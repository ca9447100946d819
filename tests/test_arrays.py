import numpy as np
import pytest

from stable_softmax import arrays
from stable_softmax.arrays import (
    as_float64,
    as_logits,
    as_samples,
    check_labels,
    drop_axes,
    from_rows,
    one_hot,
    take_label,
    to_rows,
)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([1, 2], np.float64),
        (3, np.float64),
        (np.float32(3), np.float32),
        ([True, False], np.float64),
        (np.array([1, 2], np.uint8), np.float64),
        (np.array([1, 2], np.float16), np.float16),
    ],
)
def test_integers_booleans_lists_and_scalars_become_floating_point(given, dtype):
    x, _, _ = as_logits(given)
    assert x.dtype == dtype
    assert x.shape == np.shape(given)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8", ">i4"])
def test_numbers_in_the_byte_order_of_another_machine_become_those_of_this_one(dtype):
    x, _, _ = as_logits(np.array([1, 2], dtype=dtype))
    assert x.dtype.isnative
    np.testing.assert_array_equal(x, [1, 2])


def test_pytorch_integers_become_the_default_float_of_pytorch():
    torch = pytest.importorskip("torch")
    x, _, _ = as_logits(torch.tensor([0, 200, 255], dtype=torch.uint8))
    assert x.dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((2, 3), -1, (1,)),
        ((2, 3), 0, (0,)),
        ((2, 3), None, (0, 1)),
        ((2, 3, 4), (0, -1), (0, 2)),
        ((2, 3), (), ()),
        ((2, 3), np.int64(1), (1,)),
        ((), -1, ()),
        ((), None, ()),
    ],
)
def test_an_axis_has_the_meaning_of_numpy(shape, axis, expected):
    assert as_logits(np.zeros(shape), axis)[1] == expected


@pytest.mark.parametrize(
    ("x", "axis", "error", "message"),
    [
        ([1.0, 2.0], 1, ValueError, "axis 1 does not exist"),
        ([1.0, 2.0], -2, IndexError, "axis -2 does not exist"),
        (3.0, 1, ValueError, "axis 1 does not exist"),
        ([1.0], 1.5, TypeError, "axis must be an int"),
        ([1.0], "0", TypeError, "axis must be an int"),
        ([[1.0]], (0, -2), ValueError, "axis names a dimension twice"),
        ([], -1, ValueError, "x has no class along axis"),
        (np.zeros((2, 0)), 1, ValueError, "x has no class along axis"),
        (["a"], -1, TypeError, "x must hold real numbers"),
        ([1j], -1, TypeError, "x must hold real numbers"),
        ([None], -1, TypeError, "x must hold real numbers"),
        ([[1.0], [2.0, 3.0]], -1, ValueError, "x must be a rectangular array"),
    ],
)
def test_bad_logits_or_axes_raise_one_error_that_names_the_argument(x, axis, error, message):
    with pytest.raises(error, match=message):
        as_logits(x, axis)


def test_an_empty_batch_is_no_error():
    assert as_logits(np.zeros((0, 3)))[0].shape == (0, 3)


@pytest.mark.parametrize("labels", [2, [2], (2,), np.array([2], np.uint8)])
def test_labels_may_be_lists_scalars_or_any_integer_type(labels):
    x = np.zeros(3) if np.ndim(labels) == 0 else np.zeros((1, 3))
    assert check_labels(labels, x).dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "axis", "error", "message"),
    [
        ([0, 3], -1, ValueError, r"labels must lie in 0 .. 2 for 3 classes, but hold 3"),
        ([0, -1], -1, ValueError, r"labels must lie in 0 .. 2 for 3 classes, but hold -1"),
        ([0.0, 1.0], -1, TypeError, "labels must be integer class indices, not float64"),
        ([True, False], -1, TypeError, "labels must be integer class indices, not bool"),
        ([0], -1, ValueError, r"labels must have shape \(2,\)"),
        ([[0], [1]], -1, ValueError, r"labels must have shape \(2,\)"),
        (0, -1, ValueError, r"labels must have shape \(2,\)"),
        ([[0, 1], [1]], -1, ValueError, "labels must be a rectangular array"),
        ([0, 1], None, TypeError, "axis must be one int"),
        ([0, 1], (1,), TypeError, "axis must be one int"),
        ([0, 1], 2, ValueError, "axis 2 does not exist"),
    ],
)
def test_bad_labels_raise_one_error_that_names_the_argument(labels, axis, error, message):
    with pytest.raises(error, match=message):
        check_labels(labels, np.zeros((2, 3)), axis)


def test_a_scalar_has_no_class_axis():
    with pytest.raises(ValueError, match="at least one axis of classes"):
        check_labels(0, np.array(1.0))


def test_no_samples_need_no_labels():
    assert check_labels([], np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_taking_the_label_is_the_sum_against_its_one_hot_array(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    shape = np.delete(x.shape, axis)
    labels = check_labels(np.random.default_rng(1).integers(0, 3, shape), x, axis)
    picked = take_label(x, labels, axis)
    np.testing.assert_array_equal(picked, np.sum(x * one_hot(labels, x, axis), axis=axis))


def test_labels_follow_the_logits_to_their_library():
    torch = pytest.importorskip("torch")
    labels = check_labels([0, 1], torch.zeros((2, 3)))
    assert isinstance(labels, torch.Tensor)


def test_every_public_function_of_the_module_is_documented():
    public = [f for n, f in vars(arrays).items() if callable(f) and f.__module__ == arrays.__name__]
    assert all(f.__doc__ for f in public if not f.__name__.startswith("_"))


@pytest.mark.parametrize("axes", [(2,), (0,), (0, 2), (0, 1, 2), ()])
def test_rows_come_back_in_the_layout_they_had(axes):
    x = np.arange(24.0).reshape(2, 3, 4)
    rows = to_rows(x, axes)
    assert rows.ndim == 2
    assert rows.shape[1] == np.prod([x.shape[a] for a in axes])
    np.testing.assert_array_equal(from_rows(rows, x, axes), x)


def test_a_row_holds_the_classes_of_one_sample():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(to_rows(x, (0,)), [[0, 3], [1, 4], [2, 5]])


def test_reduced_axes_are_dropped_unless_kept():
    result = np.zeros((1, 3, 1))
    assert drop_axes(result, (0, 2), keepdims=False).shape == (3,)
    assert drop_axes(result, (0, 2), keepdims=True).shape == (1, 3, 1)
    assert drop_axes(np.zeros(()), (), keepdims=False).shape == ()


def test_samples_are_checked_together():
    x, labels, axis = as_samples([[1, 2, 3]], [2], axis=-1)
    assert (x.dtype, labels.dtype, axis) == (np.float64, np.int64, 1)
    with pytest.raises(ValueError, match="labels must lie in"):
        as_samples([[1, 2, 3]], [3])


def test_numbers_of_any_library_become_float64():
    half = np.array([1.5, -2.0], dtype=np.float16)
    assert as_float64(half).dtype == np.float64
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    tensor = torch.tensor([1.5, -2.0], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(as_float64(tensor), [1.5, -2.0])
