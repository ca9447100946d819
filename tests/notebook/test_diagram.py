from itertools import pairwise

import pytest

from stable_softmax.notebook.diagram import draw_network, draw_two_sum
from stable_softmax.notebook.display import new_axes


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("sizes", [[10, 7, 5], [1, 1], [3, 16, 8, 2]])
def test_every_unit_and_every_connection_is_drawn_once(sizes):
    ax = draw_network(sizes)
    places = [layer.get_offsets() for layer in ax.collections]
    assert [len(layer) for layer in places] == sizes
    units = [[tuple(map(float, place)) for place in layer] for layer in places]
    drawn = [tuple(map(tuple, line.get_xydata().tolist())) for line in ax.lines]
    expected = [(a, b) for left, right in pairwise(units) for a in left for b in right]
    assert sorted(drawn) == sorted(expected)


def test_everything_drawn_is_inside_the_axes():
    ax = draw_network([3, 16, 8, 2])
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for layer in ax.collections:
        for x, y in layer.get_offsets():
            assert left < x < right
            assert bottom < y < top
    ax.figure.draw_without_rendering()
    frame = ax.figure.bbox
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    assert all(frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


def test_layers_are_named_and_parameters_counted():
    ax = draw_network([10, 7, 5], ["input", "hidden", "logits"])
    assert texts(ax) == [
        "70 weights + 7 biases = 77",
        "35 weights + 5 biases = 40",
        "input\n10\N{NO-BREAK SPACE}units",
        "hidden\n7\N{NO-BREAK SPACE}units",
        "logits\n5\N{NO-BREAK SPACE}units",
    ]


def test_default_names():
    names = [text.split("\n")[0] for text in texts(draw_network([4, 3, 3, 2]))[3:]]
    assert names == ["input", "hidden 1", "hidden 2", "logits"]


def test_given_axes_are_used():
    ax = new_axes()
    assert draw_network([2, 2], ax=ax) is ax


def test_names_must_fit_the_layers():
    with pytest.raises(ValueError, match="labels has 1 names for 3 layers"):
        draw_network([10, 7, 5], ["input"])


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="sizes must"):
        draw_network([10])


def test_the_bars_of_a_sum_reach_from_the_highest_bit_to_the_last_place():
    # 2**0, and 2**-52 + 2**-54: the latter is lost, and lies below the last place of the sum
    ax = draw_two_sum(1.0, 2.0**-52 + 2.0**-54)
    bars = [(p.get_y() + 0.2, p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
    assert bars == [
        (3, 1, -52),
        (2, -51, -52),
        (2, -52, -104),
        (1, 1, -52),
        (0, -53, -104),
    ]


def test_the_numbers_of_a_sum_are_written_above_their_bars():
    ax = draw_two_sum(-700.3, -0.3)
    above = {text.get_position()[1]: text.get_text() for text in ax.texts if "=" in text.get_text()}
    numbers = ["t = -4.55e-14", "s = -700.5999999999999", "b = -0.3", "a = -700.3"]
    assert above == {height + 0.27: text for height, text in enumerate(numbers)}


def test_a_sum_is_drawn_for_a_phone():
    ax = draw_two_sum(-700.3, -0.3)
    ax.figure.canvas.draw()
    assert ax.figure.get_size_inches()[0] < 4
    assert all(text.get_window_extent().x1 < ax.bbox.x1 for text in ax.texts)


def test_the_given_axes_of_a_sum_are_used():
    ax = new_axes()
    assert draw_two_sum(-700.3, -0.3, ax=ax) is ax


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.5), (1.0, 0.0), (0.1, 700.3), (1.0, float("inf"))])
def test_a_sum_that_loses_nothing_of_b_is_refused(a, b):
    with pytest.raises(ValueError, match="nothing falls off"):
        draw_two_sum(a, b)


def test_the_parts_of_a_sum_must_be_real_numbers():
    with pytest.raises(TypeError, match="b must"):
        draw_two_sum(1.0, "0.1")
