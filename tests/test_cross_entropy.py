import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP32,
    FP64,
    absolute_error,
    central_difference,
    cross_entropy_clamped,
    cross_entropy_epsilon,
    cross_entropy_exact,
    cross_entropy_from_logsumexp,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_naive,
    cross_entropy_shifted,
    cross_entropy_two_step,
    ulp_error,
)
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

EXACT_FORMULA = [
    cross_entropy_naive,
    cross_entropy_two_step,
    cross_entropy_from_logsumexp,
    cross_entropy_shifted,
    cross_entropy_log1p,
]
ALL = [*EXACT_FORMULA, cross_entropy_epsilon, cross_entropy_clamped]
STABLE = [cross_entropy_shifted, cross_entropy_log1p]
GRADIENTS = [cross_entropy_gradient_shifted, cross_entropy_gradient_complement]
LABELS = np.arange(50) % 10


def autograd(loss, x, label):
    """Return loss and gradient of one float32 sample."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(x, requires_grad=True)
    value = loss(x, torch.tensor(label))
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient.tolist()


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("loss", EXACT_FORMULA)
def test_ordinary_losses_are_within_40_u_of_the_exact_values(loss, fmt):
    # n + 3 + 2 * spread <= 27 errors of u, relative to values of size at most 8
    x = ordinary_logits(fmt)
    error = absolute_error(loss(x, LABELS), cross_entropy_exact(x, LABELS, dtype=FP64))
    assert np.max(error) <= 40 * fmt.unit_roundoff


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_ordinary_gradients_are_within_40_u_of_the_exact_values(gradient, fmt):
    x = ordinary_logits(fmt)
    error = absolute_error(gradient(x, LABELS), cross_entropy_gradient_exact(x, LABELS, dtype=FP64))
    assert np.max(error) <= 40 * fmt.unit_roundoff


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("function", ALL + GRADIENTS)
def test_the_format_of_the_logits_is_kept(function, fmt):
    assert function(np.zeros((2, 3), fmt.dtype), [0, 1]).dtype == fmt.dtype


@pytest.mark.parametrize("loss", STABLE)
def test_a_hopeless_sample_has_a_finite_loss(loss):
    assert loss([[1000.0, 1.0, -1000.0]], [2]) == 2000.0


def test_the_naive_loss_of_a_hopeless_sample_is_not_finite():
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        assert cross_entropy_naive([1000.0, 1.0, -1000.0], 2) == INF
        assert np.isnan(cross_entropy_naive([1000.0, 1.0, -1000.0], 0))


def test_the_epsilon_loss_is_capped():
    cap = -np.log(1e-7)
    for gap in (50.0, 100.0, 700.0):
        assert cross_entropy_epsilon([0.0, gap], 0) == pytest.approx(cap, rel=1e-12)
        assert cross_entropy_clamped([0.0, gap], 0) == cap


@pytest.mark.parametrize(
    ("gap", "share"), [(10.0, 0.99776), (16.118096, 0.50002), (20.0, 0.02020), (30.0, 9.36e-7)]
)
def test_the_epsilon_gradient_dies_where_it_is_needed(gap, share):
    _, gradient = autograd(cross_entropy_epsilon, [0.0, gap], 0)
    assert -gradient[0] == pytest.approx(share, rel=1e-3)


def test_the_clamped_gradient_is_zero_below_epsilon():
    assert autograd(cross_entropy_clamped, [0.0, 20.0], 0)[1] == [0, 0]
    assert autograd(cross_entropy_clamped, [0.0, 16.0], 0)[1] == pytest.approx([-1, 1], abs=1e-6)


def test_a_right_loss_can_have_a_wrong_gradient():
    value, gradient = autograd(cross_entropy_two_step, [0.0, 90.0], 0)
    assert value == pytest.approx(90, rel=1e-6)
    assert not np.isfinite(gradient).any()
    assert autograd(cross_entropy_shifted, [0.0, 90.0], 0) == (90.0, [-1.0, 1.0])


def test_a_common_offset_ruins_only_the_difference_of_log_sum_exp():
    x = np.full(2, 1e8, np.float32)
    assert cross_entropy_from_logsumexp(x, 0) == 0
    for loss in STABLE:
        assert ulp_error(loss(x, 0), cross_entropy_exact(x, 0)) <= 1


def test_log1p_keeps_the_loss_of_a_sure_sample():
    x = np.array([40.0, 0.0])
    assert cross_entropy_shifted(x, 0) == 0.0
    assert ulp_error(cross_entropy_log1p(x, 0), cross_entropy_exact(x, 0)) <= 2


def test_p_minus_one_cancels_and_the_complement_does_not():
    x = np.array([17.5, 0.0], np.float32)
    exact = cross_entropy_gradient_exact(x, 0, dtype=FP64)
    assert cross_entropy_gradient_shifted(x, 0)[0] == 0.0
    assert np.max(ulp_error(cross_entropy_gradient_complement(x, 0), exact)) <= 4


@given(vectors(), st.data())
def test_the_loss_is_never_negative_and_is_right(x, data):
    label = data.draw(st.integers(0, len(x) - 1))
    exact = cross_entropy_exact(x, label)
    allowed = FP64.unit_roundoff * (2 * (x.max() - x.min()) + 2 * 12 + 16)
    for loss in STABLE:
        assert loss(x, label) >= 0
        assert absolute_error(loss(x, label), exact) <= allowed


@given(vectors(), st.data())
def test_the_gradient_sums_to_zero(x, data):
    label = data.draw(st.integers(0, len(x) - 1))
    for gradient in GRADIENTS:
        assert abs(gradient(x, label).sum()) <= 2 * 13 * FP64.unit_roundoff


@given(vectors(), st.data())
def test_the_arguments_are_not_changed(x, data):
    label = np.asarray(data.draw(st.integers(0, len(x) - 1)))
    before = x.copy(), label.copy()
    with np.errstate(all="ignore"):
        for function in ALL + GRADIENTS:
            function(x, label)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(label, before[1])


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_the_gradient_agrees_with_central_differences(gradient):
    x = np.array([1.0, -2.0, 0.5])
    by_steps = central_difference(lambda v: cross_entropy_shifted(v, 1), x, 6e-6)
    # h**2 / 6 from the formula and about 2 u / h from rounding: some 1e-10
    np.testing.assert_allclose(gradient(x, 1), by_steps, atol=1e-9)


@pytest.mark.parametrize("loss", EXACT_FORMULA)
def test_autograd_finds_the_gradient(loss):
    torch = pytest.importorskip("torch")
    x = torch.tensor(np.array(ordinary_logits(FP32)), requires_grad=True)
    (found,) = torch.autograd.grad(loss(x, LABELS).sum(), x)
    exact = cross_entropy_gradient_exact(x, LABELS, dtype=FP64)
    assert np.max(absolute_error(found, exact)) <= 64 * FP32.unit_roundoff


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
@pytest.mark.parametrize("function", [*ALL, *GRADIENTS])
def test_classes_may_lie_along_any_axis(function, axis):
    x = np.random.default_rng(0).normal(size=(3, 3, 3))
    labels = np.random.default_rng(1).integers(0, 3, (3, 3))
    last = function(np.moveaxis(x, axis, -1), labels)
    here = function(x, labels, axis=axis)
    here = np.moveaxis(here, axis, -1) if function in GRADIENTS else here
    np.testing.assert_allclose(here, last, rtol=0, atol=32 * FP64.unit_roundoff)


TABLE = [  # row, label, loss of the stable forms
    ([0.0, -INF], 0, 0),
    ([0.0, -INF], 1, INF),
    ([INF, 0.0], 0, NAN),
    ([INF, 0.0], 1, NAN),
    ([-INF, -INF], 0, NAN),
    ([NAN, 0.0], 1, NAN),
    ([5.0], 0, 0),
]


@pytest.mark.parametrize("loss", [*STABLE, cross_entropy_exact])
@pytest.mark.parametrize(("row", "label", "want"), TABLE)
def test_special_rows(loss, row, label, want):
    with np.errstate(invalid="ignore", divide="ignore"):
        np.testing.assert_array_equal(loss(row, label), want)


@pytest.mark.parametrize("gradient", [*GRADIENTS, cross_entropy_gradient_exact])
def test_special_rows_of_the_gradient(gradient):
    with np.errstate(invalid="ignore"):
        assert np.isnan(gradient([NAN, 0.0], 0)).all()
        assert np.isnan(gradient([-INF, -INF], 0)).all()
    np.testing.assert_array_equal(gradient([0.0, -INF], 1), [1, -1])
    np.testing.assert_array_equal(gradient([5.0], 0), [0])


def test_a_batch_without_samples_has_no_losses():
    for function in ALL:
        assert function(np.zeros((0, 3)), []).shape == (0,)
    for gradient in GRADIENTS:
        assert gradient(np.zeros((0, 3)), []).shape == (0, 3)


@pytest.mark.parametrize("function", [*ALL, *GRADIENTS, cross_entropy_exact])
def test_wrong_labels_are_refused_by_every_function(function):
    with pytest.raises(ValueError, match="labels must lie in 0 .. 2"):
        function(np.zeros((2, 3)), [0, 3])


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("row", [[NAN], [INF], [-INF], [NAN, 0.0], [INF, 0.0], [0.0, NAN]])
def test_a_row_without_probabilities_has_no_gradient(row, gradient, fmt):
    x = np.array(row).astype(fmt.dtype)
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(gradient(x, 0).astype(float)))


@pytest.mark.parametrize("loss", [*ALL, *GRADIENTS])
def test_labels_and_logits_with_hidden_entries_are_refused(loss):
    x, mask = np.zeros((2, 3)), np.array([True, False])
    with pytest.raises(TypeError, match="labels hides entries behind a mask"):
        loss(x, np.ma.array([0, 1], mask=mask))
    with pytest.raises(TypeError, match="x hides entries behind a mask"):
        loss(np.ma.array(x, mask=np.stack([mask] * 3, axis=1)), [0, 1])


@pytest.mark.parametrize("loss", [*ALL, *GRADIENTS])
def test_samples_in_pytorch_may_be_mapped_and_differentiated_one_by_one(loss):
    # pytorch#90916: labels were checked by boolean indexing, which vmap cannot do
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, labels = torch.tensor(ordinary_logits(FP64).copy()), torch.tensor(LABELS)
    mapped = torch.func.vmap(loss)(x, labels)
    torch.testing.assert_close(mapped, loss(x, labels))
    derivatives = torch.func.vmap(torch.func.jacrev(loss))(x, labels)
    assert derivatives.shape == (*mapped.shape, *x.shape[1:])
