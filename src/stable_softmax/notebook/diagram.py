"""The drawing of a fully connected network: every unit, every connection, every layer named."""

from itertools import pairwise

import numpy as np

from ..network import check_sizes, count_parameters
from .display import COLORS, new_axes


def draw_network(sizes, labels=None, *, ax=None):
    """Draw a network with every unit and every connection.

    TypeError, ValueError: if a size is not a positive integer, or labels and sizes differ in
    number.

    Other parameters: see `initial_parameters`.

    Parameters
    ----------
    labels : sequence of str, optional
        One name for each layer, written below it with the number of units.
        Default: "input", "hidden 1", ..., "logits".
    ax : Axes, optional
        Where to draw; new axes by default, wide for more than three layers.

    Returns
    -------
    Axes
        Without ticks. Above each pair of layers are the numbers of weights and biases.
    """
    sizes = check_sizes(sizes)
    labels = _default_labels(len(sizes)) if labels is None else list(labels)
    if len(labels) != len(sizes):
        raise ValueError(f"labels has {len(labels)} names for {len(sizes)} layers")
    if ax is None:
        ax = new_axes(width="wide" if len(sizes) > 3 else "normal")
    ax.axis("off")
    places = [
        np.column_stack([np.full(n, i), (n - 1) / 2 - np.arange(n)]) for i, n in enumerate(sizes)
    ]
    top = (max(sizes) - 1) / 2
    for i, (left, right) in enumerate(pairwise(places)):
        ends = [(start, end) for start in left for end in right]
        x, y = np.array(ends).transpose(2, 1, 0)
        ax.plot(x, y, color=COLORS["roundoff"], linewidth=0.5, zorder=1, label="_")
        weights, total = sizes[i] * sizes[i + 1], count_parameters(sizes[i : i + 2])
        text = f"{weights} weights + {total - weights} biases = {total}"
        ax.text(i + 0.5, top + 1.1, text, ha="center", va="center", size=9.5)
    for i, (place, label) in enumerate(zip(places, labels, strict=True)):
        color = COLORS["other" if i == len(sizes) - 1 else "exact"]
        ax.scatter(*place.T, s=130, facecolor="white", edgecolor=color, linewidth=1.6, zorder=2)
        ax.text(i, -top - 1.1, f"{label}\n{sizes[i]} units", ha="center", va="top", size=10)
    ax.set(xlim=(-0.3, len(sizes) - 0.7), ylim=(-top - 2.6, top + 1.6))
    return ax


def _default_labels(count):
    return ["input", *(f"hidden {i}" for i in range(1, count - 1)), "logits"]
