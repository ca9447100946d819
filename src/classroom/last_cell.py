"""The last cell of a notebook for students; `release` puts its own values in the place of None."""

# Run this cell last: it checks the file that you hand in. Save the notebook before.
import json
from contextlib import suppress
from pathlib import Path

ANSWERS = None
LONGEST = None
ALL = None


def saved_notebooks():
    """Return this notebook as it was saved last, and other ones beside it."""
    try:
        from google.colab import _message

        return [_message.blocking_request("get_ipynb")["ipynb"]]
    except ImportError:
        return sorted(Path().glob("*.ipynb"), key=lambda path: -path.stat().st_mtime)


def check(notebook):
    """Return whether a notebook will be accepted, or None if it is another one."""
    texts = {}
    if isinstance(notebook, Path):
        notebook = json.loads(notebook.read_text(encoding="utf-8"))
    for number, cell in enumerate(notebook["cells"]):
        name = cell["metadata"].get("nbgrader", {}).get("grade_id") or cell.get("id", number)
        texts[name] = texts.get(name, "") + "".join(cell["source"])
    if not ANSWERS.keys() & texts.keys():
        return None
    blank = ("raise NotImplementedError()", "goes here, into this cell.*")
    answers = {question: texts.get(name, "").strip() for name, question in ANSWERS.items()}
    todo = [q[1:] for q, text in answers.items() if not text or text.endswith(blank)]
    if max(map(len, texts.values())) > LONGEST or sum(map(len, texts.values())) > ALL:
        return f"too long: a cell may have {LONGEST} characters, all cells together {ALL}"
    state = f"not complete, question {' and '.join(todo)} has no answer" if todo else "complete"
    done = len(answers) - len(todo)
    return f"{state}, {done} of {len(answers)} questions answered, will be accepted"


if __name__ == "__main__":
    found = []
    for notebook in saved_notebooks():
        with suppress(Exception):  # a file that is no notebook
            found += filter(None, [check(notebook)])
    print(*found[:1] or ["There is no saved copy of this notebook here: save it, and try again."])
