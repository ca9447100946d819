"""What the tests of the marking share: the class with every kind of submission, marked once.

Run them by `make classroom-test`; `make test` leaves them out.
"""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from classroom.collect import key_of
from tests.classroom.submissions import NAME, left_over, missing, run, table, tree
from tests.classroom.whole_class.kinds.groups import GROUPS
from tests.classroom.whole_class.kinds.kind import Place


def pytest_collection_modifyitems(config, items):
    """Say what is missing before anything runs."""
    if missing():
        pytest.exit(f"Notebooks cannot be marked here: {missing()}", returncode=1)


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """The folder into which the assignment is released, by the command, and what it printed."""
    folder = tmp_path_factory.mktemp("release")
    result = run("release", NAME, "--to", folder)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


@pytest.fixture(scope="session")
def released(release):
    """The notebook that students get."""
    return json.loads((release[0] / f"{NAME}.ipynb").read_text(encoding="utf-8"))


@dataclass
class Marked:
    """A class that was marked: what it printed, its marks and pages, its files before and after."""

    handed_in: Path
    marks: Path
    printed: str
    before: dict
    after: dict

    def row(self, name):
        return table(self.marks / "marks.csv")[name]

    def page(self, name):
        return (self.marks / "feedback" / f"{key_of(name, '')}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def listener():
    """A server on this machine that no student's code may reach; how often it was reached."""
    reached = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    reached.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], reached


@pytest.fixture(scope="session")
def classes(tmp_path_factory, released, listener):
    """Every group of submissions, marked; those that fight for processes have the machine alone."""
    temporary = tmp_path_factory.mktemp("temporary")
    environment = os.environ | {"TMPDIR": str(temporary)}

    def mark(group):
        folder = tmp_path_factory.mktemp(group.replace(" ", "-"))
        handed_in, marks = folder / "in", folder / "marks"
        marks.mkdir()
        handed_in.mkdir()
        here = Place(handed_in, marks, listener[0])
        for kind in GROUPS[group]:
            (handed_in / kind.name).mkdir()
            kind.hand_in(released, handed_in / kind.name, here)
        was = tree(handed_in)
        result = run("grade", NAME, handed_in, "--to", marks, "--seconds", 3, env=environment)
        assert result.returncode == 0, result.stderr
        return Marked(handed_in, marks, result.stdout, was, tree(handed_in))

    alone = [group for group in GROUPS if group == "bombs"]
    with ThreadPoolExecutor(2) as pool:
        together = [group for group in GROUPS if group not in alone]
        marked = dict(zip(together, pool.map(mark, together), strict=True))
    marked |= {group: mark(group) for group in alone}
    for _ in range(50):  # what was killed may need a moment to go
        left = left_over()
        if not left:
            break
        time.sleep(0.1)
    return marked, (left, list(temporary.iterdir()))
