"""Let Sphinx write pages on all cores, and look for garbage less often.

The trees of a book are large and live long: with Python's own thresholds, a quarter of a build's
time goes into the search for cycles among them.
"""

import gc

from ahead import cores


def write_in_parallel(app, env):
    """Write on all cores; reading, which is over, has to be serial for what pages are executed."""
    app.parallel = cores()


def setup(app):
    """Register the extension with Sphinx."""
    gc.set_threshold(10_000, 50, 100)  # 30 MB more, of 270
    app.connect("env-updated", write_in_parallel)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
