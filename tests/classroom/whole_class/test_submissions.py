"""Every kind of submission gets the marks that it must get, and costs nobody else any."""

import re

import pytest
from bs4 import BeautifulSoup

from tests.classroom.whole_class.kinds.groups import GROUPS
from tests.classroom.whole_class.kinds.kind import ANY, WAITS

KINDS = [(group, kind) for group, kinds in GROUPS.items() for kind in kinds]
every_kind = pytest.mark.parametrize(
    "group, kind", KINDS, ids=[f"{group}: {kind.name}" for group, kind in KINDS]
)
every_group = pytest.mark.parametrize("group", GROUPS)
MARK = ["q1 (4)", "q2 (3)", "q3 (3)", "total (10)"]


@every_kind
def test_a_submission_gets_its_marks_and_a_note(group, kind, classes):
    row = classes[0][group].row(kind.name)
    marks = [row[name] for name in MARK]
    for mark, expected in zip(marks, [kind.q1, kind.q2], strict=False):
        assert expected is ANY or mark == str(expected), row
    assert row["note"].startswith(kind.note), row["note"]
    assert marks[2] == ("" if kind.note == WAITS else "0")
    assert float(marks[3]) == sum(float(mark or 0) for mark in marks[:3])


@every_kind
def test_a_feedback_page_says_it_and_holds_nothing_that_runs_or_loads(group, kind, classes):
    page = classes[0][group].page(kind.name)
    soup = BeautifulSoup(page, "html.parser")
    text = soup.get_text()
    for words in kind.page:
        assert words in text
    if kind.note != WAITS and kind.note:
        assert "This could not be marked" in text
    assert not soup.find_all(["script", "iframe", "object", "embed", "form", "base", "svg"])
    for tag in soup.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), tag
            value = " ".join(value) if isinstance(value, list) else value
            assert not re.search(r"(?i)javascript:|url\(", value), tag
            if name in {"src", "srcset", "data", "poster"} or tag.name == "link":
                assert not re.match(r"(?i)\s*(https?:)?//", value), tag
    assert not re.search(r"FOUND", text), re.findall(r"FOUND.*", text)
    assert len(page) < 3_000_000


@every_group
def test_everybody_is_in_the_table_and_has_a_page(group, classes):
    marked, kinds = classes[0][group], GROUPS[group]
    lines = (marked.marks / "marks.csv").read_bytes().decode("utf-8-sig")
    assert lines.count("\r\n") == len(kinds) + 1
    pages = list((marked.marks / "feedback").iterdir())
    assert len(pages) == len(kinds) and {page.suffix for page in pages} == {".html"}


@every_group
def test_progress_is_told_a_student_at_a_time(group, classes):
    told = re.findall(r"^ *(\d+) of (\d+)  (.*?) … ", classes[0][group].printed, re.M)
    names = sorted((kind.name for kind in GROUPS[group]), key=str.casefold)
    assert told == [(str(n), str(len(names)), name) for n, name in enumerate(names, 1)]


@every_group
def test_nothing_that_was_handed_in_changes(group, classes):
    assert classes[0][group].before == classes[0][group].after


def test_no_process_and_no_temporary_file_is_left(classes):
    processes, files = classes[1]
    assert not processes and not files


def test_nobody_reached_the_network_of_this_machine(classes, listener):
    assert listener[1] == []
