"""Give outputs that depend on other code, packages or machines a cache folder of their own.

The execution cache of MyST-NB knows a notebook by its own code cells only. After an edit in
``src/`` it would go on showing outputs of the old code. So the folder of the cache is named after
all that an output can depend on besides its notebook, and nothing else: the files of the package,
the versions of what it needs and of what executes a notebook, Python, the vector instructions of
the processor, and the table of ``make accuracy``, which a chapter shows. A changed name makes
Sphinx read every page again.
"""

import hashlib
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "stable-softmax"
EXECUTES = ["ipykernel", "nbclient"]
KEPT = 2  # folders: the current one, and the one before, for the way back from an experiment


def versions():
    """Return the version of each installed distribution that an output can depend on.

    These are the package with all its extras, what executes a notebook, and what they need, and
    what that needs in turn.

    Returns
    -------
    dict of str to str
    """
    extras = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    found, seen = {}, set()
    waiting = [Requirement(f"{PACKAGE}[{','.join(extras)}]"), *map(Requirement, EXECUTES)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                break  # an output cannot depend on it
            needs = map(Requirement, metadata.requires(name) or [])
            waiting += [r for r in needs if not r.marker or r.marker.evaluate({"extra": extra})]
    return found


def fingerprint(root):
    """Return a short hash of the files of the package and of what they run on."""
    digest = hashlib.sha256()
    files = [p for p in (root / "src" / PACKAGE.replace("-", "_")).rglob("*") if p.is_file()]
    sources = sorted(path for path in files if path.suffix != ".pyc")
    for path in [*sources, *root.glob("_build/accuracy.json"), *root.glob("_build/bench.json")]:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    packages = [f"{name}=={version}" for name, version in sorted(versions().items())]
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    machine = [platform.python_version(), platform.system(), platform.machine(), *simd]
    digest.update("\n".join(packages + machine).encode())
    return digest.hexdigest()[:16]


def choose_folder(app, config):
    """Set the folder of the execution cache, and remove folders that are no longer of use."""
    caches = Path(app.srcdir) / "_build" / ".jupyter_cache"  # of every edition
    current = caches / fingerprint(Path(app.srcdir))
    current.mkdir(parents=True, exist_ok=True)
    os.utime(current)
    newest_first = sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[KEPT:]:
        shutil.rmtree(path)
    config.nb_execution_cache_path = str(current)


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", choose_folder, priority=100)  # before MyST-NB reads the path
    return {"parallel_read_safe": True, "parallel_write_safe": True}
