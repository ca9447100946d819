"""Give outputs that depend on other code, packages or machines a cache folder of their own.

The execution cache of MyST-NB knows a notebook by its own code cells only. After an edit in
``src/`` it would go on showing outputs of the old code. So the folder of the cache is named after
all that an output depends on besides its notebook: the package, the installed versions, Python,
the vector instructions of the processor, and the table of ``make accuracy``, which a chapter shows.
A changed name makes Sphinx read every page again.
"""

import hashlib
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np

KEPT = 2  # folders: the current one, and the one before, for the way back from an experiment


def fingerprint(root):
    """Return a short hash of the files of the package and of what they run on."""
    digest = hashlib.sha256()
    paths = [p for p in sorted((root / "src").rglob("*")) if p.suffix in {".py", ".mplstyle"}]
    for path in [*paths, *root.glob("_build/accuracy.json")]:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    versions = sorted({f"{d.name}=={d.version}" for d in metadata.distributions()})
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    machine = [platform.python_version(), platform.system(), platform.machine(), *simd]
    digest.update("\n".join(versions + machine).encode())
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
