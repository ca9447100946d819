import numpy as np
import pytest

from stable_softmax import BF16, ulp
from stable_softmax.beyond.ctc import ctc_gradient
from stable_softmax.beyond.hidden_markov import (
    forward_log,
    forward_naive,
    forward_scaled,
    forward_shifted,
    step_log_probabilities,
)
from stable_softmax.beyond.sequences import (
    length_normalized_score,
    log_ratio,
    sequence_log_probability,
    token_log_probabilities,
)
from stable_softmax.floating_point import rounded_numbers
from stable_softmax.measure.exact_sequences import (
    forward_exact,
    sequence_log_probability_exact,
)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(20, 1000, 100))
    return x, np.argmax(x + rng.gumbel(size=x.shape), axis=-1)


@pytest.fixture(scope="module")
def stored(texts):
    """Log-ratios of the stored logits to the exact ones, by offset and format."""
    x, y = texts
    return {
        (offset, fmt): log_ratio(rounded_numbers(x + offset, fmt), x, y)
        for offset in (0, -40)
        for fmt in ("fp32", "fp16", "bf16")
    }


def random_model(states=4, seed=0, steps=100_000):
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.ones(states), size=states).astype(np.float32)
    kinds = rng.dirichlet(np.ones(20), size=states).astype(np.float32)
    start = np.full(states, 1 / states, dtype=np.float32)
    return start, move, kinds.T[rng.integers(20, size=steps)]


def test_a_ratio_of_a_thousand_tokens(stored):
    """With logits stored in bfloat16 at an offset of -40, the ratio of a text of 1000 tokens can be
    off by more than a factor of 10; in float32 it is right to a thousandth."""
    assert np.max(np.abs(stored[-40, "bf16"])) > np.log(10)  # measured: a factor of 66
    assert np.max(np.abs(np.expm1(stored[-40, "fp32"]))) < 1e-3  # measured 0.0001


def test_the_ratios_that_the_chapter_names(texts, stored):
    x, y = texts
    ratios = np.exp(stored[-40, "bf16"])
    np.testing.assert_allclose([ratios.min(), ratios.max()], [0.015, 21], rtol=0.02)
    sigma = np.std(token_log_probabilities(rounded_numbers(x - 40, "bf16"), y)
                   - token_log_probabilities(x, y))  # fmt: skip
    assert abs(sigma - 0.058) < 0.001
    drift = np.mean(stored[-40, "bf16"]) / 1000
    # the mean of 20,000 tokens has the standard deviation sigma / 141 = 0.0004
    assert abs(drift + sigma**2 / 2) < 4 * 0.0004


def test_float64_serves_as_the_exact_value_of_a_ratio(texts):
    x, y = texts[0][0, :100], texts[1][0, :100]
    other = rounded_numbers(x - 40, "bf16")
    exact = sequence_log_probability_exact(other, y) - sequence_log_probability_exact(x, y)
    assert abs(log_ratio(other, x, y) - exact) < 1e-11


def test_a_mean_forgives(texts, stored):
    """The perplexity of the same texts is off by less than one percent, because a mean divides what
    a product adds up."""
    assert np.max(np.abs(np.expm1(-stored[-40, "bf16"] / 1000))) < 0.01  # measured 0.004
    x, y = texts[0][:1], texts[1][:1]
    other = rounded_numbers(x - 40, "bf16")
    scores = length_normalized_score(other, y), length_normalized_score(x, y)
    np.testing.assert_allclose(np.subtract(*scores), stored[-40, "bf16"][:1] / 1000, atol=1e-12)


def test_a_running_sum_in_bfloat16_stops(texts):
    x, y = texts[0][0], texts[1][0]
    parts = token_log_probabilities(x, y)
    running = np.cumsum(parts.astype(BF16.dtype))[-1]
    assert running == -1488
    assert abs(np.sum(parts) + 2016.13) < 0.01
    assert np.prod(np.exp(parts)) == 0 and np.isfinite(sequence_log_probability(x, y))
    assert ulp(np.array(2016, BF16.dtype)) == 8


def test_the_naive_forward_pass_dies():
    """In float32 the naive forward algorithm returns -inf after 33 steps that cost about 3.1 nats
    each, and in float64 after 237."""
    for dtype, last in [(np.float32, 32), (np.float64, 236)]:
        start, move, seen = (table.astype(dtype) for table in random_model())
        assert np.isfinite(forward_naive(start, move, seen[:last]))
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            assert forward_naive(start, move, seen[: last + 1]) == -np.inf
    assert 3.1 < -forward_exact(start, move, seen[:1000]) / 1000 < 3.2


def test_a_hundred_thousand_steps():
    """After 100,000 steps in float32 the log domain is off by more than 5 nats, and the scaled form
    by less than half a spacing of its result."""
    tables = random_model()
    exact = forward_exact(*tables)
    assert abs(exact + 314_198.687) < 0.001
    assert abs(forward_log(*tables) - exact) > 5  # measured 10.03
    half_a_spacing = ulp(np.float32(exact)) / 2
    assert half_a_spacing == 1 / 64
    assert abs(forward_scaled(*tables) - exact) < half_a_spacing  # measured 0.0007
    long_sum = np.sum(step_log_probabilities(*tables), dtype=float)
    assert abs(long_sum - exact) < 0.0015  # measured 0.0009


def test_another_model_loses_more_than_a_hundred_nats():
    tables = random_model(states=2, seed=1)
    # the errors of all steps agree; exp and log of another machine change them by little
    assert 100 < abs(forward_log(*tables) - forward_exact(*tables)) < 150  # measured 128.5


def test_the_log_domain_rounds_the_transition_probabilities():
    move, far = random_model()[1], np.float32(-300_000)
    assert ulp(far) == 1 / 32
    error = np.abs(np.exp((far + np.log(move)) - far) / move - 1)
    assert 0.01 < np.max(error) < np.expm1(1 / 64) + 1e-6  # measured 0.014


def test_what_falls_behind():
    """If a state falls so far behind that it underflows, and is needed later, the scaled form
    returns -inf; logarithms that are kept relative to the largest are right."""
    coin = np.float32([0.5, 0.5]), np.eye(2, dtype=np.float32)
    coin = (*coin, np.float32([[0.5, 1]] * 200 + [[0.5, 0]]))
    assert forward_scaled(*coin) == -np.inf
    assert abs(forward_exact(*coin) + 202 * np.log(2)) < 1e-12
    # 200 roundings of numbers below 139, each by at most half a spacing, 7.6e-6
    assert abs(forward_shifted(*coin) + 202 * np.log(2)) < 200 * 7.7e-6  # measured 0.0002


def torch_gradients(x, text):
    """PyTorch's gradients with respect to the logits and to their log-probabilities."""
    import torch

    z = torch.tensor(x, requires_grad=True)
    log_p, lengths = z.log_softmax(-1), ((len(x),), (len(text),))
    loss = torch.nn.functional.ctc_loss(log_p, torch.tensor(text), *lengths, reduction="sum")
    return [g.numpy() for g in torch.autograd.grad(loss, (z, log_p))]


def test_the_gradient_of_ctc():
    """For 1000 steps in float32 the gradient of CTC from logarithms relative to the largest is more
    than ten times as accurate as that of PyTorch; for 10 steps both are right to five digits."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for steps in (10, 1000):
        x = (3 * rng.normal(size=(steps, 20))).astype(np.float32)
        text = rng.integers(1, 20, size=steps // 10)
        right = ctc_gradient(x.astype(float), text)
        ours, theirs = (
            np.linalg.norm(g - right) / np.linalg.norm(right)
            for g in (ctc_gradient(x, text), torch_gradients(x, text)[0])
        )
        if steps == 10:
            assert max(ours, theirs) < 1e-5
        else:
            assert theirs > 10 * ours
            # measured 0.0037 before the backward pass of log-softmax, and 2e-7 after it
            sums = [np.max(np.abs(np.sum(g, axis=1))) for g in torch_gradients(x, text)]
            assert sums[0] < 1e-6 and sums[1] > 1e-3
