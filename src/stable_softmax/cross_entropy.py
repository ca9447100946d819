"""Cross-entropy of logits and class indices, -log p[label], its gradient and its curvature.

Every function takes logits, never probabilities, and returns one value per sample; the mean over
a batch is left to the caller. The first four are studied because they fail.
"""

import math

from . import log_softmax
from .arrays import (
    as_logits,
    as_samples,
    as_targets,
    at_least_float32,
    class_axis,
    namespace,
    one_hot,
    take_label,
)
from .logsumexp import logsumexp_shifted
from .softmax import softmax_shifted


def cross_entropy_naive(x, labels, axis=-1):
    """Cross-entropy from the naive softmax: -log(exp(x_y) / sum(exp(x))).

    nan where `softmax_naive` is nan, inf where its entry at the label is 0.

    Returns what `cross_entropy_shifted` returns elsewhere.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_naive(x, axis), labels, axis)


def cross_entropy_two_step(x, labels, axis=-1):
    """Cross-entropy from a correct softmax: -log(p_y), logarithm after softmax.

    The loss is right until p_y becomes subnormal, and inf when it underflows; under autograd the
    gradient is no longer finite before that.

    Returns what `cross_entropy_shifted` returns.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_two_step(x, axis), labels, axis)


def cross_entropy_epsilon(x, labels, axis=-1, epsilon=1e-7):
    """Cross-entropy with a constant inside the logarithm: -log(p_y + epsilon).

    Capped at -log(epsilon): the loss and, worse, its gradient stop answering to a wrong sample.

    Returns: one loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`.
    ``-log(epsilon)`` where the label's logit is -inf and another is finite; nan where a row holds
    nan or +inf, or only -inf; about 0 for one class; empty for no samples.

    Other parameters and errors: see `cross_entropy_shifted`.

    Parameters
    ----------
    epsilon : float
        The constant, at least 0 like that of `log_softmax_epsilon`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_epsilon(x, axis, epsilon), labels, axis)


def cross_entropy_clamped(x, labels, axis=-1, epsilon=1e-7):
    """Cross-entropy of a probability that is not allowed below epsilon.

    Exact for ``p_y >= epsilon``; below, the loss is constant and the gradient zero.

    Returns what `cross_entropy_epsilon` returns.

    Other parameters and errors: see `cross_entropy_shifted`.

    Parameters
    ----------
    epsilon : float
        The smallest probability, at least 0.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_clamped(x, axis, epsilon), labels, axis)


def cross_entropy_from_logsumexp(x, labels, axis=-1):
    """Cross-entropy as lse(x) - x_y: finite, but in the wrong order.

    The two terms cancel: a common offset of the logits costs digits of the loss.

    Returns: one loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`.
    inf where the label's logit is -inf and another is finite; nan where a row holds nan or only
    -inf, or where the label's logit is +inf; 0 for one class; empty for no samples.

    Parameters and errors: see `cross_entropy_shifted`.

    Source: PyTorch issue 11752 (the same order, mended there).
    """
    x, labels, axis = as_samples(x, labels, axis)
    return logsumexp_shifted(x, axis) - take_label(x, labels, axis)


def cross_entropy_shifted(x, labels, axis=-1):
    """Cross-entropy from logits: log(sum(exp(x - m))) - (x_y - m).

    Finite for logits whose differences and sum are finite (`softmax_shifted` says how many tied
    classes a short format counts), and blind to a common offset. 0 for a sample whose label is
    ahead by more digits than the format has.

    Source: Blanchard, Higham & Higham 2021.

    Parameters
    ----------
    x : array_like
        Logits of one sample or of many. Integers and booleans are promoted to the default float.
    labels : array_like of int
        Class indices of any integer type, the shape of `x` without its class axis. Labels that
        cannot be read (traced by a compiler or by vmap, on PyTorch's meta device, in dask) are not
        checked: one out of range makes its sample nan.
    axis : int
        The class axis.

    Returns
    -------
    array
        One loss per sample, in nats: the shape of `labels`, the floating-point dtype of `x`.
        inf where the label's logit is -inf and another is finite; nan where a row holds nan or
        +inf, or only -inf; 0 for one class; empty for no samples.

    Raises
    ------
    TypeError, ValueError
        If `x` is not real, `axis` is not one existing axis, or `labels` is not made of integers
        in ``0 .. n-1`` of the right shape.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_shifted(x, axis), labels, axis)


def cross_entropy_log1p(x, labels, axis=-1):
    """Cross-entropy from logits, with the largest terms left out of the sum.

    Like `cross_entropy_shifted`, and a sure sample keeps its small positive loss.

    Returns what `cross_entropy_shifted` returns.

    Parameters and errors: see `cross_entropy_shifted`.

    Source: Blanchard, Higham & Higham 2021; PyTorch issue 113708 (open).
    """
    x, labels, axis = as_samples(x, labels, axis)
    return -take_label(log_softmax.log_softmax_log1p(x, axis), labels, axis)


def cross_entropy_gradient_shifted(x, labels, axis=-1):
    """Gradient of the cross-entropy with respect to the logits: p - y.

    At the label of a sure sample ``p - 1`` cancels: the entry loses its digits and becomes 0.

    Returns: the gradient of each sample's own loss: shape and floating-point dtype of `x`. nan
    where `softmax_shifted` is nan; 0 for one class; empty for no samples; in a short format only
    for as many tied classes as `softmax_shifted` counts.

    Parameters and errors: see `cross_entropy_shifted`.

    Source: Bridle 1990; Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    x, labels, axis = as_samples(x, labels, axis)
    return softmax_shifted(x, axis) - one_hot(labels, x, axis)


def cross_entropy_gradient_complement(x, labels, axis=-1):
    """Gradient of the cross-entropy whose label entry is minus the sum of the other entries.

    ``p_y - 1`` is minus the probability of all other classes. Added up from the small numbers
    themselves, it keeps the digits that the subtraction loses.

    Returns what `cross_entropy_gradient_shifted` returns.

    Parameters and errors: see `cross_entropy_shifted`.
    """
    x, labels, axis = as_samples(x, labels, axis)
    xp = namespace(x)
    p = softmax_shifted(x, axis)
    at_label = one_hot(labels, x, axis) == 1
    others = xp.where(at_label, p - p, p)  # 0, and nan stays nan
    return xp.where(at_label, -xp.sum(others, axis=axis, keepdims=True), p)


def hessian_vector_product(x, v, axis=-1):
    """Second derivatives of the cross-entropy times a vector: (diag(p) - p pᵀ) v.

    They do not depend on the label, and are those of log-sum-exp. A number that is added to all
    of `v` changes nothing, so the entry of `v` at the largest logit is taken off first: the
    likely class then has a 0 there, and nothing near 1 is left to cancel.

    Returns: the shape of `x`, its floating-point dtype; each row adds up to 0. 0 where `v` is the
    same for all classes, or one probability is 1. A logit of -inf gives 0; +inf or nan in a row, or
    a row of -inf, gives nan in the whole row, and inf or nan in a row of `v` gives inf or nan in
    all of it. Formats shorter than float32 are computed in float32, and rounded once.

    TypeError, ValueError: see `stable_softmax.arrays.as_logits`, for `v` as well; ValueError also
    if the shapes differ, or `axis` is not one axis.

    Other parameters: see `cross_entropy_shifted`.

    Source: Pearlmutter 1994 (such products, without the matrix); chapter ``cross_entropy``.

    Parameters
    ----------
    v : array_like, shape of x
        The vector of each sample; real numbers, which are rounded to the dtype of `x`.
    """
    x, _, xp = as_logits(x, axis)
    axis = class_axis(axis, x.ndim)
    z = at_least_float32(x)
    v, p = as_targets(v, z, "v"), softmax_shifted(z, axis)
    at_max = z == xp.max(z, axis=axis, keepdims=True)
    at_max_only = xp.where(at_max, v, xp.full_like(v, -math.inf))
    w = v - xp.max(at_max_only, axis=axis, keepdims=True)
    return xp.astype(p * (w - xp.sum(p * w, axis=axis, keepdims=True)), x.dtype)
