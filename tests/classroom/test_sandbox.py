"""What the code of a student sees from inside of the sandbox."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from classroom import sandbox
from tests.classroom.submissions import ROOT, needs_marking, program

SEARCH = f"""
import importlib, json, os

opened = []
for folder, _, names in os.walk("{ROOT}"):
    if os.path.relpath(folder, "{ROOT}").partition("/")[0] != ".venv-classroom":
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                opened.append(os.path.relpath(file.name, "{ROOT}"))

names = ["stable_softmax", "stable_softmax.checks", "numpy", "classroom", "book_tools", "tests"]
imported = []
for name in names:
    try:
        importlib.import_module(name)
        imported.append(name)
    except ImportError:
        pass
print(json.dumps([opened, imported]))
"""


@pytest.fixture(scope="module")
def seen():
    """Return the files of the repository that a student opened, and the modules imported."""
    made = program("sandboxed", input=SEARCH)
    assert made.returncode == 0, made.stderr
    [[kind, text]] = json.loads(made.stdout)["outputs"]
    assert kind == "stdout"
    return json.loads(text)


@needs_marking
def test_a_student_reads_no_source_of_the_grader_and_no_assignment(seen):
    opened = {name for name in seen[0] if not name.startswith("src/stable_softmax/")}
    assert opened == set()


@needs_marking
def test_a_student_has_the_package_and_its_environment_and_no_more(seen):
    opened, imported = seen
    assert "src/stable_softmax/softmax.py" in opened, "the search finds what is shown"
    assert imported == ["stable_softmax", "stable_softmax.checks", "numpy"]


SYSTEMD = """#!/bin/sh
case "$*" in *MemoryMax=2147483648*MemorySwapMax=0*) ;; *) exit 1 ;; esac
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no systemd")
def test_a_scope_of_systemd_bounds_the_memory_where_systemd_answers(tmp_path, monkeypatch):
    program = tmp_path / "systemd-run"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sandbox.memory_scope.cache_clear()
    for text, answers in [(SYSTEMD, True), ("#!/bin/sh\nexit 1\n", False)]:
        program.write_text(text)
        program.chmod(0o755)
        scope = sandbox.memory_scope()
        assert bool(scope) == answers
        if scope:
            told = subprocess.run([*scope, "echo", "in it"], capture_output=True, text=True)
            assert told.stdout == "in it\n"
            assert ("--user" in scope) == (os.geteuid() != 0)
        sandbox.memory_scope.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert sandbox.memory_scope() is None
    sandbox.memory_scope.cache_clear()


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="this system has no groups")
def test_the_group_of_a_grader_that_was_killed_is_removed_and_no_other_one():
    group = sandbox.memory_group()
    if not group:
        pytest.skip("no control group can be made here")
    old = group.with_name("classroom-4194305-x")  # one more than the system's largest number
    old.mkdir()
    try:
        another = sandbox.memory_group()
        another.rmdir()
        assert group.exists() and not old.exists() and not another.exists()
    finally:
        group.rmdir()
