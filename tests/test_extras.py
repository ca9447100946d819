import ast
import re
import subprocess
import sys
import tomllib

import pytest

from stable_softmax.extras import needs
from tests.pages import ROOT
from tests.without_extras import EXTRAS

SOURCE = ROOT / "src/stable_softmax"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {"numpy", "array_api_compat"}
DISTRIBUTIONS = {  # where their names differ
    "array_api_strict": "array-api-strict",
    "IPython": "ipython",
    "flint": "python-flint",
    "sklearn": "scikit-learn",
}


def test_a_missing_library_is_named_with_the_command_that_installs_it():
    with pytest.raises(ImportError) as caught, needs("exact"):
        import no_such_library.part  # noqa: F401
    assert str(caught.value) == (
        "no_such_library is missing here: pip install 'stable-softmax[exact]'"
    )


def test_an_error_inside_an_installed_library_is_not_hidden():
    with pytest.raises(ZeroDivisionError), needs("exact"):
        raise ZeroDivisionError


def test_the_package_works_with_numpy_and_array_api_compat_alone_and_says_what_is_missing():
    command = [sys.executable, "-m", "tests.without_extras"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""


def names(requirements):
    """The distributions in a list of requirements."""
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def distributions(modules):
    return {DISTRIBUTIONS.get(module, module.replace("_", "-")) for module in modules}


def test_the_dependencies_are_what_every_import_needs():
    assert names(PROJECT["dependencies"]) == distributions(CORE)


def test_each_extra_brings_its_libraries_and_the_book_those_of_exact_and_formats():
    extras = PROJECT["optional-dependencies"]
    assert list(extras) == list(EXTRAS)
    assert "stable-softmax[exact,formats]" in extras["book"]
    for extra, modules in EXTRAS.items():
        assert names(extras[extra]) - {PROJECT["name"]} == distributions(modules)


def imports(tree, where=()):
    """Yield each import of a module that is not of this package, with what surrounds it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0], where
        else:
            yield from imports(node, (*where, node))


def is_in_function(where):
    return any(isinstance(node, ast.FunctionDef) for node in where)


def is_in_needs(where, extra):
    wanted = f"with needs('{extra}'):"
    return any(ast.unparse(node).startswith(wanted) for node in where)


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.relative_to(SOURCE).as_posix()
)
def test_the_library_of_an_extra_is_imported_by_the_function_that_needs_it(path):
    extra_of = {module: extra for extra, modules in EXTRAS.items() for module in modules}
    for module, where in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if module in CORE | sys.stdlib_module_names:
            continue
        assert module in extra_of, f"{module} is in no extra of pyproject.toml"
        if extra_of[module] != "frameworks":  # these are asked for first: is_installed
            assert is_in_needs(where, extra_of[module]), f"import {module} under needs"
        # a notebook does nothing without them, nor the intervals, which are imported when needed
        if path.parent != SOURCE / "notebook" and path.name != "intervals.py":
            assert is_in_function(where), f"import {module} in the function that needs it"
