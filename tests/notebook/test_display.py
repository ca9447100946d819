import ast
import inspect
import io
import re
import warnings
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import ml_dtypes
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text

from stable_softmax import FP16, softmax_shifted
from stable_softmax.notebook import display
from stable_softmax.notebook.display import (
    COLORS,
    ROLE,
    label_lines,
    mark_limit,
    new_axes,
    plot_error,
    plot_values,
    show_progress,
    show_source,
    show_table,
    use_book_style,
)
from stable_softmax.notebook.figures import save

INF, NAN = np.inf, np.nan


@pytest.fixture(autouse=True)
def figures_of_this_test(monkeypatch):
    monkeypatch.setattr(display, "get_ipython", lambda: None)
    matplotlib.use("agg")
    with plt.rc_context():
        use_book_style()
        yield
    plt.close("all")


def curves(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def crosses(ax):
    return [line for line in ax.lines if line.get_marker() == "x"]


def test_figures_are_transparent():
    ax = new_axes()
    assert ax.figure.get_facecolor()[3] == 0
    assert ax.get_facecolor()[3] == 0


def test_the_same_drawing_gives_the_same_bytes():
    def draw():
        ax = plot_error([1, 2, 3], [0, 1, INF], label="a", role="naive", xlabel="x")
        label_lines(ax)
        file = io.BytesIO()
        ax.figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert draw() == draw()


def test_in_a_notebook_figures_become_svg_and_warnings_one_line(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr(display, "get_ipython", lambda: shell)
    monkeypatch.setattr(display, "set_matplotlib_formats", lambda *formats: None)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    use_book_style()
    figure = new_axes().figure
    shown, _ = shell.display_formatter.format(figure, include={"image/svg+xml"})
    assert shown == {"image/svg+xml": save(figure)}
    text = warnings.formatwarning("overflow encountered in exp", RuntimeWarning, "/a/path.py", 1)
    assert text == "RuntimeWarning: overflow encountered in exp\n"


def test_in_a_page_that_runs_its_cells_the_shell_shows_no_figures(monkeypatch):
    monkeypatch.setattr(display, "get_ipython", lambda: SimpleNamespace(user_ns={}))
    monkeypatch.setattr(display, "set_matplotlib_formats", lambda *formats: None)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    use_book_style()
    assert new_axes().get_facecolor()[3] == 0


def test_roles_differ_in_color_and_without_color():
    assert len(set(COLORS.values())) == len(ROLE)
    looks = {(str(style["linestyle"]), style["marker"], style["color"]) for style in ROLE.values()}
    assert len(looks) == len(ROLE)
    marked = [(str(s["linestyle"]), s["marker"]) for s in ROLE.values() if s["marker"]]
    assert len({style for style, _ in marked}) == len({mark for _, mark in marked}) == len(marked)


@pytest.mark.parametrize("errors", [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [1e6, 1e-3, 0.0]])
def test_a_zero_error_is_drawn_on_the_axis_marked_0(errors):
    ax = plot_error([1, 2, 3], errors, label="a", role="stable")
    drawn = curves(ax, "a").get_ydata()
    assert np.array_equal(drawn, errors)
    low, high = ax.get_ylim()
    assert low < 0
    assert max(errors) < high
    assert 0 in ax.yaxis.get_majorticklocs()


def test_inf_and_nan_become_crosses_above_the_axes_and_nothing_is_dropped():
    ax = plot_error([1, 2, 3, 4], [1.0, INF, NAN, -2.0], label="a", role="naive")
    assert np.array_equal(curves(ax, "a").get_ydata(), [1, NAN, NAN, 2], equal_nan=True)
    (row,) = crosses(ax)
    assert np.array_equal(row.get_xdata(), [2, 3])
    assert np.all(np.array(row.get_ydata()) > 1)
    assert row.get_color() == COLORS["naive"]
    assert not row.get_clip_on()
    assert [text.get_text() for text in ax.texts] == ["inf or nan"]


def test_the_crosses_of_two_curves_stand_in_two_rows():
    ax = plot_error([1, 2], [NAN, NAN], label="a", role="naive")
    plot_error([1, 2], [INF, 1], label="b", role="other", ax=ax)
    first, second = crosses(ax)
    assert first.get_ydata()[0] < second.get_ydata()[0]
    assert len(ax.texts) == 1


def test_values_keep_their_sign_and_their_axis_and_lose_no_infinity():
    ax = new_axes()
    assert plot_values([1, 2, 3], [-1, INF, NAN], label="a", role="naive", ax=ax) is ax
    assert np.array_equal(curves(ax, "a").get_ydata(), [-1, NAN, NAN], equal_nan=True)
    assert np.array_equal(crosses(ax)[0].get_xdata(), [2, 3])
    assert ax.get_yscale() == "linear"


def test_a_later_and_larger_curve_or_limit_stays_inside_the_axes():
    ax = plot_error([1, 2], [1, 2], label="a", role="stable")
    plot_error([1, 2], [1, 1e7], label="b", role="naive", ax=ax)
    assert ax.get_ylim()[1] > 1e7
    mark_limit(ax, 1e9, "bound", axis="y")
    assert ax.get_ylim()[1] > 1e9


@pytest.mark.parametrize("unit", ["ulp", "u", "relative", "absolute"])
def test_the_axis_names_the_unit_and_has_few_ticks(unit):
    ax = plot_error([1, 2], [1e-30, 1e5], label="a", role="stable", unit=unit, xlabel="gap")
    assert unit in ax.get_ylabel()
    assert ax.get_xlabel() == "gap"
    assert 2 <= len(ax.yaxis.get_majorticklocs()) <= 10


def test_points_can_be_drawn_without_a_line():
    ax = plot_error([1, 2], [1, 2], label="a", role="stable", line=False)
    assert curves(ax, "a").get_linestyle() == "None"


def test_labels_stand_at_the_ends_and_do_not_overlap():
    ax = new_axes("x", "y")
    for i, role in enumerate(ROLE):
        ax.plot([0, 1], [0, 1 + i / 100], label=role, **ROLE[role])
    label_lines(ax)
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line to the curve
    assert [text.get_text() for text in ax.texts] == list(ROLE)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x1 <= ax.figure.bbox.x1 for box in boxes)


def test_labels_follow_the_last_finite_point_and_skip_unnamed_curves():
    ax = new_axes()
    ax.plot([0, 1, 2], [5, 6, NAN], label="a")
    ax.plot([0, 1, 2], [1, 1, 1], label="_")
    ax.plot([0, 1], [NAN, NAN], label="nothing")
    label_lines(ax)
    assert [(text.get_text(), *text.xy) for text in ax.texts] == [("a", 1, 6)]
    label_lines(new_axes())


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_limit_is_a_line_with_a_text(axis):
    ax = new_axes()
    mark_limit(ax, 88.7, "exp overflows", axis=axis)
    (line,) = ax.lines
    data = line.get_xdata() if axis == "x" else line.get_ydata()
    assert list(data) == [88.7, 88.7]
    assert ax.texts[0].get_text() == "exp overflows"


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_text_of_a_limit_is_on_the_chosen_side_of_its_line(axis):
    ax = plot_error([0, 2], [1, 2], label="a", role="stable")
    mark_limit(ax, 1.5, "before", axis=axis)
    mark_limit(ax, 1.5, "after", axis=axis, beyond=True)
    ax.figure.draw_without_rendering()
    before, after = (text.get_window_extent() for text in ax.texts[-2:])
    line = ax.transData.transform((1.5, 1.5))[0 if axis == "x" else 1]
    if axis == "x":
        assert before.x1 <= line <= after.x0
    else:
        assert after.y1 <= line <= before.y0


def test_panels_share_the_names_of_shared_axes():
    axes = new_axes("x", "y", width="wide", rows=2, cols=2, sharex=True, sharey=True)
    assert [ax.get_xlabel() for ax in axes.flat] == ["", "", "x", "x"]
    assert [ax.get_ylabel() for ax in axes.flat] == ["y", "", "y", ""]


def test_the_horizontal_axis_can_be_logarithmic():
    assert new_axes(xscale="log").get_xscale() == "log"
    assert new_axes().get_xscale() == "linear"


def documented():
    """Say something."""

    # a comment
    return {"a": 1}


def test_the_source_is_the_real_one_without_its_docstring():
    text = show_source(softmax_shifted, documented).data
    assert text.startswith("```python\ndef softmax_shifted(x, axis=-1):\n    x, axis, xp")
    assert '"""' not in text
    assert "# a comment" in text
    assert text.endswith("\n```")
    shown = ast.parse(text.removeprefix("```python\n").removesuffix("```")).body[0]
    real = ast.parse(inspect.getsource(softmax_shifted)).body[0]
    assert [ast.dump(node) for node in shown.body] == [ast.dump(node) for node in real.body[1:]]


def test_the_docstring_is_shown_on_request():
    assert "Say something." in show_source(documented, docstring=True).data


def test_a_function_without_docstring_is_shown_whole():
    def bare(x):
        return x

    assert show_source(bare).data == "```python\ndef bare(x):\n    return x\n```"


def test_what_does_not_exist_is_a_dash_in_a_column_of_numbers():
    table = show_table(["a"], [[1.0], [None]]).data
    assert table.splitlines()[1:] == ["| ---: |", "| 1 |", "| \N{EN DASH} |"]


def test_a_table_rounds_numbers_and_shows_special_values():
    rows = [
        ["a", 1.23456, 12345, INF],
        ["b", np.float32(2e-9), np.int64(7), NAN],
        ["c", ml_dtypes.bfloat16(0.5), (2, 3), np.array([1.0, -INF])],
        ["d", np.array(2.5), True, np.bool_(False)],
    ]
    assert show_table(["name", "x", "n", "y"], rows).data.splitlines() == [
        "| name | x | n | y |",
        "| :--- | ---: | ---: | ---: |",
        "| a | 1.23 | 12345 | inf |",
        "| b | 2e-09 | 7 | nan |",
        "| c | 0.5 | (2, 3) | [1, -inf] |",
        "| d | 2.5 | yes | no |",
    ]
    assert "| 1.2346 |" in show_table(["x"], [[1.23456]], digits=5).data


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="must have 2 cells"):
        show_table(["a", "b"], [[1]])


def test_panels_that_share_an_axis_name_its_unit_once():
    left, right = new_axes("x", width="wide", cols=2, sharey=True)
    apart, other = new_axes("x", width="wide", cols=2)
    for ax in (left, right, apart, other):
        plot_error([1, 2], [1, 2], label="a", role="stable", ax=ax)
    texts = [ax.get_ylabel() for ax in (left, right, apart, other)]
    assert texts == ["error (ulp)", "", "error (ulp)", "error (ulp)"]


def test_a_progress_bar_yields_its_items_and_ends_without_a_time(capsys):
    assert list(show_progress(["a", "b", "c"], "letters")) == ["a", "b", "c"]
    last = capsys.readouterr().out.strip().rsplit("\r", 1)[-1]
    assert last.endswith("3 of 3 letters") and not re.search(r"\d:\d|s/it|it/s", last)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"errors": [1.0]}, ValueError, r"must have one shape \(n,\), not \(2,\) and \(1,\)"),
        ({"x": 1.0, "errors": 1.0}, ValueError, r"must have one shape \(n,\), not \(\)"),
        ({"errors": [[1.0], [2.0]]}, ValueError, "must have one shape"),
        ({"errors": None}, TypeError, "the curve must hold real numbers, not"),
        ({"errors": ["a", "b"]}, TypeError, "the curve must hold real numbers, not"),
        ({"x": [1j, 2j]}, TypeError, "x must hold real numbers, not"),
        ({"role": "best"}, ValueError, "there is no role 'best'; use one of 'naive', 'stable'"),
        ({"unit": "bits"}, ValueError, "there is no unit 'bits'; use one of 'ulp', 'u'"),
        ({"floor": 0.0}, ValueError, "floor must be positive"),
        ({"floor": "a"}, TypeError, "floor must hold real numbers"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(change, error, message):
    curve = {"x": [0.0, 1.0], "errors": [1.0, 2.0], "label": "a", "role": "naive"}
    with pytest.raises(error, match=message):
        plot_error(**curve | change)


def test_values_are_checked_as_errors_are():
    ax = new_axes()
    with pytest.raises(ValueError, match="must have one shape"):
        plot_values([0.0, 1.0], [1.0], label="a", role="naive", ax=ax)
    with pytest.raises(ValueError, match="there is no role 'best'"):
        plot_values([0.0], [1.0], label="a", role="best", ax=ax)


def test_a_curve_without_points_and_axes_without_curves_are_drawn():
    ax = plot_error([], [], label="none", role="naive")
    label_lines(ax)
    label_lines(new_axes())
    assert not [text for text in ax.texts if text.get_text() == "none"]


def test_axes_and_limits_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="there is no width 'huge'; use one of 'normal', 'wide'"):
        new_axes(width="huge")
    with pytest.raises(ValueError, match="there is no axis 'z'; use one of 'x', 'y'"):
        mark_limit(new_axes(), 1.0, "end", axis="z")
    with pytest.raises(TypeError, match="value must hold real numbers, not"):
        mark_limit(new_axes(), None, "end")


@pytest.mark.parametrize("given", [len, 3, np.exp, "text"], ids=repr)
def test_what_has_no_source_is_refused(given):
    with pytest.raises(TypeError, match="has no source in Python that can be read"):
        show_source(given)


def test_a_cell_of_another_kind_is_its_text():
    table = show_table(["a", "b"], [[1j, FP16], [ml_dtypes.bfloat16(1.5), {}]]).data
    assert "| 1j | fp16 |" in table and "| 1.5 | {} |" in table
    assert show_table(("a",), [(1.0,)]).data.splitlines()[0] == "| a |"


def test_digits_are_a_positive_number():
    with pytest.raises(ValueError, match="digits must be positive, not 0"):
        show_table(["a"], [[1.0]], digits=0)
    with pytest.raises(TypeError, match="digits must be an int"):
        show_table(["a"], [[1.0]], digits=None)


def test_the_source_of_a_lambda_is_its_line():
    assert "lambda v: v + 1" in show_source(lambda v: v + 1).data
