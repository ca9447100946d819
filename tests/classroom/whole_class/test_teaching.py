"""What the page for teachers shows is what the commands print."""

import re

from classroom.sandbox import MEMORY, SECONDS
from classroom.tables import MOODLE
from tests.classroom.submissions import ROOT, filled, needs_marking, packed, run, write

NAIVE = """
def softmax_at(x, T):
    e = np.exp(x / T)
    return e / np.sum(e)
"""
MASKED = """
def masked_softmax_at(x, mask, T):
    e = np.exp(x / T) * mask
    return e / np.sum(e, axis=-1, keepdims=True)
"""


def test_the_page_for_teachers_names_the_limits_and_languages_that_there_are():
    page = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
    assert f"memory ({MEMORY // 2**30} GiB for a notebook)" in page
    assert f"({SECONDS} s for a cell or a call" in page
    languages = re.findall(r"`(?:LANGUAGE=)?(\w\w)`", page)
    assert {"en", *languages} == {*MOODLE}


@needs_marking
def test_the_page_for_teachers_shows_what_marking_prints(released, tmp_path):
    page = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
    [listing] = re.findall(r"^   ```text\n(.*?)^   ```", page, flags=re.S | re.M)
    answers = {
        "blank": {"q1": None, "q2": None, "q3": None},
        "crash": {"q1": "import os\nos._exit(1)"},
        "good": {},
        "naive": {"q1": NAIVE, "q2": MASKED},
    }
    files = {f"{n}.ipynb": packed(filled(released, **a)) for n, a in answers.items()}
    write(tmp_path / "submissions", files)
    out = tmp_path / "marks/temperature"
    printed = run("grade", "temperature", tmp_path / "submissions", "--to", out).stdout
    shown = [line.removeprefix("   ") for line in listing.splitlines()]
    printed = re.sub(r"\S*(?=marks/temperature/)", "", printed.replace(f" OUT={out}", ""))
    assert printed.splitlines() == shown
