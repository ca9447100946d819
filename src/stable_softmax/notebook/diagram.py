"""Two drawings: a network, unit by unit, and a sum of two numbers, bit by bit."""

import math
from itertools import pairwise

import numpy as np

from ..exact_numbers import one_number
from ..floating_point import FP64
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
        color = COLORS["second" if i == len(sizes) - 1 else "exact"]
        ax.scatter(*place.T, s=130, facecolor="white", edgecolor=color, linewidth=1.6, zorder=2)
        name = f"{label}\n{sizes[i]}\N{NO-BREAK SPACE}units"
        ax.text(i, -top - 1.1, name, ha="center", va="top", size=10)
    ax.set(xlim=(-0.3, len(sizes) - 0.7), ylim=(-top - 2.6, top + 1.6))
    return ax


def draw_two_sum(a, b, *, ax=None):
    """Draw two float64 numbers as bars over the places of their bits, their sum, and what it lost.

    Parameters
    ----------
    a, b : float
        The first is the larger in size; part of the second lies below the last bit of the sum.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        One bar for each of a, b, the rounded sum s and its error t, from the highest bit to the
        last place of the format, with the number above it; the part of b below the last place of
        s, which becomes t, is in the color of TwoSum. New axes are small enough for a phone.

    Raises
    ------
    TypeError
        If `a` or `b` is not a real number.
    ValueError
        If no part of `b` falls off.
    """
    a, b = one_number(a, "a"), one_number(b, "b")
    s = a + b
    # exact: the error of a sum of two numbers is a float64 number
    t = math.fsum([a, b, -s]) if math.isfinite(s) else 0.0
    end, low = _places(s)[1], _places(b)[1]
    if not (abs(a) >= abs(b) and t != 0 and low < end):
        raise ValueError(f"nothing falls off when {b} is added to {a}")
    bars = [
        (3, _places(a), "first"),
        (2, (_places(b)[0], end), "first"),
        (2, (end, low), "twosum"),
        (1, _places(s), "exact"),
        (0, (_places(t)[0], low), "twosum"),
    ]
    if ax is None:
        ax = new_axes("place of the bit, as a power of two")
        ax.figure.set_size_inches(3.8, 3.1)
    for height, (left, right), role in bars:
        ax.barh(height, right - left, left=left, height=0.4, color=COLORS[role])
    start = max(_places(a)[0], _places(s)[0])
    for height, text in enumerate([f"t = {t:.3g}", f"s = {s!r}", f"b = {b!r}", f"a = {a!r}"]):
        ax.text(start, height + 0.27, text, va="bottom", size=9)
    ax.axvline(end, color=COLORS["roundoff"], linewidth=1)
    ax.text(end, -0.45, "s ends here ", ha="right", va="center", size=9, color="0.3")
    ax.set(xlim=(start + 1, low - 1), ylim=(-0.7, 3.75), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.grid(False, axis="y")
    return ax


def _places(x):
    """Return the place above the highest bit of a float64 number, and that of its last bit."""
    above = math.frexp(x)[1]
    return above, above - FP64.precision


def _default_labels(count):
    return ["input", *(f"hidden {i}" for i in range(1, count - 1)), "logits"]
