"""Special values: masks, infinities, nan, ignored labels and targets of zero.

The functions that treat them on purpose, beside the usual ones, which do not, and are here to be
studied. What other libraries return for the same inputs: `stable_softmax.libraries.truth_table`.
"""

import math

from .arrays import (
    as_label,
    as_logits,
    as_mask,
    as_number,
    as_samples,
    as_targets,
    at_least_float32,
    class_axis,
    namespace,
)
from .cross_entropy import cross_entropy_log1p
from .log_softmax import log_softmax_log1p
from .softmax import softmax_shifted

_INF = math.inf


def softmax_filled(x, mask, fill=-1e9, axis=-1):
    """Softmax of logits whose masked entries are replaced by a large negative number.

    It is here to be studied: a finite fill masks only where the other logits are far above it.

    Returns: probabilities: the shape of `x`, its floating-point dtype. A fully masked row is
    uniform for a finite fill and nan for -inf; otherwise as `softmax_shifted`.

    Other parameters: see `softmax_shifted`. Errors: see `softmax_masked`.

    Parameters
    ----------
    mask : array_like of bool
        True where a class takes part; broadcast to the shape of `x`.
    fill : float
        The number put in place of the masked logits; TypeError if it is not one. NumPy rounds it to
        the format, in float16 -65520 and all below to -inf; PyTorch raises a RuntimeError where the
        format has no such number.
    """
    x, axis, xp = as_logits(x, axis)
    fill = xp.full_like(x, as_number(fill, "fill"))
    return softmax_shifted(xp.where(as_mask(mask, x), x, fill), axis)


def softmax_added(x, mask, fill=-1e9, axis=-1):
    """Softmax of logits to whose masked entries a large negative number is added.

    It is here to be studied: in a fully masked row the number is a common offset, and no mask.

    Returns: probabilities: the shape of `x`, its floating-point dtype. A fully masked row is the
    softmax of ``x + fill`` for a finite fill and nan for -inf; otherwise as `softmax_shifted`.

    Other parameters: see `softmax_shifted`. Errors: see `softmax_masked`.

    Parameters
    ----------
    mask : array_like of bool
        True where a class takes part; broadcast to the shape of `x`.
    fill : float
        The number added to the masked logits, as that of `softmax_filled`.
    """
    x, axis, xp = as_logits(x, axis)
    zero, fill = xp.zeros_like(x), xp.full_like(x, as_number(fill, "fill"))
    return softmax_shifted(x + xp.where(as_mask(mask, x), zero, fill), axis)


def softmax_masked(x, mask, axis=-1):
    """Softmax over the classes that take part; zeros where none does.

    Returns: probabilities: the shape of `x`, its floating-point dtype, 0 at each masked class,
    also where its logit is nan. A logit of -inf is masked by itself. A row without any class gives
    zeros, and a zero gradient; +inf or nan at a class that takes part gives nan in the whole row.
    Formats shorter than float32 are computed in float32, and rounded once.

    TypeError, ValueError: see `stable_softmax.arrays.as_logits`; also for a mask that is not
    boolean, or does not broadcast to the shape of `x`.

    Other parameters: see `softmax_shifted`.

    Source: PyTorch pull request 131060 (zeros, for attention).

    Parameters
    ----------
    mask : array_like of bool
        True where a class takes part; broadcast to the shape of `x`.
    """
    x, axis, xp = as_logits(x, axis)
    z = at_least_float32(x)
    z = xp.where(as_mask(mask, x), z, xp.full_like(z, -_INF))
    m = xp.max(z, axis=axis, keepdims=True)
    e = xp.exp(z - xp.where(m == -_INF, xp.zeros_like(m), m))
    s = xp.sum(e, axis=axis, keepdims=True)
    return xp.astype(e / xp.where(s == 0, xp.ones_like(s), s), x.dtype)


def softmax_masked_late(x, mask, axis=-1):
    """Masked softmax whose nan is replaced after it was computed: right value, nan gradient.

    It is here to be studied.

    Returns: as `softmax_masked` where the logits are finite, but the gradient of a row without any
    class is nan. A logit of nan or +inf gives nan in its row, also behind the mask.

    TypeError, ValueError: as `softmax_masked`.

    Parameters: see `softmax_masked`.
    """
    p = softmax_added(x, mask, -_INF, axis)
    _, axis, xp = as_logits(x, axis)
    any_class = xp.any(as_mask(mask, x), axis=axis, keepdims=True)
    return xp.where(any_class, p, xp.zeros_like(p))


def log_or_zero_naive(x):
    """Logarithm of the positive numbers and 0 elsewhere, chosen after the logarithm.

    Parameters
    ----------
    x : array_like, any shape
        Real numbers.

    Returns
    -------
    array
        The shape and floating-point dtype of `x`; 0 for nan. NumPy warns of the logarithms that
        are thrown away, and at 0 autograd finds the gradient nan.

    Raises
    ------
    TypeError
        If `x` is not real.
    """
    x, _, xp = as_logits(x, ())
    return xp.where(x > 0, xp.log(x), xp.zeros_like(x))


def log_or_zero(x):
    """Logarithm of the positive numbers and 0 elsewhere, chosen before the logarithm.

    Returns: the shape and floating-point dtype of `x`; 0 for nan. The gradient is 0 where the
    value is chosen to be 0.

    Parameters and errors: see `log_or_zero_naive`.
    """
    x, _, xp = as_logits(x, ())
    return xp.log(xp.where(x > 0, x, xp.ones_like(x)))


def mean_cross_entropy(x, labels, ignore_label=-100, axis=-1):
    """Mean cross-entropy over the samples that count.

    Ignored samples become zeros before anything is computed, so they may hold anything, and their
    gradient is 0. Formats shorter than float32 are computed in float32, and rounded once.

    Returns: the mean in the floating-point dtype of `x`, and 0 if no sample counts: the empty sum,
    whose gradient is 0. inf and nan as in `cross_entropy_log1p`, from samples that count.

    TypeError, ValueError: see `cross_entropy_shifted`; a label may also be `ignore_label`.

    Other parameters: see `cross_entropy_shifted`.

    Parameters
    ----------
    labels : array_like of int
        Class indices, or `ignore_label`; the shape of `x` without its class axis.
    ignore_label : int
        The label of samples that do not count; TypeError if it is not an integer.
    """
    ignore_label = as_label(ignore_label)
    x, labels, axis = as_samples(x, labels, axis, ignore_label)
    xp = namespace(x)
    counts, none = labels != ignore_label, xp.zeros_like(labels)
    z = at_least_float32(x)
    z = xp.where(xp.expand_dims(counts, axis=axis), z, xp.zeros_like(z))
    losses = cross_entropy_log1p(z, xp.where(counts, labels, none), axis)
    total = xp.sum(xp.where(counts, losses, xp.zeros_like(losses)))
    number = xp.astype(xp.sum(xp.astype(counts, labels.dtype)), total.dtype)
    number = xp.where(number == 0, xp.ones_like(number), number)
    return xp.astype(total / number, x.dtype)


def cross_entropy_soft(x, targets, axis=-1):
    """Cross-entropy with one target probability per class, where a target of 0 costs nothing.

    Returns: one loss per sample, in nats: the shape of `x` without its class axis, its
    floating-point dtype. A logit of -inf costs 0 where its target is 0, and inf where it is not;
    nan where a row holds nan or +inf, or only -inf, and a target that is not 0. Formats shorter
    than float32 are computed in float32, and rounded once.

    TypeError, ValueError: see `stable_softmax.arrays.as_logits`, for the targets as well;
    ValueError also if the shapes differ, or `axis` is not one axis.

    Other parameters: see `cross_entropy_shifted`.

    Parameters
    ----------
    targets : array_like, shape of x
        Probabilities, real numbers; neither their signs nor their sums are checked.
    """
    x, _, xp = as_logits(x, axis)
    z = at_least_float32(x)
    targets = as_targets(targets, z)
    log_p = log_softmax_log1p(z, axis)
    log_p = xp.where(targets == 0, xp.zeros_like(log_p), log_p)
    return xp.astype(-xp.sum(targets * log_p, axis=class_axis(axis, x.ndim)), x.dtype)
