"""How much memory a call takes, counted and not timed: the same on every machine."""

import tracemalloc

from ..extras import needs


def peak_memory(f, *arguments, **keywords):
    """Return how many bytes NumPy and Python held at most during a call, besides its arguments.

    PyTorch's own memory is not seen.

    Parameters
    ----------
    f : callable
    *arguments, **keywords
        Of the call. Its result counts, unless it was there before.

    Returns
    -------
    int
    """
    tracemalloc.start()
    try:
        f(*arguments, **keywords)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kept_for_backward(f, x, *arguments, **keywords):
    """Return how many bytes PyTorch's autograd keeps after a call, besides the logits.

    Parameters
    ----------
    f : callable
    x : torch.Tensor
        Logits; they are neither changed nor given a gradient.
    *arguments, **keywords
        Of the call ``f(x, *arguments, **keywords)``.

    Returns
    -------
    int

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    with needs("frameworks"):
        import torch
    x, kept = x.detach().requires_grad_(), {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes(), tensor  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        f(x, *arguments, **keywords)
    kept.pop(x.untyped_storage().data_ptr(), None)
    return sum(nbytes for nbytes, _ in kept.values())
