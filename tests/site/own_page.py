"""A small page with one explorable, for tests that need no chapter around it."""

from pathlib import Path

BOOK = Path(__file__).parents[2] / "book"
# The colors that the theme of the site gives a page.
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
<style>
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
<figure><explore-{kind}><div class="fallback"><p>What stands for it.</p></div></explore-{kind}>
<figcaption>Its caption.</figcaption></figure></main></body>
</html>
"""


def write_page(folder, kind, scheme="light"):
    """Write a page with an explorable that loads its scripts and its style; return its path."""
    text, ground, border = COLORS[scheme]
    path = folder / f"{kind}_{scheme}.html"
    page = PAGE.format(
        kind=kind, scheme=scheme, text=text, ground=ground, border=border, book=BOOK.as_uri()
    )
    path.write_text(page, encoding="utf-8")
    return path
