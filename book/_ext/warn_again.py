"""Let a build that ended with warnings or was interrupted read every page again.

Sphinx warns about a page when it reads it and then keeps what it read. A strict build that failed
would therefore pass, with the fault still there, when it is repeated.
"""

from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME


def forget_unless_clean(app, config):
    """Forget all pages unless the build before this one ended without a warning."""
    clean = _mark(app)
    if not clean.exists():
        (clean.parent / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
    clean.unlink(missing_ok=True)


def mark_if_clean(app, exception):
    """Note that a build ended without a warning."""
    if exception is None and app._warncount == 0:
        _mark(app).touch()


def _mark(app):
    return Path(app.doctreedir) / "built_without_warning"


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", forget_unless_clean)
    app.connect("build-finished", mark_if_clean, priority=1000)  # after all that can warn
    return {"parallel_read_safe": True, "parallel_write_safe": True}
