import ast
import inspect
import io
import re
import warnings
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from stable_softmax import FORMATS, FP16, softmax_shifted
from stable_softmax.notebook import display
from stable_softmax.notebook.display import (
    COLORS,
    ROLE,
    label_lines,
    mark_limit,
    new_axes,
    plot_error,
    plot_values,
    role_of,
    show_progress,
    show_source,
    show_table,
    use_book_style,
)
from stable_softmax.notebook.figures import save

INF, NAN = np.inf, np.nan


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
    assert len(set(COLORS.values())) == len(ROLE) == len(COLORS)
    marked = [style for style in ROLE.values() if style["marker"]]
    assert len({(str(style["linestyle"]), style["marker"]) for style in marked}) == len(marked)
    assert {role for role, style in ROLE.items() if not style["marker"]} == {"exact", "roundoff"}


def test_only_naive_is_dashed_or_near_vermilion():
    assert [role for role, style in ROLE.items() if style["linestyle"] == "--"] == ["naive"]
    hues = {role: rgb_to_hsv(to_rgb(color)) for role, color in COLORS.items()}
    vivid = {role for role, (hue, saturation, value) in hues.items() if saturation * value > 0.75}
    assert {role for role in vivid if abs(hues[role][0] - hues["naive"][0]) < 0.04} == {"naive"}


def luminance(color):
    """The relative luminance of WCAG."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("role", COLORS)
def test_each_color_has_the_contrast_of_graphics_on_white(role):
    assert 1.05 / (luminance(COLORS[role]) + 0.05) >= 3


def test_formats_get_paler_with_each_digit_that_they_lose():
    by_digits = sorted(FORMATS.values(), key=lambda f: (-f.precision, -f.max_exponent))
    shades = [COLORS[str(f)] for f in sorted(by_digits, key=lambda f: f.unit_roundoff)]
    assert len(shades) == 7
    steps = [luminance(shade) for shade in shades]
    assert steps == sorted(steps)
    hues = {round(float(rgb_to_hsv(to_rgb(shade))[0]), 2) for shade in shades}
    assert max(hues) - min(hues) < 0.05, "one hue, so that they are seen as one family"


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("shifted", "shifted"),
        ("from logits", "shifted"),
        ("ours, log1p", "log1p"),
        ("bfloat16", "bf16"),
        ("one by one, NumPy", "in order"),
        ("SciPy", "SciPy"),
    ],
)
def test_a_curve_has_the_look_of_what_its_label_names(label, role):
    assert role_of(label) == role_of(label, role) == role
    ax = plot_error([1, 2], [1, 2], label=label)
    assert curves(ax, label).get_color() == COLORS[role]
    ax = plot_values([1, 2], [1, 2], label=label, ax=new_axes())
    assert curves(ax, label).get_color() == COLORS[role]


@pytest.mark.parametrize(
    ("label", "role"),
    [("log1p", "naive"), ("naive", "shifted"), ("fp16, by hand", "bf16"), ("PyTorch", "first")],
)
def test_no_curve_has_the_look_of_another_than_its_label_names(label, role):
    with pytest.raises(ValueError, match="names the role"):
        plot_error([1, 2], [1, 2], label=label, role=role)


def test_the_bound_of_a_form_is_gray_and_a_label_may_name_two_things():
    assert role_of("bound, shifted", "roundoff") == "roundoff"
    assert role_of("fp16, left to right", "fp16") == "fp16"
    assert role_of("fp16, left to right", "in order") == "in order"
    assert role_of("log1p(-exp(lp))", "first") == "first"


def test_a_label_that_names_nothing_needs_a_role():
    with pytest.raises(ValueError, match="there is no role 'two halves'"):
        role_of("two halves")


def test_noise_is_pale_dots_under_a_line_over_their_peaks():
    rng = np.random.default_rng(0)
    error = rng.uniform(0, 1, size=480)
    error[400:] = INF
    ax = plot_error(np.arange(480), error, label="log1p", noise=True)
    dots, line = (curves(ax, label) for label in ("_", "log1p"))
    assert dots.get_linestyle() == "None" and dots.get_alpha() < 1
    assert np.array_equal(dots.get_ydata()[:400], error[:400])
    assert dots.get_color() == line.get_color() == COLORS["log1p"]
    top = line.get_ydata()
    assert np.all(top[:400] >= error[:400]) and np.all(np.isnan(top[400:]))
    assert len(np.unique(top[:400])) < 60, "it runs flat from peak to peak"
    assert set(top[:400]) <= set(error[:400]), "each height is that of an error"
    assert len(crosses(ax)) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_the_line_over_the_peaks_runs_ahead_of_no_rise_and_no_fall(sign):
    x = np.arange(240)
    for y in (2.0**x, np.where(x < 100, 1.0, 1e6)):
        ax = plot_error(x, y[::sign], label="log1p", noise=True)
        assert np.array_equal(curves(ax, "log1p").get_ydata(), y[::sign])


@pytest.mark.parametrize("end", [0, -1])
def test_the_line_over_the_peaks_does_not_drop_to_a_low_last_point(end):
    error = np.random.default_rng(0).uniform(0.5, 1, size=240)
    error[end] = 0.1
    ax = plot_error(np.arange(240), error, label="log1p", noise=True)
    assert curves(ax, "log1p").get_ydata()[end] > 0.5


@pytest.mark.parametrize("errors", [[], [1.0], [NAN, INF]])
def test_noise_of_few_points_or_none_is_drawn(errors):
    x = np.arange(len(errors))
    assert plot_error(x, errors, label="log1p", noise=True).lines


@pytest.mark.parametrize("errors", [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [1e6, 1e-3, 0.0]])
def test_a_zero_error_is_drawn_on_the_axis_marked_0(errors):
    ax = plot_error([1, 2, 3], errors, label="a", role="shifted")
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
    plot_error([1, 2], [INF, 1], label="b", role="first", ax=ax)
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
    ax = plot_error([1, 2], [1, 2], label="a", role="shifted")
    plot_error([1, 2], [1, 1e7], label="b", role="naive", ax=ax)
    assert ax.get_ylim()[1] > 1e7
    mark_limit(ax, 1e9, "bound", axis="y")
    assert ax.get_ylim()[1] > 1e9


@pytest.mark.parametrize("unit", ["ulp", "u", "relative", "absolute"])
def test_the_axis_names_the_unit_and_has_few_ticks(unit):
    ax = plot_error([1, 2], [1e-30, 1e5], label="a", role="shifted", unit=unit, xlabel="gap")
    assert unit in ax.get_ylabel()
    assert ax.get_xlabel() == "gap"
    assert 2 <= len(ax.yaxis.get_majorticklocs()) <= 10


def test_points_can_be_drawn_without_a_line():
    ax = plot_error([1, 2], [1, 2], label="a", role="shifted", line=False)
    assert curves(ax, "a").get_linestyle() == "None"


def test_labels_stand_at_the_ends_and_do_not_overlap():
    ax = new_axes("x", "y")
    roles = list(ROLE)[:8]
    for i, role in enumerate(roles):
        ax.plot([0, 1], [0, 1 + i / 100], label=role, **ROLE[role])
    label_lines(ax)
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line to the curve
    assert [text.get_text() for text in ax.texts] == roles
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
    ax = plot_error([0, 2], [1, 2], label="a", role="shifted")
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


def columns(table):
    """Return the columns of a table in Markdown: head, mark, cells."""
    rows = [line.strip("| ").split(" | ") for line in table.data.splitlines()]
    return [list(column) for column in zip(*rows, strict=True)]


def test_a_table_rounds_numbers_and_shows_special_values():
    rows = [
        ["a", 1.23456, 12345, INF],
        ["b", np.float32(2e-9), np.int64(7), NAN],
        ["c", ml_dtypes.bfloat16(0.5), 2, -INF],
        ["d", np.array(2.5), -3, 2.0],
    ]
    assert show_table(["name", "x", "n", "y"], rows).data.splitlines() == [
        "| name | x | n | y |",
        "| :--- | ---: | ---: | ---: |",
        "| a | 1.23 | 12345 | inf |",
        "| b | 2e−09 | 7 | nan |",
        "| c | 0.5 | 2 | −inf |",
        "| d | 2.5 | −3 | 2 |",
    ]
    assert "| 1.2346 |" in show_table(["x"], [[1.23456]], digits=5).data


def test_arrays_tuples_and_answers_are_not_aligned_as_numbers_are():
    rows = [[np.array([1.0, -INF]), (2, 3), True], [np.array([True, False]), (), np.bool_(False)]]
    assert columns(show_table(["array", "tuple", "answer"], rows)) == [
        ["array", ":---", "`[1, -inf]`", "`[True, False]`"],
        ["tuple", ":---", "`(2, 3)`", "`()`"],
        ["answer", ":---", "yes", "no"],
    ]


def test_an_array_in_a_text_is_code_and_a_link_is_none():
    texts = ["[0, -inf], label 1", "[]", "[softmax](softmax.md)", "`[1]`", "-0.5 of [1e-07, nan]"]
    assert columns(show_table(["x"], [[text] for text in texts]))[0][2:] == [
        "`[0, -inf]`, label 1",
        "`[]`",
        "[softmax](softmax.md)",
        "`[1]`",
        "-0.5 of `[1e-07, nan]`",
    ]


def test_numbers_have_a_true_minus_and_code_has_the_sign_that_runs():
    rows = [[-1.5, "-1e-09", "-0.5%", np.array([-1.0]), "x-ray"]]
    cells = [cell for *_, cell in columns(show_table("abcde", rows))]
    assert cells == ["−1.5", "−1e−09", "−0.5%", "`[-1]`", "x-ray"]
    assert columns(show_table(["-1e9", "a-b"], [])) == [["−1e9", "---:"], ["a-b", "---:"]]


def test_numbers_given_as_text_are_aligned_as_numbers():
    marks = [mark for _, mark, *_ in columns(show_table("abc", [["-1.0", "30%", "1 of 2"]]))]
    assert marks == ["---:", "---:", ":---"]


def test_a_zero_has_no_sign():
    assert columns(show_table("ab", [[-0.0, np.array([-0.0])]])) == [
        ["a", "---:", "0"],
        ["b", ":---", "`[0]`"],
    ]


def test_decimal_points_are_below_each_other():
    x = [0.52, -0.826, 2.0, NAN]
    assert columns(show_table(["x"], [[value] for value in x])) == [
        ["x", "---:", "0.52&numsp;", "−0.826", "2&puncsp;&numsp;&numsp;&numsp;", "nan"]
    ]


@pytest.mark.parametrize("x", [[0.5, 1e-9], [1e-6, 10.25], [1, 2], [1234.5678901]])
def test_a_column_with_an_exponent_or_many_decimals_gets_no_spaces(x):
    assert "sp;" not in show_table(["x"], [[value] for value in x], digits=9).data


def test_a_label_that_repeats_the_one_above_is_left_out_and_a_number_is_not():
    table = show_table(["loss", "gap"], [["a", 1], ["a", 1], ["b", 2], ["a", 2]]).data
    assert table.splitlines()[2:] == ["| a | 1 |", "|  | 1 |", "| b | 2 |", "| a | 2 |"]
    table = show_table(["gap", "loss"], [[1, "a"], [1, "b"]]).data
    assert table.splitlines()[2:] == ["| 1 | a |", "| 1 | b |"]


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="must have 2 cells"):
        show_table(["a", "b"], [[1]])


def test_panels_that_share_an_axis_name_its_unit_once():
    left, right = new_axes("x", width="wide", cols=2, sharey=True)
    apart, other = new_axes("x", width="wide", cols=2)
    for ax in (left, right, apart, other):
        plot_error([1, 2], [1, 2], label="a", role="shifted", ax=ax)
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
        ({"role": "best"}, ValueError, "there is no role 'best'; use one of 'naive', 'shifted'"),
        ({"unit": "bits"}, ValueError, "there is no unit 'bits'; use one of 'ulp', 'u'"),
        ({"floor": 0.0}, ValueError, "floor must be positive"),
        ({"floor": "a"}, TypeError, "floor must hold real numbers"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(change, error, message):
    curve = {"x": [0.0, 1.0], "errors": [1.0, 2.0], "label": "a", "role": "naive"}
    with pytest.raises(error, match=message):
        plot_error(**curve | change)


def test_numbers_with_a_gradient_are_shown_without_a_warning():
    import torch

    x = torch.tensor([1.5, -2.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = show_table(["one", "all"], [[x[0], x]]).data
    assert "1.5" in shown and "[1.5, -2]" in shown


@pytest.mark.parametrize("label", [3, None, ["naive"]])
def test_a_label_that_is_not_text_is_refused_before_anything_is_drawn(label):
    with pytest.raises(TypeError, match="label must be text, not"):
        role_of(label)
    ax = new_axes()
    with pytest.raises(TypeError, match="label must be text, not"):
        plot_error([1], [1e-8], label=label, ax=ax)
    assert not ax.lines and ax.get_yscale() == "linear"


def test_each_curve_has_one_label_also_if_labels_are_written_after_each():
    ax = new_axes()
    for name in ("naive", "shifted"):
        plot_values([0.0, 1.0], [1.0, len(name)], label=name, ax=ax)
        label_lines(ax)
    assert sorted(text.get_text() for text in ax.texts) == ["naive", "shifted"]


@pytest.mark.parametrize("ax", [3, "ax", np.array([None, None])])
def test_what_is_drawn_on_is_one_axes(ax):
    draw = {
        "error": lambda: plot_error([1], [1e-8], label="naive", ax=ax),
        "values": lambda: plot_values([1], [1], label="naive", ax=ax),
        "limit": lambda: mark_limit(ax, 1, "Ω"),
        "labels": lambda: label_lines(ax),
    }
    for call in draw.values():
        with pytest.raises(TypeError, match="ax must be one Axes of Matplotlib, not"):
            call()


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


def test_axes_that_are_in_no_grid_get_curves_and_crosses():
    ax = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    plot_error([1, 2], [np.inf, 0.5], label="naive", ax=ax)
    assert ax.get_ylabel() == "error (ulp)"
    assert [text.get_text() for text in ax.texts] == ["inf or nan"]


def test_the_crosses_of_a_row_of_panels_are_named_once():
    panels = new_axes("x", cols=2, sharey=True)
    for ax in panels:
        plot_error([1, 2], [np.inf, 0.5], label="naive", ax=ax)
    assert [len(ax.texts) for ax in panels] == [1, 0]


def test_each_panel_of_a_shared_axis_has_its_line_at_zero():
    axes = new_axes(cols=2, sharey=True)
    for ax in [*axes, *axes]:
        plot_error([1, 2], [0.0, 3.0], label="shifted", ax=ax)
    for ax in axes:
        assert sum(list(line.get_ydata()) == [0, 0] for line in ax.lines) == 1


def test_a_name_beside_crosses_looks_like_a_label():
    ax = plot_error([1, 2], [1.0, INF], label="_", role="naive")
    text = ax.text(2, 1, "naive")
    label_lines(ax)
    plot_error([1, 2], [1.0, 2.0], label="naive", ax=ax)
    label_lines(ax)
    label = next(other for other in ax.texts if other.get_gid() == "name")
    assert (text.get_color(), text.get_size()) == (label.get_color(), label.get_size())
