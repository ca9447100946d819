from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import FP64
from stable_softmax.network import count_parameters, forward, initial_parameters, relu
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN

SIZES = [10, 7, 5]


def network(seed=0, sizes=SIZES, bias=True):
    rng = np.random.default_rng(seed)
    layers = initial_parameters(sizes, rng)
    return [(W, rng.normal(size=b.shape) if bias else b) for W, b in layers]


def rounded(parameters, fmt):
    return [(W.astype(fmt.dtype), b.astype(fmt.dtype)) for W, b in parameters]


def samples(fmt=FP64, count=6):
    return np.random.default_rng(1).normal(size=(count, SIZES[0])).astype(fmt.dtype)


def exact_logits(parameters, sample):
    """Return the logits as fractions: sums, products and ReLU leave no remainder."""
    values = [Fraction(float(v)) for v in sample]
    for i, (W, b) in enumerate(parameters):
        rows = zip(W.astype(float).tolist(), b.astype(float).tolist(), strict=True)
        values = [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(bias))
            for row, bias in rows
        ]
        if i < len(parameters) - 1:
            values = [max(Fraction(0), v) for v in values]
    return values


def rounding_bound(parameters, sample, fmt):
    """Return the largest error of each logit: one u for each of the k + 1 operations of a layer.

    The errors are relative to the sums of absolute values; ReLU makes no error larger. The second
    term is for products below the normal range.
    """
    size, operations = np.abs(sample.astype(float)), 0
    for W, b in parameters:
        size = np.abs(W.astype(float)) @ size + np.abs(b.astype(float))
        operations += W.shape[1] + 2
    share = operations * fmt.unit_roundoff
    return share / (1 - share) * size + operations**2 * fmt.smallest_subnormal


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_logits_are_within_the_rounding_bound_of_exact_rational_arithmetic(fmt):
    parameters = rounded(network(), fmt)
    inputs = samples(fmt)
    logits = forward(parameters, inputs)[-1].astype(float)
    for row, sample in zip(logits, inputs, strict=True):
        exact = exact_logits(parameters, sample)
        error = [float(abs(Fraction(got) - want)) for got, want in zip(row, exact, strict=True)]
        assert np.all(error <= rounding_bound(parameters, sample, fmt))


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_all_outputs_have_the_format_of_the_inputs(fmt):
    outputs = forward(network(), samples().astype(fmt.dtype))
    assert [h.dtype for h in outputs] == [fmt.dtype] * 3


@pytest.mark.parametrize("shape", [(10,), (6, 10), (0, 10), (2, 3, 10)])
def test_the_outputs_keep_the_leading_axes_and_end_in_the_units(shape):
    outputs = forward(network(), np.zeros(shape))
    assert [h.shape for h in outputs] == [(*shape[:-1], n) for n in SIZES]


def test_a_network_of_one_layer_is_a_matrix_product():
    inputs = [[1, 2], [3, 4]]
    assert np.array_equal(forward([([[1, 1]], [10])], inputs)[-1], [[13.0], [17.0]])


def test_integers_are_promoted_to_float64():
    whole, real = forward(network(), range(10)), forward(network(), np.arange(10.0))
    assert whole[-1].dtype == np.float64
    assert np.array_equal(whole[-1], real[-1])


@given(exponent=st.integers(-30, 30), seed=st.integers(0, 2**32 - 1))
def test_without_biases_a_power_of_two_passes_through_exactly(exponent, seed):
    parameters = network(seed, bias=False)
    inputs = np.random.default_rng(seed).normal(size=(3, 10))
    one, scaled = (forward(parameters, s * inputs)[-1] for s in (1.0, 2.0**exponent))
    assert np.array_equal(scaled, 2.0**exponent * one)


def test_nothing_is_changed():
    parameters, inputs = network(), samples()
    copies = [(W.copy(), b.copy()) for W, b in parameters], inputs.copy()
    forward(parameters, inputs)
    assert np.array_equal(inputs, copies[1])
    for (W, b), (W_copy, b_copy) in zip(parameters, copies[0], strict=True):
        assert np.array_equal(W, W_copy)
        assert np.array_equal(b, b_copy)


@pytest.mark.parametrize("value", [INF, -INF, NAN])
def test_a_special_value_stays_in_its_sample(value):
    inputs = samples()
    clean = forward(network(), inputs)[-1]
    inputs[2, 3] = value
    with np.errstate(invalid="ignore"):  # inf - inf in the sums is the point
        logits = forward(network(), inputs)[-1]
    assert np.array_equal(np.delete(logits, 2, axis=0), np.delete(clean, 2, axis=0))
    assert not np.isfinite(logits[2]).all()
    if np.isnan(value):
        assert np.isnan(logits[2]).all()


def test_float16_logits_overflow_with_a_warning():
    inputs = np.full((1, 10), 6e4, dtype=np.float16)
    with pytest.warns(RuntimeWarning, match="overflow"):
        hidden = forward([(np.ones((7, 10)), np.zeros(7))], inputs)[-1]
    assert np.all(hidden == INF)


@pytest.mark.parametrize(
    ("parameters", "inputs", "error", "text"),
    [
        ([], [1.0], ValueError, "at least one layer"),
        ([([[1.0, 1.0]], [0.0])], [1.0], ValueError, r"parameters\[0\] has shapes \(1, 2\)"),
        ([([[1.0]], [0.0, 0.0])], [1.0], ValueError, r"b shape \(n,\)"),
        ([([1.0], [0.0])], [1.0], ValueError, r"W must have shape \(n, 1\)"),
        ([([[1.0]], [0.0]), ([[1.0, 1.0]], [0.0])], [1.0], ValueError, r"parameters\[1\]"),
        ([([[1j]], [0.0])], [1.0], TypeError, r"parameters\[0\] must hold real"),
        ([([[1.0]], [0.0])], 1.0, ValueError, "inputs must be a sample"),
        ([([[1.0]], [0.0])], ["a"], TypeError, "inputs must hold real"),
        ([([[1.0]], [0.0])], [[1.0], [1.0, 2.0]], ValueError, "inputs must be a rectangular"),
    ],
)
def test_what_does_not_fit_is_named(parameters, inputs, error, text):
    with pytest.raises(error, match=text):
        forward(parameters, inputs)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_relu_keeps_positive_numbers_and_nan_and_the_format(fmt):
    z = np.array([-2, -0.0, 0, 0.5, NAN]).astype(fmt.dtype)
    with np.errstate(invalid="ignore"):  # comparing a nan of ml_dtypes may set this flag
        result = relu(z)
    assert result.dtype == fmt.dtype
    assert np.array_equal(result.astype(float), [0, 0, 0, 0.5, NAN], equal_nan=True)


def test_relu_of_infinities_and_integers():
    assert np.array_equal(relu([INF, -INF]), [INF, 0])
    assert relu([True, False]).dtype == np.float64


def test_parameters_have_the_shapes_of_the_layers_and_zero_biases():
    parameters = initial_parameters(SIZES, np.random.default_rng(0))
    assert [(W.shape, b.shape) for W, b in parameters] == [((7, 10), (7,)), ((5, 7), (5,))]
    assert all(W.dtype == b.dtype == np.float64 and not b.any() for W, b in parameters)


def test_the_same_seed_gives_the_same_parameters():
    for (W, _), (V, _) in zip(network(3), network(3), strict=True):
        assert np.array_equal(W, V)


def test_weights_have_variance_two_over_k():
    ((W, _),) = initial_parameters([500, 2000], np.random.default_rng(0))
    # a variance estimated from a million numbers has a relative standard deviation of 0.0014
    assert abs(np.var(W) * 500 / 2 - 1) < 5 * 0.0014


def test_parameters_are_counted():
    assert count_parameters(SIZES) == 117
    assert count_parameters(SIZES) == sum(W.size + b.size for W, b in network())
    assert count_parameters((3, 4)) == 16


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ([10], ValueError),
        ([], ValueError),
        ([3, 0], ValueError),
        ([2.5, 1], TypeError),
        (7, TypeError),
    ],
)
def test_sizes_are_checked(sizes, error):
    with pytest.raises(error, match="sizes must"):
        count_parameters(sizes)
    with pytest.raises(error, match="sizes must"):
        initial_parameters(sizes, np.random.default_rng(0))


def test_pytorch_gives_the_same_logits_and_gradients_flow():
    torch = pytest.importorskip("torch")
    parameters = [tuple(torch.tensor(p, requires_grad=True) for p in layer) for layer in network()]
    inputs = torch.tensor(samples())
    logits = forward(parameters, inputs)[-1]
    (W1, b1), (W2, b2) = parameters
    linear = torch.nn.functional.linear
    expected = linear(torch.relu(linear(inputs, W1, b1)), W2, b2)
    for row, sample in zip((logits - expected).detach().numpy(), samples(), strict=True):
        assert np.all(np.abs(row) <= 2 * rounding_bound(network(), sample, FP64))
    for ours, theirs in zip(
        torch.autograd.grad(logits.sum(), [W1, b1, W2, b2]),
        torch.autograd.grad(expected.sum(), [W1, b1, W2, b2]),
        strict=True,
    ):
        # sums of at most 30 products of numbers below 10
        assert torch.max(torch.abs(ours - theirs)) <= 30 * 100 * FP64.unit_roundoff


def test_relu_of_pytorch_has_gradient_zero_half_and_one():
    torch = pytest.importorskip("torch")
    z = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    relu(z).sum().backward()
    assert z.grad.tolist() == [0.0, 0.5, 1.0]


def test_two_libraries_do_not_mix():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="different array libraries"):
        forward(network(), torch.zeros(10))


def test_parameters_are_drawn_from_a_generator():
    with pytest.raises(TypeError, match="rng must be np.random.default_rng"):
        initial_parameters([3, 2], 0)
