"""Join the pieces of a printed line before the page is made from them.

A kernel may send what one `print` writes in several pieces, cut wherever its timer strikes. MyST-NB
ends each piece with a line break of its own, so that a page could change from build to build.
nbclient can join the pieces unchanged, but the execution cache has no setting for it.
"""

import functools

from jupyter_cache.executors import utils


def setup(app):
    """Let every notebook be executed with joined streams."""
    if not isinstance(utils.executenb, functools.partial):  # one process may build twice
        utils.executenb = functools.partial(utils.executenb, coalesce_streams=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
