import math

import numpy as np
import pytest

from stable_softmax import (
    FP64,
    absolute_error,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_log1p,
    cross_entropy_shifted,
    log_softmax_exact,
    log_softmax_shifted,
    logsumexp_log1p,
    relative_error,
    softmax_exact,
    softmax_naive,
    ulp_error,
)

torch = pytest.importorskip("torch", reason="the chapter pytorch needs PyTorch")
F = torch.nn.functional

# Digits of a framework depend on its version and on the CPU: no test asks for exact ones.


def loss_and_gradient(loss, *logits, **options):
    x = torch.tensor(logits, requires_grad=True)
    value = loss(x, **options)
    return value.item(), torch.autograd.grad(value, x)[0].numpy()


def sure_sample(gap, dtype):
    """Two classes, label 0, which is ahead by `gap`; and its exact loss."""
    x, y = torch.tensor([[float(gap), 0.0]], dtype=dtype), torch.tensor([0])
    return x, y, cross_entropy_exact(x, y, dtype=FP64)


def test_cross_entropy_is_nll_after_log_softmax_and_expects_logits():
    r"""`CrossEntropyLoss` is `NLLLoss` after `log_softmax` and expects logits; a softmax before it
    keeps the loss of a sure sample at $\log(1 + (n-1)/e)$ and all but removes the gradient of a
    wrong one."""
    x = torch.tensor(np.random.default_rng(0).normal(size=(50, 10)), dtype=torch.float32)
    y = torch.arange(50) % 10
    by_two = torch.nn.NLLLoss(reduction="none")(torch.nn.LogSoftmax(dim=1)(x), y)
    by_one = torch.nn.CrossEntropyLoss(reduction="none")(x, y)
    assert np.all(ulp_error(by_two, by_one) <= 1)
    # the sum of ten terms, its logarithm and the difference: n + 2 roundings, cancellation 16-fold
    assert np.all(ulp_error(by_one, cross_entropy_exact(x, y, dtype=FP64)) <= 12 * 16)

    def of_softmax(x):
        return F.cross_entropy(F.softmax(x, dim=1), torch.tensor([0]))

    sure, _ = loss_and_gradient(of_softmax, [50.0, 0, 0, 0, 0])
    assert relative_error(sure, math.log(1 + 4 / math.e)) < 1e-6  # a few roundings of float32
    _, gradient = loss_and_gradient(of_softmax, [-20.0, 20, 0, 0, 0])
    exact = cross_entropy_gradient_exact(np.array([-20.0, 20, 0, 0, 0]), 0)
    assert exact[0] < -0.999
    assert abs(gradient[0, 0]) < 1e-15


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_exp_of_log_softmax_differs_from_softmax_in_its_last_bits(dtype):
    """For normal random logits, `exp(log_softmax(x))` and `softmax(x)` differ in their last bits in
    about a third of the entries for two classes and in more than half for ten."""
    for n, low, high in [(2, 0.2, 0.45), (10, 0.5, 0.8)]:
        logits = np.random.default_rng(0).normal(size=(2000, n))
        x = torch.tensor(logits).to(getattr(torch, dtype))
        p, q = F.softmax(x, dim=1), F.log_softmax(x, dim=1).exp()
        assert low < (p != q).double().mean().item() < high
        assert ulp_error(q, p).max() < 32  # exp turns the half ulp of log p into |log p| / 2 ulp


@pytest.mark.parametrize(("name", "gap"), [("float32", 17), ("float16", 8), ("bfloat16", 6)])
def test_the_loss_of_a_sure_sample_loses_all_its_digits(name, gap):
    """PyTorch's cross-entropy of a sure sample loses all its digits at a gap of 17 in float32, 8 in
    float16 and 6 in bfloat16; log1p keeps them, and in half precision so does a computation in
    float32."""
    x, y, exact = sure_sample(gap, getattr(torch, name))
    assert relative_error(F.cross_entropy(x, y), exact) > 0.5
    # exp, log1p, subtraction of 0: a few roundings, each of half an ulp
    assert ulp_error(cross_entropy_log1p(x, y), exact) <= 3
    if name != "float32":
        in_float32 = F.cross_entropy(x.float(), y).to(x.dtype)
        assert ulp_error(in_float32, exact) <= 1


def test_the_float16_mean_of_many_losses_is_wrong_on_the_cpu():
    """On the CPU the float16 mean of more than 65519 losses is wrong, 0 or nan, because their
    number rounds to infinity; with logits in float32 the mean is right."""
    for count, right in [(65_519, True), (65_520, False), (100_000, False)]:
        x = torch.zeros(count, 2, dtype=torch.float16)
        y = torch.zeros(count, dtype=torch.int64)
        mean = F.cross_entropy(x, y).item()
        assert math.isinf(torch.tensor(float(count)).half()) == (not right)
        if right:
            assert abs(mean - math.log(2)) < 0.01  # float16 sums are rounded: 0.3 % was seen
        else:
            assert mean == 0 or math.isnan(mean)
        assert relative_error(F.cross_entropy(x.float(), y), math.log(2)) < 1e-4


def test_the_binary_loss_with_logits_loses_the_digits_of_a_sure_sample():
    """`BCEWithLogitsLoss` loses the digits of a sure sample with label 0, and of the four losses at
    infinite logits three are nan, though their gradients are right; `softplus` has every digit and
    every limit."""
    z = torch.tensor([-17.0])
    exact = cross_entropy_exact(torch.tensor([[0.0, -17.0]]), [0], dtype=FP64)
    assert relative_error(F.binary_cross_entropy_with_logits(z, torch.zeros(1)), exact) > 0.5
    assert ulp_error(F.softplus(z), exact) <= 3
    z = torch.tensor([-np.inf, -np.inf, np.inf, np.inf], requires_grad=True)
    y, limits, slopes = torch.tensor([0.0, 1, 0, 1]), [0, np.inf, np.inf, 0], [0, -1, 1, 0]
    theirs = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    np.testing.assert_array_equal(theirs.detach(), [np.nan, np.nan, np.inf, np.nan])
    t = (1 - 2 * y) * z
    softplus, ours = F.softplus(t), logsumexp_log1p(torch.stack([0 * y, t]), axis=0)
    for loss, want in [(theirs, slopes), (softplus, slopes), (ours, [0, np.nan, np.nan, 0])]:
        (gradient,) = torch.autograd.grad(loss.sum(), z, retain_graph=True)
        np.testing.assert_array_equal(gradient, want)
    for loss in (softplus, ours):
        np.testing.assert_array_equal(loss.detach(), limits)


def test_autocast_rounds_the_logits_before_the_loss_converts_them():
    """Under autocast on the CPU a linear layer returns bfloat16 logits, and `log_softmax` stays in
    bfloat16; `cross_entropy` computes in float32, but its loss has the error of the rounded
    logits."""
    rng, y = np.random.default_rng(0), torch.arange(1000) % 10
    hidden = torch.tensor(rng.normal(size=(1000, 64)), dtype=torch.float32)
    weights = torch.tensor(rng.normal(size=(10, 64)) / 3, dtype=torch.float32)
    exact = cross_entropy_exact(hidden.double() @ weights.double().T, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = F.linear(hidden, weights)
        logp = F.log_softmax(x, dim=1)
        softmax, lse = F.softmax(x, dim=1), torch.logsumexp(x, dim=1)
        loss = F.cross_entropy(x, y, reduction="none")
        converted = F.cross_entropy(x.float(), y, reduction="none")
        two_steps = F.nll_loss(logp, y, reduction="none")
        with torch.autocast("cpu", enabled=False):
            kept_long = F.linear(hidden, weights)
    assert {v.dtype for v in (x, logp, softmax, lse)} == {torch.bfloat16}
    assert {v.dtype for v in (loss, converted, two_steps)} == {torch.float32}
    assert torch.equal(loss, converted)
    assert not torch.equal(loss, two_steps)
    assert torch.equal(kept_long, F.linear(hidden, weights))
    full = F.cross_entropy(kept_long, y, reduction="none")
    lost, kept = absolute_error(loss, exact), absolute_error(full, exact)
    assert np.max(kept) < 1e-5  # sums of 64 products near 1 in float32
    # a logit in 8 .. 16 is rounded by up to 1/32 and products are rounded as well
    assert 1e-3 < np.median(lost) < np.max(lost) < 0.2


def test_a_nan_waits_behind_a_finite_loss_and_behind_a_flag():
    """An ignored sample of nan leaves the loss finite and its own gradient nan, and
    `nn.MultiheadAttention` returns nan for a fully masked row with `need_weights=True` and finite
    numbers without."""
    loss, gradient = loss_and_gradient(
        lambda x: F.cross_entropy(x, torch.tensor([0, -100])), [1.0, 2.0], [np.nan, np.nan]
    )
    assert np.isfinite(loss)
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(gradient[1]).all()

    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(embed_dim=4, num_heads=1)
    x = torch.ones(2, 1, 4)
    mask = torch.tensor([[False, False], [True, True]])
    for flag in (True, False):
        output, _ = layer(x, x, x, attn_mask=mask, need_weights=flag)
        assert torch.isfinite(output[0]).all()
        assert torch.isnan(output[1]).all() == flag
        assert torch.isfinite(output[1]).all() != flag


# What the chapter says outside its summary.


def test_the_lines_of_a_tutorial_print_what_the_chapter_shows():
    scores = torch.tensor([2.0, 1.0, 0.1])
    for f, exact in [
        (F.softmax, softmax_exact(scores, dtype=FP64)),
        (F.log_softmax, log_softmax_exact(scores, dtype=FP64)),
    ]:
        assert np.all(ulp_error(f(scores, dim=0), exact) <= 4)  # three terms, a few roundings
    x = torch.tensor([[-1000.0, 1000.0, -1000.0]])
    np.testing.assert_array_equal(softmax_naive(x), [[0, np.nan, 0]])
    assert F.softmax(x, dim=1).tolist() == [[0, 1, 0]]


def test_three_of_six_pairs_of_input_and_loss_are_right():
    x, y = torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([2])
    exact = cross_entropy_exact(x, y, dtype=FP64)
    logp, p = F.log_softmax(x, dim=1), F.softmax(x, dim=1)
    for loss in (F.cross_entropy(x, y), F.cross_entropy(logp, y), F.nll_loss(logp, y)):
        assert np.all(ulp_error(loss, exact) <= 4)
    assert 0 < F.cross_entropy(p, y) < 0.6 * exact.item()
    assert F.nll_loss(x, y) < 0
    assert F.nll_loss(p, y) < 0


def test_a_sigmoid_before_the_binary_loss_spoils_its_gradient():
    def of_sigmoid(z):
        return F.binary_cross_entropy(torch.sigmoid(z), torch.ones(1))

    def of_logits(z):
        return F.binary_cross_entropy_with_logits(z, torch.ones(1))

    loss, gradient = loss_and_gradient(of_sigmoid, -30.0)
    assert relative_error(loss, 30) < 1e-6
    assert abs(gradient[0]) < 0.2
    loss, gradient = loss_and_gradient(of_logits, -30.0)
    assert relative_error(loss, 30) < 1e-6
    assert relative_error(gradient[0], -1) < 1e-6
    assert loss_and_gradient(of_sigmoid, -1000.0)[0] == 100  # documented
    assert loss_and_gradient(of_logits, -1000.0)[0] == 1000


def test_a_missing_dim_warns_and_takes_the_first_or_the_second_axis():
    for shape, axis in [((4,), 0), ((4, 5), 1), ((4, 5, 6), 0), ((4, 5, 6, 7), 1)]:
        with pytest.warns(UserWarning, match="Implicit dimension choice"):
            p = F.softmax(torch.zeros(shape))
        assert round(1 / p.max().item()) == shape[axis]


def test_the_mean_over_no_samples_is_nan():
    nothing = F.cross_entropy(torch.zeros(2, 3), torch.full((2,), -100))
    assert torch.isnan(nothing)


def test_a_masked_class_is_harmless_unless_it_is_the_label_or_smoothing_reaches_it():
    x = torch.tensor([[1.0, 2.0, -torch.inf]])
    for label in (0, 2):
        y = torch.tensor([label])
        exact = cross_entropy_exact(x, y)
        assert np.all(ulp_error(F.cross_entropy(x, y), exact) <= 4)
        assert np.all(ulp_error(cross_entropy_shifted(x, y), exact) <= 4)
    smoothed = F.cross_entropy(x, torch.tensor([0]), label_smoothing=0.1)
    assert torch.isposinf(smoothed)


def test_the_binary_loss_with_logits_cancels_in_the_gradient_of_a_sure_sample_of_label_1():
    def with_label(label):
        return lambda z: F.binary_cross_entropy_with_logits(z, torch.full((1,), label))

    pair = np.array([0.0, 17.0])
    exact = cross_entropy_gradient_exact(pair, 1)[1]
    loss, gradient = loss_and_gradient(with_label(1.0), 17.0)
    assert relative_error(loss, cross_entropy_exact(pair, 1)) < 1e-6
    assert abs(gradient[0]) < abs(exact) / 2
    _, gradient = loss_and_gradient(with_label(0.0), -17.0)
    assert relative_error(gradient[0], -exact) < 1e-6


def test_label_smoothing_is_a_mixture_with_the_mean_over_all_classes():
    x, y, a = torch.tensor([[2.0, 1.0, -3.0]]), torch.tensor([1]), 0.1
    ours = (1 - a) * cross_entropy_shifted(x, y) - a * log_softmax_shifted(x).mean(dim=1)
    assert relative_error(F.cross_entropy(x, y, label_smoothing=a), ours) < 1e-6


def test_the_sigmoid_is_the_softmax_of_two_logits():
    z = torch.linspace(-20, 20, 41)
    pairs = torch.stack([torch.zeros_like(z), z], dim=1)
    # the relative error of exp(-z) is about one ulp, and two more roundings follow
    assert np.all(ulp_error(torch.sigmoid(z), softmax_exact(pairs, dtype=FP64)[:, 1]) <= 4)
