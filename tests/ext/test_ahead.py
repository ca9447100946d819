"""The extension that executes pages ahead: at the same time, and as if it were not there."""

import contextlib
import os
import re
import shutil
import time

import ahead
import psutil
import pytest

from tests.building import build
from tests.pages import ROOT

CONFIG = """
title: Tiny
execute: {execute_notebooks: cache}
sphinx:
  local_extensions: {exec_cache: book/_ext, ahead: book/_ext, speed: book/_ext, patches: book/_ext}
  config: {nb_execution_raise_on_error: true, nb_merge_streams: true}
"""
HEADER = (ROOT / "index.md").read_text(encoding="utf-8").split("---\n")[1]
MEET = """
import pathlib, time
pathlib.Path("NAME").touch()
start = time.monotonic()
while len(list(pathlib.Path().glob("met-*"))) < 2 and time.monotonic() < start + 30:
    time.sleep(0.05)
print("others here:", len(list(pathlib.Path().glob("met-*"))) - 1)
"""
two_cores = pytest.mark.skipif(ahead.cores() < 2, reason="one core executes nothing ahead")


@contextlib.contextmanager
def limited_to(cores):
    """Let the programs that are started see only so many cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    yield
    os.sched_setaffinity(0, before)


def write(folder, **pages):
    """Write a book with a page for each code, and one without any."""
    shutil.copytree(ROOT / "book" / "_ext", folder / "book" / "_ext")
    (folder / "_config.yml").write_text(CONFIG)
    chapters = "".join(f"  - file: {name}\n" for name in pages)
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{chapters}")
    (folder / "index.md").write_text("# Tiny\n\nText.\n")
    for name, code in pages.items():
        cell = f"```{{code-cell}} ipython3\n{code.strip()}\n```\n"
        (folder / f"{name}.md").write_text(f"---\n{HEADER}---\n# {name}\n\nText.\n\n{cell}")
    return folder


def said(folder, name):
    """What the last line of a page's output is."""
    page = (folder / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")
    return re.findall(r'<div class="output stream.*?<span></span>(.*?)\n?</pre>', page, re.S)[-1]


@two_cores
def test_two_pages_are_executed_at_the_same_time(tmp_path):
    pages = {name: MEET.replace("NAME", f"met-{name}") for name in ["one", "two"]}
    code, log = build(write(tmp_path, **pages))
    assert code == 0, log
    assert [said(tmp_path, name) for name in pages] == ["others here: 1"] * 2


@two_cores
def test_one_core_and_two_make_the_same_pages_and_the_same_cache(tmp_path):
    pages = {"one": "print(1)", "two": "print(2)\nprint(3)", "three": "1 / 3"}
    built = {}
    for cores in [1, 2]:
        folder = write(tmp_path / "book", **pages)
        with limited_to(cores):
            code, log = build(folder)
        assert code == 0, log
        files = [p for p in (folder / "_build" / "html").rglob("*") if p.is_file()]
        files += (folder / "_build").rglob("base.ipynb")
        built[cores] = {
            p.relative_to(folder): re.sub(rb'"id": "\w+"', b"", p.read_bytes()) for p in files
        }  # but for the identifiers of cells, which are drawn
        shutil.rmtree(folder)
    serial, parallel = built.values()
    assert serial.keys() == parallel.keys()
    assert [name for name in serial if serial[name] != parallel[name]] == []
    assert len([name for name in serial if name.name == "base.ipynb"]) == 3


@two_cores
def test_a_page_that_fails_ends_the_build_at_once_with_its_error_and_leaves_no_kernel(tmp_path):
    slow = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    late = "open('late', 'w').write('x')"
    folder = write(tmp_path, bad=f"time.gone  # {'long ' * 40}", slow=slow, late=late)
    begun = time.monotonic()
    code, log = build(folder)
    assert code != 0 and time.monotonic() < begun + 100
    log = re.sub(r"\x1b\[[\d;]*m", "", log)
    assert "NameError: name 'time' is not defined" in log and "bad.md: WARNING" in log
    last = [line for line in log.splitlines() if line.strip("= ")][-1]
    assert last == "There was an error in building your book. Look above for the cause."
    assert not (folder / "late").exists()
    assert not (folder / "pid").exists() or not psutil.pid_exists(int((folder / "pid").read_text()))


@two_cores
def test_a_cell_with_faulty_options_is_reported_as_ever(tmp_path):
    logs = []
    for cores in [1, 2]:
        folder = write(tmp_path / "book", one="print(1)", two=":tags: [\n\nprint(2)")
        with limited_to(cores):
            code, log = build(folder)
        assert code != 0
        logs.append(re.sub(r"sphinx-err-\w+", "", log[log.index("Exception occurred") :]))
        shutil.rmtree(folder)
    assert "bad YAML" in logs[0] and logs[0] == logs[1]
