"""Derivatives by PyTorch's autograd, of any loss that runs on its tensors."""

import numpy as np

from ..arrays import as_logits, as_targets
from ..extras import needs
from ..floating_point import format_of


def loss_and_gradient(loss, x, labels):
    """Compute the loss of each sample by PyTorch, and its gradient by autograd.

    Parameters
    ----------
    loss : callable
        ``loss(logits, labels)``, one loss per sample or their mean, on PyTorch tensors.
    x : array_like, shape (..., n)
        Logits, in any format that PyTorch computes in; integers are promoted to float64.
    labels : array_like of int, shape (...)

    Returns
    -------
    losses, gradient : NumPy arrays
        In the shapes of what `loss` returns and of `x`, in their formats.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If `x` is not real, or `loss` does not return a tensor that depends on the logits.
    """
    x, losses = _on_tensors(loss, x, labels)
    losses.sum().backward()
    return to_numpy(losses), to_numpy(x.grad)


def product_by_autograd(loss, x, labels, v):
    """Multiply the second derivatives of each sample's loss by a vector, in two backward passes.

    Parameters
    ----------
    loss, x, labels
        As in `loss_and_gradient`; the loss of a sample depends on no other sample.
    v : array_like, shape of x
        Rounded to the format of `x`.

    Returns
    -------
    numpy.ndarray, shape of x
        In the format of `x`; see `stable_softmax.cross_entropy.hessian_vector_product` for what it
        should be.

    Raises
    ------
    ImportError, TypeError
        As `loss_and_gradient`; also if `v` is not real.
    ValueError
        If `v` does not have the shape of `x`.
    """
    x, losses = _on_tensors(loss, x, labels)
    v = as_targets(v, x.detach(), "v")
    import torch

    (gradient,) = torch.autograd.grad(losses.sum(), x, create_graph=True)
    if not gradient.requires_grad:  # the loss is linear in the logits
        return to_numpy(torch.zeros_like(x))
    return to_numpy(torch.autograd.grad((gradient * v).sum(), x)[0])


def _on_tensors(loss, x, labels):
    with needs("frameworks"):
        import torch
    x = to_numpy(x) if torch.is_tensor(x) else x
    x = to_tensor(as_logits(x, ())[0]).requires_grad_()
    losses = loss(x, torch.tensor(np.asarray(labels)))
    if not (torch.is_tensor(losses) and losses.requires_grad):
        raise TypeError("loss must return a PyTorch tensor that is computed from the logits")
    return x, losses


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
    TypeError
        If `x` is not a tensor of floating-point numbers.
    """
    with needs("frameworks"):
        import torch
    if not (torch.is_tensor(x) and x.is_floating_point()):
        held = x.dtype if torch.is_tensor(x) else type(x).__name__
        raise TypeError(f"x must be a PyTorch tensor of floating-point numbers, not {held}")
    x, kept = x.detach().requires_grad_(), {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes(), tensor  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        f(x, *arguments, **keywords)
    kept.pop(x.untyped_storage().data_ptr(), None)
    return sum(nbytes for nbytes, _ in kept.values())


def to_tensor(x):
    """Return a copy of a NumPy array as a tensor of the same format.

    Parameters
    ----------
    x : array_like
        Of a dtype of NumPy, or of a format that ml_dtypes adds and PyTorch has.
    """
    import torch

    x = np.asarray(x)
    if x.dtype.kind in "biuf" and x.dtype.isbuiltin == 1:
        return torch.tensor(x)
    fmt = format_of(x)  # PyTorch cannot read those of ml_dtypes; float32 holds all of their numbers
    return torch.tensor(x.astype(np.float32)).to(getattr(torch, fmt.dtype_name))


def to_numpy(tensor):
    """Return the numbers of a tensor, without its graph, as a NumPy array of the same format."""
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    if hasattr(np, name):
        return tensor.numpy()
    return tensor.float().numpy().astype(format_of(tensor).dtype)
