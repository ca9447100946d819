"""What the tests of the built site share: the site, a server for it and a browser.

Run them by `make site-test`; `make test` leaves them out.
"""

import functools
import http.server
import threading
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from book_tools.browser import launch
from tests.site.built_site import ADDRESS, SITE
from tests.site.own_page import own_page
from tests.site.visit import open_page

FOLDER = urlsplit(ADDRESS).path
EXPLORABLES = {  # and their pages
    "cover": "index",
    "formats": "book/overflow",
    "epsilon": "book/epsilon",
    "order": "book/logsumexp",
    "loss": "book/mxnet",
    "add": "book/numbers",
    "mask": "book/softmax",
    "network": "book/training",
    "one_pass": "book/one_pass",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve the site in the folder of its public address, and write no log."""

    def translate_path(self, path):
        inside = path.startswith(FOLDER)
        return super().translate_path("/" + path[len(FOLDER) :] if inside else "/not-there")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    return SITE


@pytest.fixture(scope="session")
def server():
    """The address of the site on a local server, with a slash at its end."""
    handler = functools.partial(Handler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}{FOLDER}"
        running.shutdown()


@pytest.fixture(scope="session")
def browser():
    """The installed browser, driven by Playwright."""
    with sync_playwright() as playwright:
        try:
            running = launch(playwright)
        except RuntimeError as error:
            pytest.exit(str(error), returncode=1)
        yield running
        running.close()


@pytest.fixture(scope="session")
def explorables(browser, site):
    """The explorables by kind, each on its page."""
    pages = {kind: browser.new_page() for kind in EXPLORABLES}
    for kind, page in pages.items():
        page.goto((site / f"{EXPLORABLES[kind]}.html").as_uri())
    yield {kind: page.locator(f"explore-{kind}") for kind, page in pages.items()}
    for page in pages.values():
        page.close()


@pytest.fixture
def explorable(explorables):
    """Return an explorable as a reader first meets it: ``explorable("formats")``."""

    def reset(kind):
        explorables[kind].get_by_role("button", name="Reset").click()
        explorables[kind].page.wait_for_timeout(20)
        return explorables[kind]

    return reset


@pytest.fixture(scope="module")
def place(request, browser, tmp_path_factory):
    """The explorable of the kind that the module names, on a page of its own."""
    kind, page = request.module.KIND, browser.new_page()
    page.goto(own_page(tmp_path_factory.mktemp("page"), kind))
    yield page.locator(f"explore-{kind}")
    page.close()


@pytest.fixture(params=["http", "file"])
def root(request, site, server):
    """The address of the site, from a server and from a folder."""
    return server if request.param == "http" else f"{site.as_uri()}/"


@pytest.fixture
def visitor(browser):
    """Open a page of the site, and close it at the end."""
    opened = []

    def open_it(address, **settings):
        page, _, problems = open_page(browser, address, **settings)
        opened.append(page)
        page.problems = problems
        return page

    yield open_it
    for page in opened:
        page.context.close()
