"""The runtime: the right files, each of them checked, whole or not there; no test needs a network.

A program in place of npm packs a small Pyodide, whose list has small packages.
"""

import base64
import gzip
import hashlib
import io
import json
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from book_tools import runtime

NEEDS = {  # as in the real list, names in "depends" are not always spelled as the keys
    "numpy": [],
    "matplotlib": ["Pillow", "python_dateutil", "numpy"],
    "pillow": [],
    "python-dateutil": ["six"],
    "six": [],
    "scipy": ["numpy"],
    "pytest": ["six"],
}
NEEDED = sorted(NEEDS.keys() - {"scipy", "pytest"})
NPM = """#!{python}
import shutil, sys
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[1:3]) + "\\n")
shutil.copy({folder!r} + "/" + sys.argv[2].split("@")[0] + ".tgz", "packed.tgz")
"""


EDITOR = {f"dist/{name}": b'import { a } from "./part.js";' for name in runtime.EDITOR}
EDITOR |= {f"dist/{name}": b"" for name in ["unused.js", "part.js", "languages/part.js"]}
EDITOR |= {f"dist/{name}/part.js": b"" for name in ["prism", "prism/languages"]}
EDITOR |= {"dist/extensions/commands/part.js": b'export * from "../../part.js"'}
EDITOR |= {
    "package.json": json.dumps({"version": runtime.EDITOR_VERSION}).encode(),
    "LICENSE": b"MIT",
}
MODULES = [n for n in EDITOR if n not in ("dist/unused.js", "package.json", "LICENSE")]


def wheel(name):
    return f"{name}-1.whl", f"the wheel of {name}".encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def pack(files):
    """The bytes of an npm package."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


class Sources:
    """Where a runtime comes from: a program in place of npm, and a folder with wheels."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.wheels, self.calls = folder / "wheels", folder / "calls"
        self.packed, self.npm = folder / "pyodide.tgz", folder / "bin" / "npm"
        self.wheels.mkdir()
        self.npm.parent.mkdir()
        for name in NEEDS:
            path, data = wheel(name)
            (self.wheels / path).write_bytes(data)
        self.write_npm(NPM)
        monkeypatch.setenv("PATH", str(self.npm.parent))
        monkeypatch.setenv("PYODIDE_WHEELS", str(self.wheels))
        monkeypatch.setattr(runtime, "ADDRESS", "http://127.0.0.1:9")  # where nobody answers
        self.publish(runtime.VERSION)

    def write_npm(self, text):
        settings = {"calls": str(self.calls), "folder": str(self.folder)}
        self.npm.write_text(text.format(python=sys.executable, **settings))
        self.npm.chmod(self.npm.stat().st_mode | stat.S_IXUSR)

    def publish(self, version):
        """Put a version of Pyodide on npm, and expect it."""
        entries = {
            name: {
                "name": name.title(),
                "version": "1",
                "file_name": wheel(name)[0],
                "install_dir": "site",
                "sha256": sha256(wheel(name)[1]),
                "package_type": "package",
                "imports": [name],
                "depends": needs,
            }
            for name, needs in NEEDS.items()
        }
        self.lock = {"info": {"version": version, "python": "3.12.7"}, "packages": entries}
        self.pyodide = {name: f"{name} {version}".encode() for name in runtime.COPIED}
        self.pyodide[runtime.WASM] = b"\0asm" * 1000
        files = self.pyodide | {runtime.LOCK: json.dumps(self.lock).encode(), "README.md": b""}
        self.packed.write_bytes(pack(files))
        (self.folder / "prism-code-editor.tgz").write_bytes(pack(EDITOR))
        self.monkeypatch.setattr(runtime, "VERSION", version)
        names = {"pyodide": self.packed, "prism-code-editor": self.folder / "prism-code-editor.tgz"}
        published = {f"{n}@{version}": integrity(path.read_bytes()) for n, path in names.items()}
        self.monkeypatch.setattr(runtime, "INTEGRITY", published)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A book as the current folder, without a runtime, and where that comes from."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").touch()
    monkeypatch.chdir(tmp_path / "book")
    return Sources(tmp_path, monkeypatch)


@pytest.fixture
def made(sources):
    """The same, with a runtime."""
    assert runtime.main([]) == 0
    return sources


def content(folder=runtime.FOLDER):
    """Each file of the runtime, or of another folder."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refused(capsys):
    """What the program says when it gives up."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        runtime.main([])
    said = capsys.readouterr().err
    assert stopped.value.code == 1
    assert said.startswith("No runtime: ") and said.endswith(
        "builds without it, and without buttons.\n"
    )
    assert said.count("\n") == 2
    assert not [*runtime.FOLDER.parent.glob("runtime-*")], "nothing half done is left"
    return said


# What is in it


def test_it_has_the_interpreter_and_the_packages_that_the_book_needs_and_no_other(made):
    wheels = [wheel(name)[0] for name in NEEDED]
    expected = {*runtime.COPIED, runtime.COMPRESSED, runtime.LOCK, runtime.CONTENTS, *wheels}
    expected |= {f"editor/{name.removeprefix('dist/')}" for name in [*MODULES, "LICENSE"]}
    expected |= {"editor/package.json"}
    assert content().keys() == expected
    for name in NEEDED:
        path, data = wheel(name)
        assert content()[path] == data
    assert {name: content()[name] for name in runtime.COPIED} == {
        name: made.pyodide[name] for name in runtime.COPIED
    }


def test_the_largest_file_is_compressed_and_two_runs_write_the_same_bytes(made):
    before = content()
    packed = before[runtime.COMPRESSED]
    assert len(packed) < 1000 and gzip.decompress(packed) == made.pyodide[runtime.WASM]
    (runtime.FOLDER / runtime.LOCK).unlink()
    assert runtime.main([]) == 0
    assert content() == before


def test_the_list_of_packages_is_reduced_to_those_that_are_there_and_else_as_it_was(made):
    lock = json.loads(content()[runtime.LOCK])
    assert lock["info"] == made.lock["info"]
    assert lock["packages"] == {name: made.lock["packages"][name] for name in NEEDED}


def test_the_contents_name_the_size_and_the_digest_of_every_other_file(made):
    files = content()
    assert json.loads(files.pop(runtime.CONTENTS)) == {
        name: {"size": len(data), "sha256": sha256(data)} for name, data in files.items()
    }


def test_wheels_come_from_the_address_of_pyodide_if_no_folder_is_named(sources, monkeypatch):
    monkeypatch.setenv("PYODIDE_WHEELS", "")
    monkeypatch.setattr(runtime, "ADDRESS", sources.wheels.as_uri())
    assert runtime.main([]) == 0
    assert runtime.complete(runtime.FOLDER)


# What is fetched


def test_npm_is_asked_for_one_version_of_each(made):
    calls = [f"pack pyodide@{runtime.VERSION}", f"pack prism-code-editor@{runtime.VERSION}"]
    assert made.calls.read_text().splitlines() == calls


def test_a_second_run_fetches_nothing_and_says_so(made, capsys):
    made.npm.unlink()
    for path in made.wheels.iterdir():
        path.unlink()
    assert runtime.main([]) == 0
    assert "nothing was fetched" in capsys.readouterr().out
    assert runtime.main([]) == 0


def test_what_is_damaged_is_fetched_again_and_nothing_else(made, capsys):
    before = content()
    bad, good = wheel("six")
    (runtime.FOLDER / bad).write_bytes(good.upper())  # of the same size
    for name in NEEDED:
        if name != "six":
            (made.wheels / wheel(name)[0]).unlink()
    capsys.readouterr()
    assert runtime.main([]) == 0
    said = capsys.readouterr().out
    assert f"Fetching {bad}" in said and said.count(".whl") == 1
    assert content() == before


def test_another_version_replaces_the_one_before(made):
    made.publish("0.99.1")
    assert not runtime.complete(runtime.FOLDER)
    assert runtime.main([]) == 0
    assert runtime.complete(runtime.FOLDER)
    assert content()["pyodide.mjs"] == b"pyodide.mjs 0.99.1"


# What is refused, and leaves all as it was


@pytest.fixture(params=["none", "older"])
def before(request, sources):
    """What is there before a run that fails: nothing, or a runtime of another version."""
    wanted = runtime.VERSION
    if request.param == "older":
        sources.publish("0.0.1")
        assert runtime.main([]) == 0
        for name in NEEDED:
            (runtime.FOLDER / wheel(name)[0]).unlink()  # so that a run needs them again
        sources.publish(wanted)
    return content()


def test_a_wheel_with_a_changed_byte_is_refused_by_its_name(sources, before, capsys):
    name, data = wheel("numpy")
    (sources.wheels / name).write_bytes(data[:-1] + b"?")
    said = refused(capsys)
    assert f"{name} from {sources.wheels} is another file" in said
    assert sha256(data) in said and sha256(data[:-1] + b"?") in said
    assert content() == before


def test_another_package_on_npm_is_refused(sources, before, capsys):
    sources.packed.write_bytes(pack({"pyodide.mjs": b"something else"}))
    said = refused(capsys)
    package = f"pyodide@{runtime.VERSION}"
    assert f"{package} from npm is another file" in said and runtime.INTEGRITY[package] in said
    assert content() == before


def test_a_missing_wheel_is_named_with_what_to_do(sources, before, capsys):
    name = wheel("six")[0]
    (sources.wheels / name).unlink()
    said = refused(capsys)
    assert f"{name} cannot be read from {sources.wheels}" in said
    assert "make runtime PYODIDE_WHEELS=folder" in said
    assert content() == before


def test_without_a_network_it_says_that_a_folder_does_as_well(sources, before, capsys, monkeypatch):
    monkeypatch.delenv("PYODIDE_WHEELS")
    said = refused(capsys)
    assert f"cannot be read from {runtime.ADDRESS}" in said
    assert "make runtime PYODIDE_WHEELS=folder" in said
    assert content() == before


def test_without_npm_it_says_so(sources, before, capsys):
    sources.npm.unlink()
    assert "install npm" in refused(capsys)
    assert content() == before


def test_it_passes_on_why_npm_fails(sources, before, capsys):
    sources.write_npm("#!{python}\nimport sys\nsys.exit('npm error code ENOTFOUND\\nhost')\n")
    assert "It says: npm error code ENOTFOUND host\n" in refused(capsys)
    assert content() == before


def test_npm_is_not_waited_for_without_end(sources, before, capsys, monkeypatch):
    sources.write_npm("#!{python}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr(runtime, "PATIENCE", 0.1)
    assert f"npm did not fetch pyodide@{runtime.VERSION} in 0.5 s" in refused(capsys)
    assert content() == before


def test_a_runtime_that_is_too_large_for_the_site_is_refused(sources, before, capsys, monkeypatch):
    monkeypatch.setattr(runtime, "LIMIT", 2000)
    assert "MB" in refused(capsys)
    assert content() == before


def test_a_run_that_is_interrupted_while_it_writes_leaves_what_was_there(
    sources, before, monkeypatch
):
    write, written = Path.write_bytes, []

    def interrupt(path, data):
        written.append(path)
        if len(written) == 5:
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        runtime.main([])
    assert len(written) == 5 and content() == before
    assert not [*runtime.FOLDER.parent.glob("runtime-*")]


# Whether it is whole


def test_a_runtime_is_complete(made):
    assert runtime.complete(runtime.FOLDER)


def test_no_folder_and_an_empty_one_are_not_complete(tmp_path):
    assert not runtime.complete(tmp_path / "nothing")
    assert not runtime.complete(tmp_path)


FILES = [*runtime.COPIED, runtime.COMPRESSED, runtime.LOCK, runtime.CONTENTS, wheel("six")[0]]
FILES += ["editor/index.js", "editor/package.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_runtime_is_not_complete_if_a_file_is_missing_or_cut_off(made, name):
    path = runtime.FOLDER / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert not runtime.complete(runtime.FOLDER)
    path.unlink()
    assert not runtime.complete(runtime.FOLDER)
    path.write_bytes(whole)
    assert runtime.complete(runtime.FOLDER)


def test_a_runtime_is_not_complete_if_the_book_needs_another_package(made, monkeypatch):
    monkeypatch.setattr(runtime, "PACKAGES", [*runtime.PACKAGES, "scipy"])
    assert not runtime.complete(runtime.FOLDER)


# The program


def test_it_says_where_the_runtime_is_how_large_and_what_comes_next(sources, capsys):
    assert runtime.main([]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "The runtime is ready: _build/runtime (0.0 MB); make book puts it into the site"


def test_outside_the_book_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        runtime.main([])
    assert capsys.readouterr().err == (
        f"There is no book in {tmp_path}: run this in the folder of _toc.yml.\n"
    )
    assert not [*tmp_path.iterdir()]


def test_it_helps(capsys):
    with pytest.raises(SystemExit, match="0"):
        runtime.main(["--help"])
    assert "PYODIDE_WHEELS" in capsys.readouterr().out
