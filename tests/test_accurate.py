import numpy as np
import pytest
from cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors
from hypothesis import given

from stable_softmax import (
    FP64,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    log_softmax_exact,
    log_softmax_shifted,
    softmax_exact,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.accuracy import FUNCTIONS, RUNGS
from stable_softmax.accurate import (
    cross_entropy_gradient_twosum,
    cross_entropy_gradient_wider,
    cross_entropy_twosum,
    cross_entropy_wider,
    log_softmax_twosum,
    log_softmax_wider,
    logsumexp_twosum,
    logsumexp_wider,
    softmax_twosum,
    softmax_wider,
)

UPPER = ["twosum", "wider", "double-double"]  # the rungs above those of the path
NEW = [(rung, name) for rung in UPPER for name in FUNCTIONS]


def call(rung, name, x, label=0, **options):
    labels = np.full(np.shape(x)[:-1], label)
    arguments = (x, labels) if "entropy" in name else (x,)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.asarray(RUNGS[rung][name](*arguments, **options))


# One table for every rung: a row of logits, and what each function makes of it (label 0).
SPECIAL = {
    (0.0, -INF): ([1, 0], [0, -INF], 0, 0, [0, 0]),
    (-INF, 0.0): ([0, 1], [-INF, 0], 0, INF, [-1, 1]),
    (0.0, INF): ([NAN, NAN], [NAN, NAN], INF, NAN, [NAN, NAN]),
    (-INF, INF): ([NAN, NAN], [NAN, NAN], INF, NAN, [NAN, NAN]),
    (-INF, -INF): ([NAN, NAN], [NAN, NAN], -INF, NAN, [NAN, NAN]),
    (0.0, NAN): ([NAN, NAN], [NAN, NAN], NAN, NAN, [NAN, NAN]),
    (INF, NAN): ([NAN, NAN], [NAN, NAN], NAN, NAN, [NAN, NAN]),
    (7.0,): ([1], [0], 7, 0, [0]),
}


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("row", SPECIAL, ids=str)
@pytest.mark.parametrize("rung", RUNGS)
def test_special_rows_are_the_same_on_every_rung(rung, row, fmt):
    for name, want in zip(FUNCTIONS, SPECIAL[row], strict=True):
        got = call(rung, name, np.array(row).astype(fmt.dtype)).astype(float)
        np.testing.assert_array_equal(got, want, err_msg=name)


@pytest.mark.parametrize(("rung", "name"), NEW)
def test_a_special_row_leaves_its_neighbors_alone(rung, name):
    x = np.array([[1.0, 2.0], [NAN, 0.0], [-INF, -INF], [INF, 0.0], [0.0, -INF]])
    got = call(rung, name, x)
    np.testing.assert_array_equal(got[0], call(rung, name, x[:1])[0])
    np.testing.assert_array_equal(got[4], call(rung, name, x[4:])[0])


@pytest.mark.parametrize(("rung", "name"), NEW)
def test_an_empty_class_axis_is_an_error_and_an_empty_batch_is_not(rung, name):
    with pytest.raises(ValueError, match="no class along axis"):
        call(rung, name, np.zeros((2, 0)))
    shape = (0,) if name in ("logsumexp", "cross_entropy") else (0, 3)
    assert call(rung, name, np.zeros((0, 3))).shape == shape


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize(("rung", "name"), NEW)
def test_the_format_is_kept_and_the_logits_are_not_changed(rung, name, fmt):
    x = ordinary_logits(FP64).astype(fmt.dtype)
    before = x.copy()
    assert call(rung, name, x).dtype == fmt.dtype
    np.testing.assert_array_equal(x.astype(float), before.astype(float))


@pytest.mark.parametrize(("rung", "name"), NEW)
def test_lists_of_integers_are_promoted_to_float64(rung, name):
    got = call(rung, name, [[1, 2, 3]])
    np.testing.assert_array_equal(got, call(rung, name, np.array([[1.0, 2.0, 3.0]])))


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize(("rung", "name"), NEW)
def test_the_class_axis_may_be_any(rung, name, axis):
    x = np.random.default_rng(0).normal(size=(4, 5, 6))
    moved = np.moveaxis(x, axis, -1)
    labels = np.random.default_rng(1).integers(0, 4, size=moved.shape[:-1])
    first, second = ((x, labels), (moved, labels)) if "entropy" in name else ((x,), (moved,))
    got = RUNGS[rung][name](*first, axis=axis)
    want = RUNGS[rung][name](*second)
    reduced = name in ("logsumexp", "cross_entropy")
    want = want if reduced else np.moveaxis(want, -1, axis)
    assert np.max(ulp_error(got, want)) <= 4  # another memory layout, another order of the sum


@pytest.mark.parametrize("rung", UPPER)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_several_class_axes_and_scalars(rung, name):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    got = RUNGS[rung][name](x, axis=(0, 2))
    flat = RUNGS[rung][name](np.moveaxis(x, 1, 0).reshape(4, 15))
    want = flat if name == "logsumexp" else np.moveaxis(flat.reshape(4, 3, 5), 0, 1)
    assert np.max(ulp_error(got, want)) <= 4
    assert np.shape(RUNGS[rung][name](3.0)) == ()
    assert np.shape(RUNGS[rung][name](x, axis=None)) == (() if name == "logsumexp" else x.shape)


@pytest.mark.parametrize("f", [RUNGS[rung]["logsumexp"] for rung in UPPER])
def test_log_sum_exp_can_keep_its_dimensions(f):
    assert f(np.zeros((2, 3, 4)), axis=1, keepdims=True).shape == (2, 1, 4)


@pytest.mark.parametrize("rung", UPPER)
def test_labels_are_checked(rung):
    for name in ("cross_entropy", "cross_entropy_gradient"):
        with pytest.raises(ValueError, match="labels must lie in"):
            RUNGS[rung][name](np.zeros((1, 2)), [2])
        with pytest.raises(TypeError, match="axis must be one int"):
            RUNGS[rung][name](np.zeros((1, 2)), [0], axis=None)


@pytest.mark.parametrize("rung", ["log1p", *UPPER])
def test_a_sure_class_keeps_its_small_log_probability(rung):
    log_p = RUNGS[rung]["log_softmax"]([40.0, 0.0])
    assert ulp_error(log_p, log_softmax_exact([40.0, 0.0])).max() <= 1
    gradient = RUNGS[rung]["cross_entropy_gradient"]([40.0, 0.0], 0)
    assert ulp_error(gradient, cross_entropy_gradient_exact([40.0, 0.0], 0)).max() <= 1
    assert log_softmax_shifted([40.0, 0.0])[0] == 0
    assert cross_entropy_gradient_shifted([40.0, 0.0], 0)[0] == 0


@pytest.mark.parametrize("rung", ["log1p", *UPPER])
@given(vectors())
def test_no_log_probability_is_positive_and_no_loss_negative(rung, x):
    assert np.all(RUNGS[rung]["log_softmax"](x) <= 0)
    assert np.all(RUNGS[rung]["cross_entropy"](x, 0) >= 0)


@given(vectors(low=-700, high=700))
def test_the_rounding_error_of_the_shift_is_put_back(x):
    assert ulp_error(softmax_twosum(x), softmax_exact(x)).max() <= 5
    assert ulp_error(log_softmax_twosum(x), log_softmax_exact(x)).max() <= 5


def test_the_largest_logit_of_a_format_may_be_the_maximum():
    # a part of TwoSum overflows: 16368 - 65504 is rounded to -49152, and -49152 - 16368 to -inf
    x = np.array([65504.0, 16368.0, 5.0], dtype=np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(softmax_twosum(x), [1, 0, 0])
        np.testing.assert_array_equal(log_softmax_twosum(x), [0, -49152, -65504])
        assert logsumexp_twosum(x) == 65504


def test_the_plain_shift_is_off_by_tens_of_ulp_where_twosum_is_not():
    x = 30 * np.random.default_rng(0).normal(size=(2000, 10))
    exact = softmax_exact(x)
    assert ulp_error(softmax_shifted(x), exact).max() > 50
    assert ulp_error(softmax_twosum(x), exact).max() <= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_has_nothing_wider_and_gets_twosum(name):
    x = 30 * ordinary_logits(FP64)
    np.testing.assert_array_equal(call("wider", name, x), call("twosum", name, x))


def test_a_tie_is_decided_by_a_term_that_float64_cannot_hold():
    # x - m = -(2**24 + 1) is the middle of two float32 numbers; log(1 + r) is about exp(-2**24)
    row = np.array([1.0, -(2.0**24)], dtype=np.float32)
    np.testing.assert_array_equal(log_softmax_wider(row), [0, -(2.0**24) - 2])
    np.testing.assert_array_equal(log_softmax_exact(row), [0, -(2.0**24) - 2])


@pytest.mark.skipif(np.finfo(np.longdouble).bits == 64, reason="long double is float64 here")
@pytest.mark.parametrize("f", [softmax_wider, log_softmax_wider, logsumexp_wider])
def test_a_format_longer_than_float64_is_refused_where_the_result_would_be_cut_off(f):
    with pytest.raises(TypeError, match="not a floating-point format of this book"):
        f(np.array([1, 2], dtype=np.longdouble))


def test_tensors_keep_their_type_and_gradients_flow():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    rows = [[1.0, 2.5, -3.0], [40.0, 0.0, 1.0]]
    labels = [1, 0]
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        x = torch.tensor(rows, dtype=dtype)
        for f in (softmax_twosum, softmax_wider, log_softmax_twosum, log_softmax_wider):
            assert f(x).dtype == dtype
        for f in (logsumexp_twosum, logsumexp_wider):
            assert f(x).dtype == dtype
    for loss in (cross_entropy_twosum, cross_entropy_wider):
        x = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
        loss(x, torch.tensor(labels)).sum().backward()
        exact = cross_entropy_gradient_exact(np.array(rows, np.float32), labels)
        np.testing.assert_allclose(x.grad.numpy(), exact, rtol=0, atol=3e-7)
    for gradient in (cross_entropy_gradient_twosum, cross_entropy_gradient_wider):
        got = gradient(torch.tensor(rows, dtype=torch.float64), torch.tensor(labels))
        assert ulp_error(got, cross_entropy_gradient_exact(np.array(rows), labels)).max() <= 5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_wider_tensors_are_rounded_once_as_arrays_are(dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = (10 * torch.tensor(ordinary_logits(FP64))).to(getattr(torch, dtype))
    got = log_softmax_wider(x).double().numpy()
    np.testing.assert_array_equal(got, log_softmax_exact(x).astype(float))
