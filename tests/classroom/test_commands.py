"""The command of the classroom: what it accepts, and that importing it changes nothing."""

import json

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
