"""The forward pass of a fully connected network: from a design matrix to logits.

Every sample is a row. A layer is a pair (W, b) and maps a matrix A to ``A @ W.T + b``; ReLU
follows every layer but the last, whose outputs are the logits.
"""

import operator
from itertools import pairwise

import numpy as np

from .arrays import as_real, namespace


def initial_parameters(sizes, rng):
    """Draw the parameters of a network at random: He initialization.

    Source: He, Zhang, Ren & Sun 2015: with this variance, ReLU layers keep the size of their
    inputs.

    Parameters
    ----------
    sizes : sequence of int
        The number of units of each layer, the inputs first: ``[10, 7, 5]``.
    rng : numpy.random.Generator
        The source of randomness; the same state gives the same parameters.

    Returns
    -------
    list of (W, b)
        For each step from a layer of k units to the next, of n units, two float64 NumPy arrays:
        W of shape (n, k), normal with mean 0 and variance 2/k, and b of shape (n,), all zero.

    Raises
    ------
    TypeError
        If a size is not an integer, or `rng` is not such a generator.
    ValueError
        If there are fewer than two sizes, or one is not positive.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be np.random.default_rng(0) or the like, not {rng!r}")
    sizes = check_sizes(sizes)
    parameters = []
    for k, n in pairwise(sizes):
        W = rng.normal(0.0, (2 / k) ** 0.5, size=(n, k))
        parameters.append((W, np.zeros(n)))
    return parameters


def count_parameters(sizes):
    """Count weights and biases: n (k + 1) for each step from k units to n.

    Parameters
    ----------
    sizes : sequence of int
        The number of units of each layer, the inputs first.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        As `initial_parameters`.
    """
    sizes = check_sizes(sizes)
    return sum(n * (k + 1) for k, n in pairwise(sizes))


def relu(z):
    """Rectified linear unit, max(0, z) of each element.

    Source: Goodfellow, Bengio & Courville 2016, section 6.3.1.

    Parameters
    ----------
    z : array_like, any shape
        Real numbers. Integers and booleans are promoted to the default float.

    Returns
    -------
    array
        The shape and floating-point dtype of `z`. -inf gives 0, inf gives inf, nan gives nan. In
        PyTorch the gradient is 0 below zero, 1 above, and 1/2 at zero itself.

    Raises
    ------
    TypeError
        If `z` is not real.
    """
    z, xp = _as_real(z, "z")
    return xp.maximum(xp.zeros_like(z), z)


def forward(parameters, inputs):
    """Return the outputs of all layers, from the inputs to the logits.

    Source: Goodfellow, Bengio & Courville 2016, chapter 6.

    Parameters
    ----------
    parameters : list of (W, b)
        For each layer a matrix W of shape (n, k) and a vector b of shape (n,), of the same array
        library as `inputs`. They are rounded to the dtype of `inputs`.
    inputs : array_like, shape (..., k)
        One sample of shape (k,), or a design matrix of shape (samples, k). Integers and booleans
        are promoted to the default float. No sample at all, shape (0, k), is allowed.

    Returns
    -------
    list of arrays of shape (..., units)
        ``[inputs, outputs of layer 1, ..., logits]``, all in the dtype of `inputs`. A matrix
        product is rounded to that dtype; its sums may be formed in a longer one.
        A nan in a sample makes all its logits nan. An infinity makes hidden values inf, nan or 0,
        and so a logit finite, infinite or nan. Other samples are not touched.

    Raises
    ------
    TypeError
        If something is not real, or `parameters` and `inputs` belong to different libraries.
    ValueError
        If there is no layer, or the shapes do not fit: the message names the layer.
    """
    inputs, xp = _as_real(inputs, "inputs")
    *hidden, (W_last, b_last) = _layers(parameters, inputs, xp)
    outputs = [inputs]
    for W, b in hidden:
        outputs.append(relu(xp.astype(outputs[-1] @ W.T, inputs.dtype) + b))
    outputs.append(xp.astype(outputs[-1] @ W_last.T, inputs.dtype) + b_last)
    return outputs


def check_sizes(sizes):
    """Return the layer sizes as a list of int.

    Errors: see `initial_parameters`.
    """
    try:
        checked = [operator.index(size) for size in sizes]
    except TypeError:
        raise TypeError(f"sizes must be integers, one for each layer, not {sizes!r}") from None
    if len(checked) < 2 or min(checked) < 1:
        raise ValueError(f"sizes must hold at least two positive numbers, not {sizes!r}")
    return checked


def _as_real(values, name):
    values = as_real(values, name)
    return values, namespace(values)


def _layers(parameters, inputs, xp):
    """Check each layer against the one before it and round it to the dtype of the inputs."""
    if inputs.ndim == 0:
        raise ValueError("inputs must be a sample of shape (k,) or a matrix of shape (samples, k)")
    if not len(parameters):
        raise ValueError("parameters must hold at least one layer (W, b)")
    layers, k = [], inputs.shape[-1]
    for i, (W, b) in enumerate(parameters):
        (W, W_xp), (b, b_xp) = _as_real(W, f"parameters[{i}]"), _as_real(b, f"parameters[{i}]")
        if W_xp is not xp or b_xp is not xp:
            raise TypeError(f"parameters[{i}] and inputs belong to different array libraries")
        if W.ndim != 2 or W.shape[1] != k or tuple(b.shape) != (W.shape[0],):
            raise ValueError(
                f"parameters[{i}] has shapes {tuple(W.shape)} and {tuple(b.shape)}, but its "
                f"input has {k} columns: W must have shape (n, {k}) and b shape (n,)"
            )
        layers.append((xp.astype(W, inputs.dtype), xp.astype(b, inputs.dtype)))
        k = W.shape[0]
    return layers
