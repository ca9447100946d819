"""Visit a page in a browser and note all that the gates of the site ask about."""

import functools
import gzip
from pathlib import Path
from urllib.parse import unquote, urlsplit

NODE = Path(__file__).parents[2] / ".venv" / "var" / "node" / "node_modules"
WIDTHS = (1280, 390)

# Added up from the first moment on: an observer that comes later may miss the first shifts.
ADD_UP_SHIFTS = """
    window.layoutShift = 0;
    new PerformanceObserver(list => list.getEntries().forEach(
        shift => layoutShift += shift.hadRecentInput ? 0 : shift.value
    )).observe({type: 'layout-shift', buffered: true})
"""
# An image that waits until a reader comes near is part of the page, too.
SETTLE = """async () => {
    const images = [...document.querySelectorAll('article img')];
    images.forEach(image => { image.loading = 'eager'; });
    await Promise.all(images.map(image => image.decode().catch(() => {})));
    await document.fonts.ready;
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
}"""
# What opens fades in: the colors are right only at the end.
OPEN_ALL = """() => {
    const closed = document.querySelectorAll('details:not([open])');
    closed.forEach(details => { details.open = true; });
    document.getAnimations().forEach(animation => animation.finish());
    return closed.length;
}"""
STICKS_OUT = """() => {
    const {scrollWidth} = document.scrollingElement;
    if (scrollWidth <= innerWidth) return [];
    const wide = [...document.body.querySelectorAll('*')].filter(
        element => element.getBoundingClientRect().right > innerWidth);
    return [`${scrollWidth} px wide; too far to the right: ` + wide.slice(0, 5).map(
        element => element.cloneNode().outerHTML.slice(0, 120)).join(' ')];
}"""
# A figure fits its column: it is no wider, nothing scrolls, and one of its drawings is seen.
FIGURES_STICK_OUT = """() => [...document.querySelectorAll('figure')].flatMap(figure => {
    const column = figure.parentElement.getBoundingClientRect();
    const drawings = [...figure.querySelectorAll('.figure-box svg, img')];
    const boxes = drawings.map(drawing => drawing.getBoundingClientRect()).filter(box => box.width);
    const seen = boxes.length || !drawings.length || figure.closest('details:not([open])');
    const wide = boxes.some(box => box.left < column.left - 1 || box.right > column.right + 1);
    const scrolls = [...figure.querySelectorAll('.figure-box')].some(
        box => box.scrollWidth > box.clientWidth);
    const fault = !seen ? 'nothing is seen' : wide ? 'wider than its column' : scrolls && 'scrolls';
    return fault ? [`${figure.id}: ${fault}`] : [];
})"""
# Each with its kind first: pre, table, math, or code, which is cut and does not scroll. A formula
# may hang over its box by a pixel, and code into the margin of a cell.
SCROLLS_ITSELF = """() => {
    const kinds = {'pre': 0, '.pst-scrollable-table-container': 0, '.math': 1};
    const block = box =>
        getComputedStyle(box).display === 'inline' ? block(box.parentElement) : box;
    const end = box => box.getBoundingClientRect().right;
    const cut = [...document.querySelectorAll('.bd-article :not(pre) > code')].filter(
        code => end(code) > end(block(code.parentElement)) + 6);
    const scrolls = Object.entries(kinds).flatMap(([kind, more]) =>
        [...document.querySelectorAll(`.bd-article ${kind}`)].filter(
            box => box.clientWidth && box.scrollWidth > box.clientWidth + more
        ).map(box => {
            const text = (box.querySelector('tr') ?? box).textContent.trim();
            const longest = text.split('\\n').reduce((a, b) => a.length > b.length ? a : b);
            return kind === 'pre' ? `pre: ${longest}`
                : `${more ? 'math' : 'table'}: ${text.replace(/\\s+/g, ' ')}`;
        }));
    return [...cut.map(code => `code: ${code.textContent}`), ...scrolls];
}"""
TAB_STOPS = """() => [...document.querySelectorAll('mjx-container, mjx-container *')].filter(
    element => element.tabIndex >= 0).map(element => element.textContent)"""
# An icon, or a letter of a formula, that the style sheet or its font has lost.
BLANK = """() => [
    ...[...document.querySelectorAll('mjx-c, i[class*="fa-"]')].filter(
        sign => getComputedStyle(sign, '::before').content === 'none').map(sign => sign.outerHTML),
    ...[...document.fonts].filter(font => font.status === 'error').map(font => font.family),
]"""
# Naming all the rules runs also those that axe leaves out: AAA, experimental, deprecated.
RUN_AXE = """async () => {
    const {violations} = await axe.run(document, {
        runOnly: {type: 'rule', values: axe.getRules().map(rule => rule.ruleId)},
        resultTypes: ['violations'],
    });
    return violations.flatMap(({id, help, nodes}) => nodes.map(node =>
        `${id}: ${help}\\n  at ${node.target}\\n  ${node.html}\\n  ${node.failureSummary}`));
}"""


@functools.cache
def axe():
    """Return the source of axe-core."""
    return (NODE / "axe-core" / "axe.min.js").read_text("utf-8")


def run_axe(page):
    """Return what axe-core finds on a page in the state it is in, a text for each element."""
    page.evaluate(axe())
    return page.evaluate(RUN_AXE)


def open_page(browser, address, width=1280, scheme="light"):
    """Open a page with an empty cache and wait until nothing moves any more.

    Returns
    -------
    page : playwright.sync_api.Page
        To be closed with its context.
    requests : list of str
        Addresses, without those that are written out in the page. Grows as the page asks for more.
    problems : list of str
        What failed or went to another host, and what the console reported. Grows, too.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.add_init_script(ADD_UP_SHIFTS)
    page = context.new_page()
    requests, problems = [], []

    def note(request):
        if urlsplit(request.url).scheme in {"data", "blob"}:
            return
        requests.append(request.url)
        if urlsplit(request.url)[:2] != urlsplit(address)[:2]:
            problems.append(f"asks another host: {request.url}")

    page.on("request", note)
    page.on("requestfailed", lambda request: problems.append(f"fails: {request.url}"))
    page.on(
        "response",
        lambda answer: answer.status < 400 or problems.append(f"{answer.status}: {answer.url}"),
    )
    page.on(
        "console",
        lambda message: message.type != "error" or problems.append(f"console: {message.text}"),
    )
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.goto(address)
    page.evaluate(SETTLE)
    return page, requests, problems


def visit(browser, address, width, scheme, axe=True):
    """Return what there is to say about one page in one setting.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    address : str
    width : int
    scheme : {"light", "dark"}
    axe : bool
        Whether to ask axe about the page with all its folds open, which takes longest.

    Returns
    -------
    dict
        Lists of texts under "problems", "scrolls", "blank" (icons and letters that are not seen),
        "figures" (those that do not fit), "stops" (formulas that a tab stops at) and "axe", to be
        empty; what scrolls by itself under "inside", with its kind and its longest line; the
        addresses under "requests"; the sum of the layout shifts under "shift".
    """
    page, requests, problems = open_page(browser, address, width, scheme)
    found = {"shift": page.evaluate("layoutShift"), "scrolls": page.evaluate(STICKS_OUT)}
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    found["scrolls"] += page.evaluate(STICKS_OUT)
    page.emulate_media(color_scheme=scheme)
    found |= {"requests": requests[:], "problems": problems[:]}  # axe asks for style sheets itself
    if page.evaluate(OPEN_ALL):
        found["scrolls"] += page.evaluate(STICKS_OUT)
    found["axe"] = run_axe(page) if axe else []
    found["inside"] = page.evaluate(SCROLLS_ITSELF)
    found["blank"] = page.evaluate(BLANK)
    found["figures"] = page.evaluate(FIGURES_STICK_OUT)
    found["stops"] = page.evaluate(TAB_STOPS)
    page.context.close()
    return found


def weight(requests, root, site):
    """Return how many bytes a page is when a server compresses what it sends.

    Parameters
    ----------
    requests : list of str
        Addresses that begin with `root`.
    root : str
        The address of the site.
    site : pathlib.Path
        Its folder.
    """
    paths = {urlsplit(request.removeprefix(root)).path for request in requests}
    return sum(_compressed(site / (unquote(path) or "index.html")) for path in paths)


@functools.cache
def _compressed(path):
    return len(gzip.compress(path.read_bytes()))
