"""The page of bugs: each row is run and has to print what it says, each call to be right."""

import functools
import math
import re
import warnings

import numpy as np
import pytest
import scipy.special
import yaml
from sklearn.metrics import log_loss

import stable_softmax
from stable_softmax import (
    BF16,
    cross_entropy_clamped,
    cross_entropy_epsilon,
    cross_entropy_exact,
    cross_entropy_naive,
    cross_entropy_shifted,
    cross_entropy_two_step,
    log_softmax_exact,
    log_softmax_from_logsumexp,
    log_softmax_two_step,
    logsumexp_exact,
    logsumexp_naive,
    logsumexp_shifted,
    pitfalls,
    softmax_exact,
    softmax_naive,
    softmax_shifted,
    special_values,
)
from stable_softmax.beyond.divergence import (
    entropy,
    entropy_naive,
    kl_divergence,
    kl_divergence_from_logs,
)
from stable_softmax.beyond.drawing import draw_inverse_cdf, greedy, nucleus
from stable_softmax.beyond.hidden_markov import forward_naive, forward_shifted
from stable_softmax.beyond.sequences import log_ratio
from stable_softmax.floating_point import rounded_numbers
from stable_softmax.libraries.adapters import gluon_loss, import_mxnet, is_installed, why_no_mxnet
from stable_softmax.libraries.autograd import loss_and_gradient
from stable_softmax.libraries.digests import digests, digests_without, vector_instructions
from stable_softmax.scale.blocked import softmax_blocked
from stable_softmax.scale.vocabulary import vocabulary_loss
from stable_softmax.special_values import softmax_filled
from tests.pages import read

PAGE = read("book/find_my_bug")
CALLS = yaml.safe_load(PAGE.split("---\n")[1])["myst"]["substitutions"]
ROWS = dict(re.findall(r"^\| (?!You see|:-)(.+?) \| (.+) \|$", PAGE, flags=re.M))
DOCUMENTATION = (
    "https://docs.jax.dev/en/latest/",
    "https://optax.readthedocs.io/en/latest/",
    "https://www.tensorflow.org/api_docs/python/tf/",
)
INF, NAN = math.inf, math.nan
try:
    import torch
except ImportError:
    torch = None
F = torch and torch.nn.functional


def f32(*numbers):
    return np.array(numbers, dtype=np.float32)


def f16(*numbers):
    return np.array(numbers, dtype=np.float16)


def tensor(*numbers, **options):
    return torch.tensor(numbers, **options)


def label(*labels):
    return torch.tensor(labels)


def gradient(loss, x, y):
    return loss_and_gradient(loss, np.asarray(x, dtype=np.float32), y)[1]


def late_where():
    p = tensor(0.0, 0.5, requires_grad=True)
    torch.where(p > 0, p.log(), 0.0).sum().backward()
    return p.grad[0]


def attention_layer(**options):
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(embed_dim=4, num_heads=1)
    x, hide = torch.ones(2, 1, 4), torch.tensor([[False, False], [True, True]])
    return layer(x, x, x, attn_mask=hide, **options)[0][1]


def merge_two_empty_parts():
    m_1, m_2, s_1, s_2 = -np.float32(INF), -np.float32(INF), 0, 0
    m = max(m_1, m_2)
    return m + np.log(s_1 * np.exp(m_1 - m) + s_2 * np.exp(m_2 - m))


def floor_of_two_softmaxes():
    return [cross_entropy_shifted(np.eye(n)[0], 0) for n in (2, 3, 10, 100)]


def watched(function, *arguments):
    with torch.autograd.detect_anomaly():
        x = torch.tensor(*arguments, requires_grad=True)
        function(x).backward()


def summed_one_by_one(dtype):
    total = dtype(0)
    while total + dtype(1) > total:
        total += dtype(1)
    return total


def asked_for_underflow():
    with np.errstate(under="warn"):
        return np.exp(f32(-120))


def below_zero(divergence):
    x, step = np.random.default_rng(0).normal(size=(2, 1000, 10)).astype(np.float32)
    return (divergence(x, x + np.float32(1e-4) * step) < 0).any()


def tokens_without_a_place():
    logits = 3 * np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    return (np.diff(np.cumsum(softmax_shifted(logits)), prepend=0) == 0).any()


def ratio_of_a_text_to_itself():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(1000, 20)) - 40, rng.integers(20, size=1000)
    return np.exp(log_ratio(rounded_numbers(logits, "bf16"), logits, labels))


#: What prints the values of a row; for a row without one, what has to be true.
NUMPY = {
    "`nan` for the largest of large logits": lambda: softmax_naive(f32(1000, 1000, 100)),
    "`nan` for all of very negative logits": lambda: softmax_naive(f32(-1000, -1001)),
    "`nan` in a row whose classes are all masked": lambda: softmax_shifted(f32(-INF, -INF)),
    "`nan` in float16, at a low temperature `T`": lambda: softmax_shifted(
        f16(2.875, 2.955, 11.0625) / 1e-4
    ),
    "`nan` where two empty parts of a row are merged": merge_two_empty_parts,
    "`nan` as the entropy of a row with a very unlikely class": lambda: entropy_naive(f32(0, -200)),
    "`-inf` as the log-likelihood of a long sequence": lambda: forward_naive(
        f32(0.5, 0.5), np.eye(2, dtype=np.float32), np.full((200, 2), 0.5, dtype=np.float32)
    ),
    "a divergence below 0, of two models that nearly agree": lambda: (
        below_zero(kl_divergence_from_logs) and not below_zero(kl_divergence)
    ),
    "`probabilities do not sum to 1`": lambda: np.random.default_rng(0).choice(
        3, p=softmax_shifted(f32(2, 1, 0.1)).astype(float) * (1 + 1e-7)
    ),
    "tokens that are never drawn": tokens_without_a_place,
    "a nucleus of the whole vocabulary, in bfloat16": lambda: (
        np.cumsum(np.full(4000, 1 / 4000, dtype=BF16.dtype)).max() < 0.5
        and np.isfinite(nucleus(np.arange(4000) * 1e-9, 0.9)).sum() == 3600
    ),
    "a greedy choice that is another one in bfloat16": lambda: (
        greedy(f32(10, 10.01)) == 1 and greedy(rounded_numbers([10, 10.01], "bf16")) == 0
    ),
    "a ratio of two equal models that is not 1": lambda: not 0.5 < ratio_of_a_text_to_itself() < 2,
    "`-inf` as a log-probability": lambda: log_softmax_two_step(f32(0, -120)),
    "`inf` as the loss of a wrong sample": lambda: cross_entropy_two_step(f32(0, -120), 1),
    "`inf` as a log-sum-exp": lambda: logsumexp_naive(f32(1000, 1000)),
    "`inf` as the loss of one sample whose class is masked": lambda: cross_entropy_exact(
        f32(0, -INF), 1
    ),
    "`inf` as a float16 logit": lambda: f16(70_000),
    "`16.118` as a loss": lambda: cross_entropy_epsilon(f32(0, -1000), 1),
    "`13.816`, `20.723`, `23.026`, `27.631` or `34.539` as a loss": lambda: [
        cross_entropy_epsilon(f32(0, -1000), 1, epsilon=e)
        for e in (1e-6, 1e-9, 1e-10, 1e-12, 1e-15)
    ],
    "`103.28`, in float64 `744.44`": lambda: [
        cross_entropy_two_step(f32(0, -103.5), 1),
        cross_entropy_two_step(np.array([0, -745.0]), 1),
    ],
    "`0.3133`, `0.5514`, `1.4612` or `3.6222` that no training lowers": floor_of_two_softmaxes,
    "`0.6931`, `1.0986`, `2.3026` or `4.6052`": lambda: [
        cross_entropy_exact(np.full(n, 7.0), 0) for n in (2, 3, 10, 100)
    ],
    "`0.0` for every class, without a nan": lambda: softmax_naive(f32(88.7, 88.7)),
    "`0.0` for every one of 100,000 classes in float16": lambda: softmax_shifted(
        np.zeros(100_000, dtype=np.float16)
    ),
    "`0.0` as the log-probability of each of two equal logits": lambda: log_softmax_from_logsumexp(
        f32(1e8, 1e8)
    ),
    "`0.0` as a log-sum-exp that should be small": lambda: logsumexp_shifted(np.array([0, -40.0])),
    "`-0.0` as a loss": lambda: -np.log(softmax_shifted(f32(200, 0))[0]),
    "`1.0` for every class": lambda: softmax_shifted(np.array([[2.0, 1.0, 0.1]]), axis=0),
    "`1.0` for one of three close logits, all near −103": lambda: softmax_naive(
        f32(-103, -104, -105)
    ),
    "`0.3333` for each of three classes, 1/n for n": lambda: softmax_filled(
        f32(1, 2, 3), np.zeros(3, dtype=bool), -1e9
    ),
    "`1.179`, `0.952` and `0.869` as the sums of three rows": lambda: softmax_naive(
        [[3.0, 1, 0], [0, 2, 1], [1, 0, 2]], axis=0
    ).sum(axis=-1),
    "`0.25` for each of two equal classes, in a batch of two": lambda: scipy.special.softmax(
        np.zeros((2, 2))
    ),
    "`-1.19e-07` as the loss of a sure sample": lambda: cross_entropy_epsilon(f32(200, 0), 0),
    "`overflow encountered in exp`": lambda: softmax_naive(f32(89, 0)),
    "`overflow encountered in reduce`": lambda: softmax_naive(f32(88.7, 88.7)),
    "`invalid value encountered in divide`": lambda: softmax_naive(f32(-1000, -1001)),
    "`invalid value encountered in subtract`": lambda: scipy.special.softmax(f32(-INF, -INF)),
    "`divide by zero encountered in log`": lambda: np.log(softmax_shifted(f32(0, -120))),
    "`underflow encountered in exp`": asked_for_underflow,
    "`The y_prob values do not sum to one`": lambda: log_loss([0, 1], [[0.9, 0.2], [0.5, 0.5]]),
    "`math range error`": lambda: math.exp(1000),
    "`math domain error`": lambda: math.log(0.0),
    "training that dies from some random starts only": lambda: (
        np.isfinite(cross_entropy_naive(f32(88, 0), 0))
        and np.isnan(softmax_naive(f32(89, 0))).any()
    ),
    "a mask that does not mask": lambda: (
        softmax_filled(f32(-20000, -20001, -19999), np.array([True, True, False]), -1e4)[2] == 1
    ),
    "a mean or a sum in float16 that stops growing": lambda: summed_one_by_one(np.float16) == 2048,
    "logits that have changed after the softmax": lambda: (
        pitfalls.softmax_in_place(x := f32(1, 2, 3)) is not None and x[2] != 3
    ),
    "the smallest of the integer scores wins": lambda: (
        np.argmax(pitfalls.softmax_unpromoted(np.array([-(2**63), 2**63 - 1]))) == 0
    ),
    "a mean loss that differs from another program's": lambda: (
        special_values.mean_cross_entropy([[1.0, 0], [3, 0]], [0, -100])
        != cross_entropy_shifted([1.0, 0], 0) / 2
    ),
    "memory that runs out at the loss": lambda: 8192 * 128_256 * 4 > 4e9,
    "a softmax that takes most of the time": lambda: (
        # the same probabilities, up to the order of their sums; how fast, "make bench" measures
        np.abs(softmax_blocked(X) - softmax_shifted(X)).max() < 4 * np.spacing(np.float32(1))
    ),
    "a probability that depends on the other rows of the batch": lambda: (
        f32(1)[0] + f32(1e8)[0] - f32(1e8)[0] != f32(1e8)[0] - f32(1e8)[0] + f32(1)[0]
    ),
    "other last digits on another machine": lambda: (
        digests_without(vector_instructions())["double-double fp64"]
        == digests()["double-double fp64"]
    ),
}
TORCH = {
    "`nan` from an attention layer, for a query that sees nothing": attention_layer,
    "`nan` as the gradient of a right loss": lambda: gradient(
        cross_entropy_two_step, [[90, 0]], [1]
    ),
    "`nan` as the gradient through a `where` that leaves the bad numbers out": late_where,
    "`nan` as the mean of no samples, because all are ignored": lambda: F.cross_entropy(
        tensor([1.0, 2]), label(-100)
    ),
    "`nan` as the loss of a masked class with the target 0": lambda: F.cross_entropy(
        tensor([0.0, -INF]), tensor([1.0, 0])
    ),
    "`inf` with label smoothing and a mask": lambda: F.cross_entropy(
        tensor([1, 2, -INF]), label(0), label_smoothing=0.1
    ),
    "`100` as the loss of two classes": lambda: F.binary_cross_entropy(tensor(0.0), tensor(1.0)),
    "`15.942` as a loss that no sample exceeds": lambda: -torch.distributions.Categorical(
        probs=F.softmax(tensor(40.0, 0.0), 0)
    ).log_prob(torch.tensor(1)),
    "`0.0` as the loss of a sure sample": lambda: [
        F.cross_entropy(tensor([float(gap), 0.0], dtype=dtype), label(0))
        for gap, dtype in [(17, torch.float32), (8, torch.float16), (6, torch.bfloat16)]
    ],
    "`0.0` or `nan` as the mean loss of many samples in float16": lambda: [
        F.cross_entropy(torch.zeros(n, 2, dtype=torch.float16), torch.zeros(n, dtype=torch.int64))
        for n in (65_520, 100_000)
    ],
    "`0.0` as the gradient of a wrong sample": lambda: gradient(
        cross_entropy_clamped, [[20, 0]], [1]
    ),
    "`-0.659`, or another loss above −1 and below 0": lambda: F.nll_loss(
        F.softmax(tensor([2.0, 1, 0.1]), 1), label(0)
    ),
    "`-17.0`, minus the logit of the label": lambda: F.nll_loss(tensor([17.0, 0]), label(0)),
    "`-761.95` from a loss of two classes": lambda: F.binary_cross_entropy_with_logits(
        tensor(3.0), tensor(255.0)
    ),
    "`Implicit dimension choice for softmax has been deprecated`": lambda: F.softmax(
        torch.zeros(4, 5)
    ),
    "`Expected floating point type for target with class probabilities, got Long`": lambda: (
        F.cross_entropy(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64))
    ),
    "`expected target dtype to be Long or Byte, but got Float`": lambda: F.cross_entropy(
        torch.zeros(2, 3), tensor(0.0, 1.0)
    ),
    "`0D or 1D target tensor expected, multi-target not supported`": lambda: F.cross_entropy(
        torch.zeros(2, 3), label([0], [1])
    ),
    "`Target 3 is out of bounds.`": lambda: F.cross_entropy(torch.zeros(2, 3), label(0, 3)),
    "`Expected target size [2, 3], got [2, 5]`": lambda: F.cross_entropy(
        torch.zeros(2, 5, 3), torch.zeros(2, 5, dtype=torch.int64)
    ),
    "`\"log_softmax_lastdim_kernel_impl\" not implemented for 'Long'`": lambda: F.log_softmax(
        label(1, 2), 0
    ),
    "`all elements of input should be between 0 and 1`": lambda: F.binary_cross_entropy(
        tensor(2.0), tensor(1.0)
    ),
    "`Found dtype Long but expected Float`": lambda: F.binary_cross_entropy(tensor(0.5), label(1)),
    "`value cannot be converted to type c10::Half without overflow`": lambda: (
        torch.zeros(2, dtype=torch.float16).masked_fill(torch.tensor([True, False]), -1e9)
    ),
    "``probability tensor contains either `inf`, `nan` or element < 0``": lambda: torch.multinomial(
        tensor(NAN, 1.0), 1
    ),
    "`Function 'SoftmaxBackward0' returned nan values in its 0th output.`": lambda: watched(
        lambda x: -F.softmax(x, 0).log()[1], [90.0, 0]
    ),
    "a loss that stalls while it is large": lambda: (
        abs(gradient(cross_entropy_epsilon, [[30, 0]], [1])).max() < 1e-5
    ),
    "a finite loss and a gradient that is wrong": lambda: (
        (gradient(cross_entropy_naive, [[52, 0]], [1]) == [[0, -1]]).all()
    ),
    "losses that are off by hundredths, under autocast or in bfloat16": lambda: (
        0.01
        < abs(F.cross_entropy(tensor([9.97, 10]).bfloat16().float(), label(0)).item()
              - cross_entropy_exact([9.97, 10], 0))
        < 0.1
    ),
    "`softmax(x)` and `exp(log_softmax(x))` that are not equal": lambda: (
        (F.softmax(x := torch.linspace(-3, 3, 1000), 0) != F.log_softmax(x, 0).exp()).any()
    ),
}  # fmt: skip
MXNET = {
    "`18.42` as a loss": lambda mx: mx.nd.softmax_cross_entropy(
        mx.nd.array([[0, -1000]]), mx.nd.array([1])
    ).asnumpy(),
    "a few millionths below 0, from MXNet": lambda mx: (
        np.min(gluon_loss(f32(*[[gap, 0] for gap in range(31)]), np.zeros(31))) > -1e-5
    ),
}


def program(row):
    """Return what runs a row; skip the test where the library that it needs is not installed."""
    if row in TORCH:
        if torch is None:
            pytest.skip("PyTorch is not installed here")
        return TORCH[row]
    if row in MXNET:
        if not is_installed("mxnet"):
            pytest.skip(why_no_mxnet())
        return functools.partial(MXNET[row], import_mxnet())
    return NUMPY[row]


def run(function):
    """Return the values of a program as floats, and all its messages as one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function()
        except (
            ArithmeticError,
            IndexError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            return [], str(error)
    parts = result if isinstance(result, list) else [result]
    parts = [p.detach().double() if hasattr(p, "detach") else p for p in parts]
    values = np.ravel([np.asarray(part, dtype=float) for part in parts])
    return values, " ".join(str(warning.message) for warning in caught)


def is_printed(text, value):
    """Tell whether a value, rounded to the digits of a text, is that text."""
    mantissa, _, exponent = text.partition("e")
    digits = len(mantissa.partition(".")[2])
    return text == f"{value:.{digits}{'e' if exponent else 'f'}}"


NUMBER = re.compile(r"-?(inf|nan|[\d.]+(e[-+]\d+)?)")


def printed(row):
    """Return the code in the first cell of a row that is a value or a message."""
    found = [a or b for a, b in re.findall(r"``(.+?)``|`(.+?)`", row)]
    return [text for text in found if NUMBER.fullmatch(text) or len(text.split()) > 1]


def test_every_row_is_run_and_nothing_else():
    assert set(ROWS) == {*NUMPY, *TORCH, *MXNET}
    assert len(ROWS) == PAGE.count("\n| ") - PAGE.count("\n| You see | ")


@pytest.mark.parametrize("row", ROWS)
def test_a_row_prints_what_it_says(row):
    values, messages = run(program(row))
    texts = printed(row)
    if not texts:
        assert list(values) == [1], "a row without a value says something that is true"
    for text in texts:
        if NUMBER.fullmatch(text):
            assert any(is_printed(text, value) for value in values), values
        else:
            assert text in messages


@pytest.mark.parametrize("row", ROWS)
def test_a_row_leads_to_a_section_that_exists(row):
    labels = re.findall(r"\{ref\}`(sec-[a-z0-9-]+)`", ROWS[row])
    assert labels, "which section shows it?"


def namespace(library):
    """Return what the calls of a library are made of: its modules, and one set of arguments."""
    x = np.array([[2, 1, 0.1], [0.5, -1, 3]], dtype=np.float32)
    keep = np.array([[True, True, False], [True, True, False]])
    one_hot = np.array([[1, 0, 0], [0, 0, 1]], dtype=np.float32)
    lse = logsumexp_exact(x).astype(np.float32)
    found = dict(x=x, y=np.array([0, 2]), keep=keep, t=one_hot, one_hot=one_hot, T=0.5)
    found |= dict(z=x[:, 0], b=np.array([0, 1]), lse_1=lse[:1], lse_2=lse[1:], n=np.array([2, 2]))
    found |= dict(hidden=np.eye(2, dtype=np.float32), weights=x.T.copy(), p=np.array([0.5, 0.0]))
    found |= dict(
        other=x[::-1].copy(), start=np.array([0.5, 0.5]), moves=np.eye(2), seen=np.ones((3, 2))
    )
    found |= dict(column=np.array([[0], [2]]), q=np.ones((2, 1, 4), dtype=np.float32))
    found |= dict(
        words=np.array([[0, 2]]), sequences=x[None], hide=np.array([[False, False], [True, True]])
    )
    ours = {**vars(stable_softmax), **vars(special_values)}
    ours |= {"vocabulary_loss": vocabulary_loss, "softmax_blocked": softmax_blocked}
    ours |= {f.__name__: f for f in (draw_inverse_cdf, entropy, forward_shifted, kl_divergence)}
    ours |= {"log_ratio": log_ratio, "nucleus": nucleus}
    if library == "numpy":
        return {**ours, **found, "np": np, "scipy": scipy}
    if library == "torch":
        if torch is None:
            pytest.skip("PyTorch is not installed here")
        found = {k: torch.tensor(v) if k != "T" else v for k, v in found.items()}
        found |= {"b": found["b"].float(), "k": found["q"], "v": found["q"]}
        found["layer"] = torch.nn.MultiheadAttention(embed_dim=4, num_heads=1)
        return {**ours, **found, "torch": torch, "F": F}
    if not is_installed("mxnet"):
        pytest.skip(why_no_mxnet())
    mx = import_mxnet()
    found = {k: mx.nd.array(v) if k != "T" else v for k, v in found.items()}
    return found | {"mx": mx, "n": found["n"].astype("int32")}


X = namespace("numpy")["x"]
Y = [0, 2]
RIGHT = {
    "probabilities": softmax_exact(X),
    "log_probabilities": log_softmax_exact(X),
    "loss": cross_entropy_exact(X, Y),
    "binary": cross_entropy_exact(np.stack([0 * X[:, 0], X[:, 0]], axis=1), [0, 1]),
    "masked": softmax_exact(np.where([True, True, False], X, -INF)),
    "wider": softmax_exact(X),
    "wider_loss": cross_entropy_exact(X, Y),
    "logsumexp": logsumexp_exact(X),
    "sure": cross_entropy_exact(X, Y),
    "ignored": cross_entropy_exact(X, Y),
    "soft": cross_entropy_exact(X, Y),
    "cooled": softmax_exact(X / np.float32(0.5)),
    "merged": logsumexp_exact(X.ravel()),
}
RUN = [
    (name, library, code)
    for name, text in [*CALLS.items(), *ROWS.items()]
    for code, library in re.findall(r"\[\w+ `([^`]+)`[^\]]*\]\{\.(numpy|torch|mxnet)\}", text)
]
LINKS = re.findall(r"\[`([^`]+)`\]\((\S+)\)", PAGE)


def test_every_call_is_run_or_linked():
    spans = re.findall(r"\{\.(\w+)\}", PAGE)
    assert {*spans} == {"numpy", "torch", "mxnet", "jax", "tensorflow"}
    in_words = PAGE.count("[MXNet select the samples first]{.mxnet}")
    ran = sum(spans.count(library) for library in ("numpy", "torch", "mxnet"))
    assert ran == len(RUN) + in_words and in_words == 1
    assert set(CALLS) == set(RIGHT) == set(re.findall(r"\{\{ (\w+) \}\}", PAGE))


@pytest.mark.parametrize(("name", "library", "code"), RUN)
def test_a_call_gives_the_right_result(name, library, code):
    found = eval(code, namespace(library))
    found = getattr(found, "logits", found)
    found = found[0] if isinstance(found, tuple) else found
    found = (
        found.asnumpy()
        if library == "mxnet"
        else np.asarray(found.detach())
        if hasattr(found, "detach")
        else np.asarray(found)
    )
    assert not np.any(np.isnan(found))
    if name in RIGHT:
        right = np.mean(RIGHT[name]) if found.ndim == 0 else RIGHT[name]  # a loss is a mean
        # a few roundings, and the logarithm of oneDNN, which is good to a few 1e-6
        np.testing.assert_allclose(found, right.astype(np.float32).reshape(found.shape), atol=1e-5)


@pytest.mark.parametrize(("name", "address"), LINKS)
def test_a_call_that_did_not_run_is_linked_to_its_own_page(name, address):
    assert address.startswith(DOCUMENTATION)
    assert address.removesuffix(".html").replace("/", ".").endswith(name)
