"""The two layouts of a figure, and its colors on a dark page."""

import itertools
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from stable_softmax.notebook.diagram import draw_network, draw_two_sum
from stable_softmax.notebook.display import (
    COLORS,
    label_lines,
    mark_limit,
    new_axes,
    plot_error,
    plot_values,
)
from stable_softmax.notebook.figures import (
    NARROW,
    PAGE,
    contrast,
    dark,
    for_page,
    narrow,
    save,
    wide,
)
from stable_softmax.notebook.number_line import NumberLine, draw_bits

X = np.linspace(0, 100, 60)


def one_panel():
    ax = plot_error(X, X, label="from the logits", xlabel="gap")
    plot_error(X, np.where(X > 60, np.inf, X**2), label="softmax, then log", role="naive", ax=ax)
    plot_error(X, 0 * X + 16, label="clamped", ax=ax)
    mark_limit(ax, 60, "exp overflows")
    mark_limit(ax, 16, "a bound", axis="y")
    label_lines(ax)
    return ax.figure


def panels(rows, cols, limit="limit", **shared):
    axes = new_axes("gap", width="wide", rows=rows, cols=cols, **shared)
    for i, ax in enumerate(np.ravel(axes)):
        plot_error(X, X + i, label="shifted", ax=ax)
        plot_error(X, np.where(X > 90, np.inf, X**2), label="naive", role="naive", ax=ax)
        mark_limit(ax, 80, limit)
        ax.set_title(f"panel {i}")
        label_lines(ax)
    return ax.figure


def other_names():
    left, right = new_axes("gap", width="wide", cols=2)
    for ax, names in [(left, ("shifted", "naive")), (right, ("double-double", "twosum"))]:
        for name in names:
            plot_error(X, X + len(name), label=name, ax=ax)
        label_lines(ax)
    return left.figure


def bits():
    ax = new_axes(width="wide")
    draw_bits(20.0, "e4m3", ax=ax, text="20 in e4m3: + 1.25 · 2⁴, the exponent stored as 4 + 7")
    draw_bits(20.0, "fp32", ax=ax, row=1, text="20 in float32: + 1.25 · 2⁴, stored as 4 + 127")
    return ax.figure


def number_lines():
    ax = new_axes(width="wide")
    for row in range(2):
        line = NumberLine(ax, 0, 8, row=row, text="the numbers of a format")
        line.mark(range(9))
        line.label({3: "16,777,216", 4: "...217", 8: "8"})
    return ax.figure


def points():
    ax = new_axes("memory", xscale="log")
    places = [(2257, 151, "recomputed, compiled"), (2538, 143, "chunks of classes")]
    for x, y, name in [*places, (1882, 136, "chunks of tokens"), (24_048, 106, "float32 logits")]:
        plot_values([x], [y], label=name, role="first", ax=ax)
    ax.set(xlim=(600, 120_000), ylim=(0, 170))
    label_lines(ax)
    return ax.figure


FIGURES = {
    "points close to each other": points,
    "one panel": one_panel,
    "two panels": lambda: panels(1, 2, sharey=True),
    "panels that share nothing": lambda: panels(2, 2),
    "panels that share both axes": lambda: panels(2, 2, sharex=True, sharey=True),
    "three columns": lambda: panels(2, 3, sharex=True, sharey=True),
    "a long name of a limit": lambda: panels(1, 2, limit="exp(x) is a subnormal number"),
    "other names in each panel": other_names,
    "a network": lambda: draw_network([10, 7, 5]).figure,
    "a sum": lambda: draw_two_sum(-700.3, -0.3).figure,
    "bits": bits,
    "number lines": number_lines,
}


@pytest.fixture(params=FIGURES)
def drawn(request):
    """A figure as a chapter leaves it."""
    return FIGURES[request.param]()


def texts(figure):
    """Return each text that is seen, with its box in pixels."""
    figure.draw_without_rendering()
    legends = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    found = [text for legend in [*figure.legends, *legends] for text in legend.get_texts()]
    for ax in figure.axes:
        found += [*ax.texts, ax.title, ax._left_title]
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            found += [axis.label, *ticks]
    seen = [text for text in found if text.get_visible() and text.get_text().strip()]
    return [(text, Text.get_window_extent(text)) for text in seen]


@pytest.mark.parametrize("layout", [wide, narrow])
def test_no_text_lies_on_another_or_leaves_the_figure(drawn, layout):
    figure = layout(drawn)
    found, frame = texts(figure), figure.bbox.padded(2)
    for (one, box), (other, its) in itertools.combinations(found, 2):
        both = one.get_text(), other.get_text()
        shrunk = box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1
        assert not type(box).from_extents(*shrunk).overlaps(its), both
    for text, box in found:
        inside = [frame.x0 <= box.x0, box.x1 <= frame.x1, frame.y0 <= box.y0, box.y1 <= frame.y1]
        assert all(inside), text.get_text()


@pytest.mark.parametrize("layout", [wide, narrow])
@pytest.mark.parametrize("name", [name for name in FIGURES if "panel" in name])
def test_no_line_goes_through_the_name_of_a_curve_or_a_limit(name, layout):
    figure = layout(FIGURES[name]())
    for text, box in texts(figure):
        if text.get_gid() in {"name", "limit"}:
            paths = [
                line.get_transform().transform_path(line.get_path()) for line in text.axes.lines
            ]
            assert not any(path.intersects_bbox(box, filled=False) for path in paths), text


def test_a_narrow_figure_has_the_width_of_a_phone_and_legible_letters(drawn):
    figure = narrow(drawn)
    assert figure.get_size_inches()[0] == NARROW
    assert min(text.get_fontsize() for text, _ in texts(figure)) >= 8.5


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("two panels", (2, 1)),
        ("panels that share nothing", (4, 1)),
        ("panels that share both axes", (2, 2)),
        ("three columns", (3, 2)),
    ],
)
def test_panels_stand_below_each_other_or_in_two_columns(name, grid):
    figure = narrow(FIGURES[name]())
    assert figure.axes[0].get_gridspec().get_geometry() == grid
    labels = [ax.get_ylabel() for ax in figure.axes if ax.get_subplotspec().is_first_col()]
    assert labels == ["error (ulp)"] * grid[0]
    bottom = [ax for ax in figure.axes if ax.get_subplotspec().is_last_row()]
    assert all(ax.get_xlabel() == "gap" for ax in bottom)


@pytest.mark.parametrize("layout", [wide, narrow])
def test_panels_that_share_curves_have_one_strip_of_names(layout):
    figure = layout(panels(1, 2, sharey=True))
    (strip,) = figure.legends
    names = [text.get_text() for text in strip.get_texts()]
    assert names[:2] == ["naive", "shifted"] or names[:2] == ["shifted", "naive"]
    assert not [text for ax in figure.axes for text in ax.texts if text.get_gid() == "name"]


def test_two_curves_that_look_alike_keep_their_names_beside_them():
    ax = plot_error(X, X, label="a bound", role="roundoff", xlabel="x")
    plot_error(X, X**3, label="another bound", role="roundoff", ax=ax)
    plot_error(X, 0 * X + 1, label="shifted", ax=ax)
    label_lines(ax)
    figure = narrow(ax.figure)
    (strip,) = figure.legends
    assert [text.get_text() for text in strip.get_texts()] == ["shifted"]
    inside = {text.get_text(): box for text, box in texts(figure) if text.get_gid() == "name"}
    assert set(inside) == {"a bound", "another bound"}
    place = figure.axes[0].bbox
    assert all(place.x0 <= box.x0 and box.x1 <= place.x1 for box in inside.values())


def test_panels_with_other_curves_have_strips_of_their_own_on_a_phone():
    figure = narrow(other_names())
    assert not figure.legends
    assert [len(ax.get_legend().get_texts()) for ax in figure.axes] == [2, 2]


def test_the_layouts_leave_the_figure_as_it_is():
    figure = one_panel()
    before, number = [text.get_text() for text in figure.axes[0].texts], plt.get_fignums()
    size = figure.get_size_inches().copy()
    first = save(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == before
    assert np.array_equal(figure.get_size_inches(), size) and plt.get_fignums() == number
    assert save(figure) == first, "the same figure gives the same bytes"


def test_the_ticks_of_a_phone_do_not_meet():
    ax = new_axes("x", "y")
    ax.plot([0, 1], [0, 1])
    ax.set_xticks(np.linspace(0, 1, 11), [f"tick {i}" for i in range(11)])
    figure = narrow(ax.figure)
    found = [box for text, box in texts(figure) if text.get_text().startswith("tick")]
    assert 2 <= len(found) < 11
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_ticks_of_a_figure_with_another_layout_keep_their_texts(layout):
    figure, ax = plt.subplots(layout=layout)
    ax.plot([0, 1], [0, 1])
    found = [text.get_text() for text, _ in texts(narrow(figure))]
    assert {"0.0", "1.0"} <= {*found}


def color_bar(figure):
    figure.colorbar(figure.subplots().imshow(np.eye(3)))


def two_scales(figure):
    figure.subplots().plot([1, 2])
    figure.axes[0].twinx().plot([3, 1])


OF_READERS = {
    "a color bar": color_bar,
    "two scales": two_scales,
    "a wide panel below": lambda figure: figure.subplot_mosaic("AB;CC"),
    "figures in a figure": lambda figure: [f.subplots() for f in figure.subfigures(1, 2)],
    "axes anywhere": lambda figure: figure.add_axes([0.1, 0.1, 0.8, 0.8]),
    "angles": lambda figure: figure.add_subplot(projection="polar").plot([1, 2]),
    "nothing": lambda figure: None,
}


@pytest.mark.parametrize("draw", OF_READERS.values(), ids=OF_READERS)
def test_whatever_a_reader_draws_has_both_drawings(draw):
    figure = plt.figure()
    draw(figure)
    axes, svg = len(figure.axes), save(figure)
    assert '<svg class="wide"' in svg and '<svg class="narrow"' in svg
    assert len(figure.axes) == axes and narrow(figure).get_size_inches()[0] == NARROW


@pytest.mark.parametrize("layout", [wide, narrow, save, for_page])
def test_what_is_no_figure_is_refused(layout):
    with pytest.raises(TypeError, match="figure must be a Figure of Matplotlib, not Axes"):
        layout(plt.figure().add_subplot())


@pytest.mark.parametrize("layout", [wide, narrow])
def test_a_figure_is_laid_out_only_after_a_change(layout, monkeypatch):
    executed, figure = [], panels(2, 3, sharex=True, sharey=True)
    execute = ConstrainedLayoutEngine.execute
    monkeypatch.setattr(
        ConstrainedLayoutEngine,
        "execute",
        lambda self, figure: executed.append(figure) or execute(self, figure),
    )
    layout(figure)
    assert len(executed) <= 3


def test_all_rows_with_a_name_are_named_on_a_phone():
    axes, names = new_axes("x", width="wide", cols=2, sharey=True), [f"row {i}" for i in range(18)]
    for ax in axes:
        plot_values([1] * 18, range(18), label="shifted", ax=ax, line=False)
        label_lines(ax)
    axes[0].set_yticks(range(18), names)
    found = [(text.get_text(), box) for text, box in texts(narrow(axes[0].figure))]
    found = [(name, box) for name, box in found if name in names]
    assert [name for name, _ in found] == 2 * names
    assert not any(a.overlaps(b) for (_, a), (_, b) in itertools.pairwise(found))


def test_the_formats_are_told_apart_on_a_dark_page_as_on_a_light_one():
    formats = ["fp64", "fp32", "tf32", "fp16", "bf16", "e4m3", "e5m2"]
    for page, look in [("light", str), ("dark", dark)]:
        found = [contrast(look(COLORS[name]), PAGE[page]) for name in formats]
        assert all(found[i] > 1.02 * found[i + 1] for i in range(6)), found


@pytest.mark.parametrize("role", COLORS)
def test_a_color_is_seen_on_a_dark_page_and_at_least_as_well_as_on_a_light_one(role):
    light = contrast(COLORS[role], PAGE["light"])
    assert contrast(dark(COLORS[role]), PAGE["dark"]) >= max(3, min(light, 11))


def test_white_becomes_the_dark_page_black_nearly_white_and_a_hue_stays():
    assert contrast(dark("#ffffff"), PAGE["dark"]) == pytest.approx(1, abs=0.02)
    assert contrast(dark("#000000"), PAGE["dark"]) > 13
    red, green, blue = (int(dark("#d55e00")[i : i + 2], 16) for i in (1, 3, 5))
    assert red > green > blue


@pytest.mark.parametrize(("color", "ratio"), [("#ffffff", 1), ("#000000", 21), ("#777777", 4.48)])
def test_contrast_is_that_of_the_rules(color, ratio):
    assert contrast(color, "#ffffff") == pytest.approx(ratio, abs=0.005)


def test_a_page_gets_both_layouts_with_letters_as_text_and_colors_in_pairs():
    html = for_page(one_panel())
    root = ElementTree.fromstring(f"<div>{html}</div>")
    assert [svg.get("class") for svg in root] == ["wide", "narrow"]
    assert [svg.get("width") for svg in root] == ["595", "346"]
    words = "".join(root.itertext())
    assert words.count("a bound") == words.count("softmax, then log") == 2
    colors = re.findall(r"#[0-9a-f]{6}(?![-\w])", html)
    pairs = re.findall(r"light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)", html)
    assert len(colors) == 2 * len(pairs) > 0
    assert all(second == dark(first) for first, second in pairs)
    assert "font-family" not in html and "<style" not in html, "the style sheet of the site says it"


def test_an_image_in_a_figure_keeps_its_data():
    ax = new_axes()
    ax.imshow(np.eye(8))
    drawn = for_page(ax.figure)
    assert drawn.count("<image ") == drawn.count('href="data:image/png;base64,') == 2


def test_identifiers_are_unique_lead_somewhere_and_can_be_told_apart_on_a_page():
    figure = one_panel()
    pages = [for_page(figure), for_page(figure, "run"), for_page(panels(1, 2))]
    names = [name for html in pages for name in re.findall(r' id="([^"]+)"', html)]
    assert names and len(names) == len(set(names))
    for html in pages:
        used = re.findall(r'(?:href="|url\()#([^")]+)', html)
        assert set(used) == set(re.findall(r' id="([^"]+)"', html))


def test_a_file_shows_the_wide_figure_and_holds_the_drawings_for_a_page():
    figure = one_panel()
    text = save(figure)
    root = ElementTree.fromstring(text)
    assert f"<metadata>{for_page(figure)}" in text
    shown = [element for element in root if not element.tag.endswith("metadata")]
    assert not [e for part in shown for e in part.iter() if e.tag.endswith("}text")], "paths"
