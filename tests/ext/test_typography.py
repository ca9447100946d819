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
        "softmax: ~log(p)", "lp = ~1e~8", "1e~8",
    ],
)  # fmt: skip
def test_a_hyphen_before_a_number_or_a_name_is_a_minus(text):
    assert paragraph(nodes.Text(text.replace("~", "-"))) == text.replace("~", MINUS)


@pytest.mark.parametrize(
    "text", ["log-sum-exp", "type-2", "pages 1-12", "two- and three-fold", "- a dash", "a --- b"]
)
def test_other_hyphens_stay(text):
    assert paragraph(nodes.Text(text)) == text


def test_an_equation_and_the_sign_of_an_exercise_stay_together():
    text = "For n = 10, p = −1 or all = many: ✍ Why"
    joined = text.replace("n = 1", "n~=~1").replace("p = −", "p~=~−").replace("✍ ", "✍~")
    assert paragraph(nodes.Text(text)) == joined.replace("~", "\N{NO-BREAK SPACE}")


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


def test_what_follows_two_stars_is_an_exponent():
    doctree = nodes.section("", nodes.paragraph("", "within 2**-51, or d**2/2; **not** that"))
    typography.set_minus(None, doctree)
    raised = [node.astext() for node in doctree.findall(nodes.superscript)]
    assert raised == [f"{MINUS}51", "2"]
    assert doctree.astext() == f"within 2{MINUS}51, or d2/2; **not** that"


@pytest.mark.parametrize(
    ("word", "parted"),
    [
        ("-inf]", None),
        ("exp(x=1).mean()", None),
        ("src/ladder/two_sum.py", "src/<wbr>ladder/<wbr>two_<wbr>sum.<wbr>py"),
        ("NPY_FEATURES=&quot;AVX2&quot;", "NPY_<wbr>FEATURES=&quot;AVX2&quot;"),
        ("f(__name_of_it__, 1.5)", "f(__name_<wbr>of_<wbr>it__, 1.5)"),
        ("model.Layer(units=10)(x)", "model.<wbr>Layer(<wbr>units=10)\N{WORD JOINER}(x)"),
        ("…_with_logits_and_more", "…\N{WORD JOINER}_with_<wbr>logits_<wbr>and_<wbr>more"),
    ],
)
def test_long_words_of_code_may_break_after_a_sign(word, parted):
    assert broken(f'<span class="pre">{word}</span>') == (
        f'<span class="pre">{parted}</span>' if parted else f'<span class="pre short">{word}</span>'
    )


def test_a_name_that_is_no_link_may_break_after_a_sign_as_well():
    assert broken("<cite>beyond.top_k</cite>") == "<cite>beyond.<wbr>top_<wbr>k</cite>"


def broken(body):
    context = {"body": body}
    typography.mark_breaks(None, "page", "page.html", context, None)
    return context["body"]


def test_short_code_stays_on_a_line():
    words = [f'<span class="pre short">{word}</span>' for word in ("lse([0,", "-40])")]
    code = '<code class="docutils">{}</code>'.format
    assert broken(code(" ".join(words))) == code(" ".join(words)).replace('ls"', 'ls short"')
    assert "docutils short" not in broken(code(" ".join(3 * words)))
    typography.mark_breaks(None, "search", "search.html", {}, None)
