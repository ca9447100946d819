"""How a figure is laid out and saved: wide for a desk, narrow for a phone, light and dark in one.

A figure is drawn once. When it is shown, its names and limits move to where no line crosses them,
and a copy of it is laid out anew for a phone: one panel below the other, the names above them.
"""

import copy
import hashlib
import io
import itertools
import math
import re
import textwrap
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..extras import needs
from .display import CROSSES, LIMIT, NAME

with needs("book"):
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_hex, to_rgb
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text
    from matplotlib.transforms import ScaledTranslation

#: The width of a figure on a phone, in inches, which is that of the text on a screen of 390 pixels.
NARROW = 3.6
#: What is behind every figure of a page, on a light and on a dark screen.
PAGE = {"light": "#ffffff", "dark": "#121212"}
LABELS = {NAME, LIMIT, CROSSES}
COLOR = re.compile(r"#[0-9a-f]{6}")
MINUS = re.compile(r"(?:(?<!\w)|(?<=\de))-(?=\d|inf)")  # typed as a hyphen
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
REFERENCE = re.compile(r"(?<=url\(#)[^)]+")
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


def luminance(color):
    """Return the relative luminance of a color, as the rules for contrast define it: 0 to 1.

    Parameters
    ----------
    color : str
        Any color of Matplotlib.

    Returns
    -------
    float
    """
    return sum(w * _linear(c) for w, c in zip((0.2126, 0.7152, 0.0722), to_rgb(color), strict=True))


def contrast(color, page):
    """Return the contrast of a color to that of a page, from 1 to 21; colors as for `luminance`.

    Returns
    -------
    float
    """
    dark, light = sorted([luminance(color), luminance(page)])
    return (light + 0.05) / (dark + 0.05)


def dark(color):
    """Return the color that has on a dark page the place of a color on a white page.

    Its contrast is higher than on white, since thin light lines look weaker, and levels off at 14:
    colors that differ on white still do. White becomes the dark page and black nearly white; what
    has a hue keeps it.

    Parameters
    ----------
    color : str

    Returns
    -------
    str
        ``#rrggbb``
    """
    wanted = 1 + 13 * (1 - math.exp((1 - contrast(color, PAGE["light"])) / 6))
    wanted = wanted * (luminance(PAGE["dark"]) + 0.05) - 0.05
    now, parts = luminance(color), [_linear(part) for part in to_rgb(color)]
    brighter = min(wanted / now, 1 / max(parts)) if now else 1.0  # as long as it keeps its hue
    now, parts = now * brighter, [part * brighter for part in parts]
    parts = [part + (1 - part) * max(wanted - now, 0) / (1 - now + 1e-9) for part in parts]
    return to_hex([min(_curved(part), 1.0) for part in parts])


def _linear(part):
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _curved(part):
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def wide(figure):
    """Return a copy of a figure whose names and limits are where no line crosses them.

    Panels that share curves get one strip of names above them, and so does a figure without enough
    room for the names at the ends of its lines.

    Parameters
    ----------
    figure : Figure

    Returns
    -------
    Figure
    """
    figure = _copy(figure)
    _lay_out(figure)
    _thin_out(figure)
    if _shared(figure, _names(figure)):
        _write_strips(figure)
        _lay_out(figure)
        _place_names(figure)
        _lay_out(figure)
    _place_limits(figure)
    if any(_Obstacles(text).hits(_extent(text)) for text in _texts(figure, NAME)):
        _write_strips(figure)
        _lay_out(figure)
        _place_limits(figure)
        _lay_out(figure)
        _place_names(figure)
    return figure


def narrow(figure):
    """Return a copy of a figure for a phone, `NARROW` inches wide; parameter as for `wide`.

    Returns
    -------
    Figure
        Its panels are below each other, or in two columns that share an axis; the names of curves
        are above them.
    """
    figure = _copy(figure)
    for ax in figure.axes:
        for text in ax.texts:  # else the axes would shrink for a long text
            text.set_in_layout(ax.axison and text.get_gid() != LIMIT)
    _restack(figure)
    _write_strips(figure, crosses=True)
    strips = [*figure.legends, *filter(None, [ax.get_legend() for ax in figure.axes])]
    height = sum(strip.get_window_extent().height for strip in strips) / figure.dpi
    figure.set_size_inches(NARROW, figure.get_size_inches()[1] + height)
    _wrap(figure)
    _thin_out(figure)
    _place_limits(figure)
    _place_names(figure)
    return figure


def _copy(figure):
    """Copy a figure without its window, of which there is one."""
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a Figure of Matplotlib, not {type(figure).__name__}")
    manager, figure.canvas.manager = figure.canvas.manager, None
    try:
        copied = copy.deepcopy(figure)
    finally:
        figure.canvas.manager = manager
    FigureCanvasAgg(copied)
    for text in copied.findobj(Text):
        if text.get_gid() != NAME:  # that of a curve is found by its label
            text.set_text(MINUS.sub("\N{MINUS SIGN}", text.get_text()))
    if not any(ax.get_subplotspec() for ax in copied.axes):
        copied.set_layout_engine("none")  # it would warn that there is nothing to lay out
    return copied


def _lay_out(figure):
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    else:  # the ticks get their texts all the same
        figure.draw_without_rendering()


# The names of curves.


def _texts(figure, kind):
    return [text for ax in figure.axes for text in ax.texts if text.get_gid() == kind]


def _names(figure):
    """Return each name at the end of a curve: the text, and the curve."""
    named = [(text, line) for text in _texts(figure, NAME) for line in text.axes.lines]
    return [(text, line) for text, line in named if line.get_label() == text.get_text()]


def _shared(figure, names):
    """Whether panels share curves, so that one strip of names can serve all."""
    looks = {text.get_text(): [] for text, _ in names}
    for line in (line for ax in figure.axes for line in ax.lines if line.get_label() in looks):
        looks[line.get_label()].append(_look(line))
    once = all(len(set(found)) == 1 for found in looks.values())
    return once and any(len(found) > 1 for found in looks.values())


def _look(line):
    return line.get_color(), str(line.get_linestyle()), line.get_marker()


def _write_strips(figure, crosses=False):
    """Write the names with pieces of their lines above the panels: in one strip if they share.

    The name of the crosses, at the left of their row, can be one of them. Curves of one panel that
    look alike, such as two bounds, keep their names beside them.
    """
    looks = [(text.axes, _look(line)) for text, line in _names(figure)]
    names = [n for n, look in zip(_names(figure), looks, strict=True) if looks.count(look) == 1]
    together = _shared(figure, names) or len({text.axes for text, _ in names}) < 2
    if crosses:
        sign = Line2D([], [], marker="x", linestyle="none", markersize=5, color="0.3")
        names += [(text, sign) for text in _texts(figure, CROSSES)]
    panels = list(dict.fromkeys(text.axes for text, _ in names))
    strips = {ax: [name for name in names if name[0].axes is ax] for ax in panels}
    if together:
        strips = {figure: names} if names else {}
    entries = {
        place: {text.get_text(): (line, text.get_color()) for text, line in its}
        for place, its in strips.items()
    }
    for text, _ in names:
        text.set(visible=False, gid=None)  # a copied figure has lost the way to remove it
    if not together:
        _lay_out(figure)  # it decides how much room a strip has
    for place, its in entries.items():
        _write_strip(figure, place, its)


def _write_strip(figure, place, entries):
    where = {"loc": "outside upper left"}
    if place is not figure:
        crosses = any(line.get_marker() == "x" for line in place.lines)
        up = 30 if place.get_title(loc="left") else 16 if crosses else 2
        shift = ScaledTranslation(0, up / 72, figure.dpi_scale_trans)
        where = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
        where["bbox_transform"] = place.transAxes + shift
    where |= {"borderaxespad": 0, "borderpad": 0.1, "frameon": False, "fontsize": 9.5}
    where |= {"handlelength": 2.4, "columnspacing": 1.4}
    where |= {"labelcolor": [color for _, color in entries.values()]}
    room = place.bbox.width  # axes with a wider strip would get narrower for it
    for cols in range(len(entries), 0, -1):
        lines = [line for line, _ in entries.values()]
        strip = place.legend(lines, list(entries), ncols=cols, **where)
        if cols == 1 or strip.get_window_extent().width <= room:
            return
        strip.remove()


# The texts that stay in the axes.


def _place_limits(figure):
    """Move the text of each limit to where it is free, in two lines if one has no place."""
    for text in _texts(figure, LIMIT):
        cost, whole = _place_limit(text), text.get_text()
        if cost and " " in whole:
            text.set_text(textwrap.fill(whole, len(whole) * 2 // 3, break_long_words=False))
            if _place_limit(text) >= cost:
                text.set_text(whole)
                _place_limit(text)


def _place_names(figure):
    """Move the names in no strip to where they are free: above, below or beside a point."""
    for text, line in 2 * _names(figure):  # the second time, all others are where they will be
        text.arrow_patch = None
        points = line.get_xydata()[np.isfinite(line.get_xydata()).all(axis=1)][::-1]
        points, obstacles = points[:: math.ceil(len(points) / 20)], _Obstacles(text)
        sides = [((0, 4), "bottom"), ((0, -4), "top")]
        sides = [(*side, ha) for side in sides for ha in ("right", "left")]
        sides += [((6, 0), "center", "left"), ((-6, 0), "center", "right")]
        costs = {}
        for (x, y), (shift, va, ha) in itertools.product(points, sides):
            costs[x, y, shift, va, ha] = _put_name(text, x, y, shift, va, ha, obstacles)
            if not costs[x, y, shift, va, ha]:
                break
        _put_name(text, *min(costs, key=costs.get), obstacles)


def _put_name(text, x, y, shift, va, ha, obstacles):
    """Put the name of a curve beside one of its points, and return how much is in its way there."""
    text.xy, text.xyann = (x, y), shift
    text.set(va=va, ha=ha)
    box, inside = _extent(text), text.axes.bbox
    return obstacles.hits(box) + 3 * (box.x0 < inside.x0 or box.x1 > inside.x1)


def _place_limit(text):
    """Move the text of a limit along its line, or to its other side; return what is in its way."""
    upright, obstacles = text.get_rotation() == 90, _Obstacles(text)
    value, at = text.xy if upright else text.xy[::-1]
    sides = [(text.xyann, text.get_ha(), text.get_va())]
    sides.append(_other_side(*sides[0], upright))
    costs = {}
    for place in itertools.product([at, *(n / 20 for n in range(19, 2, -1))], sides):
        costs[place] = _put(text, value, *place, upright, obstacles)
        if not costs[place]:
            break
    return _put(text, value, *min(costs, key=costs.get), upright, obstacles)


def _other_side(shift, ha, va, upright):
    flip = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    return ((-shift[0], 0), flip[ha], va) if upright else ((0, -shift[1]), ha, flip[va])


def _put(text, value, at, side, upright, obstacles):
    """Put the text of a limit somewhere, and return how much is in its way there."""
    text.xy = (value, at) if upright else (at, value)
    text.xyann, ha, va = side
    text.set(ha=ha, va=va)
    box, inside = _extent(text), text.axes.bbox
    beyond = [inside.y0 - box.y0, box.y1 - inside.y1] if upright else []
    beyond = beyond or [inside.x0 - box.x0, box.x1 - inside.x1]
    return obstacles.hits(box) + 3 * (max(beyond) > 0)


def _extent(text):
    """Return the box of a text in pixels, without that of its line to a curve."""
    renderer = text.figure.canvas.get_renderer()
    if hasattr(text, "update_positions"):
        text.update_positions(renderer)
    return Text.get_window_extent(text, renderer)


class _Obstacles:
    """What can be in the way of a text: lines and points, other texts, the edges of the figure."""

    def __init__(self, text):
        ax = text.axes
        lines = [(line, line.get_transform().transform_path(line.get_path())) for line in ax.lines]
        self.lines = [path for line, path in lines if line.get_linestyle() != "None"]
        points = [path.vertices for line, path in lines if line.get_linestyle() == "None"]
        points += [c.get_offset_transform().transform(c.get_offsets()) for c in ax.collections]
        self.points = np.concatenate([np.empty((0, 2)), *points])
        texts = [other for other in [*ax.texts, ax.title, ax._left_title] if other is not text]
        texts = [other for other in texts if other.get_text() and other.get_visible()]
        self.boxes = [_extent(other) for other in texts]
        self.frame = text.figure.bbox

    def hits(self, box):
        """Count what is in the way of a text in a box."""
        hits = sum(path.intersects_bbox(box, filled=False) for path in self.lines)
        hits += bool(box.padded(3).count_contains(self.points))
        hits += sum(box.overlaps(other) for other in self.boxes)
        return hits + (box.x0 < 0 or box.x1 > self.frame.x1 or box.y1 > self.frame.y1)


# The panels.


def _restack(figure):
    """Put the panels below each other, or in two columns, and name the axes where they need it."""
    size = figure.get_size_inches()
    panels = [ax for ax in figure.axes if ax.get_subplotspec()]
    if not _is_grid(panels):  # a color bar, or two axes in one place: as it is, and smaller
        figure.set_size_inches(NARROW, NARROW * size[1] / size[0])
        return
    grid = _grid(panels)
    rows, cols = grid.shape
    spec = GridSpec(rows, cols, figure=figure)
    texts = {ax: _axis_labels(ax, panels) for ax in panels}
    for (row, col), ax in np.ndenumerate(grid):
        ax.set_subplotspec(spec[row, col])
        below = list(grid[row + 1 :, col])
        same = bool(below) and all(_same_x(ax, other, texts) for other in below)
        beside = col > 0 and ax.get_shared_y_axes().joined(ax, grid[row, col - 1])
        ax.tick_params(labelbottom=not same, labelleft=not beside)
        ax.set_xlabel("" if below and texts[below[-1]][0] == texts[ax][0] else texts[ax][0])
        ax.set_ylabel("" if beside else texts[ax][1])
    figure.set_size_inches(NARROW, _height(panels, rows, size))


def _is_grid(panels):
    """Return whether panels fill one grid, each with a cell to itself."""
    specs = [ax.get_subplotspec() for ax in panels]
    grids = {spec.get_gridspec() for spec in specs}
    if len(grids) != 1:
        return False
    rows, cols = grids.pop().get_geometry()
    return sorted((spec.num1, spec.num2) for spec in specs) == [(i, i) for i in range(rows * cols)]


def _grid(panels):
    """Return the panels as a phone shows them, an array of one or two columns."""
    rows, cols = panels[0].get_gridspec().get_geometry()
    grid = np.full((rows, cols), None)
    for ax in panels:
        spec = ax.get_subplotspec()
        grid[spec.rowspan.start, spec.colspan.start] = ax
    if rows == 2 and cols > 2:
        return grid.T
    if rows > 1 and cols == 2 and panels[0].get_shared_y_axes().joined(*grid[0]):
        return grid
    return grid.reshape(-1, 1)


def _axis_labels(ax, panels):
    """Return the texts at the axes of a panel; one that shares an axis has those of the others."""
    x = [p.get_xlabel() for p in [ax, *panels] if p is ax or ax.get_shared_x_axes().joined(ax, p)]
    y = [p.get_ylabel() for p in [ax, *panels] if p is ax or ax.get_shared_y_axes().joined(ax, p)]
    return next(filter(None, x), ""), next(filter(None, y), "")


def _same_x(ax, other, texts):
    same = _is_close(ax, other) and ax.get_xscale() == other.get_xscale()
    return same and texts[ax][0] == texts[other][0]


def _is_close(ax, other):
    return np.allclose(ax.get_xlim(), other.get_xlim(), rtol=1e-9, atol=0)


def _height(panels, rows, size):
    """Return the height of the narrow figure in inches."""
    if not panels[0].axison or panels[0].images:
        return size[1] if size[0] < 4.5 else max(NARROW * size[1] / size[0], 2.6)
    labels = [[tick.label1.get_text() for tick in ax.yaxis.get_major_ticks()] for ax in panels]
    names = max(sum(label[:1].isalpha() for label in its) for its in labels)  # and no numbers
    return max(2.6 if rows == 1 else 1.8 * rows + 0.3, rows * (0.2 * names + 0.5))


def _wrap(figure):
    """Break titles and the names of axes that are longer than there is room."""
    _lay_out(figure)
    for ax in figure.axes:
        edge = figure.bbox.x1
        spec = ax.get_subplotspec()
        if spec and not spec.is_last_col():
            edge = ax.bbox.x1 + 8
        for title in (ax.title, ax._left_title):
            _break_text(title, edge - ax.bbox.x0)
        _break_text(ax.xaxis.label, figure.bbox.width)
        _break_text(ax.yaxis.label, ax.bbox.height * 1.1)
        for text in (text for text in ax.texts if text.get_gid() == LIMIT):
            upright = text.get_rotation() == 90
            _break_text(text, ax.bbox.height * 0.9 if upright else ax.bbox.width * 0.6)
        if not ax.axison:
            _part_texts(ax)
    _lay_out(figure)


def _break_text(text, room):
    """Break a text into lines that have room."""
    whole = text.get_text()
    for chars in range(len(whole), 5, -1):
        box = _extent(text)
        if (box.height if text.get_rotation() == 90 else box.width) <= room:
            return
        text.set_text(textwrap.fill(whole, chars, break_long_words=False))


def _part_texts(ax):
    """Break the texts of a drawing without axes until none lies on another or sticks out."""
    figure = ax.figure
    texts, lowered = [text for text in ax.texts if text.get_text()], []
    for _ in range(3):
        boxes = [_extent(text).padded(1) for text in texts]
        for i, text in enumerate(texts):
            out = boxes[i].x0 < 0 or boxes[i].x1 > 0.94 * figure.bbox.x1
            meets = [j for j, box in enumerate(boxes) if j != i and boxes[i].overlaps(box)]
            if (out or meets) and " " in text.get_text():
                _break_text(text, boxes[i].width * 0.7)
            elif any(j < i for j in meets) and text not in lowered:
                lower = ScaledTranslation(0, -11 / 72, figure.dpi_scale_trans)
                text.set_transform(text.get_transform() + lower)  # one word: a line lower
                lowered.append(text)
            boxes[i] = _extent(text).padded(1)
    for text in texts:
        text.set_in_layout(True)


def _thin_out(figure):
    """Leave out the ticks of an axis whose numbers would meet those before."""
    for axis in (axis for ax in figure.axes if ax.axison for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        kept, end = [], None
        for tick in sorted(ticks, key=lambda tick: tick.get_loc()):
            box = _extent(tick.label1).padded(4, 1.5)
            if end is None or not tick.label1.get_visible() or not box.overlaps(end):
                kept, end = [*kept, tick], box
        if len(kept) < len(ticks):
            places = [tick.get_loc() for tick in kept]
            for above in figure.axes if axis.axis_name == "x" else ():
                shows = any(tick.label1.get_visible() for tick in above.xaxis.get_major_ticks())
                if above.axison and not shows and _is_close(above, axis.axes):
                    above.set_xticks(places)
            axis.set_ticks(places, [tick.label1.get_text() for tick in kept])
            _lay_out(figure)  # panels may share the axis


# The files.


def save(figure):
    """Return a figure as SVG: the wide one, and in its metadata both for a page of the site.

    Parameters
    ----------
    figure : Figure
        It stays as it is.

    Returns
    -------
    str
        Programs that show SVG show the wide figure, with its letters as paths.
    """
    layouts = {"wide": wide(figure), "narrow": narrow(figure)}
    drawings = _drawings(layouts, "f")
    for text in [text for ax in layouts["wide"].axes if ax.axison for text in ax.texts]:
        text.set_path_effects([withStroke(linewidth=2.5, foreground=PAGE["light"])])
    return _svg(layouts["wide"], "path").replace("<metadata>", f"<metadata>{drawings}", 1)


def for_page(figure, name="f"):
    """Return a figure as HTML with two drawings, of which the style sheet of the site shows one.

    Parameters
    ----------
    figure : Figure
        It stays as it is.
    name : str
        How its identifiers begin, for a page that shows the same figure twice.

    Returns
    -------
    str
        Two elements ``svg``, of the classes ``wide`` and ``narrow``. Each color is one for a light
        page and one for a dark page; letters are text in DejaVu Sans.
    """
    return _drawings({"wide": wide(figure), "narrow": narrow(figure)}, name)


def _drawings(layouts, name):
    return "".join(
        _compact(_svg(laid_out, "none"), layout, name) for layout, laid_out in layouts.items()
    )


def _svg(figure, letters):
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": letters}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _compact(svg, layout, name):
    """Return an SVG of Matplotlib as an element for a page, without what no page needs."""
    root = ElementTree.fromstring(svg)
    prefix = f"{name}{hashlib.sha256(svg.encode()).hexdigest()[:6]}-"
    targets = dict.fromkeys(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    names = {target: f"{prefix}{i}" for i, target in enumerate(targets)}
    _, _, width, height = root.get("viewBox").split()
    size = f'width="{round(float(width) / 0.75)}" height="{round(float(height) / 0.75)}"'
    inside = "".join(_element(child, names) for child in root)
    return f'<svg class="{layout}" viewBox="0 0 {width} {height}" {size}>{inside}</svg>'


def _element(element, names):
    tag = element.tag.removeprefix(SVG)
    if tag in {"metadata", "style"} or element.get("style") == "fill: none":
        return ""
    attributes = {}
    for key, value in element.attrib.items():
        if key == "id":
            if value in LABELS:
                attributes["class"] = "label"
            value = names.get(value)
        elif key == "style":
            value = _style(value)
        elif key in {"d", "transform", "x", "y", "width", "height"}:
            value = NUMBER.sub(_rounded, value)
            value = re.sub(r"^rotate\(-0 .*|\s+(?=[A-Za-z]|$)", "", value)
        elif key == LINK:
            key = "href"
            if value.startswith("#"):  # and not the data of an image
                value = f"#{names[value[1:]]}"
        if value:
            attributes[key] = REFERENCE.sub(lambda found: names[found[0]], value)
    inside = escape((element.text or "").strip())
    inside += "".join(_element(child, names) for child in element)
    if (tag == "g" and not attributes) or (tag == "defs" and not inside):
        return inside
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{tag}{written}>{inside}</{tag}>"


def _rounded(number):
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _style(style):
    """Return a style with each color for a light and for a dark page, without fonts."""
    parts = dict(part.split(":", 1) for part in style.split(";") if ":" in part)
    parts = {key.strip(): value.strip() for key, value in parts.items()}
    if "font" in parts:
        parts["font-size"] = parts.pop("font").split()[0]
    kept = {key: value for key, value in parts.items() if key != "font-family"}
    written = ";".join(f"{key}:{value}" for key, value in kept.items())
    return COLOR.sub(lambda found: f"light-dark({found[0]},{dark(found[0])})", written)
