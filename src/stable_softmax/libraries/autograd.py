"""Derivatives by PyTorch's autograd, of any loss that runs on its tensors."""

import numpy as np

from ..extras import needs


def loss_and_gradient(loss, x, labels):
    """Compute the loss of each sample by PyTorch, and its gradient by autograd.

    Parameters
    ----------
    loss : callable
        ``loss(logits, labels)``, one loss per sample, on PyTorch tensors.
    x : array_like, shape (..., n)
        Logits.
    labels : array_like of int, shape (...)

    Returns
    -------
    losses, gradient : NumPy arrays
        In the shapes of `labels` and `x`.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    with needs("frameworks"):
        import torch
    x = torch.tensor(np.asarray(x), requires_grad=True)
    losses = loss(x, torch.tensor(np.asarray(labels)))
    losses.sum().backward()
    return losses.detach().numpy(), x.grad.numpy()
