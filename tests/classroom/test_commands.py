"""The command of the classroom: what it accepts, and that importing it changes nothing."""

import json
import os
import shlex
import shutil
import subprocess

import pytest

from tests.classroom.submissions import ROOT, needs_marking, program, run


@needs_marking
def test_only_what_can_be_marked_is_released_or_graded(tmp_path):
    for arguments, says in [
        (["release", "../x"], "no assignment “../x”. There are: smoothing, streaming, temp"),
        (["grade", "temperature", tmp_path / "nothing"], "There is no "),
    ]:
        result = run(*arguments, *(["--to", tmp_path / "out"] if arguments[0] == "grade" else []))
        assert result.returncode == 1 and says in result.stderr
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@needs_marking
def test_the_command_says_what_it_can_do():
    result = run("--help")
    assert result.returncode == 0, result.stderr
    assert "{release,grade,hand-marks,remove}" in result.stdout


@needs_marking
def test_importing_the_classroom_changes_nothing_and_needs_nothing_of_the_package():
    made = program("imports")
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    modules = {f"classroom.{path.stem}" for path in (ROOT / "src/classroom").glob("*.py")}
    assert set(found["imported"]) == modules and len(modules) > 10
    assert found["changed"] == []
    assert not found["imports the package"]


@pytest.mark.skipif(not shutil.which("make"), reason="make is missing")
def test_make_hands_every_value_on_as_it_was_typed():
    values = {"NAME": "temperature", "FROM": 'a $x $(y) `z`\'s "q" \\ü', "ONLY": "Ann $1"}
    typed = [f"{name}={value}" for name, value in values.items()]
    more = ["OUT=my marks", "AGAIN=yes", "COLUMN=T (1)", "LANGUAGE=de", "LIMIT=30"]
    env = os.environ | {"LANGUAGE": "en_US:en"}

    def told(target, *given):
        made = subprocess.run(
            ["make", "-n", "-s", "-o", ".venv-classroom/ready", target, *given],
            **{"capture_output": True, "text": True, "cwd": ROOT, "env": env},
        )
        assert made.returncode == 0, made.stderr
        return shlex.split(made.stdout.splitlines()[-1])[3:]

    options = ["--to", "my marks", "--seconds", "30", "--only", "Ann $1", "--again"]
    options += ["--language", "de", "--column", "T (1)"]
    assert told("grade", *typed, *more) == ["grade", "temperature", values["FROM"], *options]
    assert told("grade", "NAME=x", "FROM=y") == ["grade", "x", "y"], "no language of the desktop"
    assert told("remove-marks", "NAME=x", "SURE=yes") == ["remove", "x", "--sure"]
    assert told("hand-marks", "NAME=x", "OUT=a'b") == ["hand-marks", "x", "--to", "a'b"]
