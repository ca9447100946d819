import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    BF16,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FP64,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_log1p,
    cross_entropy_shifted,
    log_softmax_exact,
    softmax_exact,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.libraries.autograd import loss_and_gradient
from stable_softmax.special_values import (
    cross_entropy_soft,
    log_or_zero,
    log_or_zero_naive,
    mean_cross_entropy,
    softmax_added,
    softmax_filled,
    softmax_masked,
    softmax_masked_late,
)
from tests.cases import INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
MASKED = [softmax_filled, softmax_added, softmax_masked, softmax_masked_late]
NONE = np.zeros(3, dtype=bool)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_the_masked_softmax_is_the_softmax_of_the_other_classes(fmt):
    x = ordinary_logits(fmt)
    mask = np.random.default_rng(1).random(x.shape) < 0.7
    mask[:, 0] = True
    exact = softmax_exact(np.where(mask, x.astype(float), -INF), dtype=FP64)
    p = softmax_masked(x, mask)
    assert p.dtype == fmt.dtype
    assert np.all(p[~mask] == 0)
    # n + 2 + 2 (max - min) <= 12 + 2 * 7 u for the shifted softmax, Blanchard et al. 2021
    assert np.max(ulp_error(p, exact)) <= 32


@given(vectors(), st.data())
def test_masked_logits_have_no_influence(x, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=x.size, max_size=x.size)))
    replaced = np.where(mask, x, data.draw(st.sampled_from([NAN, INF, -INF, 1e308])))
    np.testing.assert_array_equal(softmax_masked(replaced, mask), softmax_masked(x, mask))


@given(vectors())
def test_without_a_masked_class_it_is_the_shifted_softmax_and_the_argument_stays(x):
    before, mask = x.copy(), np.ones(x.shape, dtype=bool)
    for softmax in MASKED:
        np.testing.assert_array_equal(softmax(x, mask), softmax_shifted(x))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("x", "want"),
    [
        ([1.0, 2.0, 3.0], [0, 0, 0]),  # all masked
        ([NAN, INF, -INF], [0, 0, 0]),
    ],
)
def test_a_row_without_a_class_is_zero(x, want):
    np.testing.assert_array_equal(softmax_masked(x, NONE), want)


def test_a_row_of_minus_infinity_is_a_row_without_a_class():
    np.testing.assert_array_equal(softmax_masked([-INF, -INF], [True, True]), [0, 0])


@pytest.mark.parametrize("special", [NAN, INF])
def test_nan_and_infinity_at_a_class_that_takes_part_fill_the_row(special):
    with np.errstate(invalid="ignore"):
        p = softmax_masked([[special, 0.0, 1.0], [1.0, 2.0, 3.0]], [True, True, False])
    assert np.all(np.isnan(p[0]))
    assert np.all(np.isfinite(p[1]))


@pytest.mark.parametrize("axis", [0, -1, (0, 1), None])
def test_the_axis_has_the_meaning_of_numpy(axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    mask = x > -0.5
    sums = np.sum(softmax_masked(x, mask, axis=axis), axis=axis)
    np.testing.assert_allclose(sums, 1, atol=16 * FP64.unit_roundoff)
    late = softmax_masked_late(x, mask, axis=axis)
    np.testing.assert_array_equal(late, softmax_masked(x, mask, axis=axis))


def test_e4m3_has_no_infinity_to_mask_with_but_float32_has():
    x = np.array([1.0, 2.0, 3.0]).astype(E4M3.dtype)
    mask = [True, True, False]
    assert np.all(np.isnan(softmax_filled(x, mask, -INF).astype(float)))
    np.testing.assert_array_equal(
        softmax_masked(x, mask), softmax_masked([1.0, 2.0, 3.0], mask).astype(E4M3.dtype)
    )


@pytest.mark.parametrize("softmax", MASKED)
@pytest.mark.parametrize("mask", [[1, 1, 0], [0.0, 0.0, -INF]])
def test_a_mask_that_is_not_boolean_is_refused(softmax, mask):
    # 0 and -inf to be added would mean the opposite
    with pytest.raises(TypeError, match="boolean"):
        softmax([1.0, 2.0, 3.0], mask)


@pytest.mark.parametrize("softmax", MASKED)
def test_an_empty_row_is_refused(softmax):
    with pytest.raises(ValueError, match="no class"):
        softmax(np.zeros((2, 0)), np.zeros((2, 0), dtype=bool))


@pytest.mark.parametrize(
    ("softmax", "fill", "want"),
    [
        (softmax_filled, -1e4, 1 / 3),
        (softmax_filled, -INF, NAN),
        (softmax_added, -1e9, 1 / 3),
        (softmax_added, -INF, NAN),
        (softmax_added, -FP32.largest, 1 / 3),
    ],
)
def test_a_fully_masked_row_under_a_number(softmax, fill, want):
    x = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    with np.errstate(invalid="ignore"):
        p = softmax(x, NONE, fill)
    np.testing.assert_allclose(p, np.full(3, want), atol=FP32.unit_roundoff)


def test_the_most_negative_number_added_twice_is_minus_infinity():
    x = np.float32([1.0, 2.0, 3.0])
    with np.errstate(over="ignore", invalid="ignore"):
        p = softmax_added(x + np.float32(-FP32.largest), NONE, -FP32.largest)
    assert np.all(np.isnan(p))


def test_float16_has_no_minus_1e9():
    x = np.float16([1.0, 2.0, 3.0])
    with pytest.warns(RuntimeWarning, match="overflow"):
        p = softmax_filled(x, [True, True, False], -1e9)
    np.testing.assert_array_equal(p, softmax_filled(x, [True, True, False], -INF))


@needs_torch
@pytest.mark.parametrize("x", [[1.0, 2.0, 3.0], [NAN, 2.0, 3.0], [-INF, 2.0, 3.0]])
@pytest.mark.parametrize("mask", [[False, True, True], [False, False, False]])
def test_the_gradient_of_the_masked_softmax_is_finite_and_right(x, mask):
    _, gradient = loss_and_gradient(lambda x, mask: softmax_masked(x, mask)[..., 1], x, mask)
    p = softmax_exact(np.where(mask, x, -INF)) if any(mask) else np.zeros(3)
    want = p[1] * ((np.arange(3) == 1) - p)
    np.testing.assert_allclose(gradient, want, atol=8 * FP64.unit_roundoff)


@needs_torch
def test_the_late_replacement_has_a_nan_gradient_and_the_same_value():
    def first(softmax):
        return loss_and_gradient(lambda x, mask: softmax(x, mask)[0], [1.0, 2.0, 3.0], NONE)

    value, gradient = first(softmax_masked_late)
    assert value == 0
    assert np.all(np.isnan(gradient))
    value, gradient = first(softmax_masked)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@needs_torch
def test_a_mask_by_where_stops_the_nan_on_its_way_to_the_logits():
    def late(x, mask):
        p = softmax_filled(x, mask, -INF)
        return p.where(mask.any(), p.new_zeros(()))[0]

    value, gradient = loss_and_gradient(late, [1.0, 2.0, 3.0], NONE)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_the_logarithm_or_zero():
    x = np.array([0.0, -1.0, NAN, 2.0, INF])
    want = [0, 0, 0, np.log(2), INF]
    np.testing.assert_array_equal(log_or_zero(x), want)
    with pytest.warns(RuntimeWarning, match="log"):
        np.testing.assert_array_equal(log_or_zero_naive(x), want)


@needs_torch
@pytest.mark.parametrize(("f", "at_zero"), [(log_or_zero_naive, NAN), (log_or_zero, 0)])
def test_the_gradient_of_the_logarithm_or_zero(f, at_zero):
    _, gradient = loss_and_gradient(lambda x, _: f(x), [0.0, 2.0], 0)
    np.testing.assert_array_equal(gradient, [at_zero, 0.5])


BATCH = np.array([[1.0, 3.0, 2.0], [300.0, 0.0, -300.0], [0.0, 0.5, 0.0]])


@pytest.mark.parametrize("special", [NAN, INF, -INF, 1e308])
def test_an_ignored_sample_may_hold_anything(special):
    x, kept = BATCH.copy(), [0, 2]
    x[1] = special
    exact = np.mean(cross_entropy_exact(BATCH[kept], [1, 0]))
    assert ulp_error(mean_cross_entropy(x, [1, -100, 0]), exact) <= 4
    assert ulp_error(mean_cross_entropy(x.T, [1, 7, 0], ignore_label=7, axis=0), exact) <= 4


def test_a_sample_that_counts_may_make_the_mean_nan_or_infinite():
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(mean_cross_entropy([[NAN, 0.0], [1.0, 0.0]], [0, 0]))
    assert mean_cross_entropy([[-INF, 0.0], [1.0, 0.0]], [0, 0]) == INF


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_the_mean_over_no_sample_is_zero_in_the_format_of_the_logits(fmt):
    for x, labels in [
        (np.zeros((2, 3), fmt.dtype), [-100, -100]),
        (np.zeros((0, 3), fmt.dtype), []),
    ]:
        mean = mean_cross_entropy(x, labels)
        assert mean == 0
        assert mean.dtype == fmt.dtype


def test_one_sample_without_a_batch_is_its_own_mean():
    assert mean_cross_entropy([1.0, 2.0], 1) == cross_entropy_log1p([1.0, 2.0], 1)
    assert mean_cross_entropy([1.0, 2.0], -100) == 0


def test_the_float16_mean_of_many_samples_is_right():
    # 65520 is infinite in float16; NumPy divides in float32
    x, labels = np.zeros((65520, 2), FP16.dtype), np.zeros(65520, dtype=int)
    assert abs(float(mean_cross_entropy(x, labels)) - np.log(2)) <= 2 * FP16.unit_roundoff


@pytest.mark.parametrize("labels", [[0, 3, -100], [0, -1, -100]])
def test_a_label_that_does_not_exist_is_refused(labels):
    with pytest.raises(ValueError, match="labels must lie in"):
        mean_cross_entropy(BATCH, labels)


def test_labels_of_a_wrong_type_or_shape_are_refused():
    with pytest.raises(TypeError, match="integer"):
        mean_cross_entropy(BATCH, [0.0, 1.0, -100.0])
    with pytest.raises(TypeError, match="integer"):
        mean_cross_entropy(BATCH, [True, False, True])
    with pytest.raises(ValueError, match="shape"):
        mean_cross_entropy(BATCH, [0, 1])


@needs_torch
@pytest.mark.parametrize("labels", [[1, -100, 0], [-100, -100, -100]])
def test_the_gradient_of_the_mean_is_zero_at_ignored_samples(labels):
    x = BATCH.copy()
    x[1] = NAN
    _, gradient = loss_and_gradient(mean_cross_entropy, x, labels)
    kept = np.array(labels) != -100
    want = np.zeros_like(x)
    if kept.any():
        of_each = cross_entropy_gradient_exact(x[kept], np.array(labels)[kept])
        want[kept] = of_each / np.sum(kept)
    np.testing.assert_allclose(gradient, want, atol=8 * FP64.unit_roundoff)


def test_soft_targets_that_are_one_hot_give_the_loss_of_the_label():
    x = ordinary_logits(FP32)
    labels = np.arange(len(x)) % x.shape[1]
    loss = cross_entropy_soft(x, np.eye(x.shape[1])[labels])
    np.testing.assert_array_equal(loss, cross_entropy_log1p(x, labels))
    np.testing.assert_array_equal(cross_entropy_soft(x.T, np.eye(10)[labels].T, axis=0), loss)


def test_soft_targets_against_exact_log_probabilities():
    x = np.array(ordinary_logits(FP64))
    targets = softmax_shifted(np.roll(x, 1, axis=0))
    exact = -np.sum(targets * log_softmax_exact(x), axis=-1)
    # ten products of one sign, each wrong by a few roundings
    assert np.max(ulp_error(cross_entropy_soft(x, targets), exact)) <= 16


@pytest.mark.parametrize(
    ("x", "targets", "want"),
    [
        ([0.0, -INF], [1.0, 0.0], 0),
        ([0.0, -INF], [0.95, 0.05], INF),
        ([0.0, 0.0, -INF], [0.5, 0.5, 0.0], np.log(2)),
        ([-INF, -INF], [0.0, 0.0], 0),
        ([-INF, -INF], [1.0, 0.0], NAN),
        ([NAN, 0.0], [0.0, 1.0], NAN),
        ([INF, 0.0], [1.0, 0.0], NAN),
        ([5.0], [1.0], 0),
    ],
)
def test_special_values_with_soft_targets(x, targets, want):
    with np.errstate(invalid="ignore", divide="ignore"):
        loss = cross_entropy_soft(x, targets)
    np.testing.assert_allclose(loss, want, rtol=4 * FP64.unit_roundoff)


def test_no_samples_have_no_losses_and_wrong_targets_are_refused():
    assert cross_entropy_soft(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match="targets must have the shape"):
        cross_entropy_soft([[0.0, 1.0]], [1.0, 0.0])


@needs_torch
def test_the_gradient_of_the_soft_loss_is_finite_beside_a_masked_class():
    x, targets = [0.0, 1.0, -INF], [1.0, 0.0, 0.0]
    _, gradient = loss_and_gradient(cross_entropy_soft, x, targets)
    want = softmax_exact(x) - targets
    np.testing.assert_allclose(gradient, want, atol=8 * FP64.unit_roundoff)


@needs_torch
@pytest.mark.parametrize("loss", [cross_entropy_shifted, cross_entropy_log1p])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_the_gradients_of_our_losses_are_finite_beside_a_masked_class(loss, label):
    x = [0.0, 1.0, -INF]
    _, gradient = loss_and_gradient(loss, x, label)
    want = softmax_exact(x) - (np.arange(3) == label)
    np.testing.assert_allclose(gradient, want, atol=8 * FP64.unit_roundoff)


#: Sums were formed in these formats (jax-ml/ml_dtypes issue 63, google-research/last pull 43).
SHORT = [FP16, BF16, E5M2, E4M3]


@pytest.mark.parametrize("fmt", SHORT, ids=str)
def test_a_mean_over_many_samples_is_right_in_every_short_format(fmt):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(4096, 10)).astype(fmt.dtype), rng.integers(0, 10, 4096)
    exact = np.mean(cross_entropy_exact(x, labels, dtype=FP64))
    assert ulp_error(mean_cross_entropy(x, labels), exact) <= 0.51  # once rounded, from float32
    tied = np.zeros((20000, 2), fmt.dtype)
    assert ulp_error(mean_cross_entropy(tied, np.zeros(20000, int)), np.log(2)) <= 0.51


@pytest.mark.parametrize("n", [255, 1000, 65536, 70000])
@pytest.mark.parametrize("fmt", SHORT, ids=str)
def test_a_long_flat_row_is_right_in_every_short_format(fmt, n):
    x, every = np.zeros(n, fmt.dtype), np.ones(n, dtype=bool)
    assert ulp_error(softmax_masked(x, every)[0], 1 / n) <= 0.51
    assert ulp_error(cross_entropy_soft(x, np.full(n, 1 / n)), np.log(n)) <= 0.51
    assert ulp_error(mean_cross_entropy(x, 0), np.log(n)) <= 0.51
    assert softmax_masked(x, every).dtype == cross_entropy_soft(x, x).dtype == x.dtype


@needs_torch
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_long_flat_row_is_right_in_pytorch(dtype):
    import torch

    x = torch.zeros(70000, dtype=getattr(torch, dtype), requires_grad=True)
    loss = mean_cross_entropy(x, 0)
    loss.backward()
    assert loss.dtype == x.dtype
    assert (
        ulp_error(
            loss.detach().float().numpy().astype(dtype if dtype == "float16" else BF16.dtype),
            np.log(70000),
        )
        <= 0.51
    )
    assert x.grad[0] == -1
    assert x.grad[1] > 0


def test_a_mean_over_a_large_batch_counts_all_samples():
    x = np.zeros((2**18, 2), np.float16)
    labels = np.where(np.arange(2**18) % 4 == 0, -100, 1)
    assert ulp_error(mean_cross_entropy(x, labels), np.log(2)) <= 0.51


def test_hidden_entries_are_refused_by_every_function():
    hidden = np.ma.array([[5.0, 0, 0], [0, 0, 0]], mask=[[1, 0, 0], [0, 0, 0]])
    labels = np.ma.array([2, 1], mask=[1, 0])
    for f in (
        lambda: softmax_masked(hidden, [True] * 3),
        lambda: softmax_masked(hidden.data, np.ma.array([True] * 3, mask=[0, 1, 0])),
        lambda: mean_cross_entropy(hidden.data, labels),
        lambda: mean_cross_entropy(hidden, [2, 1]),
        lambda: cross_entropy_soft(hidden.data, hidden),
    ):
        with pytest.raises(TypeError, match="hides entries behind a mask"):
            f()


@pytest.mark.parametrize("mask", [[True, False, True], [[True], [True]], True])
def test_every_function_broadcasts_its_mask(mask):
    x = np.arange(6.0).reshape(2, 3)
    for softmax in MASKED:
        whole = np.broadcast_to(mask, x.shape)
        np.testing.assert_array_equal(softmax(x, mask), softmax(x, whole))


def test_options_are_checked():
    x, labels = np.zeros((2, 3)), [0, 1]
    for fill in (None, "a", 1j):
        with pytest.raises(TypeError, match="fill must be a real number"):
            softmax_filled(x, [True] * 3, fill)
        with pytest.raises(TypeError, match="fill must be a real number"):
            softmax_added(x, [True] * 3, fill)
    for ignored in (None, "a", 0.5):
        with pytest.raises(TypeError, match="ignore_label must be an integer"):
            mean_cross_entropy(x, labels, ignored)
    with pytest.raises(TypeError, match="labels must be integer class indices, not None"):
        mean_cross_entropy(x, None)
    with pytest.raises(TypeError, match="targets must hold real numbers"):
        cross_entropy_soft(x, np.full((2, 3), 1j))


def test_an_unsigned_label_is_not_a_negative_one():
    labels = np.array([2**64 - 100, 0], np.uint64)
    with pytest.raises(ValueError, match="but hold 18446744073709551516"):
        mean_cross_entropy(np.zeros((2, 3)), labels)


@needs_torch
def test_masks_labels_and_targets_follow_the_logits_to_their_device():
    import torch

    x = torch.zeros((2, 3), device="meta")
    for beside in (np.asarray, torch.tensor):
        assert softmax_masked(x, beside([True, False, True])).device == x.device
        assert mean_cross_entropy(x, beside([0, -100])).device == x.device
        assert cross_entropy_soft(x, beside(np.full((2, 3), 1 / 3))).device == x.device
