"""What importing the classroom changes: python -m tests.classroom.programs.imports

Prints as JSON the modules that were imported and, of the state that all code shares, what differs
afterwards. Other libraries change some of it themselves, so theirs are imported before.
"""

import ast
import importlib
import json
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(find_spec("classroom").origin).parent
OURS = {path.name for path in FOLDER.parent.iterdir()}


def modules_of_others():
    """Return the modules that files of the classroom import from other libraries."""
    found = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module)
    ours = OURS | {"google"}  # which a cell for Colab imports there
    return {name for name in found if name.partition(".")[0] not in ours}


def state():
    """Return what importing a module must not change, as text."""
    found = {"environ": dict(os.environ), "path": sys.path, "filters": warnings.filters}
    return {name: repr(value) for name, value in found.items()} | {"folder": os.getcwd()}


if __name__ == "__main__":
    for name in sorted(modules_of_others()):
        importlib.import_module(name)
    before, imported = state(), []
    for path in sorted(FOLDER.glob("*.py")):
        imported.append(f"classroom.{path.stem}")
        importlib.import_module(imported[-1])
    changed = [name for name, value in state().items() if value != before[name]]
    package = any(name.partition(".")[0] == "stable_softmax" for name in sys.modules)
    print(json.dumps({"imported": imported, "changed": changed, "imports the package": package}))
