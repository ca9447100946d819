"""Train the network of the book on real images, and find out where a training run breaks.

PyTorch and scikit-learn are imported when a function needs them. The loss is any function of the
module `cross_entropy`: autograd flows through the very lines that the reader has seen.
"""

import contextlib
import functools
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from ..cross_entropy import (
    cross_entropy_epsilon,
    cross_entropy_naive,
    cross_entropy_shifted,
    cross_entropy_two_step,
)
from ..exact_numbers import count, one_number, positive_number
from ..extras import needs
from ..network import forward, initial_parameters
from ..softmax import softmax_naive, softmax_shifted

#: Each loss that is compared, and the softmax that is computed inside it.
LOSSES = {
    "naive": (cross_entropy_naive, softmax_naive),
    "log(softmax)": (cross_entropy_two_step, softmax_shifted),
    "epsilon": (cross_entropy_epsilon, softmax_shifted),
    "from logits": (cross_entropy_shifted, softmax_shifted),
}


@dataclass(frozen=True)
class Breakdown:
    """Where a run died: the step, from 1; the first tensor that is not finite; "inf" or "nan"."""

    step: int
    tensor: str
    value: str


@dataclass(frozen=True)
class History:
    """What happened in one training run.

    Parameters
    ----------
    losses, largest_logit : arrays, shape (steps made,)
        The mean loss and the largest absolute logit of the batch of each step.
    measured : array of int
        After how many steps the accuracy was measured: 0, ..., steps made.
    accuracy : array, shape of `measured`
        The share of test images whose largest logit is that of the label. A network with nan for
        logits answers class 0 to every image.
    breakdown : Breakdown or None
        Where the run died; None if all steps were made.
    parameters : list of (W, b)
        NumPy arrays, as they are after the last step.
    """

    losses: np.ndarray
    largest_logit: np.ndarray
    measured: np.ndarray
    accuracy: np.ndarray
    breakdown: Breakdown | None
    parameters: list


def load_digits_split(scale=1 / 16, seed=0):
    """Return the 1,797 handwritten digits that scikit-learn ships: 1,347 to train, 450 to test.

    Source: Alpaydin & Kaynak 1998, UCI Machine Learning Repository.

    Parameters
    ----------
    scale : float
        What the pixels, whole numbers from 0 to 16, are multiplied by.
    seed : int
        Of the shuffle before the split.

    Returns
    -------
    x_train, y_train, x_test, y_test : arrays
        Images as float32 rows of 64 pixels, and int64 labels from 0 to 9.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    TypeError, ValueError
        If `scale` is not one real number, or `seed` not an int of at least 0.
    """
    scale, seed = one_number(scale, "scale"), count(seed, "seed", 0)
    pixels, labels = _digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    x, y = (pixels[order] * scale).astype(np.float32), labels[order].astype(np.int64)
    return x[450:], y[450:], x[:450], y[:450]


def first_nonfinite(named_tensors):
    """Return the name of the first tensor that holds an inf or a nan, and which of them it holds.

    Parameters
    ----------
    named_tensors : dict or iterable of (str, array)
        In the order in which they are computed; NumPy arrays or PyTorch tensors.

    Returns
    -------
    (str, str) or None
        The name, and ``"nan"`` if the tensor holds any, otherwise ``"inf"``. None if no tensor
        holds either; an empty one does not.

    Raises
    ------
    TypeError
        If a name or an array is missing.
    """
    try:
        named_tensors = dict(named_tensors)
    except (TypeError, ValueError):
        raise TypeError("named_tensors must be a dictionary, or pairs of name and array") from None
    for name, tensor in named_tensors.items():
        xp = array_namespace(tensor)
        if not xp.all(xp.isfinite(tensor)):
            return name, "nan" if xp.any(xp.isnan(tensor)) else "inf"
    return None


def forward_backward(loss, softmax, layers, x, y):
    """Compute the mean loss of a batch and its gradient, and return every tensor on the way.

    Other parameters: see `loss_and_gradient`.

    Parameters
    ----------
    softmax : callable
        The softmax inside `loss`; computed beside it, so that the probabilities can be seen.
    layers : list of (W, b)
        PyTorch tensors that require gradients; these are stored in their ``grad``.
    x, y : tensors
        Images, one in each row, and labels.

    Returns
    -------
    dict of str to tensor
        In the order of computation: hidden values, logits, probabilities, loss, and the gradients
        of the logits and of the layers from the last to the first.
    """
    *hidden, logits = forward(layers, x)
    logits.retain_grad()
    losses = loss(logits, y)
    losses.mean().backward()
    tensors = {"hidden": hidden[-1], "logits": logits}
    tensors |= {"probabilities": softmax(logits), "loss": losses}
    tensors["gradient of the logits"] = logits.grad
    for i, (W, _) in reversed(list(enumerate(layers, start=1))):
        tensors[f"gradient of layer {i}"] = W.grad
    return {name: tensor.detach() for name, tensor in tensors.items()}


def train(
    loss,
    softmax,
    data,
    learning_rate,
    *,
    sizes=(64, 32, 10),
    steps=200,
    batch=64,
    seed=0,
    every=10,
):
    """Train a network by gradient descent on random batches, to the last step or the first nan.

    Parameters
    ----------
    loss, softmax : callable
        As for `forward_backward`.
    data : tuple of arrays
        ``x_train, y_train, x_test, y_test``, as from `load_digits_split`.
    learning_rate : float
        The factor of the gradient in each step.
    sizes : sequence of int
        The units of each layer.
    steps, batch, every : int
        The number of steps, of images in each, and of steps between two measured accuracies.
    seed : int
        Of the initial parameters and the batches: with one seed, all losses start alike.

    Returns
    -------
    History
        The same for the same arguments on the same machine; PyTorch uses one thread for it.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If the numbers of images and labels differ, a label is out of range, an image does not fit
        the first layer, or a size, a rate or a number of steps is out of range.
    TypeError
        If images are not floating-point numbers, or labels, sizes or numbers of steps not integers.
    """
    rate, every = positive_number(learning_rate, "learning_rate"), count(every, "every")
    steps, batch = count(steps, "steps", 0), count(batch, "batch")
    with needs("frameworks"):
        import torch
    x, y, x_test, y_test = (torch.tensor(part) for part in _checked(data))
    rng = np.random.default_rng(seed)
    layers = [
        tuple(torch.tensor(part, dtype=x.dtype, requires_grad=True) for part in layer)
        for layer in initial_parameters(sizes, rng)
    ]
    log, measured, broken = [], [(0, _accuracy(layers, x_test, y_test))], None
    with _one_thread(torch):
        for step in range(1, steps + 1):
            rows = torch.tensor(rng.integers(len(x), size=batch))
            tensors = forward_backward(loss, softmax, layers, x[rows], y[rows])
            broken = first_nonfinite(tensors)
            for part in (part for layer in layers for part in layer):
                part.data -= rate * part.grad
                part.grad = None
            log.append((float(tensors["loss"].mean()), float(tensors["logits"].abs().max())))
            if broken or step % every == 0 or step == steps:
                measured.append((step, _accuracy(layers, x_test, y_test)))
            if broken:
                break
    return History(
        *np.reshape(log, (-1, 2)).T,
        *(np.array(column) for column in zip(*measured, strict=True)),
        Breakdown(step, *broken) if broken else None,
        [tuple(part.detach().numpy() for part in layer) for layer in layers],
    )


@functools.cache
def _digits():
    with needs("frameworks"):
        from sklearn.datasets import load_digits
    return load_digits(return_X_y=True)


def _accuracy(layers, x, y):
    logits = forward([tuple(part.detach() for part in layer) for layer in layers], x)[-1]
    return float((logits.argmax(-1) == y).double().mean())


def _checked(data):
    if not isinstance(data, tuple | list) or len(data) != 4:
        raise ValueError("data must be four arrays: x_train, y_train, x_test, y_test")
    for x, y in (data[:2], data[2:]):
        if np.ndim(x) != 2 or np.shape(x)[:1] != np.shape(y):
            raise ValueError(
                f"images of shape {np.shape(x)} and labels of shape {np.shape(y)} do not fit: "
                "give one row of pixels and one label for each image"
            )
        if np.asarray(x).dtype.kind != "f":
            raise TypeError(f"images must hold floating-point numbers, not {np.asarray(x).dtype}")
    return [np.asarray(part) for part in data]


@contextlib.contextmanager
def _one_thread(torch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
