import matplotlib
import ml_dtypes
import numpy as np
import pytest

from stable_softmax import BF16, E4M3, E5M2, FP16, FP32, TF32, round_to
from stable_softmax.notebook.display import COLORS, new_axes
from stable_softmax.notebook.number_line import NumberLine, bits_of, draw_bits, numbers_between
from tests.cases import ALL_FORMATS


@pytest.mark.parametrize("fmt", [E4M3, E5M2], ids=str)
def test_all_numbers_of_eight_bits_are_between_the_largest_and_its_negative(fmt):
    values = np.arange(256, dtype=np.uint8).view(fmt.dtype).astype(float)
    expected = np.unique(values[np.isfinite(values)])
    found = numbers_between(-fmt.largest, fmt.largest, fmt)
    assert np.array_equal(found, expected)
    assert not np.signbit(found[found == 0]).any()


@pytest.mark.parametrize("fmt", [FP32, FP16], ids=str)
@pytest.mark.parametrize("start", [0.1, 1 - 2.0**-11, 0.0, -1.0, 60_000.0])
def test_the_numbers_are_those_that_numpy_steps_through(fmt, start):
    expected = [fmt.dtype.type(start)]
    for _ in range(20):
        expected.append(np.nextafter(expected[-1], fmt.dtype.type(np.inf)))
    found = numbers_between(float(expected[0]), float(expected[-1]), fmt)
    assert found.tolist() == [float(number) for number in expected]


def test_ends_that_are_not_numbers_of_the_format_are_left_out():
    assert numbers_between(17, 22.9, E4M3).tolist() == [18, 20, 22]
    assert numbers_between(16.5, 17.5, E4M3).tolist() == []
    assert numbers_between(20, 20, E4M3).tolist() == [20]


def test_too_many_numbers_and_ends_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="more than 10000 numbers of fp32"):
        numbers_between(0, 1, FP32)
    with pytest.raises(ValueError, match="in this order"):
        numbers_between(1, 0, E4M3)
    with pytest.raises(ValueError, match="among the numbers of e4m3"):
        numbers_between(0, 449, E4M3)


def test_only_numbers_on_the_piece_are_marked_each_at_its_place():
    ax = new_axes()
    line = NumberLine(ax, 16, 32)
    line.mark([8, 16, 20, 32, 36], role="second")
    (collection,) = ax.collections
    assert [segment[0][0] for segment in collection.get_segments()] == [0, 0.25, 1]
    assert matplotlib.colors.to_hex(collection.get_color()[0]) == COLORS["second"]


def test_lines_in_rows_lie_below_each_other_and_all_inside_the_axes():
    ax = new_axes()
    upper = NumberLine(ax, 0, 16, text="upper")
    lower = NumberLine(ax, 0, 1, row=1)
    lower.zoom_from(upper)
    lower.label({0.5: "1/2"})
    low, high = ax.get_ylim()
    assert low < -1 < 0 < high
    (wedge,) = ax.patches
    assert wedge.get_xy()[:2].tolist() == [[0, 0], [1 / 16, 0]]
    assert [text.get_text() for text in ax.texts] == ["upper", "", "1/2"]
    assert ax.texts[-1].get_position()[0] == 0.5
    assert not ax.axison


def test_an_upper_line_drawn_last_hides_no_lower_one():
    ax = new_axes()
    NumberLine(ax, 0, 1, row=2)
    NumberLine(ax, 0, 1, row=0)
    assert ax.get_ylim()[0] < -2


def test_a_number_that_is_dropped_points_to_its_neighbor():
    ax = new_axes()
    line = NumberLine(ax, 16, 32)
    line.drop(19, to=20, text="19")
    (dot,) = [curve for curve in ax.lines if curve.get_marker() == "o"]
    assert dot.get_xdata()[0] == line.place(19)
    assert [text.xy[0] for text in ax.texts if hasattr(text, "xy")] == [line.place(20)]


@pytest.mark.parametrize(
    ("number", "fmt", "expected"),
    [
        (20, E4M3, ("0", "1011", "010")),
        (-20, E4M3, ("1", "1011", "010")),
        (19, E4M3, ("0", "1011", "010")),  # rounded first, to 20
        (2.0**-9, E4M3, ("0", "0000", "001")),
        (1, BF16, ("0", "01111111", "0000000")),
        (1.5, FP16, ("0", "01111", "1000000000")),
        (-0.0, FP16, ("1", "00000", "0000000000")),
        (np.inf, FP16, ("0", "11111", "0000000000")),
    ],
)
def test_the_bits_of_a_number_by_field(number, fmt, expected):
    assert tuple(bits_of(number, fmt).values()) == expected


@pytest.mark.parametrize("fmt", [FP16, BF16, E5M2, E4M3], ids=str)
def test_the_bits_are_those_of_the_stored_number(fmt):
    numbers = np.random.default_rng(0).normal(size=50).astype(fmt.dtype)
    for number in numbers:
        pattern = int("".join(bits_of(float(number), fmt).values()), 2)
        stored = np.array(pattern, dtype=f"uint{8 * fmt.dtype.itemsize}").view(fmt.dtype)
        assert stored == number


@pytest.mark.parametrize("fmt", [E5M2, E4M3], ids=str)
def test_every_pattern_of_eight_bits_is_found_from_its_number(fmt):
    patterns = np.arange(256, dtype=np.uint8)
    numbers = patterns.view(fmt.dtype).astype(float)
    for pattern in patterns[~np.isnan(numbers)]:
        assert "".join(bits_of(numbers[pattern], fmt).values()) == f"{pattern:08b}"


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("number", [np.nan, np.inf, 1e-320, 0.0])
def test_what_is_no_normal_number_has_the_bits_of_an_array(fmt, number):
    stored = round_to(number, fmt)
    pattern = int(stored.view(f"uint{8 * fmt.dtype.itemsize}"))
    assert int("".join(bits_of(number, fmt).values()), 2) == pattern


def test_a_format_that_is_never_stored_has_no_bits():
    with pytest.raises(TypeError, match="no array can have it"):
        bits_of(1, TF32)


def test_a_row_of_bits_has_a_box_for_each_and_names_its_fields():
    ax = draw_bits(20, E4M3, ax=new_axes(), text="20")
    outlines = [patch for patch in ax.patches if patch.get_facecolor()[3] == 0]
    assert [box.get_x() for box in outlines] == list(range(8))
    texts = [text.get_text() for text in ax.texts]
    assert texts[0] == "20"
    assert "".join(text for text in texts if text in "01") == "01011010"
    assert [text for text in texts if text in ("sign", "exponent", "fraction")] == [
        "sign",
        "exponent",
        "fraction",
    ]


def test_a_second_row_of_bits_widens_the_axes_and_keeps_the_first_in_view():
    ax = new_axes()
    draw_bits(1, FP32, ax=ax)
    draw_bits(1, ml_dtypes.bfloat16, ax=ax, row=1)
    assert ax.get_xlim()[1] > 32
    assert ax.get_ylim()[0] < -2.6 < 1 < ax.get_ylim()[1]
