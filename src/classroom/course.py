"""An assignment: what students get of it, and whether it can be given to them."""

import hashlib
import json
import re
from textwrap import indent

import jupytext
import nbformat

SECRETS = re.compile(
    r"^([ \t]*)### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)^[ \t]*### END \2[ \t]*$", re.S | re.M
)
STUB = "# ✍ Your code for question {} goes here.\nraise NotImplementedError()"
PLACE = "✍ *Your answer to question {} goes here, into this cell.*"
ANSWERS = {"answer", "essay"}  # the roles of cells in which students write


class Refused(Exception):
    """Why something is not done or cannot be marked, as sentences for the teacher."""


class Failed(Exception):
    """Why the grader itself failed on a notebook, which then has no marks yet."""


class Course:
    """An assignment with model answers and hidden tests: a MyST notebook, nbgrader's metadata."""

    def __init__(self, path):
        self.path, self.name, self.source = path, path.stem, jupytext.read(path)
        for number, cell in enumerate(self.source.cells):
            cell.pop("attachments", None)  # they would be those of a model answer
            cell.id = said(cell, "grade_id") or f"{self.name}-{number}"  # where metadata are lost
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        self.source.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        if reasons := faults(self.source):
            raise Refused(f"“{self.name}” cannot be used: {'; '.join(reasons)}.")
        self.released = nbformat.from_dict(self.source)
        self.released.cells = [self._given(cell) for cell in self.source.cells]
        answers = [cell.source for cell in self.source.cells if role(cell) == "answer"]
        self.names = re.findall(r"^def (\w+)", "\n".join(answers), re.M)  # what is asked for

    def _given(self, cell):
        """Return a cell as students get it."""
        cell, number = nbformat.from_dict(cell), self.question(cell).removeprefix("q")
        if role(cell) in ANSWERS:
            stub = (STUB if cell.cell_type == "code" else PLACE).format(number)
            part = cell.cell_type == "code" and SECRETS.search(cell.source)
            cell.source = SECRETS.sub(lambda m: indent(stub, m[1]), cell.source) if part else stub
        elif role(cell) == "test":
            cell.source = SECRETS.sub("", cell.source).strip()
        return cell

    def question(self, cell):
        """Return the question that a cell belongs to: "q1" for "temperature-q1-hidden"."""
        return re.sub(r"-(visible|hidden)$", "", cell.id.removeprefix(f"{self.name}-"))

    def questions(self):
        """Return the questions, each with the highest mark, in the order of the assignment."""
        points = {}
        for cell in self.source.cells:
            if role(cell) in {"essay", "test"}:
                name = self.question(cell)
                points[name] = points.get(name, 0) + said(cell, "points")
        return points

    def by_hand(self):
        """Return the questions that are marked by hand, with their text and their guide."""
        cells = self.source.cells
        pairs = zip(cells[:1] + cells, cells, strict=False)
        return {self.question(c): (b.source, c.source) for b, c in pairs if role(c) == "essay"}

    def digest(self, *others):
        """Return what is the same for the same assignment and texts, in hexadecimal digits."""
        return fingerprint("".join([nbformat.writes(self.source), *others]))


def fingerprint(content):
    """Return the digest of bytes, or of a text."""
    content = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()


def said(cell, key):
    """Return what nbgrader's metadata of a cell say."""
    return cell.metadata.get("nbgrader", {}).get(key)


def role(cell):
    """Return what a cell is: "answer", "essay" if that is marked by hand, "test", or ""."""
    roles = {(True, False): "answer", (True, True): "essay", (False, True): "test"}
    return roles.get((bool(said(cell, "solution")), bool(said(cell, "grade"))), "")


def faults(source):
    """Return what is wrong with the form of an assignment."""
    found, seen = [], set()
    for cell in (cell for cell in source.cells if "nbgrader" in cell.metadata):
        name = said(cell, "grade_id")
        if not name or name in seen:
            found.append(f"two cells are called {name}" if name else "a cell has no grade_id")
        seen.add(name)
        if said(cell, "grade") and not (said(cell, "points") or 0) > 0:
            found.append(f"{name} has no points")
        for word in ("SOLUTION", "HIDDEN TESTS"):
            if cell.source.count(f"### BEGIN {word}\n") != cell.source.count(f"### END {word}"):
                found.append(f"{name} has a BEGIN or END {word} without the other")
        try:
            compile(cell.source if cell.cell_type == "code" else "", str(name), "exec")
        except SyntaxError as error:
            found.append(f"{name} is no Python: SyntaxError: {error}")
    return found


def leaks(source, released):
    """Return what students would get of answers and hidden tests, each as a reason."""
    blocks, public = [], set()
    for cell in source.cells:
        if role(cell) == "essay":
            blocks.append(_lines(cell.source))
        else:
            blocks += [_lines(found[2]) for found in SECRETS.findall(cell.source)]
            public |= _lines(SECRETS.sub("", cell.source))
    code = {line for c in released.cells if c.cell_type == "code" for line in _lines(c.source)}
    quoting = [cell.source for cell in released.cells if cell.cell_type != "code"]
    quoting += [json.dumps(cell.metadata).replace('\\"', '"') for cell in released.cells]
    found = {line for line in code if line.startswith(("### BEGIN", "### END"))}
    for block in blocks:  # of which a line may be public, but not all
        given = {line for line in block if line in code or any(line in q for q in quoting)}
        found |= given if given == block else given - public
    what = "students would get this line of an answer or a hidden test"
    return [f"{what}: {line}" for line in sorted(found)]


def _lines(text):
    """Return the lines that are long enough to say something."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 12}
