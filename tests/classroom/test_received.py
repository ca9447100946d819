"""What a kernel sends is bounded, and forged messages become plain text or are refused."""

import pytest

from classroom.received import ANSWER, PICTURE, TEXT, read_answer, read_outputs


def kept(*outputs):
    """Return what is kept of the outputs of a cell."""
    return read_outputs({"outputs": list(outputs)})


def test_text_is_cut_where_the_limit_is_and_nothing_follows():
    found = kept(*[["stdout", "x" * (TEXT // 3)]] * 5, ["stderr", "late"])
    assert "".join(text for _, text in found) == "x" * TEXT + "\n… more was printed"


def test_a_coloured_text_loses_its_colours_and_a_link_of_a_terminal_its_address():
    assert kept(["stderr", "\x1b[31mred\x1b[0m \x1b]8;;javascript:x\x07y"]) == [("stderr", "red y")]


@pytest.mark.parametrize("picture", ["A" * (PICTURE + 1), '" onerror="alert(1)', "<svg>", ""])
def test_what_is_too_large_or_no_image_is_dropped(picture):
    assert kept(["png", picture], ["text", "x"]) == [("text", "x")]
    assert kept(["png", "iVBORw0KGgo="]) == [("png", "iVBORw0KGgo=")]


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        {},
        {"outputs": 7},
        {"outputs": [7]},
        {"outputs": [["html", "<script>"]]},
        {"outputs": [[["stdout"], "x"]]},
        {"outputs": [["stdout", 7]]},
        {"outputs": [["stdout", "x", "y"]]},
    ],
    ids=str,
)
def test_outputs_of_another_form_are_refused(sent):
    with pytest.raises(ValueError, match="no outputs that can be read"):
        read_outputs(sent)


GOOD = {"changed": False, "result": ["list", 2], "warnings": []}


def test_an_answer_is_read_with_everything_unpacked():
    assert read_answer(GOOD) == {"changed": False, "result": [2], "warnings": []}
    failed = {"changed": True, "warnings": ["w" * 1000] * 20, "error": [["<b>"], "x" * 1000]}
    found = read_answer(failed)
    assert found["error"] == ["['<b>']", "x" * 500]
    assert found["warnings"] == ["w" * 500] * 10 and found["changed"] is True


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        [],
        {},
        "['result']",
        GOOD | {"warnings": 7},
        GOOD | {"result": ["array", "object", [1], "AAAAAAAAAAA="]},
        GOOD | {"result": ["system", "ls"]},
        GOOD | {"result": ["list", *["x"] * ANSWER]},
        GOOD | {"error": 7},
        GOOD | {"error": ["one"]},
        {"result": 1},
    ],
    ids=range(12),
)
def test_a_reply_that_is_no_answer_is_refused(sent):
    with pytest.raises(ValueError, match="no answer that can be read"):
        read_answer(sent)
