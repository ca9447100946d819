import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, relative_error, softmax_exact, softmax_shifted
from stable_softmax.beyond.drawing import (
    at_temperature,
    draw_gumbel,
    draw_inverse_cdf,
    greedy,
    nucleus,
    top_k,
)
from stable_softmax.floating_point import round_to, rounded_numbers, ulp

N = 128_256


def no_width(sums):
    return np.diff(np.asarray(sums, dtype=float), prepend=0) == 0


@pytest.fixture(scope="module")
def vocabulary():
    """The logits of a step, their float32 softmax, and the exact one."""
    x = (3 * np.random.default_rng(0).normal(size=N)).astype(np.float32)
    return x, softmax_shifted(x), softmax_exact(x, dtype="fp64")


def test_greedy_from_bfloat16_logits():
    """Rounded to bfloat16, 128,256 normal logits of standard deviation 3 have a tied largest
    logit in 3 to 8 percent of the steps, and greedy takes another token in 1 to 4 percent."""
    rng, tied, other = np.random.default_rng(0), 0, 0
    for _ in range(400):
        x = (3 * rng.normal(size=N)).astype(np.float32)
        near = x[x > x.max() - 1]
        short = rounded_numbers(near, "bf16")
        tied += np.sum(short == short.max()) > 1
        other += greedy(short) != greedy(near)
    assert 0.03 < tied / 400 < 0.08  # measured 0.0525, and 0.054 of 1000 steps
    assert 0.01 < other / 400 < 0.04  # 0.0225, and 0.024
    assert ulp(13, "bf16") == 1 / 16


def test_what_is_near_the_top_decides_the_greedy_choice(vocabulary):
    x = vocabulary[0]
    near = x[x > x.max() - 1]
    assert x[greedy(x)] == near[greedy(near)]
    whole = round_to(x, "bf16").astype(np.float32)
    assert whole[greedy(whole)] == rounded_numbers(near, "bf16").max()


def test_a_running_sum_in_float32_loses_tokens(vocabulary):
    """A running sum of their float32 probabilities in float32 leaves 25 to 35 percent of the tokens
    with a width of 0; in float64 every token has one."""
    _, p, exact = vocabulary
    # "right to five digits": exp errs by 3 u, the difference by u |z|, and |z| is at most 27
    assert np.max(relative_error(p, exact)) < 40 * FP32.unit_roundoff
    lost = no_width(np.cumsum(p))
    # what the chapter calls exact is right to 15 digits: the same errors, in units of 2**-53
    in_float64 = softmax_shifted(vocabulary[0].astype(float))
    assert np.max(relative_error(in_float64, exact)) < 1e-15  # measured 4 u
    assert 0.25 < np.mean(lost) < 0.35  # measured 0.297
    assert 2e-4 < np.sum(exact[lost]) < 4e-4  # 2.6e-4
    assert not no_width(np.cumsum(p, dtype=float)).any()
    assert not no_width(np.cumsum(exact)).any()


def test_the_error_of_a_width_is_at_most_half_a_spacing(vocabulary):
    _, p, exact = vocabulary
    for fmt, q in ((FP32, p), (FP64, exact)):
        sums = np.cumsum(q)
        width = np.diff(sums, prepend=q.dtype.type(0)).astype(float)
        # p has its own error beside that of the addition
        own = 40 * fmt.unit_roundoff * exact
        assert np.all(np.abs(width - exact) <= ulp(sums) / 2 + own)
        # the numbers below 1 are u apart or less; in float64 the last token brings the sum above 1
        assert np.sum(ulp(sums) > fmt.unit_roundoff) <= 1
    below = exact < FP32.unit_roundoff
    lost = no_width(np.cumsum(p))
    assert not lost[~below].any()
    assert np.mean(lost[below]) > 0.5  # measured 0.64: "most tokens below u get none"


def test_the_order_of_a_running_sum(vocabulary):
    _, p, exact = vocabulary
    lost = [
        np.mean(no_width(np.cumsum(p[o])))
        for o in (np.arange(N), np.argsort(-exact), np.argsort(exact))
    ]
    assert lost[1] > lost[0] > lost[2] == 0  # 37, 30 and 0 percent


def test_the_libraries_samplers(vocabulary):
    """torch.multinomial with replacement never returns a class to which a float32 running sum gives
    the width 0, and Categorical does not either; NumPy's choice and torch.multinomial in float64
    do."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    _, p, exact = vocabulary
    draws, lost = 2_000_000, no_width(np.cumsum(p))
    expected = draws * np.sum(exact[lost])
    assert 500 < expected < 540
    four = 4 * np.sqrt(expected)  # standard deviations of a count
    torch.manual_seed(0)
    t = torch.tensor(p)
    assert not lost[torch.multinomial(t, draws, replacement=True).numpy()].any()
    double = torch.multinomial(t.double(), draws, replacement=True).numpy()
    assert abs(np.sum(lost[double]) - expected) < four
    numpys = np.random.default_rng(0).choice(N, size=draws, p=p)
    assert abs(np.sum(lost[numpys]) - expected) < four
    for given in ({"probs": t}, {"logits": torch.tensor(vocabulary[0])}):
        categorical = torch.distributions.Categorical(**given)
        theirs = no_width(np.cumsum(categorical.probs.numpy()))
        assert np.sum(exact[theirs]) > 1e-4
        assert not theirs[categorical.sample((draws,)).numpy()].any()


def test_a_single_draw_of_torch_divides_by_exponential_numbers():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    p = torch.softmax(torch.linspace(-3, 3, 50), -1)
    torch.manual_seed(5)
    drawn = [torch.multinomial(p, 1).item() for _ in range(20)]
    torch.manual_seed(5)
    assert drawn == [(p / torch.empty(50).exponential_()).argmax().item() for _ in range(20)]


def test_short_exponential_numbers_of_torch_are_fine_near_0():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    torch.manual_seed(0)
    smallest = torch.empty(10**6, dtype=torch.bfloat16).exponential_().min().item()
    assert 0 < smallest < 1e-5  # of a million, 1e-6 is expected; 2**-8 would be that of 8 bits


def test_numpys_choice_is_strict_about_sums(vocabulary):
    """NumPy's choice accepts float32 probabilities of 128,256 classes, and refuses the same numbers
    in float64."""
    _, p, exact = vocabulary
    rng = np.random.default_rng(0)
    rng.choice(N, p=p)
    with pytest.raises(ValueError, match=r"(?i)probabilities do not sum to 1"):
        rng.choice(N, p=p.astype(float))
    rng.choice(N, p=exact)
    rng.choice(N, p=exact.astype(np.float16))
    off = [abs(exact.astype(f.dtype).astype(float).sum() - 1) for f in (FP16, BF16)]
    assert 5 < off[0] / off[1] < 6
    with pytest.raises(ValueError, match=r"(?i)probabilities do not sum to 1"):
        rng.choice(N, p=exact.astype(BF16.dtype))
    rng.choice(N, p=p.astype(float) / p.astype(float).sum())


@pytest.mark.parametrize("fmt", [FP16, FP32, FP64], ids=str)
def test_the_tolerance_of_choice_is_the_root_of_epsilon(fmt):
    tolerance = np.sqrt(np.finfo(fmt.dtype).eps)
    rng = np.random.default_rng(0)
    rng.choice(2, p=np.array([0.5, 0.5 + 0.9 * tolerance], dtype=fmt.dtype))
    with pytest.raises(ValueError, match=r"(?i)probabilities do not sum to 1"):
        rng.choice(2, p=np.array([0.5, 0.5 + 1.2 * tolerance], dtype=fmt.dtype))


@pytest.mark.parametrize(
    "weights", [[np.nan, 1, 1], [np.inf, 1, 1], [-1, 2, 1], [0, 0, 0]], ids=str
)
def test_torch_refuses_what_is_no_weight(weights):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    weights = torch.tensor(weights, dtype=torch.float32)
    with pytest.raises(RuntimeError, match="probability tensor contains|multinomial distribution"):
        torch.multinomial(weights, 3, replacement=True)
    with pytest.raises(ValueError, match="Simplex"):
        torch.distributions.Categorical(probs=weights)


def test_torch_divides_by_any_sum():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    weights = torch.tensor([2.0, 1.0, 1.0])
    assert torch.distributions.Categorical(probs=weights).probs.tolist() == [0.5, 0.25, 0.25]
    torch.manual_seed(0)
    share = (torch.multinomial(weights, 100_000, replacement=True) == 0).double().mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(100_000)


def test_how_far_noise_reaches(vocabulary):
    """Gumbel noise from 8-bit uniform numbers cannot draw tokens with more than 15 percent of the
    probability; from 53-bit numbers it can draw all."""
    x, _, exact = vocabulary
    lost, ends = {}, {}
    for fmt in (BF16, FP16, FP32, FP64):
        low, high = -np.log(-np.log([2.0**-fmt.precision, 1 - 2.0**-fmt.precision]))
        lost[fmt], ends[fmt] = exact[x + high < x.max() + low].sum(), (low, high)
    assert lost[BF16] > 0.15  # measured 0.22
    assert lost[BF16] > lost[FP16] > lost[FP32] > lost[FP64] == 0
    assert np.round(ends[BF16], 1).tolist() == [-1.7, 5.5]
    assert 7.25 < ends[BF16][1] - ends[BF16][0] < 7.26
    assert all(abs(high - fmt.precision * np.log(2)) < 0.01 for fmt, (_, high) in ends.items())


def test_draws_with_8_bit_noise_stay_at_the_top(vocabulary):
    x, _, exact = vocabulary
    noise, rng = -np.log(-np.log(np.arange(1, 256) / 256)), np.random.default_rng(0)
    drawn = [greedy(x + noise[rng.integers(255, size=N)]) for _ in range(200)]
    out = x + noise[-1] < x.max() + noise[0]
    assert np.sum(~out) == 1356
    assert not out[drawn].any()
    assert 40 < 200 * exact[out].sum() < 48
    better = exact > exact[drawn].min()
    assert 200 < 1 + better.sum() < 400  # "the first few hundred": 275
    assert exact[better].sum() < 2 / 3  # "more than a third lies beyond": 0.40


def test_a_short_sum_of_falling_probabilities(vocabulary):
    """With a bfloat16 running sum a nucleus of 0.9 is the whole vocabulary; `nucleus` keeps the
    number of tokens that exact sums give."""
    x, _, exact = vocabulary
    falling = np.sort(exact)[::-1]
    wide, short = np.cumsum(falling), np.cumsum(falling.astype(BF16.dtype)).astype(float)
    assert short[-1] == 0.5 and np.all(short < 0.9)
    assert ulp(0.5, "bf16") == 1 / 256
    stopped = np.searchsorted(short, 0.5) + 1
    assert np.all(falling[stopped:] < 1 / 512)
    for share in (0.3, 0.45, 0.5, 0.9, 0.99):
        assert np.sum(nucleus(x, share) > -np.inf) == 1 + np.searchsorted(wide, share)
    assert [1 + np.searchsorted(short, s) for s in (0.3, 0.45, 0.5)] == [19, 70, 95]
    assert [1 + np.searchsorted(wide, s) for s in (0.3, 0.45, 0.5, 0.9)] == [19, 74, 118, 4794]
    assert 0.41 < np.sum(exact[top_k(x, 50) > -np.inf]) < 0.42
    assert np.sum(top_k(round_to(x, "bf16"), 20) > -np.inf) == 22


def test_temperature_0_and_below():
    """At temperature 0 the largest logits share the probability, and a negative temperature is
    refused."""
    x = np.array([2.0, 2.0, 1.0, -np.inf])
    assert softmax_shifted(at_temperature(x, 0)).tolist() == [0.5, 0.5, 0, 0]
    assert greedy(x) == 0
    assert set(draw_gumbel(at_temperature(x, 0), 0, 100)) == {0, 1}
    with pytest.raises(ValueError, match="temperature must be at least 0, not -1"):
        at_temperature(x, -1)


def test_both_ways_of_drawing_agree_with_the_exact_probabilities():
    few, draws = np.array([2.0, 1.0, 0.1, -3.0]), 100_000
    p = softmax_exact(few)
    for draw in (draw_inverse_cdf, draw_gumbel):
        shares = np.bincount(draw(few, 0, draws)) / draws
        # "one or two standard deviations"
        assert np.all(np.abs(shares - p) < 2 * np.sqrt(p * (1 - p) / draws))
