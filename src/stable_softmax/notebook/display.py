"""What a chapter shows: the style of all figures, the error plot, source code and tables.

A chapter sets no size, no color and no line style: it takes them from here, so that naive
code is the vermilion dashed line and stable code the blue solid line on every page.
The colors are those of Okabe and Ito, which stay distinct for color-blind readers.

Matplotlib is imported by the functions that draw: a page in a browser downloads it for the first
figure, and tables and sources do without it.
"""

import ast
import inspect
import math
import sys
import textwrap
import warnings
from importlib.resources import as_file, files
from importlib.util import find_spec

import numpy as np

from ..exact_numbers import count, float_numbers, one_number, positive_number
from ..extras import needs

with needs("book"):
    from IPython import get_ipython
    from IPython.display import Markdown
    from matplotlib_inline.backend_inline import set_matplotlib_formats

COLORS = {
    "naive": "#d55e00",
    "stable": "#0072b2",
    "alternative": "#009e73",
    "other": "#cc79a7",
    "extra": "#e69f00",
    "exact": "#000000",
    "roundoff": "#777777",
}
_LINES = {
    "naive": ("--", "o"),
    "stable": ("-", "s"),
    "alternative": ("-.", "^"),
    "other": (":", "D"),
    "extra": ((0, (7, 2, 1, 2, 1, 2)), "v"),
    "exact": ("-", ""),
    "roundoff": ("-", ""),
}
#: Keyword arguments of ``ax.plot`` for each role a curve can have.
ROLE = {
    role: {
        "color": COLORS[role],
        "linestyle": style,
        "marker": marker,
        "markevery": 0.1,
        "linewidth": 1.8 if marker else 1.0,
    }
    for role, (style, marker) in _LINES.items()
}
_ERROR_AXIS = {  # unit: (text at the axis, size below which the axis becomes linear)
    "ulp": ("error (ulp)", 0.1),
    "u": ("error (units of u)", 0.1),
    "relative": ("relative error", 1e-17),
    "absolute": ("absolute error", 1e-17),
}


_SIZES = {"normal": (6.2, 3.5), "wide": (7.4, 3.5)}


def _pyplot():
    with needs("book"):
        import matplotlib.pyplot as plt
    return plt


def _error_ticks():
    """Return the ticks of an error axis: zero and about eight powers of ten above the floor."""
    with needs("book"):
        from matplotlib.ticker import Locator

    class ErrorTicks(Locator):
        def __call__(self):
            first = math.ceil(math.log10(self.axis.get_transform().linthresh))
            last = math.floor(math.log10(self.axis.get_view_interval()[1]))
            step = math.ceil((last - first + 1) / 8)
            return [0, *(10.0**power for power in range(last, first - (step == 1), -step))]

    return ErrorTicks()


def use_book_style():
    """Give all following figures the style of the book; in a notebook they become SVG.

    There, a warning is printed as one line, without the path of a temporary file.
    """
    with as_file(files(__package__) / "book.mplstyle") as style:
        _pyplot().style.use(style)
    if get_ipython() is not None:
        set_matplotlib_formats("svg")
        if hasattr(get_ipython(), "display_formatter"):  # a page that runs its cells has its own
            formatters = get_ipython().display_formatter.formatters
            formatters["image/svg+xml"].for_type(_pyplot().Figure, _save)
        warnings.formatwarning = _one_line


def _save(figure):
    from .figures import save

    return save(figure)


def _one_line(message, category, filename, lineno, line=None):
    return f"{category.__name__}: {message}\n"


def new_axes(
    xlabel="",
    ylabel="",
    *,
    width="normal",
    rows=1,
    cols=1,
    sharex=False,
    sharey=False,
    xscale="linear",
):
    """Return new axes, or an array of them, in one of the two sizes: "normal" or "wide"."""
    size = _chosen(_SIZES, width, "width")
    height = size[1] if rows == 1 else 2.6 * rows
    size = (size[0], height)
    _, axes = _pyplot().subplots(rows, cols, figsize=size, sharex=sharex, sharey=sharey)
    for ax in np.ravel(axes):
        ax.set_xscale(xscale)
        if not sharex or ax.get_subplotspec().is_last_row():
            ax.set_xlabel(xlabel)
        if not sharey or ax.get_subplotspec().is_first_col():
            ax.set_ylabel(ylabel)
    return axes


def plot_error(x, errors, *, label, role, ax=None, unit="ulp", xlabel="", floor=None, line=True):
    """Draw errors on a logarithmic axis on which nothing is lost.

    A zero is drawn on the line marked 0, since below `floor` the axis is linear. An error
    that is inf or nan is drawn as a cross above the axes, in one row per curve.

    Parameters
    ----------
    x, errors : array_like, shape (n,)
        Positions and errors. Signs of errors are dropped.
    label : str
        The name of the curve, shown by `label_lines`.
    role : str
        A key of `ROLE`.
    ax : Axes, optional
        Where to draw; new axes by default.
    unit : {"ulp", "u", "relative", "absolute"}
        What the errors are measured in.
    xlabel : str, optional
        The text at the horizontal axis, for new axes.
    floor : float, optional
        Where the axis turns linear: by default 0.1 for "ulp" and "u", and 1e-17 otherwise.
    line : bool
        Whether the points are joined.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If positions, errors or the floor are not real numbers.
    ValueError
        If they do not share one shape (n,), the floor is not positive, or there is no such role or
        unit.
    """
    x, errors = _curve(x, errors)
    errors, text = np.abs(errors), _chosen(_ERROR_AXIS, unit, "unit")[0]
    floor = _ERROR_AXIS[unit][1] if floor is None else positive_number(floor, "floor")
    ax = new_axes(xlabel, text) if ax is None else ax
    shared = len(ax.get_shared_y_axes().get_siblings(ax)) > 1
    if not ax.get_ylabel() and (ax.get_subplotspec().is_first_col() or not shared):
        ax.set_ylabel(text)
    if ax.get_yscale() != "symlog":
        ax.set_yscale("symlog", linthresh=floor, linscale=0.5)
        ax.yaxis.set_major_locator(_error_ticks())
        ax.axhline(0, color=COLORS["roundoff"], linewidth=0.8)
    _draw(ax, x, errors, label, role, line)
    bottom = ax.yaxis.get_transform().linthresh
    ax.set_ylim(-0.3 * bottom, max(ax.get_ylim()[1], 10 * bottom), auto=True)
    return ax


def plot_values(x, y, *, label, role, ax):
    """Draw the values of a function; those that are inf or nan become crosses above the axes.

    Other parameters and errors: see `plot_error`.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Positions and values.
    ax : Axes
        Where to draw.

    Returns
    -------
    Axes
    """
    _draw(ax, *_curve(x, y), label, role, line=True)
    return ax


def _curve(x, y):
    x, y = (float_numbers(v, name) for v, name in ((x, "x"), (y, "the curve")))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"x and the curve must have one shape (n,), not {x.shape} and {y.shape}")
    return x, y


def _chosen(table, key, name):
    if key not in table:
        known = ", ".join(map(repr, table))
        raise ValueError(f"there is no {name} {key!r}; use one of {known}")
    return table[key]


def _draw(ax, x, y, label, role, line):
    style = _chosen(ROLE, role, "role") | ({} if line else {"linestyle": "none"})
    style["markevery"] = 1 if x.size <= 25 or not line else 0.1
    finite = np.isfinite(y)
    ax.plot(x, np.where(finite, y, np.nan), label=label, **style)
    if not finite.all():
        row = sum(other.get_marker() == "x" for other in ax.lines)
        height, edge = 1.05 + 0.05 * row, ax.get_xaxis_transform()
        crosses = {"marker": "x", "linestyle": "none", "clip_on": False, "markersize": 5}
        ax.plot(
            x[~finite], [height] * np.sum(~finite), transform=edge, color=style["color"], **crosses
        )
        if row == 0:
            ax.text(
                -0.01,
                height,
                "inf or nan",
                transform=ax.transAxes,
                ha="right",
                va="center",
                size=9,
                gid="crosses",
            )


def mark_limit(ax, value, text, *, axis="x", at=0.97, beyond=False):
    """Mark a limit, such as the end of a format, with a gray line and a text beside it.

    `at` is where along the line the text ends, from 0 to 1. The text is to the left of a line that
    goes up and above one that goes across, or, `beyond` the limit, on the other side. TypeError: if
    `value` is not a real number. ValueError: if `axis` is neither "x" nor "y", or `value` is more
    than one number.
    """
    draw = _chosen({"x": ax.axvline, "y": ax.axhline}, axis, "axis")
    draw(one_number(value, "value"), **ROLE["roundoff"])
    look = {"textcoords": "offset points", "size": 9, "color": "0.3", "annotation_clip": False}
    look["gid"] = "limit"  # figures.py finds it by this name
    if axis == "x":
        look |= {"xycoords": ax.get_xaxis_transform(), "rotation": 90, "va": "top"}
        look |= {"ha": "left", "xytext": (2, 0)} if beyond else {"ha": "right", "xytext": (-2, 0)}
        ax.annotate(text, (value, at), **look)
    else:
        look |= {"xycoords": ax.get_yaxis_transform(), "ha": "right"}
        look |= {"va": "top", "xytext": (0, -2)} if beyond else {"va": "bottom", "xytext": (0, 2)}
        ax.annotate(text, (at, value), **look)


def label_lines(ax):
    """Write the label of each curve at its right end, moved up or down where two would meet."""
    with needs("book"):
        from matplotlib.colors import to_rgb
    if layout := ax.figure.get_layout_engine():
        layout.execute(ax.figure)  # it decides where the ends are
    points = 72 / ax.figure.dpi
    ends = []
    for curve in ax.lines:
        x, y = np.asarray(curve.get_xdata(), float), np.asarray(curve.get_ydata(), float)
        seen = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if curve.get_label().startswith("_") or not seen.size:
            continue
        end = seen[np.argmax(x[seen])]
        place = points * ax.transData.transform((x[end], y[end]))
        ends.append((curve, (x[end], y[end]), place))
    ends.sort(key=lambda item: item[2][1])
    wanted = np.array([place for *_, place in ends]).reshape(-1, 2)
    heights, gap = wanted[:, 1].copy(), 13
    for _ in range(200):  # push apart neighbors that are closer than a line of text
        for i in range(len(ends) - 1):
            overlap = gap - (heights[i + 1] - heights[i])
            if overlap > 0 and abs(wanted[i + 1, 0] - wanted[i, 0]) < 120:
                heights[i : i + 2] += (-overlap / 2, overlap / 2)
    for (curve, end, place), height in zip(ends, heights, strict=True):
        dark = tuple(0.7 * part for part in to_rgb(curve.get_color()))
        moved = abs(height - place[1]) > 4
        beside = points * ax.bbox.x1 - place[0]  # a line across the axes ends at their edge
        away = 7 + (beside if 0 < beside < 20 else 0)
        lead = {"arrowstyle": "-", "color": dark, "linewidth": 0.7, "relpos": (0, 0.5)}
        ax.annotate(
            curve.get_label(),
            end,
            xytext=(away + 9 if moved else away, height - place[1]),
            textcoords="offset points",
            va="center",
            color=dark,
            size=9.5,
            annotation_clip=False,
            gid="name",
            arrowprops=lead | {"shrinkA": 0, "shrinkB": 0} if moved else None,
        )


def show_source(*functions, docstring=False):
    """Return the real source of functions as a Markdown code block, without their docstrings.

    TypeError: if what is given has no source in Python that can be read, such as a builtin.
    """
    sources = []
    for function in functions:
        try:
            source = textwrap.dedent(inspect.getsource(function))
        except (TypeError, OSError):
            raise TypeError(f"{function!r} has no source in Python that can be read") from None
        has_docstring = not docstring and inspect.getdoc(function)
        body = ast.parse(source).body[0].body if has_docstring else []
        if len(body) > 1:
            lines = source.splitlines()
            source = "\n".join(lines[: body[0].lineno - 1] + lines[body[0].end_lineno :])
        sources.append(source.strip())
    return Markdown("```python\n" + "\n\n\n".join(sources) + "\n```")


def show_table(headers, rows, *, digits=3):
    """Return a table as Markdown; numbers get `digits` significant digits, inf and nan included.

    None, for what does not exist, becomes a dash; what is neither number, text, tuple nor array
    becomes its text. ValueError: if a row has more or fewer cells than there are headers, or
    `digits` is not positive.
    """
    headers, rows, digits = list(headers), [list(row) for row in rows], count(digits, "digits")
    if any(len(row) != len(headers) for row in rows):
        raise ValueError(f"every row must have {len(headers)} cells, one for each header")
    texts = [[_cell(value, digits) for value in row] for row in rows]
    left = [any(isinstance(row[i], str) for row in rows) for i in range(len(headers))]
    lines = [headers, [":---" if is_left else "---:" for is_left in left], *texts]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def show_progress(items, label):
    """Yield items under a progress bar.

    The bar is live in a notebook. It shows no times, so a built page, which keeps its last state
    only, is the same after every build. Without tqdm there is no bar.

    Parameters
    ----------
    items : sequence
        What is iterated over.
    label : str
        What the items are: ``"training runs"``.
    """
    if not find_spec("tqdm"):  # as in a page that runs its cells
        return items
    with needs("book"):
        from tqdm import tqdm
    form = "{bar:30} {n_fmt} of {total_fmt} {desc}"
    return tqdm(items, desc=label, bar_format=form, file=sys.stdout)


def _cell(value, digits):
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return str(tuple(value))
    if np.ndim(value):
        return "[" + ", ".join(_cell(part, digits) for part in value) + "]"
    if isinstance(value, int | np.integer):
        return str(value)
    try:
        return f"{float(value):.{digits}g}"
    except (TypeError, ValueError):
        return str(value)
