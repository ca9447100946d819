"""How long training needs to mend one wrong sample: gradient descent on its logits.

The experiment has no network. It asks only how a loss pulls at a sample that it should correct,
so two losses with the same minimum can be compared by the number of steps they take.
"""

import functools

import numpy as np

from ..exact_numbers import count, exact_numbers, positive_number
from ..floating_point import round_to
from ..libraries.autograd import loss_and_gradient


def samples_behind(gap, dtype=np.float32):
    """Return two-class samples whose label is behind by `gap`: logits ``[gap, 0]``, label 1.

    Parameters
    ----------
    gap : array_like
        How far the logit of the label is behind the other one; negative where it is ahead.
    dtype : dtype, Format or str
        The format of the logits.

    Returns
    -------
    x : numpy.ndarray, shape of `gap` with an axis of 2 classes at its end
    labels : numpy.ndarray of int64, shape of `gap`

    Raises
    ------
    TypeError
        If `gap` is not real, or the format is not one of this book, or stores no arrays.
    """
    gap = round_to(exact_numbers(gap, "gap"), dtype)
    return np.stack([gap, np.zeros_like(gap)], axis=-1), np.ones(gap.shape, dtype=np.int64)


def autograd_gradient(loss, **options):
    """Turn a loss into the function that returns its gradient, by PyTorch's autograd.

    Parameters
    ----------
    loss : callable
        Takes logits and labels and returns one loss per sample, like the functions of
        `stable_softmax.cross_entropy`, on PyTorch tensors.
    **options
        Passed on to the loss, for example ``epsilon=1e-15``.

    Returns
    -------
    callable
        Takes logits and labels as NumPy arrays and returns the gradient of each sample's own loss
        with respect to its logits: a NumPy array with the shape and dtype of the logits.

    Raises
    ------
    ImportError
        When the gradient is asked for where PyTorch is not installed.
    """
    loss = functools.partial(loss, **options)
    return lambda x, labels: loss_and_gradient(loss, x, labels)[1]


def steps_to_recover(
    gradient,
    gap,
    *,
    learning_rate=1.0,
    max_steps=5000,
    dtype=np.float64,
):
    """Count the steps of gradient descent until a wrong sample is classified correctly.

    The sample is that of `samples_behind`: it is wrong by `gap`.
    Each step subtracts ``learning_rate * gradient`` from both logits. The count ends when the
    logit of the label is the larger one.

    TypeError: as `samples_behind`; or if `max_steps` is not an int. ValueError: if `learning_rate`
    or `max_steps` is not positive, or a gradient does not have the shape of the logits.

    Other parameters: see `samples_behind`.

    Parameters
    ----------
    gradient : callable
        Takes logits of shape (k, 2) and k labels, and returns the gradient of each sample's own
        loss: ``autograd_gradient(loss)``, or a function such as `cross_entropy_gradient_shifted`.
    gap : float or array_like
        How far the label's logit starts behind; several gaps are independent samples.
    learning_rate : float
    max_steps : int
        After how many steps the count is given up.

    Returns
    -------
    float64, or an array of the shape of `gap`
        It is 0 for a sample that is right at the start; inf where `max_steps` were not enough, or
        where the gradient became exactly 0, infinite or nan, so that no number would be.
    """
    rate = positive_number(learning_rate, "learning_rate")
    max_steps = count(max_steps, "max_steps")
    x, labels = samples_behind(gap, dtype)
    x, labels, shape = x.reshape(-1, 2), labels.ravel(), labels.shape
    steps = np.where(x[:, 1] > x[:, 0], 0.0, np.inf)
    moving = np.flatnonzero(np.isinf(steps))
    for step in range(1, max_steps + 1):
        g = _of_shape(gradient(x[moving], labels[moving]), (moving.size, 2))
        x[moving] -= rate * g
        steps[moving[x[moving, 1] > x[moving, 0]]] = step
        pulls = np.any(g != 0, axis=-1) & np.all(np.isfinite(g), axis=-1)
        moving = moving[np.isinf(steps[moving]) & pulls]
        if not moving.size:
            break
    return steps.reshape(shape)[()]


def _of_shape(g, shape):
    g = np.asarray(g)
    if g.shape != shape:
        raise ValueError(
            f"gradient must return an array of the shape of its logits, {shape}, not {g.shape}"
        )
    return g
