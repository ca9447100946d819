"""Links from names in texts and code to the pages of the package, and from there to the source."""

import code_links
import pytest
from bs4 import BeautifulSoup

from stable_softmax import FP32, softmax_shifted
from tests.pages import ROOT

A_B = "index.html#stable_softmax.tiny.a_b"
F = "index.html#stable_softmax.tiny.f"


@pytest.fixture(scope="module")
def other(tiny_site):
    return BeautifulSoup((tiny_site / "other.html").read_text(), "html.parser")


def test_a_section_links_a_name_once_and_a_heading_never(other):
    first, word, second = other.select("article p a.to-code[href*='softmax.tiny']")
    assert [first.text, word.text, second.text] == ["tiny.a_b(x)", "f", "a_b"]
    assert first["href"] == second["href"] == A_B
    assert second.find_parent("section").h2.text.startswith("More")
    assert not other.select("h1 .to-code")


def test_a_word_is_a_link_only_where_the_page_imports_it():
    entry = {"objtype": "function", "aliased": False, "docname": "api", "node_id": "at"}
    names = ["stable_softmax.tiny.merge", "stable_softmax.one.twice_", "stable_softmax.two.twice_"]
    objects = {name: type("Entry", (), entry) for name in names}
    env = type("Env", (), {"domaindata": {"py": {"objects": objects}}})
    assert code_links.find(env, "merge") is None
    assert code_links.find(env, "merge", {"merge"}) == ("api", "at")
    assert code_links.find(env, "tiny.merge(a, b)") == ("api", "at")
    assert code_links.find(env, "twice_") is None, "two modules have it"
    assert code_links.find(env, "one.twice_") == ("api", "at")
    assert code_links.find(env, "np.merge") is code_links.find(env, "a + b") is None


def test_in_code_the_imported_names_are_links_and_no_others(other):
    imports, uses = other.select("article .highlight pre")
    assert [(a.text, a["href"]) for a in imports.select("a")] == [("f", F)]
    assert not imports.a.has_attr("tabindex")
    assert [(a.text, a["href"]) for a in uses.select("a")] == [("f", F), ("a_b", A_B)]
    assert uses.select("a")[1].select(".nf"), "where it is defined"
    assert {a["tabindex"] for a in uses.select("a")} == {"-1"}
    assert uses.text == "f(a_b(1), np.a_b, np.f, f=2)\ndef a_b(x): ...\n"


def test_the_files_of_a_chapter_lead_to_their_modules_and_tests(other):
    links = {a.text: a["href"] for a in other.select(".in-this-chapter a")}
    blob = "https://github.com/tiny/tiny/blob/"
    branch = links["tests/test_softmax.py"].removeprefix(blob).split("/")[0]
    assert links == {
        "src/stable_softmax/softmax.py": "index.html#module-stable_softmax.softmax",
        "other.py": f"{blob}{branch}/src/stable_softmax/other.py",
        "tests/test_softmax.py": f"{blob}{branch}/tests/test_softmax.py",
        "test_other.py": f"{blob}{branch}/tests/test_other.py",
    }


def test_a_function_leads_to_the_lines_of_its_source():
    info = {"module": softmax_shifted.__module__, "fullname": "softmax_shifted"}
    path, _, lines = code_links.linkcode_resolve("py", info).partition("#")
    first, last = (int(line[1:]) for line in lines.split("-"))
    source = (ROOT / path).read_text(encoding="utf-8").splitlines()[first - 1 : last]
    assert source[0] == "def softmax_shifted(x, axis=-1):" and "return" in source[-1]
    data = {"module": type(FP32).__module__, "fullname": "FP32"}
    assert code_links.linkcode_resolve("py", data) is None
    assert code_links.linkcode_resolve("py", {"module": "", "fullname": "f"}) is None
