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
    cross_entropy_twosum,
    cross_entropy_wider,
    hessian_vector_product,
    hessian_vector_product_exact,
    softmax_exact,
    softmax_shifted,
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


def products(fmt):
    """Rows of logits and of vectors, rounded to the format, some of them sure or tied."""
    x, rng = np.array(ordinary_logits(fmt)), np.random.default_rng(1)
    x[:10, 3] = 40  # sure
    x[10:20, [2, 5]] = 3  # two tied at the top
    return x, rng.normal(size=x.shape).astype(fmt.dtype)


def allowed_product_error(x, v, fmt):
    """A bound on the error of each entry, in float64: c u p (|w| + sum(p |w|)), w as in the code.

    p has an error of n + 5 + 2 (depth of the class) roundings, and so has each term of the sum; w,
    the products and the sum add n + 6. Formats below float32 are rounded once at the end.
    """
    x, v = x.astype(np.float64), v.astype(np.float64)
    p = softmax_exact(x)
    at_max = x == np.max(x, axis=-1, keepdims=True)
    w = v - np.max(np.where(at_max, v, -np.inf), axis=-1, keepdims=True)
    depth = np.max(x, axis=-1, keepdims=True) - x
    n, inside = x.shape[-1], min(fmt.unit_roundoff, FP32.unit_roundoff)
    roundings = 2 * n + 11 + 2 * depth
    mean = np.sum(p * np.abs(w) * roundings, axis=-1, keepdims=True)
    size = p * (np.abs(w) * roundings + mean + roundings * np.sum(p * np.abs(w), -1, keepdims=True))
    last = fmt.unit_roundoff * np.abs(hessian_vector_product_exact(x, v))
    return inside * size + last + fmt.smallest_subnormal


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_a_product_with_the_hessian_is_as_accurate_as_its_bound(fmt):
    x, v = products(fmt)
    exact = hessian_vector_product_exact(x, v, dtype=FP64)
    got = hessian_vector_product(x, v)
    assert got.dtype == fmt.dtype
    assert np.all(absolute_error(got, exact) <= allowed_product_error(x, v, fmt))


@pytest.mark.parametrize("gap", [17.0, 30.0, 80.0, 100.0])
def test_the_product_of_a_sure_sample_keeps_its_digits(gap):
    x, v = np.array([gap, 0.0], np.float32), np.array([1.0, 0.0], np.float32)
    exact = hessian_vector_product_exact(x, v)
    assert np.all(ulp_error(hessian_vector_product(x, v), exact) <= 4)  # exp, /, and two products
    p = softmax_shifted(x)
    by_matrix = (np.diag(p) - np.outer(p, p)) @ v
    assert by_matrix[0] == 0 < exact[0]
    assert (p * (v - np.sum(p * v)))[0] == 0


@given(vectors(), st.data())
def test_a_number_added_to_the_whole_vector_changes_nothing(x, data):
    v = np.array(data.draw(st.lists(st.integers(-8, 8), min_size=len(x), max_size=len(x))), float)
    # v + 1000 is exact, and so are the differences of its entries
    np.testing.assert_array_equal(hessian_vector_product(x, v + 1000), hessian_vector_product(x, v))
    np.testing.assert_array_equal(hessian_vector_product(x, np.full(len(x), 0.1)), 0)


@given(vectors(-30, 30), st.data())
def test_the_entries_of_a_product_add_up_to_zero(x, data):
    v = np.array(data.draw(st.lists(st.integers(-8, 8), min_size=len(x), max_size=len(x))), float)
    total = np.sum(hessian_vector_product(x, v))
    assert abs(total) <= 16 * 2 * 80 * FP64.unit_roundoff  # |w| <= 16, and up to 80 roundings


def second_derivatives(loss, x, v, label):
    """Return the product by two backward passes through a loss, for one sample."""
    torch = pytest.importorskip("torch")
    x, v = torch.tensor(x, requires_grad=True), torch.tensor(v)
    (gradient,) = torch.autograd.grad(loss(x, torch.tensor(label)), x, create_graph=True)
    return torch.autograd.grad(gradient @ v, x)[0].numpy()


RUNGS = [cross_entropy_shifted, cross_entropy_log1p, cross_entropy_twosum, cross_entropy_wider]


@pytest.mark.parametrize("loss", [*RUNGS, cross_entropy_from_logsumexp])
@pytest.mark.parametrize("gap", [0.5, 5.0, 17.0, 30.0, 60.0])
@pytest.mark.parametrize("label", [0, 1])
def test_two_passes_through_every_rung_find_the_product(loss, gap, label):
    x, v = np.float32([gap, 0]), np.float32([1, 0])
    exact = hessian_vector_product_exact(x, v)
    # The same few factors as in the product itself, each rounded, in another order.
    assert np.all(ulp_error(second_derivatives(loss, x, v, label), exact) <= 8)


@pytest.mark.parametrize("loss", RUNGS)
def test_two_passes_through_every_rung_agree_on_ordinary_rows(loss):
    x, v = products(FP32)
    for row, vector in zip(x, v, strict=True):
        exact = hessian_vector_product_exact(row, vector, dtype=FP64)
        error = absolute_error(second_derivatives(loss, row, vector, 0), exact)
        # p (v - sum(p v)) with |v| < 4 and p right to 32 u: as for the gradient, times |v|
        assert np.max(error) <= 4 * 64 * FP32.unit_roundoff


def test_the_second_derivative_of_the_logarithm_of_softmax_fails_at_half_the_gap_of_the_first():
    v = np.float32([1, 0])
    # 1 / p**2 overflows where p < 2**-64, at a gap of 44.4; 1 / p at 88.7
    for gap, finite in [(44.0, True), (45.0, False)]:
        found = second_derivatives(cross_entropy_two_step, np.float32([gap, 0]), v, 1)
        assert np.isfinite(found).all() == finite
        assert autograd(cross_entropy_two_step, np.float32([gap, 0]), 1)[1] == [1, -1]
    lost = second_derivatives(cross_entropy_two_step, np.float32([17, 0]), v, 1)
    assert np.all(np.abs(lost) < 1e-9)
    assert hessian_vector_product_exact([17, 0], [1, 0])[0] > 4e-8


def test_the_epsilon_loss_of_a_wrong_sample_is_curved_to_the_wrong_side():
    found = second_derivatives(cross_entropy_epsilon, np.float32([45, 0]), np.float32([1, 0]), 1)
    assert found[0] < 0 < hessian_vector_product_exact([45, 0], [1, 0])[0]


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_a_product_is_taken_along_any_axis(axis):
    x, v = np.random.default_rng(0).normal(size=(2, 3, 3, 3))
    last = hessian_vector_product(np.moveaxis(x, axis, -1), np.moveaxis(v, axis, -1))
    here = hessian_vector_product(x, v, axis=axis)
    np.testing.assert_allclose(np.moveaxis(here, axis, -1), last, rtol=1e-12)
    exact = hessian_vector_product_exact(x, v, axis=axis)
    np.testing.assert_allclose(here, exact, atol=40 * FP64.unit_roundoff)


PRODUCTS = [  # row, vector, product
    ([0.0, -INF], [1.0, 2.0], [0, 0]),
    ([0.0, 0.0, -INF], [1.0, 0.0, 5.0], [0.25, -0.25, 0]),
    ([INF, 0.0], [1.0, 2.0], [NAN, NAN]),
    ([-INF, -INF], [1.0, 2.0], [NAN, NAN]),
    ([NAN, 0.0], [1.0, 2.0], [NAN, NAN]),
    ([5.0], [3.0], [0]),
    ([0.0, 0.0], [0.0, -0.0], [0, 0]),
]


@pytest.mark.parametrize("product", [hessian_vector_product, hessian_vector_product_exact])
@pytest.mark.parametrize(("row", "vector", "want"), PRODUCTS)
def test_special_rows_of_the_product(product, row, vector, want):
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(product(row, vector), want)


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
@pytest.mark.parametrize("x", [[0.0, 1, 2], [0.0, -INF, 1], [0, -800, 1]])
def test_a_vector_that_is_not_finite_spoils_its_whole_row_and_no_other(x, bad):
    for place in range(3):
        v = np.ones((2, 3))
        v[0, place] = bad
        with np.errstate(invalid="ignore"):
            got = hessian_vector_product([x, x], v)
        assert not np.isfinite(got[0]).any()
        assert np.isfinite(got[1]).all()
        assert np.isnan(hessian_vector_product_exact([x], v[:1])).all()


@pytest.mark.parametrize("product", [hessian_vector_product, hessian_vector_product_exact])
def test_wrong_arguments_of_the_product_are_refused(product):
    with pytest.raises(ValueError, match=r"v must have the shape of x, \(2, 3\), not \(3,\)"):
        product(np.zeros((2, 3)), [1, 2, 3])
    with pytest.raises(TypeError, match="v must hold real numbers"):
        product([0.0, 1.0], [1j, 0])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        product([0j, 1.0], [1, 0])
    with pytest.raises(TypeError, match="axis must be one int"):
        product(np.zeros((2, 3)), np.zeros((2, 3)), axis=None)
    with pytest.raises(ValueError, match="no class"):
        product(np.zeros((2, 0)), np.zeros((2, 0)))
    assert product(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 3)


def test_the_vector_may_come_from_another_library_and_is_not_changed():
    torch = pytest.importorskip("torch")
    x, v = torch.tensor([1.0, 0.0]), np.array([1.0, 0.0])
    got = hessian_vector_product(x, v)
    assert (got.dtype, v.tolist()) == (torch.float32, [1, 0])
    np.testing.assert_allclose(got, hessian_vector_product([1.0, 0.0], x.new_tensor(v)), rtol=1e-6)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_product_has_the_format_of_the_logits(fmt):
    x = np.zeros((2, 3), fmt.dtype)
    assert hessian_vector_product(x, np.ones((2, 3))).dtype == fmt.dtype
    assert hessian_vector_product_exact(x, np.ones((2, 3))).dtype == fmt.dtype


def test_the_gradient_of_a_squared_gradient_norm_is_a_product():
    torch = pytest.importorskip("torch")
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(cross_entropy_log1p(x, 1), x, create_graph=True)
    (found,) = torch.autograd.grad((gradient**2).sum() / 2, x)
    ours = hessian_vector_product(x.detach(), gradient.detach())
    np.testing.assert_allclose(found, ours, atol=40 * FP64.unit_roundoff)


def test_the_norm_of_a_small_gradient_has_no_derivative_in_float32():
    # its squares underflow, and the root has an infinite slope at 0
    torch = pytest.importorskip("torch")
    x = torch.tensor([60.0, 0.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(cross_entropy_log1p(x, 0), x, create_graph=True)
    assert torch.all(gradient != 0)
    (found,) = torch.autograd.grad((gradient**2).sum().sqrt(), x, retain_graph=True)
    assert torch.isnan(found).all()
    (found,) = torch.autograd.grad((gradient**2).sum(), x)
    assert found.tolist() == [0, 0]
