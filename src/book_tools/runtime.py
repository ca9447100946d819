"""Fetch Python for browsers, so that the pages of the site can run their cells.

``make runtime`` runs this program in the folder of the book, and ``make book`` puts the result into
the site. Pyodide's interpreter and the editor are packages of npm whose digests are written below.
The wheels come from the folder that PYODIDE_WHEELS names, or else from Pyodide's own release, and
each is checked against the digest in npm's lock. The folder is complete or it is not there: a run
that fails changes nothing.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from pathlib import Path

FOLDER = Path("_build/runtime")
PYODIDE = "0.27.7"
NPM = {  # packages and the digests of their archives
    f"pyodide@{PYODIDE}": "sha512-"
    "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA==",
    "prism-code-editor@5.4.0": "sha512-"
    "8y4SdQxwHa/lnxIbFf2w8N2D1OwxcskDRw774ov4XEEa1e5alqqrAZk08YXgaxisc1RuJdFbCTI+4tU3Plljqw==",
}
ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE}/full/"
PACKAGES = ["numpy", "matplotlib"]  # and what they depend on
CORE = ["pyodide.mjs", "pyodide.asm.js", "python_stdlib.zip"]
EDITOR = [
    "index.js",
    "layout.css",
    "languages/python.js",
    "prism/index.js",
    "prism/languages/python.js",
    "extensions/commands/index.js",
]
LARGEST = 30 * 10**6  # bytes of the folder: what the site may grow by
# What a page with buttons says in its head. A page of a release, without runtime, does not.
SHOW_BUTTONS = """\
if (location.protocol.startsWith("http") && "WebAssembly" in window)
  document.documentElement.classList.add("can-run");"""
LIST = "files.json"  # the sizes of all other files


class RuntimeProblem(Exception):
    """There is no runtime; the text says why, and what to do."""


def complete(folder):
    """Return whether a folder holds the whole runtime of this version.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    bool
    """
    try:
        listed = json.loads((folder / LIST).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in listed["sizes"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return listed == {"packages": list(NPM), "sizes": sizes}


def unpack(package, digest, folder):
    """Download an archive from npm, check it, and unpack it.

    Parameters
    ----------
    package : str
        With its version: ``"pyodide@0.27.7"``.
    digest : str
        As npm writes it: ``"sha512-..."``.
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        The folder of the package.

    Raises
    ------
    RuntimeProblem
    """
    target = folder / package.partition("@")[0]
    target.mkdir()
    command = ["npm", "pack", "--silent", "--pack-destination", target.name, package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    except FileNotFoundError:
        raise RuntimeProblem("npm is missing: install it, and repeat the command.") from None
    archives = list(target.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = (done.stderr.strip() or "no archive").splitlines()[-1]
        raise RuntimeProblem(f"npm could not download {package}: {said}")
    found = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if f"sha512-{found}" != digest:
        raise RuntimeProblem(
            f"The archive of {package} that npm downloaded is not the one that was published: its"
            f" digest is sha512-{found} instead of {digest}. Look at the settings of npm."
        )
    with tarfile.open(archives[0]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def chosen(lock, packages=PACKAGES):
    """Return the part of a lock that some packages need.

    Parameters
    ----------
    lock : dict
        Pyodide's list of packages.
    packages : sequence of str

    Returns
    -------
    dict
        The same lock with no other packages.

    Raises
    ------
    KeyError
        If the lock does not know a package.
    """
    kept, ahead = {}, list(packages)
    while ahead:
        name = ahead.pop()
        if name not in kept:
            kept[name] = lock["packages"][name]
            ahead += kept[name]["depends"]
    return lock | {"packages": {name: kept[name] for name in sorted(kept)}}


def wheel(entry, source):
    """Return the content of a wheel, from a folder or from Pyodide's release.

    Parameters
    ----------
    entry : dict
        What the lock says of the package.
    source : pathlib.Path or None
        The folder; None: the release.

    Returns
    -------
    bytes

    Raises
    ------
    RuntimeProblem
        If the wheel cannot be had, or is not the one of the lock.
    """
    name = entry["file_name"]
    where = source / name if source else ADDRESS + name
    try:
        if source:
            content = where.read_bytes()
        else:
            with urllib.request.urlopen(where, timeout=60) as answer:
                content = answer.read()
    except OSError as error:
        raise RuntimeProblem(
            f"{name} could not be read from {where.parent if source else ADDRESS} ({error})."
            " Name a folder that has Pyodide's wheels: make runtime PYODIDE_WHEELS=folder"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != entry["sha256"]:
        raise RuntimeProblem(
            f"{where} is not the file of Pyodide {PYODIDE}: its sha256 is {found} instead of"
            f" {entry['sha256']}. Delete it, or name another folder by PYODIDE_WHEELS."
        )
    return content


def editor_files(package):
    """Return the files of the editor that its parts in `EDITOR` import, as relative paths.

    Parameters
    ----------
    package : pathlib.Path
        The folder of the modules.

    Returns
    -------
    set of pathlib.Path
    """
    found, ahead = set(), [package / name for name in EDITOR]
    while ahead:
        path = ahead.pop().resolve()
        name = path.relative_to(package.resolve())
        if name not in found:
            found.add(name)
            imports = re.findall(r'(?:from|import)\s*"(\.[^"]+)"', path.read_text("utf-8"))
            ahead += [path.parent / other for other in imports if path.suffix == ".js"]
    return found


def fetch(source, folder=FOLDER):
    """Put the runtime into a folder, in place of what is there.

    Parameters
    ----------
    source : pathlib.Path or None
        A folder with the wheels; None: Pyodide's release.
    folder : pathlib.Path

    Raises
    ------
    RuntimeProblem
        Then the folder is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="runtime-") as temporary:
        made, work = Path(temporary) / "made", Path(temporary) / "work"
        made.mkdir()
        work.mkdir()
        core, editor = (unpack(package, digest, work) for package, digest in NPM.items())
        lock = chosen(json.loads((core / "pyodide-lock.json").read_text("utf-8")))
        for entry in lock["packages"].values():
            (made / entry["file_name"]).write_bytes(wheel(entry, source))
        (made / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
        for name in CORE:
            shutil.copy(core / name, made)
        # The page takes it out of its gzip: not every server compresses what it sends.
        interpreter = gzip.compress((core / "pyodide.asm.wasm").read_bytes(), 9, mtime=0)
        (made / "pyodide.asm.wasm.gzip").write_bytes(interpreter)
        for name in editor_files(editor / "dist"):
            (made / "editor" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(editor / "dist" / name, made / "editor" / name)
        shutil.copy(editor / "LICENSE", made / "editor")
        files = sorted(path for path in made.rglob("*") if path.is_file())
        sizes = {path.relative_to(made).as_posix(): path.stat().st_size for path in files}
        if sum(sizes.values()) > LARGEST:
            raise RuntimeProblem(f"The runtime is larger than {LARGEST // 10**6} MB: {sizes}")
        listed = {"packages": list(NPM), "sizes": sizes}
        (made / LIST).write_text(json.dumps(listed, indent=1), encoding="utf-8")
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        made.rename(folder)


def main(arguments=None):
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m book_tools.runtime", description=__doc__)
    parser.parse_args(arguments)
    if not Path("_toc.yml").exists():
        parser.exit(1, f"There is no book in {Path.cwd()}: run this in the folder of _toc.yml.\n")
    if complete(FOLDER):
        print(f"The runtime is there already: {FOLDER}")
        return 0
    source = os.environ.get("PYODIDE_WHEELS")
    try:
        fetch(Path(source) if source else None)
    except RuntimeProblem as problem:
        parser.exit(1, f"{problem}\nWithout the runtime, the pages get no Run buttons.\n")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(
        f"The runtime is ready in {FOLDER} ({size / 1e6:.1f} MB): make book puts it into the site."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
