"""The extension that sets minus signs and says which words of code may break."""

import pytest
import typography
from docutils import nodes
from sphinx import addnodes

MINUS = typography.MINUS


def paragraph(*children):
    doctree = nodes.section("", nodes.paragraph("", "", *children))
    typography.set_minus(None, doctree)
    return doctree.astext()


@pytest.mark.parametrize(
    "text",
    [
        "a row of ~inf", "~1 and 1", "(~inf, 0)", "[0, ~inf]", "x ~ m", "log(n) ~ log(2)",
        "softmax: ~log(p)", "lp = ~1e-8",
    ],
)  # fmt: skip
def test_a_hyphen_before_a_number_or_a_name_is_a_minus(text):
    assert paragraph(nodes.Text(text.replace("~", "-"))) == text.replace("~", MINUS)


@pytest.mark.parametrize(
    "text", ["log-sum-exp", "1e-8", "pages 1-12", "two- and three-fold", "- a dash", "a --- b"]
)
def test_other_hyphens_stay(text):
    assert paragraph(nodes.Text(text)) == text


@pytest.mark.parametrize("kind", [nodes.literal, nodes.math, addnodes.desc_signature])
def test_code_keeps_its_characters(kind):
    code = kind("", "", nodes.Text("axis=-1, -inf"))
    assert paragraph(nodes.Text("at -1: "), code) == f"at {MINUS}1: axis=-1, -inf"


def test_what_a_cell_puts_out_keeps_its_characters():
    table = nodes.container("", nodes.paragraph("", "x - m is -inf"), classes=["cell_output"])
    doctree = nodes.section("", table)
    typography.set_minus(None, doctree)
    assert doctree.astext() == "x - m is -inf"


def test_a_hyphen_joins_a_word_to_the_name_before_it():
    assert paragraph(nodes.emphasis("", "exp"), nodes.Text("-free, -1")) == f"exp-free, {MINUS}1"


def test_only_long_words_of_code_may_break():
    body = '<span class="pre">-inf]</span> <span class="pre">stable_softmax.libraries</span>'
    context = {"body": body}
    typography.mark_short_words(None, "page", "page.html", context, None)
    assert context["body"] == body.replace("pre", "pre short", 1)
    typography.mark_short_words(None, "search", "search.html", {}, None)
