"""Draw the card that a page shows where somebody shares its address.

Each chapter has a card with its title and its description above the experiment of the cover; all
other pages have that of the cover. They are drawn when a page is written, by Matplotlib with its
own fonts, so that every build draws the same bytes.
"""

import functools
import textwrap
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
from docutils import nodes
from matplotlib import rc_context
from matplotlib.figure import Figure
from website import number

from stable_softmax import cross_entropy_epsilon, cross_entropy_naive, cross_entropy_shifted
from stable_softmax.notebook.display import ROLE

FOLDER = "_images/share"
WIDTH, HEIGHT, DPI = 1200, 630, 100  # the large card of all networks, in pixels
GAP, END = 100, 120  # of the sample, and of the tapes
STYLE = {"font.family": "DejaVu Sans", "lines.linewidth": 3}
INK, GROUND = "#222832", "#f1f6fa"
PROGRAMS = [
    ("softmax, then log", cross_entropy_naive, "naive"),
    ("log(p + 1e-7)", cross_entropy_epsilon, "epsilon"),
    ("from the logits", cross_entropy_shifted, "shifted"),
]


@functools.cache
def losses():
    """Return the losses of the three programs at each gap, from 0 to that of the sample."""
    gaps = np.arange(GAP + 1, dtype=np.float32)
    x, labels = np.stack([gaps, np.zeros_like(gaps)], axis=-1), np.ones(gaps.size, dtype=int)
    with np.errstate(all="ignore"):
        return [loss(x, labels) for _, loss, *_ in PROGRAMS]


def draw(book, title, description):
    """Return a card.

    Parameters
    ----------
    book, title, description : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")

    def write(x, y, text, size, color=INK, **more):
        figure.text(x / WIDTH, 1 - y / HEIGHT, text, size=size * 72 / DPI, color=color, **more)

    lines, size = textwrap.wrap(title, 25), 66
    if len(lines) > 2:
        lines, size = textwrap.wrap(title, 33), 50
    write(70, 80, book, 30, ROLE["shifted"]["color"], weight="bold")
    write(70, 118, "\n".join(lines), size, weight="bold", va="top", linespacing=1.1)
    below = 140 + len(lines) * size * 1.28
    write(70, below, textwrap.fill(description, 78), 24, va="top", linespacing=1.3)
    for left, (name, _, role), loss in zip([70, 435, 800], PROGRAMS, losses(), strict=True):
        look = {part: ROLE[role][part] for part in ["color", "linestyle"]}
        write(left, 440, name, 22)
        write(left + 330, 440, f"{loss[-1]:.3g}", 34, look["color"], weight="bold", ha="right")
        tape = [left / WIDTH, 55 / HEIGHT, 330 / WIDTH, 120 / HEIGHT]
        draw_tape(figure.add_axes(tape), loss, **look)
    edge = figure.add_axes([0, 0, 18 / WIDTH, 1], facecolor=ROLE["shifted"]["color"])
    edge.set(xticks=[], yticks=[])
    edge.spines[:].set_visible(False)
    return figure


def draw_tape(ax, loss, color, linestyle):
    """Draw one loss up to the gap; what is infinite is a wall."""
    gaps, seen = np.arange(loss.size), np.isfinite(loss)
    ax.set(xlim=(0, END), ylim=(0, END), xticks=[], yticks=[], facecolor=GROUND)
    ax.spines[["left", "top", "right"]].set_visible(False)
    ax.fill_between(gaps[seen], loss[seen], color=color, alpha=0.22, linewidth=0)
    ax.plot([0, END], [0, END], ":", color=INK, linewidth=1)
    ax.plot(gaps[seen], loss[seen], linestyle=linestyle, color=color)
    ax.vlines(gaps[~seen], 0, END, color=color, linewidth=1.5)
    ax.axvline(GAP, color=INK, linewidth=2)


def add_card(app, pagename, templatename, context, doctree):
    """Name the card of a page, and draw it if the page has its own."""
    if app.builder.name != "html" or doctree is None:
        return
    own = pagename if number(app, pagename) else app.config.root_doc
    title = f"{number(app, own)}{app.env.titles[own].astext()}"
    path = f"{FOLDER}/{own}.png"
    if own == pagename:
        about = [m["content"] for m in doctree.findall(nodes.meta) if m["name"] == "description"]
        Path(app.outdir, path).parent.mkdir(parents=True, exist_ok=True)
        with rc_context(STYLE):
            figure = draw(app.config.html_title, title, "".join(about))
            figure.savefig(Path(app.outdir, path), metadata={"Software": None})
    programs = zip(PROGRAMS, losses(), strict=True)
    said = ", ".join(f"{name} says {loss[-1]:.3g}" for (name, *_), loss in programs)
    context["meta"] = (context["meta"] or {}) | {
        "og:image": urljoin(app.config.html_baseurl, path),
        "og:image:alt": f"{title.rstrip('.')}. The right answer is behind by {GAP}: {said}.",
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
    }


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("html-page-context", add_card, priority=400)  # before the tags are written
    return {"parallel_read_safe": True, "parallel_write_safe": True}
