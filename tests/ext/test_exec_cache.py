"""The name of the execution cache: it changes with what an output can depend on, only."""

import re
from importlib import metadata

import exec_cache
import pytest


def install(folder, name, version, requires=()):
    """Put a distribution that says only what it is on a path."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    extras = {extra for text in requires for extra in re.findall("extra == .([\\w-]+)", text)}
    lines += [f"Provides-Extra: {extra}" for extra in sorted(extras)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))


@pytest.fixture
def name(tmp_path, monkeypatch):
    """A function that installs distributions before all others, and returns the cache's name."""
    package = tmp_path / "src" / "stable_softmax"
    package.mkdir(parents=True)
    (package / "softmax.py").write_text("def softmax(x): ...\n")
    folders = iter(range(9))

    def name_with(**installed):
        folder = tmp_path / f"packages-{next(folders)}"
        for name, (version, *requires) in installed.items():
            install(folder, name.replace("_", "-"), version, requires)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            return exec_cache.fingerprint(tmp_path)

    return name_with


PACKAGE = ("1", "direct>=1", 'extra-one; extra == "book"', 'windows; sys_platform == "none"')
NEEDED = {"direct": ("1", "indirect"), "indirect": ("1", "direct"), "extra_one": ("1",)}


def test_a_distribution_that_nothing_needs_changes_nothing(name):
    assert name() == name() == name(stray=("1",)) == name(pytest=("0",)) == name(sphinx=("0",))


@pytest.mark.parametrize("changed", ["numpy", "torch", "ipykernel", "nbclient", "traitlets"])
def test_another_version_of_what_outputs_depend_on_changes_it(name, changed):
    requires = metadata.requires(changed) or []
    assert name() != name(**{changed: ("0.0.1", *requires)})


def test_dependencies_are_followed_to_the_end_through_extras_and_markers(name):
    base = name(stable_softmax=PACKAGE, **NEEDED)
    others = [name(stable_softmax=PACKAGE, **NEEDED | {"direct": ("1",)})]  # without the next
    for changed, (_, *requires) in NEEDED.items():
        others.append(name(stable_softmax=PACKAGE, **NEEDED | {changed: ("2", *requires)}))
    assert len({base, *others}) == 1 + len(others)
    assert name(stable_softmax=PACKAGE, **NEEDED, windows=("1",)) == base


def test_any_file_of_the_package_counts_and_no_other(name, tmp_path):
    before = name()
    for path in ["src/classroom/mark.py", "src/stable_softmax/__pycache__/softmax.pyc", "index.md"]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("new")
        assert name() == before, path
    for path in ["src/stable_softmax/softmax.py", "src/stable_softmax/logits.npy"]:
        (tmp_path / path).write_text("new")
        assert name() != before, path
        before = name()
