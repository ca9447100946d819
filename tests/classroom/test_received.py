"""What a kernel sends may be forged: it becomes plain text, or is refused."""

import json

import pytest
from bs4 import BeautifulSoup

from classroom.kernel import FORGED, read_answer, read_outputs
from tests.classroom.submissions import needs_marking, program


def kept(*outputs):
    """Return what is kept of the outputs of a cell."""
    return read_outputs({"outputs": list(outputs)})


def test_a_coloured_text_loses_its_colours_and_a_link_of_a_terminal_its_address():
    assert kept(["stderr", "\x1b[31mred\x1b[0m \x1b]8;;javascript:x\x07y"]) == [("stderr", "red y")]


BAD = "'\"><script>alert(1)</script><b onclick=x>&"
KINDS = ["stdout", "png", "html", BAD, ["x", BAD], {BAD: 1}]
TEXTS = [BAD, 7, None, [BAD], {BAD: BAD}, "\ud800" + BAD]


def shown(pages):
    """Return how pages with nothing but outputs look."""
    made = program("shown", input=json.dumps(pages))
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


@needs_marking
def test_an_output_of_any_form_is_shown_as_text():
    for page in shown([[[kind, text]] for kind in KINDS for text in TEXTS]):
        tags = BeautifulSoup(page, "html.parser").find_all(True)
        assert tags and {tag.name for tag in tags} <= {"pre", "img"}, page
        assert all({*tag.attrs} <= {"class", "src", "alt"} for tag in tags), page


@needs_marking
def test_a_page_has_room_for_so_many_bytes_and_no_more():
    texts = [text * length for text in "x<é\U0001f600\ud800" for length in (1, 10**4)]
    pages = [[kind, text] for kind in ("stdout", "png") for text in texts]
    for page in shown([[page] * 1000 for page in pages]):
        assert 0 < len(page.encode()) < 2_800_000  # line ends between the pieces included


@pytest.mark.parametrize(
    "sent",
    [None, 7, {}, {"outputs": 7}, {"outputs": [7]}, {"outputs": [["stdout", "x", "y"]]}],
    ids=str,
)
def test_outputs_of_another_form_are_refused(sent):
    with pytest.raises(FORGED):
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
        GOOD | {"error": 7},
        GOOD | {"error": ["one"]},
        {"result": 1},
    ],
    ids=range(11),
)
def test_a_reply_that_is_no_answer_is_refused(sent):
    with pytest.raises(FORGED):
        read_answer(sent)
