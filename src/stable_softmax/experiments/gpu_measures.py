"""What is measured on a GPU: one function for each table of the chapter "On a GPU".

Each function takes a device and returns ``{row: {column: number}}``, as the recorded tables have
it; None is what this device cannot do. On ``"cpu"`` they run as well, which is how the chapter sets
a CPU beside the record and how they are tested. Memory is measured on a GPU only, and nothing is
compiled elsewhere.
"""

import math
import time
from importlib import import_module
from importlib.util import find_spec
from statistics import fmean, median

from ..measure.error import ulp_error
from ..measure.exact import softmax_exact
from ..measure.families import FAMILIES

FORMATS = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
BATCHES = (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65, 96, 100, 128, 200, 256, 384, 512)
BATCHES += (1000, 1024, 2048, 4096)


def sure(device):
    """Return the first gap, in steps of 1/4, at which the loss of two classes is exactly 0."""
    import torch

    gaps = torch.arange(0, 50, 0.25, dtype=torch.float64)
    rows = {}
    for name, dtype in FORMATS.items():
        x = torch.stack([gaps, 0 * gaps], dim=1).to(device, getattr(torch, dtype))
        loss = _losses(x)
        rows[name] = {"loss 0 from gap": float(gaps[(loss == 0).cpu()][0])}
    return rows


def autocast(device):
    """Return three losses of bfloat16 logits under autocast, in three forms.

    The label is 0 in each row of ``[[12, 0, 0, 0], [0, 12, 0, 0], [0.5, 0.25, 0, 1]]``.
    """
    import torch
    from torch.nn import functional

    logits = [[12, 0, 0, 0], [0, 12, 0, 0], [0.5, 0.25, 0, 1]]
    x = torch.tensor(logits, dtype=torch.bfloat16, device=device)
    labels = torch.zeros(len(x), dtype=torch.int64, device=device)
    forms = {
        "F.cross_entropy(x)": lambda: _losses(x),
        "F.cross_entropy(x.float())": lambda: _losses(x.float()),
        "F.nll_loss(F.log_softmax(x))": lambda: functional.nll_loss(
            functional.log_softmax(x, dim=-1), labels, reduction="none"
        ),
    }
    rows = {}
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        for name, form in forms.items():
            losses = form().tolist()
            rows[name] = {f"loss {i}": loss for i, loss in enumerate(losses, start=1)}
    return rows


def samples(device):
    """Return the mean loss of N samples and N times the gradient at a label.

    All logits are 0 and there are two classes: exact are log 2 = 0.6931 and -0.5.
    """
    import torch
    from torch.nn import functional

    rows = {}
    counts = [("fp16", 65_519), ("fp16", 65_520), ("fp16", 100_000), ("bf16", 257), ("bf16", 259)]
    for name, n in counts:
        x = torch.zeros(n, 2, dtype=getattr(torch, FORMATS[name]), device=device)
        x.requires_grad_()
        loss = functional.cross_entropy(x, torch.zeros(n, dtype=torch.int64, device=device))
        loss.backward()
        gradient = float(x.grad[0, 0].double())
        row = {"loss": float(loss.detach()), "gradient x N": gradient * n + 0.0}
        rows[f"{n:,} in {name}"] = row
    return rows


def masked(device):
    """Return how attention weighs eight keys for a query that may see none, in bfloat16.

    The scores are 0, 1, 2, 3, 0, 1, 2, 3, and the values are a unit matrix, so that the answer is
    the row of weights.
    """
    import torch
    from torch.nn.attention import SDPBackend

    keep = torch.ones(8, 8, dtype=torch.bool, device=device)
    keep[1], keep[0, 4:] = False, False
    added = torch.zeros(8, 8, dtype=torch.bfloat16, device=device).masked_fill(~keep, -math.inf)
    ways = {
        "default, boolean mask": (None, keep),
        "cuDNN, boolean mask": (SDPBackend.CUDNN_ATTENTION, keep),
        "cuDNN, mask of -inf": (SDPBackend.CUDNN_ATTENTION, added),
        "efficient, boolean mask": (SDPBackend.EFFICIENT_ATTENTION, keep),
        "math, boolean mask": (SDPBackend.MATH, keep),
    }
    return {
        name: _numbered("", _or_none(lambda way=way: _weights(device, *way), [None] * 8))
        for name, way in ways.items()
    }


def _weights(device, backend, mask):
    import torch
    from torch.nn import attention, functional

    q, k, v = (torch.zeros(1, 1, 8, 64) for _ in range(3))
    q[..., 0], k[0, 0, :, 0] = 8, torch.arange(8) % 4  # 8 q k / sqrt(64) is the number of the key
    v[0, 0, :, :8] = torch.eye(8)
    q, k, v = (part.to(device, torch.bfloat16) for part in (q, k, v))
    allowed = list(attention.SDPBackend.__members__.values()) if backend is None else [backend]
    with attention.sdpa_kernel([b for b in allowed if b.value >= 0]):
        answer = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return answer[0, 0, 1, :8].tolist()


def batch(device, width=4096, classes=128_256, rows=512):
    """Return the error of log-probabilities by the size of the batch in a product of float32."""
    import torch
    from torch.nn import functional

    hidden, weights = _last_layer(device, width, classes, rows, seed=1)
    exact = functional.log_softmax(hidden.double() @ weights.double().T, dim=-1)
    tokens = _drawn(exact, seed=2)
    before, table = torch.get_float32_matmul_precision(), {}
    for name, precision in {"float32": "highest", "TF32": "high"}.items():
        torch.set_float32_matmul_precision(precision)
        try:
            for size in (1, 8, 512):
                parts = hidden[: 256 if size == 1 else rows].split(size)
                logits = torch.cat([part @ weights.T for part in parts])
                error = functional.log_softmax(logits, dim=-1) - exact[: len(logits)]
                error = error.gather(1, tokens[: len(logits)])
                table[f"{name}, batch of {size}"] = {
                    "rms error": float(error.square().mean().sqrt()),
                    "largest error": float(error.abs().max()),
                }
        finally:
            torch.set_float32_matmul_precision(before)
    return table


def bits(device, width=4096, classes=(32_000, 50_257, 128_256), batches=BATCHES):
    """Return how many results one row of logits in bfloat16 has in batches of different sizes."""
    import torch

    rows = {}
    for n in classes:
        x, weights = _last_layer(device, width, n, max(batches), seed=0)
        x, weights = x.bfloat16(), (weights / 3).bfloat16()
        results = [(x[:size] @ weights.T)[0] for size in batches]
        different = [r for i, r in enumerate(results) if not _among(r, results[:i])]
        rows[f"{n:,} classes"] = {
            "different results": len(different),
            "logits that differ": max(float((r != results[0]).double().mean()) for r in results),
            "batches": len(batches),
        }
        del x, weights, results, different
        if torch.device(device).type == "cuda":
            torch.cuda.empty_cache()
    return rows


def axis(device, classes=(1000, 4096, 50_257, 128_256), rows=512):
    """Return the worst error of softmax in ulp, with the classes on the last or the first axis."""
    import torch
    from torch.nn import functional

    table = {}
    for n in classes:
        x = torch.randn(rows, n, generator=torch.Generator().manual_seed(n)).to(device)
        exact = functional.softmax(x.double(), dim=-1)
        first = functional.softmax(x.T.contiguous(), dim=0).T
        table[f"{n:,} classes"] = {
            "last": _worst_ulp(functional.softmax(x, dim=-1), exact),
            "first": _worst_ulp(first, exact),
        }
    return table


def equal(device, classes=50_257):
    """Return how many different results 16 equal rows of float32 have."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(classes)
    row = torch.randn(classes, generator=generator)
    x = row.expand(16, classes).contiguous().to(device)
    table = {}
    for name in ("softmax", "log_softmax"):
        y = getattr(functional, name)(x, dim=-1)
        same = bool((y == y[0]).all())
        table[f"F.{name}"] = {
            "different results": sum(not _among(y[i], y[:i]) for i in range(16)),
            "classes that differ": float((y[0] != y[1]).double().mean()),
            "row 0, class 1": None if same else float(y[0, 1]),
            "row 1, class 1": None if same else float(y[1, 1]),
        }
    return table


def exp(device, step=1):
    """Return the worst error of exp in ulp over the float32 numbers with a normal result.

    Below 2**-24 in size the result is 1, so these are left out. `step`: 1 for every number.
    """
    import torch

    functions = {"torch.exp": torch.exp, "tl.exp": _triton_exp(device)}
    return {
        name: _worst_of_all(function, device, step) if function else {"worst ulp": None, "at": None}
        for name, function in functions.items()
    }


def _worst_of_all(function, device, step):
    import torch

    worst, at = -1.0, None
    first = _bits_of(2.0**-24)
    for sign, last in ((1, _bits_of(88.7228)), (-1, _bits_of(87.3365))):
        for start in range(first, last, step << 24):
            stop = min(start + (step << 24), last)
            pattern = torch.arange(start, stop, step, dtype=torch.int32, device=device)
            x = sign * pattern.view(torch.float32)
            errors = _ulp(function(x), torch.exp(x.double()))
            k = int(errors.argmax())
            if float(errors[k]) > worst:
                worst, at = float(errors[k]), float(x[k])
    return {"worst ulp": worst, "at": at}


def _triton_exp(device):
    """Return exp as Triton compiles it, or None without a GPU or without Triton."""
    import torch

    if torch.device(device).type != "cuda" or not find_spec("triton"):
        return None
    return triton_exp()


def triton_exp():
    """Return ``tl.exp`` as a function of a float32 tensor of shape (n,); Triton is imported."""
    import torch

    # PyTorch for CUDA brings Triton, so it belongs to no extra of this package
    triton, tl = import_module("triton"), import_module("triton.language")

    @triton.jit
    def kernel(source, target, count, block: tl.constexpr):
        place = tl.program_id(0) * block + tl.arange(0, block)
        inside = place < count
        tl.store(target + place, tl.exp(tl.load(source + place, mask=inside)), mask=inside)

    def function(x):
        target = torch.empty_like(x)
        kernel[(triton.cdiv(x.numel(), 1024),)](x, target, x.numel(), block=1024)
        return target

    return function


def train(device, *, words=128_256, width=2048, heads=16, layers=8, tokens=256):
    """Compare log-probabilities of one network, run as in training and as in inference.

    The weights are random and in bfloat16. In training all tokens go through the network at once;
    in inference one by one, with the keys and values of the earlier ones kept.
    """
    import torch

    parts = _network(device, words, width, layers)
    text = torch.randint(0, words, (tokens,), generator=torch.Generator().manual_seed(2))
    text = text.to(device)
    with torch.no_grad():
        exact = _log_p([_wide(part) for part in parts], text, heads)
        chosen = _drawn(exact, seed=5)
        runs = {
            "training": _log_p(parts, text, heads),
            "inference": _log_p(parts, text, heads, one_by_one=True),
            "inference again": _log_p(parts, text, heads, one_by_one=True),
            "float64": exact,
        }
    pairs = {
        "inference, twice": ("inference", "inference again"),
        "training / inference": ("training", "inference"),
        "training / float64": ("training", "float64"),
        "inference / float64": ("inference", "float64"),
    }
    return {name: _apart(runs[a], runs[b], chosen) for name, (a, b) in pairs.items()}


def _apart(one, other, chosen):
    difference = (one - other).gather(1, chosen).double()
    return {
        "rms": float(difference.square().mean().sqrt()),
        "largest": float(difference.abs().max()),
        "tokens beyond 1 %": float((difference.abs() > 0.01).double().mean()),
        "argmax differs": int((one.argmax(-1) != other.argmax(-1)).sum()),
    }


def _network(device, words, width, layers):
    """Return the embedding, the layers and the last weights of a network, drawn at random."""
    import torch

    generator = torch.Generator(device).manual_seed(0)

    def drawn(*shape, scale):
        numbers = torch.randn(*shape, generator=generator, device=device)
        return (scale * numbers).bfloat16()

    inside = {
        "qkv": (width, 3 * width),
        "out": (width, width),
        "up": (width, 4 * width),
        "gate": (width, 4 * width),
        "down": (4 * width, width),
    }
    return [
        {"embedding": drawn(words, width, scale=1.0)},
        *(
            {name: drawn(*shape, scale=shape[0] ** -0.5) for name, shape in inside.items()}
            for _ in range(layers)
        ),
        {"head": drawn(width, words, scale=3 * width**-0.5)},
    ]


def _wide(part):
    return {name: weights.double() for name, weights in part.items()}


def _log_p(parts, text, heads, one_by_one=False):
    """Return the log-probabilities of all words after each token, in float64."""
    import torch
    from torch.nn import functional

    first, *layers, last = parts
    pieces = text.split(1) if one_by_one else [text]
    past = [None] * len(layers)
    hidden = []
    for piece in pieces:
        x = first["embedding"][piece]
        for i, layer in enumerate(layers):
            x, past[i] = _layer(layer, x, heads, past[i])
        hidden.append(functional.rms_norm(x, x.shape[-1:]))
    logits = torch.cat([x @ last["head"] for x in hidden])
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return functional.log_softmax(wide, dim=-1).double()


def _layer(weights, x, heads, past):
    import torch
    from torch.nn import functional
    from torch.nn.attention import SDPBackend, sdpa_kernel

    tokens, width = x.shape
    normed = functional.rms_norm(x, (width,))
    qkv = (normed @ weights["qkv"]).view(tokens, 3, heads, width // heads)
    q, *new = qkv.permute(1, 2, 0, 3)[:, None]
    k, v = new if past is None else (torch.cat(pair, dim=2) for pair in zip(past, new, strict=True))
    order = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    with sdpa_kernel(order):
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=past is None)
    x = x + seen[0].transpose(0, 1).reshape(tokens, width) @ weights["out"]
    normed = functional.rms_norm(x, (width,))
    inner = functional.silu(normed @ weights["gate"]) * (normed @ weights["up"])
    return x + inner @ weights["down"], (k, v)


def vocabulary(device, classes=128_256, width=4096, tokens=(4096, 16_384), chunk=512, repeats=8):
    """Return the memory and the time of six forms of the loss of a last layer in bfloat16.

    Memory is the peak in MiB above that of the hidden states and the weights, gradients included.
    """
    from .gpu_losses import FORMS

    table = {name: {} for name in FORMS}
    for n in tokens:
        hidden, weights = (
            part.bfloat16().requires_grad_() for part in _last_layer(device, width, classes, n, 0)
        )
        labels = _drawn_labels(hidden.detach(), weights.detach(), chunk)
        for name, form in FORMS.items():
            loss = form(device, chunk)

            def clear(hidden=hidden, weights=weights):
                hidden.grad = weights.grad = None

            def step(loss=loss, clear=clear, hidden=hidden, weights=weights, labels=labels):
                clear()
                loss(hidden, weights, labels).backward()

            memory, ms = _or_none(
                lambda s=step, c=clear: _cost(s, device, repeats, c), (None, None)
            )
            clear()
            table[name] |= {f"MiB, {n:,} tokens": memory, f"ms, {n:,} tokens": ms}
        del hidden, weights, labels
    return table


def speed(device, classes=(10, 1000, 50_257, 128_256), numbers=2**28, repeats=8):
    """Return the milliseconds of softmax in float32, and of exp, which reads and writes once."""
    import torch
    from torch.nn import functional

    forms = {
        "torch.exp, one read and one write": torch.exp,
        "amax, exp, sum, divide": _by_hand,
        "F.softmax": lambda x: functional.softmax(x, dim=-1),
        "F.softmax, compiled": compiled(lambda x: functional.softmax(x, dim=-1), device),
        "float64 inside, compiled": compiled(_wide_inside, device),
    }
    table = {name: {} for name in forms}
    for n in classes:
        x = torch.randn(numbers // n, n, device=device)
        for name, form in forms.items():
            ms = _or_none(lambda f=form, x=x: _cost(lambda: f(x), device, repeats)[1], None)
            table[name][f"n = {n:,}"] = ms
        del x
    return table


def accuracy(device, families=FAMILIES):
    """Return the worst error of softmax in float32 over the input families of this book."""
    import torch
    from torch.nn import functional

    forms = {
        "F.softmax": lambda x: functional.softmax(x, dim=-1),
        "F.softmax, compiled": compiled(lambda x: functional.softmax(x, dim=-1), device),
        "float64 inside, compiled": compiled(_wide_inside, device),
    }
    worst, right = {name: [] for name in forms}, {name: [] for name in forms}
    for family in families:
        x = family.samples("fp32")[0]
        exact, rounded = softmax_exact(x, dtype="fp64"), softmax_exact(x)
        for name, form in forms.items():
            p = form(torch.from_numpy(x).to(device)).cpu().numpy()
            worst[name].append(float(ulp_error(p, exact, dtype="fp32").max()))
            right[name].append(float((p == rounded).mean()))
    return {
        name: {"worst ulp": max(worst[name]), "correctly rounded": fmean(right[name])}
        for name in forms
    }


def _by_hand(x):
    e = (x - x.amax(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


def _wide_inside(x):
    from torch.nn import functional

    return functional.softmax(x.double(), dim=-1).float()


def compiled(function, device):
    """Return a function compiled by PyTorch for a GPU, and the function itself elsewhere."""
    import torch

    if torch.device(device).type != "cuda":
        return function
    return torch.compile(function, dynamic=False)


def _cost(step, device, repeats, clear=lambda: None):
    """Return the peak of the memory in MiB, or None, and the median time in milliseconds.

    `clear` frees what a step leaves, so that the peak counts it.
    """
    import torch

    on_gpu = torch.device(device).type == "cuda"

    def wait():
        if on_gpu:
            torch.cuda.synchronize()

    for _ in range(3):  # compile, and warm up
        step()
    wait()
    clear()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        wait()
        times.append(1000 * (time.perf_counter() - start))
    peak = round((torch.cuda.max_memory_allocated() - before) / 2**20) if on_gpu else None
    return peak, median(times)


def _or_none(call, nothing):
    """Return what a call returns, or nothing if this device cannot do it or lacks the memory."""
    try:
        return call()
    except RuntimeError:
        return nothing


def _losses(x):
    """Return the loss of each row for the label 0."""
    import torch
    from torch.nn import functional

    labels = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    return functional.cross_entropy(x, labels, reduction="none")


def _last_layer(device, width, classes, rows, seed):
    """Return hidden states and weights whose logits have a standard deviation of 3."""
    import torch

    generator = torch.Generator(device).manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator, device=device)
    weights = torch.randn(classes, width, generator=generator, device=device)
    return hidden, weights * (3 * width**-0.5)


def _drawn(log_p, seed):
    """Return a class for each row, drawn from its probabilities."""
    import torch

    generator = torch.Generator(log_p.device).manual_seed(seed)
    uniform = torch.rand(log_p.shape, generator=generator, device=log_p.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-30, 1 - 1e-7)))
    return (log_p.float() + gumbel).argmax(dim=-1, keepdim=True)


def _drawn_labels(hidden, weights, chunk):
    import torch

    parts = [_drawn(part @ weights.T, seed=i) for i, part in enumerate(hidden.split(chunk))]
    return torch.cat(parts)[:, 0]


def _numbered(name, values):
    return {f"{name} {i}".strip(): value for i, value in enumerate(values)}


def _among(result, others):
    return any(bool((result == other).all()) for other in others)


def _bits_of(number):
    import numpy as np

    return int(np.float32(number).view(np.int32))


def _ulp(computed, exact):
    """Return errors in ulp of float32 at exact values in float64."""
    import torch

    exponent = torch.frexp(exact).exponent.clamp(min=-125) - 24
    return torch.ldexp(computed.double() - exact, -exponent).abs()


def _worst_ulp(computed, exact):
    return float(_ulp(computed, exact).max())


_ORDER = sure, autocast, samples, masked, batch, bits, axis, equal, exp, train, vocabulary
#: The tables in the order of the chapter.
TABLES = {function.__name__: function for function in (*_ORDER, speed, accuracy)}
