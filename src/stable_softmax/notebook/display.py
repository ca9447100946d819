"""What a chapter shows: the style of all figures, the error plot, source code and tables.

A chapter sets no size, no color and no line style: it takes them from here, where each form of a
function has one look in all figures. Vermilion and dashed is naive and nothing else, blue is
shifted, the purples are formats, from fp64, the darkest, to e5m2, the palest, and the dull colors
are what one figure compares and no other.

Matplotlib is imported by the functions that draw: a page in a browser downloads it for the first
figure, and tables and sources do without it.
"""

import ast
import inspect
import math
import re
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

_DASH_DOT_DOT = (0, (7, 2, 1, 2, 1, 2))
_LOOKS = {  # role: color, at least 3 : 1 on white; line; mark. No two roles share line and mark
    # forms
    "naive": ("#d55e00", "--", "o"),
    "shifted": ("#0072b2", "-", "s"),
    "log1p": ("#009e73", "-.", "^"),
    "twosum": ("#b4598f", ":", "D"),
    "double-double": ("#332288", "-", "p"),
    "wider": ("#5a6fd8", ":", "P"),
    "in order": ("#7d6b5d", ":", "<"),
    "in blocks": ("#6f7d1c", "-", "d"),
    "log(softmax)": ("#882255", ":", "^"),
    "epsilon": ("#b27a00", _DASH_DOT_DOT, "v"),
    "clamped": ("#6e4a1e", "-.", "h"),
    # libraries
    "PyTorch": ("#c4385a", _DASH_DOT_DOT, "D"),
    "SciPy": ("#2d6a35", ":", "v"),
    "MXNet": ("#00808c", "-.", "P"),
    # formats
    "fp64": ("#2a0a45", "-", "P"),
    "fp32": ("#481b70", "-", "D"),
    "tf32": ("#5f2d94", "-", "h"),
    "fp16": ("#7843b0", "-", "^"),
    "bf16": ("#8f58c4", "-", "v"),
    "e4m3": ("#a36cd0", "-", "<"),
    "e5m2": ("#b37fd9", "-", ">"),
    # what only one figure compares
    "first": ("#34495e", "-", "o"),
    "second": ("#a8657a", ":", "s"),
    "third": ("#8a7a45", "-.", "v"),
    # thin lines without marks
    "exact": ("#000000", "-", ""),
    "roundoff": ("#777777", "-", ""),
}
#: The color of each role a curve can have.
COLORS = {role: color for role, (color, _, _) in _LOOKS.items()}
NAME, LIMIT, CROSSES = "name", "limit", "crosses"  # kinds of texts, which figures.py may move
ZERO = "zero"  # the line at the foot of an error axis

#: Keyword arguments of ``ax.plot`` for each role.
ROLE = {
    role: {
        "color": color,
        "linestyle": style,
        "marker": marker,
        "markevery": 0.1,
        "linewidth": 1.8 if marker else 1.0,
    }
    for role, (color, style, marker) in _LOOKS.items()
}
_OTHER_NAMES = {
    "from logits": "shifted",
    "from the logits": "shifted",
    "log(softmax + ε)": "epsilon",
    "left to right": "in order",
    "one by one": "in order",
    "by halves": "in blocks",
    "as a tree": "in blocks",
    "float64": "fp64",
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
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


def plot_error(
    x,
    errors,
    *,
    label,
    role=None,
    ax=None,
    unit="ulp",
    xlabel="",
    floor=None,
    line=True,
    noise=False,
):
    """Draw errors on a logarithmic axis on which nothing is lost.

    A zero is drawn on the line marked 0, since below `floor` the axis is linear. An error
    that is inf or nan is drawn as a cross above the axes, in one row per curve.

    Parameters
    ----------
    x, errors : array_like, shape (n,)
        Positions and errors. Signs of errors are dropped.
    label : str
        The name of the curve, shown by `label_lines`.
    role : str, optional
        A key of `ROLE`: what the curve is, by default what its label names.
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
    noise : bool
        Whether the errors are those of single roundings, which jump from point to point: they
        become pale dots, and the line is their running maximum.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If positions, errors or the floor are not real numbers, the label is not text, or `ax` is
        not one Axes.
    ValueError
        If they do not share one shape (n,), the floor is not positive, there is no such role or
        unit, or the label names the form or the format of another role.
    """
    x, errors = _curve(x, errors)
    errors, text = np.abs(errors), _chosen(_ERROR_AXIS, unit, "unit")[0]
    floor = _ERROR_AXIS[unit][1] if floor is None else positive_number(floor, "floor")
    role = role_of(label, role)  # before anything is drawn
    ax = new_axes(xlabel, text) if ax is None else _one_axes(ax)
    shared = len(ax.get_shared_y_axes().get_siblings(ax)) > 1
    place = ax.get_subplotspec()  # none if it was put into its figure by hand
    if not ax.get_ylabel() and (not place or place.is_first_col() or not shared):
        ax.set_ylabel(text)
    if ax.get_yscale() != "symlog":
        ax.set_yscale("symlog", linthresh=floor, linscale=0.5)
        ax.yaxis.set_major_locator(_error_ticks())
    if not any(line.get_gid() == ZERO for line in ax.lines):  # panels may share the axis
        ax.axhline(0, color=COLORS["roundoff"], linewidth=0.8, gid=ZERO)
    _draw(ax, x, errors, label, role, line, noise)
    bottom = ax.yaxis.get_transform().linthresh
    ax.set_ylim(-0.3 * bottom, max(ax.get_ylim()[1], 10 * bottom), auto=True)
    return ax


def plot_values(x, y, *, label, role=None, ax, line=True):
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
    _draw(_one_axes(ax), *_curve(x, y), label, role_of(label, role), line)
    return ax


def _curve(x, y):
    x, y = (float_numbers(v, name) for v, name in ((x, "x"), (y, "the curve")))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"x and the curve must have one shape (n,), not {x.shape} and {y.shape}")
    return x, y


def _one_axes(ax):
    with needs("book"):
        from matplotlib.axes import Axes
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be one Axes of Matplotlib, not {type(ax).__name__}")
    return ax


def _chosen(table, key, name):
    if key not in table:
        known = ", ".join(map(repr, table))
        raise ValueError(f"there is no {name} {key!r}; use one of {known}")
    return table[key]


def role_of(label, role=None):
    """Return the role of a curve; without one, the form, library or format that its label names.

    The parts of a label are separated by commas; the gray of a bound and the black of an exact
    value go with any name. TypeError: if the label is not text. ValueError: if there is no such
    role, or the label names another one.
    """
    if not isinstance(label, str):
        raise TypeError(f"label must be text, not {type(label).__name__}")
    parts = [_OTHER_NAMES.get(part, part) for part in label.split(", ")]
    named = [part for part in parts if part in ROLE]
    if role is None:
        role = named[0] if named else label
    _chosen(ROLE, role, "role")
    if named and role not in {*named, "exact", "roundoff"}:
        raise ValueError(f"the label {label!r} names the role {named[0]!r}, not {role!r}")
    return role


def _draw(ax, x, y, label, role, line, noise=False):
    style = ROLE[role] | ({} if line else {"linestyle": "none"})
    style["markevery"] = 1 if x.size <= 25 or not line else 0.1
    finite = np.isfinite(y)
    if noise and finite.any():
        dots = {"marker": ".", "markersize": 4, "linestyle": "none", "alpha": 0.4}
        ax.plot(x, np.where(finite, y, np.nan), label="_", color=style["color"], **dots)
        y = np.copy(y)
        y[finite] = _along_the_largest(y[finite])
    ax.plot(x, np.where(finite, y, np.nan), label=label, **style)
    if not finite.all():
        row = sum(other.get_marker() == "x" for other in ax.lines)
        height, edge = 1.05 + 0.05 * row, ax.get_xaxis_transform()
        crosses = {"marker": "x", "linestyle": "none", "clip_on": False, "markersize": 5}
        ax.plot(
            x[~finite], [height] * np.sum(~finite), transform=edge, color=style["color"], **crosses
        )
        if row == 0 and not _has_crosses_at_its_left(ax):
            ax.text(
                -0.02,
                height,
                "inf or nan",
                transform=ax.transAxes,
                ha="right",
                va="center",
                size=9,
                gid=CROSSES,
            )


def _has_crosses_at_its_left(ax):
    """Whether a panel beside it says already what the crosses of their row are."""
    place = ax.get_subplotspec()
    return place is not None and any(
        text.get_gid() == CROSSES
        for other in ax.figure.axes
        if other is not ax and other.get_subplotspec()
        if other.get_subplotspec().rowspan == place.rowspan
        if other.get_subplotspec().colspan.start < place.colspan.start
        for text in other.texts
    )


def _along_the_largest(y):
    """Return the running maximum of values, taken back where it runs ahead of a rise or a fall.

    The largest of each value and its neighbors, and then the smallest of those: a curve that only
    rises stays as it is, and noise becomes the line over its peaks. Beyond its ends noise goes on
    as in a mirror, and a curve that falls toward an end has no neighbors there.
    """
    reach = y.size // 24
    line = np.pad(y, 2 * reach, mode="reflect" if reach else "constant")
    outward = (y[reach::-1], np.s_[: 2 * reach]), (y[-1 - reach :], np.s_[2 * reach + y.size :])
    for values, beyond in outward:
        if np.all(np.diff(values) <= 0):
            line[beyond] = -np.inf
    for extreme in (np.max, np.min):
        line = extreme(np.lib.stride_tricks.sliding_window_view(line, 2 * reach + 1), axis=-1)
    return line


def mark_limit(ax, value, text, *, axis="x", at=0.97, beyond=False):
    """Mark a limit, such as the end of a format, with a gray line and a text beside it.

    `at` is where along the line the text ends, from 0 to 1. The text is to the left of a line that
    goes up and above one that goes across, or, `beyond` the limit, on the other side. TypeError: if
    `value` is not a real number, or `ax` not one Axes. ValueError: if `axis` is neither "x" nor
    "y", or `value` is more than one number.
    """
    ax = _one_axes(ax)
    draw = _chosen({"x": ax.axvline, "y": ax.axhline}, axis, "axis")
    draw(one_number(value, "value"), **ROLE["roundoff"])
    look = {"textcoords": "offset points", "size": 9, "color": "0.3", "annotation_clip": False}
    look["gid"] = LIMIT
    if axis == "x":
        look |= {"xycoords": ax.get_xaxis_transform(), "rotation": 90, "va": "top"}
        look |= {"ha": "left", "xytext": (2, 0)} if beyond else {"ha": "right", "xytext": (-2, 0)}
        ax.annotate(text, (value, at), **look)
    else:
        look |= {"xycoords": ax.get_yaxis_transform(), "ha": "right"}
        look |= {"va": "top", "xytext": (0, -2)} if beyond else {"va": "bottom", "xytext": (0, 2)}
        ax.annotate(text, (at, value), **look)


def _of_label(color):
    """Return the color of the label of a curve: darker than the curve."""
    with needs("book"):
        from matplotlib.colors import to_rgb
    return tuple(0.7 * part for part in to_rgb(color))


def label_lines(ax):
    """Write the label of each curve at its right end, moved up or down where two would meet.

    Labels that it has written there before are written anew. A text in the axes that is the name
    of a role, put beside crosses for example, gets the look of a label.
    """
    if layout := _one_axes(ax).figure.get_layout_engine():
        layout.execute(ax.figure)  # it decides where the ends are
    for text in [text for text in ax.texts if text.get_gid() == NAME]:
        text.remove()
    for text in [text for text in ax.texts if text.get_text() in COLORS]:
        text.set(color=_of_label(COLORS[text.get_text()]), size=9.5)
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
        dark = _of_label(curve.get_color())
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
            gid=NAME,
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

    Numbers, also those given as text, have a true minus, and a zero has no sign. A column of them
    is aligned at the right or, if none has an exponent, at the decimal point. Arrays and tuples
    are code, also within a text: a reader can copy them. None, for what does not exist, becomes a
    dash; what is neither number, text, tuple nor array becomes its text. A label in the first
    column that repeats the one above it is left out. ValueError: if a row has more or fewer cells
    than there are headers, or `digits` is not positive.
    """
    headers, rows, digits = list(headers), [list(row) for row in rows], count(digits, "digits")
    if any(len(row) != len(headers) for row in rows):
        raise ValueError(f"every row must have {len(headers)} cells, one for each header")
    columns = [[_cell(row[i], digits) for row in rows] for i in range(len(headers))]
    right = [all(map(_NUMBER.fullmatch, column)) for column in columns]
    columns = [_padded(c) if is_right else c for c, is_right in zip(columns, right, strict=True)]
    if columns and not right[0]:
        above = [None, *columns[0]]
        columns[0] = ["" if a == b else b for a, b in zip(above, columns[0], strict=False)]
    marks = ["---:" if is_right else ":---" for is_right in right]
    lines = [[_true_minus(str(head)) for head in headers], marks, *zip(*columns, strict=True)]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def show_progress(items, label):
    """Yield items under a progress bar.

    The bar is live in a notebook. A page would keep its last state only, which says nothing, so
    the cell has the tag ``remove-output``. Without tqdm there is no bar.

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


_NUMBER = re.compile(r"[+−]?([\d,]+(\.\d+)?(e[+−]?\d+)?%?|inf)|nan|\N{EN DASH}|")
_PLAIN = re.compile(r"−?[\d,]+(\.\d+)?")
_ARRAY = re.compile(r"(?<!`)\[[-\w., +]*\](?![`(])")  # no link, and no code already
_MOST_DECIMALS = 7


def _cell(value, digits):
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str):
        return _true_minus(_ARRAY.sub(r"`\g<0>`", value))
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, tuple) or np.ndim(value):
        return f"`{_as_code(value, digits)}`"
    return _true_minus(_as_code(value, digits))


def _as_code(value, digits):
    if isinstance(value, tuple):
        return str(value)
    if np.ndim(value):
        return "[" + ", ".join(_as_code(part, digits) for part in value) + "]"
    if isinstance(value, bool | int | np.bool_ | np.integer):
        return str(value)
    value = value.detach() if hasattr(value, "detach") else value  # or PyTorch warns
    try:
        return f"{float(value) + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0.0
    except (TypeError, ValueError):
        return str(value)


def _true_minus(text):
    """Return a number with the sign U+2212, which is as wide as a digit; other text as it is."""
    number = text.replace("-", "−")
    return number if _NUMBER.fullmatch(number) else text


def _padded(column):
    """Return numbers with spaces in the place of the decimals that others in their column have.

    They are as wide as a digit and a point. Markdown drops all other spaces at the end of a cell.
    """
    decimals = [len(number.partition(".")[2]) for number in column]
    most = max(decimals, default=0)
    if most > _MOST_DECIMALS or any("e" in number for number in column):
        return column
    return [
        number + "&puncsp;" * (most > 0 == own) + "&numsp;" * (most - own)
        if _PLAIN.fullmatch(number)
        else number
        for number, own in zip(column, decimals, strict=True)
    ]
