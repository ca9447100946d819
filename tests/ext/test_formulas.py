"""Formulas are set when the book is built."""

import json
import re

import formulas
import pytest

from tests.building import build
from tests.ext.tiny_site import PAGE, write

SETTINGS = json.dumps({"packages": ["base", *formulas.EXTENSIONS], "macros": {"half": "\\frac12"}})


def test_a_formula_in_a_line_is_set_with_its_mathml_for_screen_readers(tiny_page):
    formula = tiny_page.select_one("span.math > mjx-container")
    letters, spoken = formula.find_all(recursive=False)
    assert letters["aria-hidden"] == "true" and not letters.text
    assert [tag["class"][0] for tag in letters.select("mjx-c")] == ["mjx-c1D465", "mjx-c32"]
    assert re.sub(' xmlns="[^"]*"', "", str(spoken.math)) == (
        "<math><msup><mi>x</mi><mn>2</mn></msup></math>"
    )


def test_a_displayed_formula_keeps_its_rows_its_number_and_its_link(tiny_page):
    (formula,) = tiny_page.select("div.math")
    assert formula["id"] == "equation-eq-one"
    assert formula.select_one(".eqno").contents[0] == "(1)"
    assert formula.select_one(".eqno a")["href"] == "#equation-eq-one"
    assert formula.select_one("mjx-container")["display"] == "true"
    assert [row.text for row in formula.select("math mtable mtable mtr")] == ["x=12", "=0.5"]


def test_a_page_has_no_script_for_formulas_and_none_is_a_tab_stop(tiny_page):
    assert "mathjax" not in " ".join(map(str, tiny_page.select("script"))).lower()
    assert not tiny_page.select(".math [tabindex]")


def test_a_formula_knows_the_macros_of_the_settings():
    assert "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in formulas.set_formula(r"\half", False, SETTINGS)


def test_a_formula_is_set_alike_whatever_was_set_before():
    first = formulas.set_formula("a", False, SETTINGS)
    formulas.set_formula(r"\begin{aligned} b &= c \\ &= d \end{aligned}", True, SETTINGS)
    assert formulas.set_formula.__wrapped__("a", False, SETTINGS) == first


def test_a_formula_of_any_length_is_set():
    tex = "+".join(["x"] * 2000)
    assert formulas.set_formula(tex, False, SETTINGS).count("<mi>x</mi>") == 2000


@pytest.mark.parametrize(
    ("tex", "error"),
    [(r"$\wrong$", r"Undefined control sequence \wrong"), ("$x_1_2$", "Double subscripts")],
)
def test_a_formula_that_cannot_be_set_fails_the_build(tmp_path, tex, error):
    code, log = build(write(tmp_path, f"{PAGE}\n{tex}\n"))
    assert code == 1
    assert f"formula with an error: {error}" in log
