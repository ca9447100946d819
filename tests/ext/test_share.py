"""The cards for those who share a page: one for each chapter, and nothing on them collides."""

import io
import re
import struct

import pytest
from bs4 import BeautifulSoup
from matplotlib import rc_context
from share import HEIGHT, STYLE, WIDTH, draw

from tests.building import build
from tests.ext.tiny_site import write
from tests.pages import CHAPTERS, read


def tags(page):
    """The tags of a page for social media."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    found = soup.select("meta[property^='og:image'], meta[name^='twitter:']")
    return {tag.get("property") or tag["name"]: tag["content"] for tag in found}


def size(path):
    """Width and height of a PNG."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">2I", content[16:24])


def test_the_cover_and_each_chapter_have_their_card_and_other_pages_that_of_the_cover(tmp_path):
    book = write(tmp_path)
    chapters = "parts: [{numbered: 1, chapters: [{file: chapter}]}, {chapters: [{file: other}]}]"
    (book / "_toc.yml").write_text(f"{{format: jb-book, root: index, {chapters}}}")
    (book / "chapter.md").write_text("# A *chapter*\n\n## Section\n\nText.\n")
    config = (book / "_config.yml").read_text()
    tag = """'<meta name="twitter:card" content="summary_large_image" />'"""
    (book / "_config.yml").write_text(
        config.replace("    html_context:", f"    ogp_custom_meta_tags: [{tag}]\n    html_context:")
    )
    code, log = build(book)
    assert code == 0, log
    site, address = book / "_build" / "html", "https://tiny.example.org/book/_images/share/"
    said = "The right answer is behind by 100: softmax, then log says inf, "
    said += "log(p + 1e-7) says 16.1, from the logits says 100."
    for page, card, title in [
        ("index", "index", "Tiny"),
        ("chapter", "chapter", "1. A chapter"),
        ("other", "index", "Tiny"),
    ]:
        assert tags(site / f"{page}.html") == {
            "og:image": f"{address}{card}.png",
            "og:image:alt": f"{title}. {said}",
            "og:image:width": "1200",
            "og:image:height": "630",
            "twitter:card": "summary_large_image",
        }
    cards = sorted((site / "_images" / "share").iterdir())
    assert [path.name for path in cards] == ["chapter.png", "index.png"]
    assert [size(path) for path in cards] == [(1200, 630)] * 2


@pytest.mark.parametrize("page", ["index", *CHAPTERS])
def test_what_is_written_on_a_card_fits_and_does_not_collide(page):
    title = "88. " + re.sub("`", "", re.search(r"^# (.+)$", read(page), re.M)[1])
    description = re.search(r'description: "(.+)"', read(page))[1]
    with rc_context(STYLE):
        figure = draw("Stable Softmax", title, description)
        boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [ax.get_window_extent() for ax in figure.axes]
    assert len(boxes) == 3 + 2 * 3 + 3 + 1
    for i, box in enumerate(boxes):
        assert box.xmin >= 0 and box.ymin >= 0 and box.xmax <= WIDTH - 40 and box.ymax <= HEIGHT
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_a_card_is_the_same_from_every_build():
    files = []
    for _ in range(2):
        with rc_context(STYLE):
            files.append(io.BytesIO())
            draw("Book", "A title", "It says.").savefig(files[-1], metadata={"Software": None})
    assert files[0].getvalue() == files[1].getvalue()
