"""The assignment that the tests of the marking hand in and mark."""

import json

import nbformat
import pytest

from classroom.course import Course
from tests.classroom.submissions import ROOT, generate


@pytest.fixture(scope="session")
def course():
    """The assignment."""
    return Course(ROOT / "book/assignments/temperature.md")


@pytest.fixture(scope="session")
def released():
    """The notebook for students."""
    return generate()


@pytest.fixture(scope="module")
def master(course):
    """The same without the cells that marking leaves out."""
    return nbformat.reads(json.dumps(course.released), as_version=4)
