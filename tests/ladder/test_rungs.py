"""What all rungs of the ladder have in common."""

import numpy as np
import pytest
from hypothesis import given

from stable_softmax import (
    FP64,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    log_softmax_exact,
    log_softmax_shifted,
    ulp_error,
)
from stable_softmax.libraries.accuracy_table import FUNCTIONS, RUNGS
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors
from tests.ladder.autograd import ROWS, check_derivatives
from tests.ladder.rungs import call

UPPER = ["twosum", "wider", "double-double"]  # the rungs above those of the path
NEW = [(rung, name) for rung in UPPER for name in FUNCTIONS]


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


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rung", ["twosum", "wider"])
def test_first_and_second_derivatives_are_right_on_all_finite_logits(rung, name, row):
    f, label = RUNGS[rung][name], (0,) if "entropy" in name else ()
    check_derivatives(lambda x: f(x, *label), ROWS[row])


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("rung", ["log1p", "twosum", "wider"])
@pytest.mark.parametrize("function", ["log_softmax", "cross_entropy"])
def test_the_derivative_of_a_sure_class_keeps_its_digits(function, rung, name):
    # minus one and one minus p, added up, would be 0 or wrong by half of its digits
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    dtype = getattr(torch, name)
    gaps = [gap for gap in (9.0, 17.0, 40.0, 80.0) if np.exp(-gap) > torch.finfo(dtype).tiny]
    for gap in gaps:
        x = torch.tensor([gap, 0.0], dtype=dtype, requires_grad=True)
        label = (0,) if "entropy" in function else ()
        RUNGS[rung][function](x, *label).ravel()[0].abs().backward()
        assert x.grad[0].item() == -x.grad[1].item()
        exact = np.exp(-gap) / (1 + np.exp(-gap))
        assert abs(x.grad[1].abs().item() / exact - 1) <= 2 * torch.finfo(dtype).eps
