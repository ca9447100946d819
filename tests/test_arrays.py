import numpy as np
import pytest

from stable_softmax import arrays
from stable_softmax.arrays import (
    as_float64,
    as_float64_array,
    as_label,
    as_logits,
    as_mask,
    as_number,
    as_samples,
    as_targets,
    as_weights,
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
        ([[1.0]], True, TypeError, "axis must be an int, a tuple of ints or None, not True"),
        ([[1.0]], (0, np.True_), TypeError, "axis must be an int"),
        ([[1.0]], (0, -2), ValueError, "axis names a dimension twice"),
        ([], -1, ValueError, "x has no class along axis"),
        (np.zeros((2, 0)), 1, ValueError, "x has no class along axis"),
        (["a"], -1, TypeError, "x must hold real numbers"),
        ([1j], -1, TypeError, "x must hold real numbers"),
        ([None, 1], -1, TypeError, "x must hold real numbers .*, not NoneType and int"),
        (None, -1, TypeError, "x must hold real numbers .*, not NoneType"),
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


def masked(values, mask):
    return np.ma.array(values, mask=mask)


#: What a mask hides is dropped by np.asarray (scipy#3034): every entry refuses it.
HIDING = [
    lambda x: masked(x, np.arange(len(x)) == 0),
    lambda x: [masked(x, np.arange(len(x)) == 0)],
    lambda x: [*x[:-1], np.ma.masked],
]


@pytest.mark.parametrize("hide", HIDING)
def test_hidden_entries_of_a_masked_array_are_refused_everywhere(hide):
    x, plain = [0.0, 1.0, 2.0], np.zeros((3, 2))
    for f in (
        lambda: as_logits(hide(x)),
        lambda: as_float64(hide(x)),
        lambda: check_labels(hide([0, 1, 1]), plain),
        lambda: as_mask(hide([True, True, False]), plain.T),
        lambda: as_targets(hide(x), plain.T),
    ):
        with pytest.raises(TypeError, match="softmax_masked .* ignore_label"):
            f()


def test_a_masked_array_that_hides_nothing_is_an_array():
    np.testing.assert_array_equal(as_logits(np.ma.array([0.0, 1.0]))[0], [0, 1])
    np.testing.assert_array_equal(as_logits(masked([0.0, 1.0], [False, False]))[0], [0, 1])


def test_masked_arrays_of_dask_and_pytorch_are_refused():
    dask = pytest.importorskip("dask.array", reason="dask is not installed here")
    with pytest.raises(TypeError, match="hides entries"):
        as_logits(dask.ma.masked_array(np.zeros(3), mask=[True, False, False]))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.warns(UserWarning, match="prototype"):
        hidden = torch.masked.masked_tensor(torch.zeros(3), torch.tensor([True, False, True]))
    with pytest.raises(TypeError, match="hides entries"):
        as_logits(hidden)


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def labels_of_numpy():
    yield from (np.array([0, 2, 1], dtype) for dtype in INTEGERS)
    yield np.array([1, 2, 0])[::-1]  # negative strides
    yield np.array([0, 2, 1], ">i4")
    yield np.array([0, 9, 2, 9, 1])[::2]
    yield [0, np.int8(2), 1]


@pytest.mark.parametrize("library", ["numpy", "torch", "jax.numpy", "dask.array"])
def test_every_integer_type_is_a_label_beside_logits_of_every_library(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed here")
    x = xp.zeros((3, 3))
    for labels in labels_of_numpy():
        np.testing.assert_array_equal(check_labels(labels, x), [0, 2, 1])


@pytest.mark.parametrize("name", ["int2", "int4", "uint2", "uint4"])
def test_integers_of_ml_dtypes_are_integers(name):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed here")
    few = np.array([0, 1]).astype(getattr(ml_dtypes, name))
    np.testing.assert_array_equal(check_labels(few, np.zeros((2, 300))), [0, 1])
    x, _, _ = as_logits(few)
    assert x.dtype == np.float64


@pytest.mark.parametrize("dtype", [*INTEGERS])
def test_integers_of_pytorch_are_labels_beside_arrays_of_both_libraries(dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    labels = torch.tensor([0, 2, 1], dtype=getattr(torch, dtype))
    for x in (torch.zeros((3, 3)), np.zeros((3, 3)), torch.zeros((3, 3), device="meta")):
        got = check_labels(labels, x)
        assert type(got) is type(x)
        assert tuple(got.shape) == (3,)
        assert got.device == x.device if isinstance(x, torch.Tensor) else True


def test_labels_and_targets_may_be_of_another_library_than_the_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    arrays = [f([[0.0, 1.0], [2.0, 3.0]]) for f in (np.array, torch.tensor, jax.numpy.array)]
    labels = [f([0, 1]) for f in (np.array, torch.tensor, jax.numpy.array)]
    for x in arrays:
        for y in labels:
            np.testing.assert_array_equal(take_label(x, check_labels(y, x)), [0, 3])
        for targets in (*arrays, torch.ones((2, 2), dtype=torch.bfloat16, requires_grad=True)):
            assert as_targets(targets, x).dtype == x.dtype
            assert as_weights(targets[:, :1], x).dtype == x.dtype
            assert as_weights(targets[:, :1], x).shape == (2, 2)


@pytest.mark.parametrize(
    ("label", "dtype"),
    [(2**64 - 100, "uint64"), (2**63, "uint64"), (200, "uint8"), (-100, "int16"), (7, "int64")],
)
def test_an_error_names_the_label_that_was_given(label, dtype):
    labels = np.array([0, label], dtype)
    with pytest.raises(ValueError, match=rf"0 \.\. 6 for 7 classes, but hold {label}$"):
        check_labels(labels, np.zeros((2, 7)))
    with pytest.raises(ValueError, match=rf"but hold {label % 2**64 if label > 2**63 else label}$"):
        as_samples(np.zeros((2, 7)), labels, ignore_label=-100 if label != -100 else -1)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(ValueError, match=rf"but hold {label}$"):
        check_labels(torch.tensor([0, label], dtype=getattr(torch, dtype)), torch.zeros((2, 7)))


@pytest.mark.parametrize(
    ("labels", "given"),
    [
        (None, "None"),
        (["a", "b"], "<U1"),
        (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), "datetime64"),
        ([1j, 0], "complex128"),
        ([None, 1], r"\[None, 1\]"),
    ],
)
def test_labels_of_other_kinds_are_named_in_the_error(labels, given):
    with pytest.raises(TypeError, match=f"labels must be integer class indices, not {given}"):
        check_labels(labels, np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["float8_e4m3fnuz", "float8_e3m4", "float6_e2m3fn"])
def test_formats_that_are_not_of_this_book_are_refused_by_name(name):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed here")
    x = np.zeros(3).astype(getattr(ml_dtypes, name))
    with pytest.raises(TypeError, match=f"x has dtype {name}, not a format of this book"):
        as_logits(x)


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (2, 1), (2, 3)])
def test_a_mask_is_broadcast_to_the_logits(shape):
    mask = as_mask(np.ones(shape, dtype=bool), np.zeros((2, 3)))
    assert mask.shape == (2, 3)


@pytest.mark.parametrize("shape", [(2,), (3, 2), (4, 2, 3)])
def test_a_mask_that_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask has shape .* shape of x, \(2, 3\)"):
        as_mask(np.ones(shape, dtype=bool), np.zeros((2, 3)))


@pytest.mark.parametrize("targets", [None, ["a", "b"], [1j, 0], np.zeros(2, "M8[D]"), [None, 1]])
def test_targets_that_are_not_real_are_refused(targets):
    with pytest.raises(TypeError, match="targets must hold real numbers"):
        as_targets(targets, np.zeros(2))


def test_targets_may_be_integers_or_booleans_and_follow_the_logits():
    for targets in ([0, 1], [False, True], np.uint8([0, 1])):
        assert as_targets(targets, np.zeros(2, np.float32)).dtype == np.float32
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.zeros(2, device="meta", dtype=torch.bfloat16)
    for given in ([0.5, 0.5], torch.ones(2)):
        got = as_targets(given, x)
        assert (got.device, got.dtype) == (x.device, x.dtype)
    assert as_mask([True, False], x).device == x.device


@pytest.mark.parametrize("value", [None, "a", "1", 1j, [1.0, 2.0], (), object()])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match="epsilon must be a real number, not"):
        as_number(value, "epsilon")


def test_numbers_have_a_least_value_and_are_not_nan():
    assert as_number(np.float32(0.5), "epsilon", 0) == 0.5
    assert as_number(-np.inf, "fill") == -np.inf
    for value in (-1, np.nan):
        with pytest.raises(ValueError, match="epsilon must be at least 0, a number, not"):
            as_number(value, "epsilon", 0)


@pytest.mark.parametrize("value", [None, "a", 1.0, True, [1]])
def test_an_ignored_label_is_an_integer(value):
    with pytest.raises(TypeError, match="ignore_label must be an integer, not"):
        as_label(value)
    assert as_label(np.int8(-100)) == -100


@pytest.mark.parametrize("keepdims", ["no", None, 1, 0.0])
def test_keepdims_is_true_or_false(keepdims):
    with pytest.raises(TypeError, match="keepdims must be True or False, not"):
        drop_axes(np.zeros((1, 3)), (0,), keepdims)


def test_float64_of_jax_is_refused_while_it_is_off():
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    x, _, xp = as_logits(jax.numpy.zeros(3, dtype="float32"))
    assert not jax.config.jax_enable_x64
    with pytest.raises(TypeError, match=r"float64 is off in JAX: jax.config.update"):
        as_float64_array(x, xp)


def test_float64_arrays_are_not_copied():
    x, _, xp = as_logits(np.zeros(3))
    assert as_float64_array(x, xp) is x
    assert as_float64_array(x.astype(np.float16), xp).dtype == np.float64


def test_an_unreadable_label_that_does_not_exist_makes_its_logits_infinite():
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    x = jax.numpy.zeros((4, 3))

    def samples(labels):
        return as_samples(x, labels, ignore_label=-100)[:2]

    got, labels = jax.jit(samples)(jax.numpy.asarray([2, 3, -1, -100]))
    np.testing.assert_array_equal(np.isinf(got).all(axis=1), [False, True, True, False])
    np.testing.assert_array_equal(labels, [2, 0, 0, -100])
    with pytest.raises(ValueError, match="but hold 3"):
        samples(jax.numpy.asarray([2, 3, -1, -100]))


def test_lengths_that_dask_does_not_know_are_refused_for_labels_only():
    dask = pytest.importorskip("dask.array", reason="dask is not installed here")
    x = dask.from_array(np.arange(6.0).reshape(3, 2), chunks=2)
    positive = x[:, 0] > 0
    assert as_logits(x[positive])[0] is not None
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        as_samples(x[positive], np.array([0, 1]))
    some = x[positive].compute_chunk_sizes()
    np.testing.assert_array_equal(take_label(*as_samples(some, [1, 0])), [3, 4])


def test_tensors_that_cannot_be_computed_with_are_refused_with_what_to_give():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(TypeError, match=r"x is a sparse tensor: give x.to_dense\(\)"):
        as_logits(torch.eye(3).to_sparse())
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        with pytest.raises(TypeError, match=rf"not compute in {dtype}: convert x to float32"):
            as_logits(torch.ones(3).to(dtype))
