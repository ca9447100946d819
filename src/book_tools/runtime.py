"""Get the runtime, with which readers run the cells of the book in their browser.

``make runtime`` runs this program in the folder of the book, and the next ``make book`` puts what
it wrote into the site. Pyodide, which is Python for browsers, comes from npm together with the list
of its packages. Their wheels come from Pyodide's own address, or from the folder that the variable
PYODIDE_WHEELS names. Every file is checked: the digest of what npm gives is in this program, those
of the wheels are in the list. What is there already and right is not fetched again, and a run that
fails leaves all as it was.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
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
INTEGRITY = (
    "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA=="
)
ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full"
PACKAGES = ["numpy", "matplotlib"]  # and all that they need
COPIED = ["pyodide.mjs", "pyodide.asm.js", "python_stdlib.zip"]
# The page unpacks this itself, so that each plain server sends little. The usual ending .gz would
# make some servers say that the browser must unpack it.
WASM, COMPRESSED = "pyodide.asm.wasm", "pyodide.asm.wasm.gzip"
LOCK = "pyodide-lock.json"  # the list of packages
CONTENTS = "contents.json"  # the size and the digest of every other file
LIMIT = 30e6  # bytes; the public site has to carry them
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
        return (
            lock["info"]["version"] == VERSION
            and contents.keys() == {*COPIED, COMPRESSED, LOCK, *wheels}
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


def fetch_pyodide():
    """Return the files of Pyodide's npm package by their names."""
    npm = shutil.which("npm")
    if not npm:
        raise RuntimeError("Pyodide comes from npm: install npm, and repeat the command.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"pyodide@{VERSION}", "--cache", str(Path(folder, "cache"))]
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
            raise RuntimeError(f"npm did not fetch Pyodide in {error.timeout} seconds.") from None
        packed = [*Path(folder).glob("*.tgz")]
        if done.returncode or not packed:
            said = " ".join(done.stderr.splitlines()[:4])  # the rest is a trace
            raise RuntimeError(f"npm did not fetch Pyodide {VERSION}. It says: {said}")
        data = packed[0].read_bytes()
    sha512 = base64.b64encode(hashlib.sha512(data).digest()).decode()  # as npm writes it
    _check(packed[0].name, "npm", sha512, INTEGRITY)
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        names = [*COPIED, WASM, LOCK]
        return {name: archive.extractfile(f"package/{name}").read() for name in names}


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
    print(f"Fetching Pyodide {VERSION} ...", flush=True)
    files = fetch_pyodide()
    lock = json.loads(files.pop(LOCK))
    lock["packages"] = choose(lock)
    for package in lock["packages"].values():
        name = package["file_name"]
        there = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if _sha256(there) != package["sha256"]:
            print(f"Fetching {name} ...", flush=True)
            there = fetch_wheel(package, wheels)
        files[name] = there
    files[LOCK] = json.dumps(lock).encode()
    files[COMPRESSED] = gzip.compress(files.pop(WASM), mtime=0)
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
            f"{name} from {source} is another file than Pyodide {VERSION} has: its digest is"
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
    size = sum(path.stat().st_size for path in FOLDER.iterdir()) / 1e6
    done = "make book puts it into the site" if fetched else "it was there, nothing was fetched"
    print(f"The runtime is ready: {FOLDER} ({size:.1f} MB); {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
