"""The HTML of every page: the rules of `page_rules`, and the Nu validator."""

import itertools
import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.site import page_rules
from tests.site.built_site import ADDRESS, PAGES, ROOT
from tests.site.visit import NODE

VALIDATOR = NODE / "vnu-jar" / "build" / "dist" / "vnu.jar"
# Messages of the validator that may stay, each with its reason: at most two.
ALLOWED = {}

every_page = pytest.mark.parametrize("page", PAGES)


def fail_with(faults):
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.mark.parametrize("rule", page_rules.RULES, ids=lambda rule: rule.__name__)
@every_page
def test_a_page_keeps_the_rule(site, page, rule):
    fail_with(rule(page_rules.read(site / page)))


@every_page
def test_every_link_inside_the_site_leads_somewhere(site, page):
    fail_with(page_rules.link_faults(page_rules.read(site / page), page, site, ADDRESS))


WITHOUT_CARD = {"404.html", "genindex.html", "search.html"}  # nobody shares them


@every_page
def test_a_page_that_is_shared_shows_its_card(site, page):
    properties = {"og:title", "og:description", "og:image", "og:image:alt"}
    soup = page_rules.read(site / page)
    told = {tag["property"] for tag in soup.select("meta[property]") if tag["content"]}
    large = soup.select_one("meta[name='twitter:card']")
    if page not in WITHOUT_CARD:
        assert properties <= told and large["content"] == "summary_large_image"


def test_no_two_pages_have_one_title(site):
    titles = [page_rules.read(site / page).title.get_text(strip=True) for page in PAGES]
    fail_with(sorted({title for title in titles if titles.count(title) > 1}))


def test_next_and_previous_lead_through_the_book_and_back(site):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    order = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    for before, after in itertools.pairwise(order):
        for here, there, selector in [
            (before, after, "a.right-next"),
            (after, before, "a.left-prev"),
        ]:
            if here == "genindex":
                continue  # Sphinx writes this page itself, without neighbors
            link = page_rules.read(site / f"{here}.html").select_one(selector)
            assert link, f"{here} has no {selector}"
            assert (site / f"{here}.html").parent.joinpath(link["href"]).resolve() == (
                site / f"{there}.html"
            )


def validate(files):
    """Return the errors that the Nu validator finds in some files, as (file, message, HTML)."""
    if not shutil.which("java"):
        pytest.fail("Install Java 17 or newer (on Debian: sudo apt install default-jre-headless)")
    done = subprocess.run(
        ["java", "-jar", VALIDATOR, "--errors-only", "--format", "json", "--stdout", *files],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.stdout.startswith("{"), done.stderr
    return [
        (error["url"].rpartition("/")[2], error["message"], error.get("extract", ""))
        for error in json.loads(done.stdout)["messages"]
    ]


def test_the_validator_accepts_every_page(site):
    assert len(ALLOWED) <= 2
    errors = validate([site / page for page in PAGES])
    fail_with(
        [
            " | ".join(error)
            for error in errors
            if not any(re.search(pattern, error[1]) for pattern in ALLOWED)
        ]
    )
    for pattern in ALLOWED:
        assert any(re.search(pattern, error[1]) for error in errors), f"no longer needed: {pattern}"
