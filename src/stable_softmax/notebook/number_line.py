"""Pictures of single numbers: a line with the numbers of a format on it, and a row of bits."""

import math
from dataclasses import dataclass

import numpy as np

from ..exact_numbers import one_number
from ..extras import needs
from ..floating_point import format_of_arrays, rounded_numbers, ulp
from .display import COLORS

_FIELDS = {"sign": "roundoff", "exponent": "third", "fraction": "second"}  # field: its color
_MOST = 10_000


def numbers_between(low, high, fmt):
    """List all numbers of a format from one number to another.

    Parameters
    ----------
    low, high : float
        Both ends belong to the interval.
    fmt : dtype, Format or str

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In rising order, with one zero.

    Raises
    ------
    ValueError
        If there are more than 10,000, or the ends are in the wrong order.
    TypeError
        If an end is not a real number, or the format is not one of this book.
    """
    low, high, fmt = one_number(low, "low"), one_number(high, "high"), format_of_arrays(fmt)
    if not -fmt.largest <= low <= high <= fmt.largest:
        raise ValueError(f"low and high must be in this order, and among the numbers of {fmt}")
    found = [float(rounded_numbers(low, fmt))]
    while found[-1] <= high:
        if len(found) > _MOST:
            raise ValueError(f"more than {_MOST} numbers of {fmt} from {low} to {high}")
        found.append(_next_above(found[-1], fmt))
    numbers = np.array(found) + 0.0  # no -0.0
    return numbers[(numbers >= low) & (numbers <= high)]


def _next_above(number, fmt):
    """Return the next number above; beyond the largest one the grid goes on."""
    step = float(ulp(number, fmt))
    if number < 0 and np.frexp(number)[0] == -0.5 and number < -fmt.smallest_normal:
        step /= 2  # a power of two: the spacing is smaller on the side of zero
    return number + step


@dataclass(frozen=True)
class NumberLine:
    """A piece of the real line, as wide as the axes, on which numbers are marked.

    Parameters
    ----------
    ax : Axes
        It loses its own axes; several lines share it, one in each row.
    low, high : float
        The ends of the piece.
    row : int
        0 is the top row.
    text : str
        What the line shows, written above its left end.
    """

    ax: object
    low: float
    high: float
    row: int = 0
    text: str = ""

    def __post_init__(self):
        ax, y = self.ax, -self.row
        ax.axis("off")
        ax.plot([-0.02, 1.02], [y, y], color=COLORS["roundoff"], linewidth=0.8, zorder=1)
        ax.text(-0.02, y + 0.46, self.text, ha="left", va="center", size=9.5)
        bottom = min(float(np.min(line.get_ydata())) for line in ax.lines)
        ax.set(xlim=(-0.04, 1.04), ylim=(bottom - 0.42, 0.6))

    def place(self, number):
        """Return where on the line a number is: 0 at the left end, 1 at the right end."""
        return (number - self.low) / (self.high - self.low)

    def mark(self, numbers, role="exact", height=0.24):
        """Mark each number of an array that is on this piece with an upright tick."""
        inside = [n for n in np.ravel(numbers) if self.low <= n <= self.high]
        width = 1.2 if role == "exact" else 2.0  # a pale color needs more of it
        look = {"color": COLORS[role], "linewidth": width, "zorder": 2}
        self.ax.vlines(
            [self.place(n) for n in inside], -self.row, height - self.row, label=role, **look
        )

    def label(self, texts):
        """Write a text under each number of a dictionary."""
        for number, text in texts.items():
            self.ax.text(
                self.place(number), -self.row - 0.07, text, ha="center", va="top", size=8.5
            )

    def drop(self, number, to, text="", role="exact"):
        """Draw a number that is not on the line, and the arrow that takes it to its neighbor."""
        y = 0.42 - self.row
        color, place = COLORS[role], self.place(number)
        self.ax.plot([place], [y], marker="o", color=color, linestyle="none", zorder=3)
        self.ax.annotate(
            "",
            (self.place(to), 0.2 - self.row),
            xytext=(place, y),
            arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 3, "shrinkB": 0},
        )
        self.ax.text(place + 0.015, y + 0.01, text, ha="left", va="center", size=9, color=color)

    def zoom_from(self, upper):
        """Show which part of the line above this line enlarges."""
        with needs("book"):
            from matplotlib.patches import Polygon

        left, right = upper.place(self.low), upper.place(self.high)
        corners = [
            (left, -upper.row),
            (right, -upper.row),
            (1, 0.3 - self.row),
            (0, 0.3 - self.row),
        ]
        self.ax.add_patch(
            Polygon(corners, facecolor=COLORS["roundoff"], alpha=0.15, edgecolor="none", zorder=0)
        )


def bits_of(number, fmt):
    """Return the bits in which a format stores a number, by field.

    Parameters
    ----------
    number : float
        It is rounded to the format first.
    fmt : dtype, Format or str
        One that arrays can have.

    Returns
    -------
    dict of str to str
        ``"sign"``, ``"exponent"`` and ``"fraction"``; the leading 1 of a normal number is not
        stored.

    Raises
    ------
    TypeError
        If `number` is not a real number, or the format is not one of this book.
    """
    fmt = format_of_arrays(fmt)
    stored = rounded_numbers(one_number(number, "number"), fmt)
    sign, size = np.signbit(stored), abs(float(stored))
    places, width = fmt.precision - 1, (fmt.max_exponent - fmt.min_exponent + 1).bit_length()
    if math.isfinite(size):
        # Consecutive numbers have consecutive patterns: a carry out of the fraction is a power of
        # two more, and the first numbers are subnormal.
        exponent = max(math.frexp(size)[1] - 1, fmt.min_exponent) if size else fmt.min_exponent
        steps = int(math.ldexp(size, places - exponent))
        pattern = (exponent - fmt.min_exponent << places) + steps
    else:
        pattern = (2**width - 1) << places
        if math.isnan(size):
            pattern += 2 ** (places - 1) if fmt.has_infinity else 2**places - 1
    bits = f"{pattern:0{width + places}b}"
    return {"sign": f"{sign:d}", "exponent": bits[:width], "fraction": bits[width:]}


def draw_bits(number, fmt, *, ax, row=0, text=""):
    """Draw the bits of a number as a row of boxes, one color for each field.

    Other parameters and errors: see `bits_of`.

    Parameters
    ----------
    ax : Axes
        It loses its own axes; several numbers share it, one in each row.
    row : int
        0 is the top row.
    text : str, optional
        Written above the row.

    Returns
    -------
    Axes
        A box is 1 wide.
    """
    with needs("book"):
        from matplotlib.patches import Rectangle

    ax.axis("off")
    x, y = 0.0, -2.6 * row
    ax.text(0, y + 1.35, text, ha="left", va="center", size=9.5)
    for field, bits in bits_of(number, fmt).items():
        color = COLORS[_FIELDS[field]]
        for i, bit in enumerate(bits):
            ax.add_patch(Rectangle((x + i, y), 1, 1, facecolor=color, alpha=0.3, edgecolor="none"))
            ax.add_patch(Rectangle((x + i, y), 1, 1, facecolor="none", edgecolor="black", lw=0.8))
            ax.text(x + i + 0.5, y + 0.47, bit, ha="center", va="center", size=9.5)
        ax.text(x + len(bits) / 2, y - 0.15, field, ha="center", va="top", size=8.5)
        x += len(bits)
    right = max(x + 0.3, ax.get_xlim()[1] if row else 0)
    ax.set(xlim=(-0.3, right), ylim=(y - 1.0, 1.8))
    return ax
