"""Get the runtime, with which readers run the cells of the book in their browser.

``make runtime`` runs this program in the folder of the book, and the next ``make book`` puts what
it wrote into the site. Pyodide, which is Python for browsers, comes from npm together with the list
of its packages, and so does the editor. The wheels of the packages come from Pyodide's own address,
or from the folder that the variable PYODIDE_WHEELS names. Every file is checked: the digests of
what npm gives are in this program, those of the wheels are in the list. What is there already and
right is not fetched again, and a run that fails leaves all as it was.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from urllib.request import Request, urlopen

from packaging.utils import canonicalize_name

FOLDER = Path("_build/runtime")
IN_SITE = "run"  # the folder of the site that gets a copy
VERSION = "0.27.7"
EDITOR_VERSION = "5.4.0"
INTEGRITY = {  # of what npm packs, as npm writes it
    f"pyodide@{VERSION}": "sha512-"
    "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA==",
    f"prism-code-editor@{EDITOR_VERSION}": "sha512-"
    "8y4SdQxwHa/lnxIbFf2w8N2D1OwxcskDRw774ov4XEEa1e5alqqrAZk08YXgaxisc1RuJdFbCTI+4tU3Plljqw==",
}
ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full"
PACKAGES = ["numpy", "matplotlib"]  # and all that they need
COPIED = ["pyodide.mjs", "pyodide.asm.js", "python_stdlib.zip"]
EDITOR = [  # modules of the editor that the page imports, and its style
    "index.js",
    "languages/python.js",
    "prism/index.js",
    "prism/languages/python.js",
    "extensions/commands/index.js",
    "layout.css",
]
# The page unpacks this itself, so that each plain server sends little. The usual ending .gz would
# make some servers say that the browser must unpack it.
WASM, COMPRESSED = "pyodide.asm.wasm", "pyodide.asm.wasm.gzip"
LOCK = "pyodide-lock.json"  # the list of packages
CONTENTS = "contents.json"  # the size and the digest of every other file
LIMIT = 30e6  # bytes; the public site has to carry them
SHOW_BUTTONS = """\
if (location.protocol.startsWith("http") && "WebAssembly" in window)
  document.documentElement.classList.add("can-run");"""  # in the head of a page of the site only
PATIENCE = 60  # seconds without an answer


def complete(folder):
    """Tell whether a folder holds all of this runtime, by the sizes of its files.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    bool
        After about a millisecond, so that each build of the book may ask.
    """
    try:
        lock = json.loads((folder / LOCK).read_text("utf-8"))
        wheels = [package["file_name"] for package in choose(lock).values()]
        contents = json.loads((folder / CONTENTS).read_text("utf-8"))
        editor = json.loads((folder / "editor" / "package.json").read_text("utf-8"))
        modules = {f"editor/{name}" for name in EDITOR}
        return (
            lock["info"]["version"] == VERSION
            and editor["version"] == EDITOR_VERSION
            and contents.keys() >= {*COPIED, COMPRESSED, LOCK, *wheels, *modules}
            and all((folder / n).stat().st_size == contents[n]["size"] for n in contents)
        )
    except (OSError, ValueError, KeyError):
        return False


def choose(lock):
    """Return the entries of the packages that the book needs.

    Parameters
    ----------
    lock : dict
        What Pyodide's list of packages says.

    Returns
    -------
    dict of str to dict
    """
    found, waiting = {}, [*PACKAGES]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found[name] = lock["packages"][name]
            waiting += found[name]["depends"]
    return dict(sorted(found.items()))


def fetch_from_npm(package):
    """Return the files of a package of npm by their names.

    Parameters
    ----------
    package : str
        A key of `INTEGRITY`: with its version.

    Returns
    -------
    dict of str to bytes
    """
    npm = shutil.which("npm")
    if not npm:
        raise RuntimeError(f"{package} comes from npm: install npm, and repeat the command.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", package, "--cache", str(Path(folder, "cache"))]
        try:
            done = subprocess.run(
                [*command, "--fetch-retries=1", "--fetch-retry-mintimeout=1000"],
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=5 * PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"npm did not fetch {package} in {error.timeout} s.") from None
        packed = [*Path(folder).glob("*.tgz")]
        if done.returncode or not packed:
            said = " ".join(done.stderr.splitlines()[:4])  # the rest is a trace
            raise RuntimeError(f"npm did not fetch {package}. It says: {said}")
        data = packed[0].read_bytes()
    sha512 = base64.b64encode(hashlib.sha512(data).digest()).decode()
    _check(package, "npm", f"sha512-{sha512}", INTEGRITY[package])
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        files = filter(tarfile.TarInfo.isfile, archive)
        return {f.name.removeprefix("package/"): archive.extractfile(f).read() for f in files}


def with_imports(files, names):
    """Return the names of some modules, and of all that these import.

    Parameters
    ----------
    files : dict of str to bytes
        The files of a package.
    names : iterable of str

    Returns
    -------
    list of str
    """
    found, waiting = set(), [*names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            imports = re.findall(r'(?:from|import)\s*"(\.[^"]+)"', files[name].decode())
            if name.endswith(".js"):
                waiting += [posixpath.normpath(f"{posixpath.dirname(name)}/{i}") for i in imports]
    return sorted(found)


def fetch_wheel(package, wheels=None):
    """Return the wheel of a package.

    Parameters
    ----------
    package : dict
        Its entry in Pyodide's list.
    wheels : str or None
        The folder to take it from, or None for Pyodide's own address.

    Returns
    -------
    bytes
    """
    name = package["file_name"]
    try:
        if wheels:
            data = Path(wheels, name).expanduser().read_bytes()
        else:
            request = Request(f"{ADDRESS}/{name}", headers={"User-Agent": "stable-softmax"})
            with urlopen(request, timeout=PATIENCE) as answer:
                data = answer.read()
    except (OSError, HTTPException) as error:
        raise RuntimeError(
            f"{name} cannot be read from {wheels or ADDRESS} ({error}). Repeat the command,"
            " or name a folder that has it: make runtime PYODIDE_WHEELS=folder."
        ) from error
    _check(name, wheels or ADDRESS, _sha256(data), package["sha256"])
    return data


def get(folder, wheels=None):
    """Write a runtime, unless it is there and right.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write it.
    wheels : str or None
        The folder to take wheels from, or None for Pyodide's own address.

    Returns
    -------
    bool
        Whether anything was missing.
    """
    if complete(folder):
        contents = json.loads((folder / CONTENTS).read_text("utf-8"))
        if all(_sha256((folder / n).read_bytes()) == contents[n]["sha256"] for n in contents):
            return False
    print(f"Fetching Pyodide {VERSION} and the editor ...", flush=True)
    pyodide, editor = map(fetch_from_npm, INTEGRITY)
    files = {name: pyodide[name] for name in COPIED}
    modules = with_imports(editor, [f"dist/{name}" for name in EDITOR])
    for name in [*modules, "LICENSE", "package.json"]:
        files[f"editor/{name.removeprefix('dist/')}"] = editor[name]
    lock = json.loads(pyodide[LOCK])
    lock["packages"] = choose(lock)
    for package in lock["packages"].values():
        name = package["file_name"]
        there = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if _sha256(there) != package["sha256"]:
            print(f"Fetching {name} ...", flush=True)
            there = fetch_wheel(package, wheels)
        files[name] = there
    files[LOCK] = json.dumps(lock).encode()
    files[COMPRESSED] = gzip.compress(pyodide[WASM], mtime=0)
    contents = {n: {"size": len(d), "sha256": _sha256(d)} for n, d in sorted(files.items())}
    files[CONTENTS] = json.dumps(contents, indent=1).encode()
    total = sum(map(len, files.values()))
    if total > LIMIT:
        raise RuntimeError(f"It has {total / 1e6:.1f} MB, and the site carries {LIMIT / 1e6:.0f}.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="runtime-") as unfinished:
        old, new = Path(unfinished, "old"), Path(unfinished, "new")
        new.mkdir()
        for name, data in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(data)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    return True


def _sha256(data):
    """Return the digest of a file as Pyodide's list writes it."""
    return hashlib.sha256(data).hexdigest()


def _check(name, source, found, expected):
    """Refuse a file with another digest than the one expected."""
    if found != expected:
        raise RuntimeError(
            f"{name} from {source} is another file than was published: its digest is"
            f" {found}, not {expected}. It was not used: get another copy, and repeat the command."
        )


def main(arguments=None):
    """Run the program; return 0, or 1 after a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m book_tools.runtime", description=__doc__)
    parser.parse_args(arguments)
    if not Path("_toc.yml").exists():
        parser.exit(1, f"There is no book in {Path.cwd()}: run this in the folder of _toc.yml.\n")
    try:
        fetched = get(FOLDER, os.environ.get("PYODIDE_WHEELS"))
    except (RuntimeError, OSError) as error:
        parser.exit(1, f"No runtime: {error}\nThe book builds without it, and without buttons.\n")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) / 1e6
    done = "make book puts it into the site" if fetched else "it was there, nothing was fetched"
    print(f"The runtime is ready: {FOLDER} ({size:.1f} MB); {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
