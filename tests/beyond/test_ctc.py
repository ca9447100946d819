import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import FP32, FP64
from stable_softmax.beyond.ctc import ctc_gradient, ctc_loss
from stable_softmax.measure.exact_sequences import ctc_exact
from tests.cases import INF, NAN

LABELS = [[], [1], [1, 2], [1, 1], [2, 1, 1, 3], [1, 2, 3, 2, 1, 1]]
each_text = pytest.mark.parametrize("labels", LABELS, ids=str)


def logits(steps, classes=4, scale=3, seed=0, dtype=np.float64):
    return (scale * np.random.default_rng(seed).normal(size=(steps, classes))).astype(dtype)


def imported(library):
    return pytest.importorskip(library, reason=f"{library} is not installed here")


def of_torch(x, labels, blank=0):
    """PyTorch's loss and gradient with respect to the logits."""
    torch = imported("torch")
    z = torch.tensor(x, requires_grad=True)
    log_p = z.log_softmax(-1)
    text = torch.tensor(labels, dtype=torch.int64)
    lengths = torch.tensor([len(x)]), torch.tensor([len(labels)])
    loss = torch.nn.functional.ctc_loss(
        log_p[:, None], text[None], *lengths, blank=blank, reduction="sum"
    )
    return loss.item(), torch.autograd.grad(loss, z)[0].numpy()


def spelled(path, blank=0):
    merged = [k for k, _ in itertools.groupby(path)]
    return [k for k in merged if k != blank]


# Against every path, exact values and PyTorch


@each_text
def test_the_loss_is_that_of_all_paths_that_spell_the_labels(labels):
    x = logits(6)
    p = np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
    paths = [path for path in itertools.product(range(4), repeat=6) if spelled(path) == labels]
    total = sum(np.prod(p[range(6), path]) for path in paths)
    if total == 0:
        assert ctc_loss(x, labels) == ctc_exact(x, labels)[0] == INF
    else:
        assert ctc_loss(x, labels) == pytest.approx(-np.log(total), rel=1e-14)
        assert ctc_exact(x, labels)[0] == pytest.approx(-np.log(total), rel=1e-14)


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
@pytest.mark.parametrize("scale", [0.1, 3, 30])
def test_loss_and_gradient_are_near_the_exact_values(scale, fmt):
    # A step rounds the log-probability of a class, of size up to 6 * scale, the log-sum-exp of
    # three, the sum and the shift, of that size as well: 4 * 6 * scale + 20 u. All 40 steps
    # together are an absolute error of the loss, and of the logarithm of a share in the gradient.
    x, labels = logits(40, scale=scale, dtype=fmt.dtype), [1, 2, 2, 3, 1, 3]
    loss, gradient = ctc_exact(x, labels)
    bound = 40 * (24 * scale + 20) * fmt.unit_roundoff
    assert abs(ctc_loss(x, labels) - loss) <= bound
    assert np.max(np.abs(ctc_gradient(x, labels) - gradient)) <= 2 * bound
    assert ctc_loss(x, labels).dtype == ctc_gradient(x, labels).dtype == fmt.dtype


@each_text
@pytest.mark.parametrize("blank", [0, 3])
def test_it_agrees_with_pytorch_where_that_is_right(labels, blank):
    x = logits(9)
    labels = [(k + blank) % 4 for k in labels]
    loss, gradient = of_torch(x, labels, blank)
    assert ctc_loss(x, labels, blank) == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(ctc_gradient(x, labels, blank), gradient, atol=1e-13)


@given(st.integers(1, 9), st.lists(st.integers(1, 3), max_size=5), st.integers(0, 1000))
def test_it_agrees_with_the_exact_values_for_any_text(steps, labels, seed):
    x = logits(steps, seed=seed)
    loss, gradient = ctc_exact(x, labels)
    np.testing.assert_allclose(ctc_loss(x, labels), loss, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(ctc_gradient(x, labels), gradient, atol=1e-13)


@pytest.mark.parametrize("steps", [300, 1000])
def test_long_texts_keep_the_digits_that_pytorch_loses(steps):
    x = logits(steps, 20, dtype=np.float32)
    labels = np.random.default_rng(1).integers(1, 20, steps // 10)
    right = ctc_gradient(x.astype(np.float64), labels)
    theirs, ours = of_torch(x, labels)[1], ctc_gradient(x, labels)
    error = [np.linalg.norm(g - right) / np.linalg.norm(right) for g in (theirs, ours)]
    assert error[1] < 1e-4
    assert error[0] > 10 * error[1]  # measured: 60 times at 300 steps, 300 times at 1000


def test_the_float64_gradient_of_a_long_text_serves_as_the_exact_one():
    x = logits(120, 5, dtype=np.float32).astype(np.float64)
    labels = np.random.default_rng(1).integers(1, 5, 12)
    loss, gradient = ctc_exact(x, labels)
    # 120 steps as in the bound above, with a scale of 3
    assert np.max(np.abs(ctc_gradient(x, labels) - gradient)) <= 2 * 120 * 92 * FP64.unit_roundoff
    assert abs(ctc_loss(x, labels) - loss) <= 120 * 92 * FP64.unit_roundoff


@each_text
def test_each_row_of_the_gradient_sums_to_0(labels):
    gradient = ctc_gradient(logits(9), labels)
    np.testing.assert_allclose(np.sum(gradient, axis=-1), 0, atol=1e-15)


@each_text
def test_autograd_finds_the_same_gradient(labels):
    torch = imported("torch")
    x = torch.tensor(logits(9), requires_grad=True)
    (gradient,) = torch.autograd.grad(ctc_loss(x, labels), x)
    np.testing.assert_allclose(gradient.numpy(), ctc_gradient(logits(9), labels), atol=1e-14)


# Edges


def test_without_labels_the_loss_is_that_of_blanks():
    x = logits(5)
    log_p = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    assert ctc_loss(x, []) == pytest.approx(-np.sum(log_p[:, 0]), rel=1e-14)


def test_two_equal_labels_need_a_blank_between_them():
    x = logits(3)
    assert np.isfinite(ctc_loss(x, [1, 1]))
    assert ctc_loss(x[:2], [1, 1]) == INF
    assert np.isfinite(ctc_loss(x[:2], [1, 2]))


def test_a_text_that_is_too_long_has_the_loss_inf_and_the_gradient_nan_without_a_warning():
    assert ctc_loss(logits(2), [1, 2, 3]) == INF
    assert np.all(np.isnan(ctc_gradient(logits(2), [1, 2, 3])))
    assert of_torch(logits(2), [1, 2, 3])[0] == INF


def test_a_class_that_is_masked_everywhere_has_no_share():
    x = logits(6)
    x[:, 3] = -INF
    assert ctc_loss(x, [1, 2]) == pytest.approx(ctc_loss(x[:, :3], [1, 2]), rel=1e-14)
    np.testing.assert_array_equal(ctc_gradient(x, [1, 2])[:, 3], 0)
    assert ctc_loss(x, [1, 3]) == INF


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("row", [[NAN, 0, 0, 0], [INF, 0, 0, 0], [-INF] * 4])
def test_a_row_without_a_softmax_makes_the_result_nan(row):
    x = logits(6)
    x[2] = row
    assert np.isnan(ctc_loss(x, [1]))
    assert np.all(np.isnan(ctc_gradient(x, [1])[2]))


def test_an_offset_that_is_exact_changes_nothing():
    x = np.random.default_rng(0).integers(-40, 40, (8, 4)) / 8
    assert ctc_loss(x + 1024, [1, 2]) == ctc_loss(x, [1, 2])
    np.testing.assert_array_equal(ctc_gradient(x + 1024, [1, 2]), ctc_gradient(x, [1, 2]))


def test_a_nearly_certain_text_is_right_to_a_few_units_of_roundoff():
    # optax issue 1771: the loss came out below 0; right is 1.7e-15
    x = np.float32([[0, 17], [0, 17]])
    assert ctc_exact(x, [1])[0] == pytest.approx(1.7139e-15, rel=1e-4)
    assert abs(ctc_loss(x, [1])) <= 2 * FP32.unit_roundoff


# Arguments


def test_leading_axes_are_a_batch():
    x = np.stack([logits(6, seed=s) for s in range(6)]).reshape(2, 3, 6, 4)
    labels = np.random.default_rng(0).integers(1, 4, (2, 3, 2))
    loss, gradient = ctc_loss(x, labels), ctc_gradient(x, labels)
    assert loss.shape == (2, 3) and gradient.shape == x.shape
    for i, j in np.ndindex(2, 3):
        assert loss[i, j] == pytest.approx(ctc_loss(x[i, j], labels[i, j]), rel=1e-15)
        np.testing.assert_allclose(gradient[i, j], ctc_gradient(x[i, j], labels[i, j]), atol=1e-16)


def test_short_formats_are_computed_in_float32():
    x = logits(6, dtype=np.float16)
    assert ctc_loss(x, [1]).dtype == np.float32
    assert ctc_gradient(x, [1]).dtype == np.float32
    assert ctc_loss(x, [1]) == ctc_loss(x.astype(np.float32), [1])


@pytest.mark.parametrize("f", [ctc_loss, ctc_gradient])
@pytest.mark.parametrize(
    ("x", "labels", "blank", "error", "message"),
    [
        ([1.0, 2.0], [1], 0, ValueError, "steps, classes"),
        (np.zeros((0, 3)), [1], 0, ValueError, "at least one step"),
        (np.zeros((3, 0)), [], 0, ValueError, "no class"),
        (logits(3), [4], 0, ValueError, r"labels must lie in 0 \.\. 3"),
        (logits(3), [-1], 0, ValueError, r"labels must lie in 0 \.\. 3"),
        (logits(3), [1, 0], 0, ValueError, "labels must not hold the blank, 0"),
        (logits(3), [1.0], 0, TypeError, "labels must be integer"),
        (logits(3), 1, 0, ValueError, r"labels must have the shape \(\.\.\., length\)"),
        (logits(3), [[1]], 0, ValueError, "labels has shape"),
        (logits(3), [1], 4, ValueError, r"blank must lie in 0 \.\. 3, not 4"),
        (logits(3), [1], -1, ValueError, r"blank must lie in 0 \.\. 3, not -1"),
        (logits(3), [1], 0.0, TypeError, "blank must be one class, an int, not 0.0"),
        (logits(3), [0], True, TypeError, "blank must be one class"),
        (logits(3) * 1j, [1], 0, TypeError, "real numbers"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(f, x, labels, blank, error, message):
    with pytest.raises(error, match=message):
        f(x, labels, blank)


@pytest.mark.parametrize("library", ["torch", "array_api_strict", "jax.numpy"])
def test_every_library_gives_the_same_numbers(library):
    xp = imported(library)
    x, labels = logits(6, dtype=np.float32), np.array([1, 2])
    theirs = xp.asarray(x), xp.asarray(labels)
    bound = 6 * 92 * FP32.unit_roundoff  # both within that of the exact values, as above
    assert abs(float(ctc_loss(*theirs)) - ctc_loss(x, labels)) <= 2 * bound
    got = np.asarray(ctc_gradient(*theirs))
    assert np.max(np.abs(got - ctc_gradient(x, labels))) <= 4 * bound


def test_a_traced_text_is_not_read():
    jax = imported("jax")
    x, labels = logits(6, dtype=np.float32), np.array([1, 2])
    got = float(jax.jit(ctc_loss)(jax.numpy.asarray(x), jax.numpy.asarray(labels)))
    assert got == pytest.approx(float(ctc_loss(x, labels)), rel=1e-5)


def test_dask_is_refused_with_what_to_do():
    dask = imported("dask.array")
    with pytest.raises(TypeError, match=r"give x\.compute\(\)"):
        ctc_loss(dask.from_array(logits(6)), [1])


def test_arguments_are_not_changed():
    x, labels = logits(6), np.array([1, 2])
    ctc_gradient(x, labels)
    np.testing.assert_array_equal(x, logits(6))
    np.testing.assert_array_equal(labels, [1, 2])
