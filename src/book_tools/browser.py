"""Start the browser that is installed, for the PDF of the release and for the tests of the site."""

import os
import shutil

from playwright.sync_api import Error


def launch(playwright):
    """Start the installed browser: $CHROME, or Chromium on the PATH, or Chrome, or Edge.

    Parameters
    ----------
    playwright : playwright.sync_api.Playwright

    Returns
    -------
    playwright.sync_api.Browser

    Raises
    ------
    RuntimeError
        If none starts. The message says what to do.
    """
    path = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("chromium-browser")
    ways = [{"executable_path": path}] if path else [{"channel": "chrome"}, {"channel": "msedge"}]
    for way in ways:
        try:
            return playwright.chromium.launch(**way)
        except Error as error:
            reason = error.message
    raise RuntimeError(
        "No browser starts. Install Chrome, Chromium or Edge (on Debian: sudo apt install chromium)"
        f" or name one by the variable CHROME=/path/to/chrome\n{reason}"
    )
