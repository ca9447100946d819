"""The search: the right section among the first three, from a server and from a folder."""

import re

import pytest

from tests.site.page_rules import names, read
from tests.site.visit import run_axe

#: What people ask, and the section that answers.
QUESTIONS = {
    # five broken programs, and people who had none of the words of the book
    "why is my BCE loss 100": "book/epsilon.html#sec-epsilon-pytorch",
    "attention, all -inf mask, nan": "book/attention.html#sec-attention-empty-query",
    "fp16 loss 0": "book/pytorch.html#sec-pytorch-mean",
    "label smoothing inf": "book/pytorch.html#sec-pytorch-ignored",
    "cross entropy negative": "book/pytorch.html#sec-pytorch-names",
    # a line of a traceback, a printed number, an argument, a name, and plain questions
    "RuntimeWarning: overflow encountered in exp": "book/overflow.html#sec-overflow-exponential",
    "Expected floating point type for target with class probabilities, got Long": (
        "book/find_my_bug.html#bug-expected-floating-point-type-for-target-with-class-"
        "probabilities-got-long"
    ),
    "16.118": "book/epsilon.html#sec-epsilon-floor",
    "18.42": "book/epsilon.html#sec-epsilon-pytorch",
    "loss stuck at 2.3026": "book/find_my_bug.html#bug-0-6931-1-0986-2-3026-or-4-6052",
    "ignore_index nan": "book/special_values.html#sec-special-values-ignored",
    "log1mexp": "book/logsumexp.html#sec-logsumexp-complement",
    "logsumexp": "book/logsumexp.html",
    "softmax twice": "book/softmax.html#sec-softmax-twice",
    "mask -1e9": "book/special_values.html#sec-special-values-large-mask",
    "bfloat16 sum stops": "book/low_precision.html#sec-low-precision-sum",
    "why subtract the maximum": "book/overflow.html#sec-overflow-shift",
    "gradient check by finite differences": "book/cross_entropy.html#sec-cross-entropy-check",
    "log_softmax bfloat16 autocast": "book/pytorch.html#sec-pytorch-autocast",
    "batch size changes log probability": "book/accuracy.html#sec-accuracy-batch",
}


@pytest.fixture(scope="module")
def search_page(browser, site):
    """The search page in a folder: one for all questions, since it keeps nothing."""
    page = browser.new_page()
    page.goto((site / "search.html").as_uri())
    yield page
    page.close()


def addresses(page):
    return [link.get_attribute("href") for link in page.locator(".hits a").all()]


def ask(page, query):
    """Ask as a reader does, on the page."""
    page.locator("main input[name=q]").fill(query)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator(".search-summary").wait_for()
    return addresses(page)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_right_section_is_among_the_first_three(search_page, question):
    found = ask(search_page, question)
    assert QUESTIONS[question] in found[:3], found[:6]


def test_there_are_twenty_questions_and_their_answers_exist(site):
    assert len(QUESTIONS) == 20
    for address in QUESTIONS.values():
        path, _, place = address.partition("#")
        assert not place or place in names(site / path)


def test_the_box_of_a_page_leads_to_the_section_with_the_word(visitor, root):
    page = visitor(f"{root}book/softmax.html")
    page.locator(".search-button__button:visible").first.click()
    page.locator("#pst-search-dialog input").fill("subnormals switched off")
    page.keyboard.press("Enter")
    page.locator(".hits a").first.click()
    page.wait_for_url(re.compile(r"book/underflow\.html#"))
    assert page.problems == []
    heading = page.locator("h2", has_text="Subnormals switched off")
    assert 0 <= heading.bounding_box()["y"] < page.viewport_size["height"]


def test_every_hit_leads_to_a_place_that_exists(search_page, site):
    for address in ask(search_page, "softmax nan gradient float32 function"):
        path, _, place = address.partition("#")
        assert not place or place in names(site / path), address


def test_the_search_says_when_it_finds_nothing(visitor, root):
    page = visitor(f"{root}search.html?q=zyzzyva")
    page.get_by_text("did not match any documents").wait_for()


@pytest.mark.parametrize("query", ["overflow", "softmax", "log-softmax display import"])
def test_a_quotation_is_prose_without_imports_facts_and_raw_formulas(search_page, query):
    ask(search_page, query)
    texts = search_page.locator(".hits .context").all_inner_texts()
    assert len(texts) > 10
    unwanted = re.compile(r"from [\w.]+ import|use_book_style|\\[a-zA-Z(]|Needs:|\.pdf")
    for text in texts:
        assert not unwanted.search(text), text
        assert len(text) <= 260


def test_chapters_stand_before_their_solutions_and_the_list_of_functions(search_page):
    found = ask(search_page, "softmax")
    kinds = [1 if "solutions/" in a else 2 if "book/api" in a else 0 for a in found[:15]]
    assert kinds[:5] == [0] * 5 and kinds == sorted(kinds)


def test_equals_stand_in_reading_order(search_page, site):
    order = [a["href"] for a in read(site / "index.html").select(".bd-docs-nav a")]
    order = ["index.html" if a == "#" else a for a in order]
    equal = search_page.evaluate(
        """() => {
            const part = ["at", "A title", "", "A word.", ""];
            const pages = SECTIONS.map(([address, page]) => [address, "", 1, [part]]);
            return Finder.find("word", Finder.index(pages)).hits.map((h) => h.section.address);
        }"""
    )
    assert len(equal) > 20 and equal == [a for a in order if a in equal]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_with_its_hits_breaks_no_rule_of_axe(visitor, server, width, scheme):
    page = visitor(f"{server}search.html?q=nan+gradient", width=width, scheme=scheme)
    page.locator(".hits li").first.wait_for()
    assert not run_axe(page)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


# Find my bug


def shown(page):
    return page.locator(".bugs tbody tr:visible td:first-child").all_inner_texts()


@pytest.fixture
def bugs(visitor, root):
    """The page of bugs."""
    return visitor(f"{root}book/find_my_bug.html")


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("16.11809539794922", "16.118 as a loss"),
        ("16.1", "16.118 as a loss"),
        ("-0.6590011715888977", "-0.659, or another loss above −1 and below 0"),
        ("-1.1920927533992653e-07", "-1.19e-07 as the loss of a sure sample"),
        (
            "softmax.py:27: RuntimeWarning: overflow encountered in exp",
            "overflow encountered in exp",
        ),
        ("IndexError: Target 3 is out of bounds.", "Target 3 is out of bounds."),
        ("loss of 100 in BCELoss", "100 as the loss of two classes"),
        ("nan where", "nan as the gradient through a where that leaves the bad numbers out"),
    ],
)
def test_a_number_a_line_and_some_words_find_their_row(bugs, query, row):
    bugs.get_by_label("What do you see?").fill(query)
    assert row in shown(bugs) and len(shown(bugs)) <= 4


def test_without_a_word_every_row_is_there_and_so_is_what_explains_them(bugs):
    rows = shown(bugs)
    bugs.get_by_label("What do you see?").fill("16.118")
    assert bugs.locator("section > h2:visible").all_inner_texts() == [
        "A number that comes back again and again",
        "The letters in the calls",
    ]
    bugs.get_by_label("What do you see?").fill("")
    assert shown(bugs) == rows and len(rows) > 70
    bugs.get_by_label("What do you see?").fill("zyzzyva")
    assert shown(bugs) == []
    assert "No row" in bugs.locator(".find-my-bug output").inner_text()


def test_a_reader_sees_the_calls_of_one_library_and_later_as_well(bugs):
    calls = bugs.locator(".bugs span:is(.numpy, .torch, .mxnet, .jax, .tensorflow):visible")
    everything = calls.count()
    bugs.get_by_label("Calls of").select_option("PyTorch")
    assert 0 < calls.count() < everything
    assert all(text.startswith("PyTorch ") for text in calls.all_inner_texts())
    bugs.reload()
    assert 0 < calls.count() < everything


def test_without_scripts_every_row_and_every_call_is_there(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "book" / "find_my_bug.html").as_uri())
    assert len(shown(page)) > 70
    assert page.locator(".bugs .tensorflow:visible").count() > 20
    context.close()


def test_a_wrong_address_offers_the_way_to_a_row(visitor, server):
    page = visitor(f"{server}404.html")
    page.get_by_label("What has your program printed?").fill("16.118")
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/find_my_bug.html?q=16.118")
    assert shown(page) == ["16.118 as a loss"]
