"""Six forms of the loss of a last layer, to compare their memory and time on a GPU.

``FORMS[name](device, chunk)`` returns a function of hidden states (N, d), weights (n, d) and labels
(N,), whose result is the mean loss, with gradients. `chunk` is the number of tokens that are done
at once; of classes, 16 times as many.
"""

import math
from functools import cache


def _wide_logits(hidden, weights, labels, reduction="mean"):
    from torch.nn import functional

    return functional.cross_entropy((hidden @ weights.T).float(), labels, reduction=reduction)


def _short_logits(hidden, weights, labels):
    from torch.nn import functional

    return functional.cross_entropy(hidden @ weights.T, labels)


def _recomputed(device, chunk):
    from torch.utils.checkpoint import checkpoint

    from .gpu_measures import compiled

    part = compiled(lambda h, w, y: _wide_logits(h, w, y, reduction="sum"), device)

    def loss(hidden, weights, labels):
        pairs = zip(hidden.split(chunk), labels.split(chunk), strict=True)
        sums = [checkpoint(part, h, weights, y, use_reentrant=False) for h, y in pairs]
        return sum(sums) / len(labels)

    return loss


@cache
def _functions():
    """Return the two functions with gradients of their own; PyTorch is imported here."""
    import torch

    def wide_product(a, b):
        """Return a @ b of short numbers, rounded to float32."""
        if a.device.type == "cuda":
            return torch.mm(a, b, out_dtype=torch.float32)
        return a.float() @ b.float()

    class ChunksOfTokens(torch.autograd.Function):
        """The gradient is computed in the forward pass, while the logits of a chunk are there."""

        @staticmethod
        def forward(ctx, hidden, weights, labels, chunk):
            d_hidden, d_weights = torch.empty_like(hidden), torch.zeros_like(weights)
            total = torch.zeros((), device=hidden.device)
            for i in range(0, len(hidden), chunk):
                h, y = hidden[i : i + chunk], labels[i : i + chunk, None]
                x = (h @ weights.T).float()
                lse = torch.logsumexp(x, dim=-1, keepdim=True)
                total += (lse - x.gather(1, y)).sum()
                x.sub_(lse).exp_().scatter_add_(1, y, torch.full_like(lse, -1.0))
                gradient = x.div_(len(hidden)).to(weights.dtype)
                d_hidden[i : i + chunk] = gradient @ weights
                d_weights.addmm_(gradient.T, h)
            ctx.save_for_backward(d_hidden, d_weights)
            return total / len(hidden)

        @staticmethod
        def backward(ctx, gradient):
            d_hidden, d_weights = ctx.saved_tensors
            return d_hidden.mul_(gradient), d_weights.mul_(gradient), None, None

    class ChunksOfClasses(torch.autograd.Function):
        """No logits are kept: a running log-sum-exp forward, and the logits once more backward."""

        @staticmethod
        def forward(ctx, hidden, weights, labels, chunk):
            rows = torch.arange(len(hidden), device=hidden.device)
            m = torch.full(rows.shape, -math.inf, device=hidden.device)
            s, at_label = torch.zeros_like(m), torch.zeros_like(m)
            for j in range(0, len(weights), chunk):
                x = wide_product(hidden, weights[j : j + chunk].T)
                inside = (labels >= j) & (labels < j + chunk)
                at_label[inside] = x[rows[inside], labels[inside] - j]
                largest = torch.maximum(m, x.amax(dim=-1))
                s = s * torch.exp(m - largest) + x.sub_(largest[:, None]).exp_().sum(dim=-1)
                m = largest
            lse = m + torch.log(s)
            ctx.save_for_backward(hidden, weights, labels, lse)
            ctx.chunk = chunk
            return (lse - at_label).mean()

        @staticmethod
        def backward(ctx, gradient):
            hidden, weights, labels, lse = ctx.saved_tensors
            rows = torch.arange(len(hidden), device=hidden.device)
            d_hidden = torch.zeros(hidden.shape, device=hidden.device)
            d_weights = torch.empty_like(weights)
            for j in range(0, len(weights), ctx.chunk):
                w = weights[j : j + ctx.chunk]
                x = wide_product(hidden, w.T).sub_(lse[:, None]).exp_()
                inside = (labels >= j) & (labels < j + ctx.chunk)
                x[rows[inside], labels[inside] - j] -= 1
                g = x.mul_(gradient / len(hidden)).to(weights.dtype)
                d_hidden += wide_product(g, w)
                d_weights[j : j + ctx.chunk] = g.T @ hidden
            return d_hidden.to(hidden.dtype), d_weights, None, None

    return ChunksOfTokens.apply, ChunksOfClasses.apply


def _compiled(device, chunk):
    from .gpu_measures import compiled

    return compiled(_wide_logits, device)


#: The six forms in the order of the table.
FORMS = {
    "float32 logits": lambda device, chunk: _wide_logits,
    "bf16 logits": lambda device, chunk: _short_logits,
    "float32 logits, compiled": _compiled,
    "recomputed, compiled": _recomputed,
    "chunks of tokens": lambda device, chunk: lambda h, w, y: _functions()[0](h, w, y, chunk),
    "chunks of classes": lambda device, chunk: lambda h, w, y: _functions()[1](h, w, y, 16 * chunk),
}
