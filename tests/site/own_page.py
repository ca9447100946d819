"""A small page with one explorable, for tests that need no chapter around it."""

from pathlib import Path

from playwright.sync_api import expect

BOOK = Path(__file__).parents[2] / "book"
# The colors that the theme of the site gives a page: text, background, border.
COLORS = {
    "light": ("#222832", "#ffffff", "#c9cdd2"),
    "dark": ("#ced6dd", "#14181e", "#48566b"),
}
PAGE = """<!doctype html>
<html lang="en" data-theme="{scheme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>An explorable</title>
<link rel="stylesheet" href="{book}/_static/book.css">
<link rel="stylesheet" href="{book}/explorables/explore.css">
{own_style}<style>
*, ::before, ::after {{ box-sizing: border-box; }}
html {{
  --pst-color-text-base: {text};
  --pst-color-background: {ground};
  --pst-color-border: {border};
}}
body {{ background: {ground}; color: {text}; font: 16px/1.65 sans-serif; margin: 1rem auto; }}
body, figure {{ max-width: 44rem; }}
figure {{ margin: 0; }}
main {{ margin: 0 1rem; }}
</style>
<script defer src="{book}/explorables/explore_core.js"></script>
<script defer src="{book}/explorables/explore_{kind}.js"></script>
</head>
<body><main><h1>An explorable</h1>
<figure id="exp-own">
<explore-{kind}><div class="fallback"><p>What it shows.</p></div></explore-{kind}>
<figcaption>Its caption.</figcaption></figure></main></body>
</html>
"""


def own_page(folder, kind, scheme="light"):
    """Write a page with an explorable, its scripts and its style; return the address."""
    text, ground, border = COLORS[scheme]
    style = BOOK / "explorables" / f"explore_{kind}.css"
    own_style = f'<link rel="stylesheet" href="{style.as_uri()}">' if style.exists() else ""
    page = PAGE.format(
        kind=kind,
        scheme=scheme,
        text=text,
        ground=ground,
        border=border,
        book=BOOK.as_uri(),
        own_style=own_style,
    )
    path = folder / f"{kind}_{scheme}.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


def reset(element):
    """Bring an explorable to where a reader first meets it, and return it."""
    element.get_by_role("button", name="Reset").click()
    element.page.wait_for_timeout(20)
    return element


def enter(element, **values):
    """Set controls as the buttons do."""
    element.evaluate("(element, values) => element.set(values)", values)


def press(element, name):
    """Press a button by its name."""
    element.get_by_role("button", name=name, exact=True).press("Enter")


def says(element):
    """Return the verdict in words, with the minus of a keyboard."""
    return plain(element.get_by_role("status").text_content())


def plain(text):
    """Return a text with the minus of a keyboard."""
    return text.strip().replace("\N{MINUS SIGN}", "-")


def cells(element, table=0):
    """Return the texts of the rows of a table."""
    rows = element.evaluate(
        """(element, table) => [...element.querySelectorAll("tbody")[table].rows]
            .map((row) => [...row.cells].map((cell) => cell.textContent))""",
        table,
    )
    return [[plain(text) for text in row] for row in rows]


def busy(element, script, *arguments):
    """Return for how many ms a script on an element keeps a core busy, whatever others do."""
    client = element.page.context.new_cdp_session(element.page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})

    def now():
        metrics = client.send("Performance.getMetrics")["metrics"]
        return next(1000 * m["value"] for m in metrics if m["name"] == "ThreadTime")

    start = now()
    element.evaluate(script, *arguments)
    spent = now() - start
    client.detach()
    return spent


def check_opening(element, requests, problems):
    """Check that an explorable came to life from local files, in the room kept for it."""
    assert element.page.evaluate("layoutShift") == 0 and not problems
    assert all(request.startswith("file:") for request in requests)
    form = element.locator("form").bounding_box()["height"]
    assert form <= element.bounding_box()["height"] <= form + 80


def walk_by_tab(element):
    """Reach every control by Tab, in order, and change each by the keyboard."""
    keyboard = element.page.keyboard
    controls = element.locator("form :is(button, input, select, [tabindex])").all()
    controls[0].focus()
    for control in controls:
        expect(control).to_be_focused()
        if control.evaluate("e => e.type === 'checkbox'"):
            keyboard.press("Space")
            expect(control).not_to_be_checked()
        elif control.evaluate("e => e.matches('input, select')"):
            before = control.input_value()
            keyboard.press("ArrowUp")
            if control.input_value() == before:
                keyboard.press("ArrowDown")
            assert control.input_value() != before
        keyboard.press("Tab")
    assert not element.evaluate("e => e.contains(document.activeElement)")


def play_four_steps(element):
    """Let an explorable with a player play four steps, with a break; the status stays silent."""
    enter(element, count=4)
    status, button = element.get_by_role("status"), element.locator("[data-go=play]")
    for playing in (True, False, True):
        button.press("Enter")
        expect(button).to_have_text("Pause" if playing else "Play")
        expect(status).to_have_attribute("aria-live", "off" if playing else "polite")
    expect(element.locator("[name=step]")).to_have_value("4", timeout=9000)
    expect(button).to_have_text("Play")
    expect(status).to_have_attribute("aria-live", "polite")
