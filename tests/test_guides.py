"""The guides to the repository, and what says whose it is, tell the truth."""

import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.pages import CHAPTERS, CONFIG, MODULES, ROOT, read

GUIDES = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ["README.md", "CONTRIBUTING.md"]
}


def links(text):
    return [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_to_the_repository_names_files_and_commands_that_exist(name):
    text = GUIDES[name]
    for target in links(text):
        assert (ROOT / target).exists(), f"{target} does not exist"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), f"there is no make {target}"
    lines = [line for line in text.splitlines() if "](book/" not in line]  # topics are one each
    assert len(lines) <= 56, "one screen, and the topics"


def test_the_readme_names_every_chapter_and_fits_the_repository():
    for page in CHAPTERS:
        assert f"{page}.md" in GUIDES["README.md"], "the topic table lists every chapter"
    flags = re.search(r"jupyter-book build (.+)", (ROOT / "Makefile").read_text())[1]
    assert f"jupyter-book build {flags}\n" in GUIDES["README.md"], "the same flags as with make"


TOPICS = [line.split(" | ") for line in GUIDES["README.md"].splitlines() if "](book/" in line]
TOPICS = [[cell.strip("| ") for cell in row] for row in TOPICS if len(row) == 4]


@pytest.mark.parametrize("row", TOPICS, ids=lambda row: row[0].split("]")[0].strip("["))
def test_a_topic_has_its_code_and_the_tests_of_the_same_name(row):
    chapters, built, code, tests = row
    modules = links(code)
    room = r"src/stable_softmax/(.*?)(\w+\.py)$"
    mirrored = [re.sub(room, r"tests/\1test_\2", module) for module in modules]
    names = {Path(chapter).stem for chapter in links(chapters)}
    expected = mirrored or [f"tests/chapters/test_{name}.py" for name in names]
    assert links(tests) == expected, "tests have the folders and names of the code"
    same = {module.stem for module in MODULES} & names
    assert same <= {Path(module).stem for module in modules}, "its module has the chapter's name"
    sources = "\n".join((ROOT / module).read_text(encoding="utf-8") for module in modules)
    for name in re.findall(r"`(\w+)`", built):
        assert re.search(rf"^(def {name}\(|{name} = )", sources, flags=re.M), f"{name} is elsewhere"
        assert any(re.search(rf"\b{name}\b", read(f"book/{c}")) for c in names), "the chapter"


def test_every_folder_is_named_in_a_guide_to_the_repository():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(line) for line in listed.stdout.splitlines()]
    folders = {folder for file in files for folder in file.parents}
    named_in = {Path("."), *map(Path, ["book", "src", "src/stable_softmax", "tests"])}
    mirrored = {Path("tests") / f.name for f in folders if f.parts[:1] == ("src",)}
    to_name = {f for f in folders if f.parent in named_in} - named_in - mirrored
    assert Path("tests/site") in to_name and Path("src/stable_softmax/ladder") in to_name
    text = "\n".join(GUIDES.values())
    unnamed = [f for f in to_name if not re.search(rf"[(`]{re.escape(f.as_posix())}/?[)`]", text)]
    assert not unnamed, "name these folders in README.md or CONTRIBUTING.md"


def test_teachers_are_sent_to_sections_that_exist():
    lines = re.findall(r"\{ref\}`ch-([\w-]+)`[:,] ([A-Z][^|{:]+)", read("book/teaching"))
    assert len(lines) > 10
    for chapter, names in lines:
        text = read(f"book/{chapter.replace('-', '_')}")
        for name in names.rstrip(" .").split(". ")[0].split(", "):
            assert f"# {name}\n" in text, f"{chapter} has no section {name!r}"


def test_those_who_cite_the_book_find_its_version_and_its_licenses():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["title"] == CONFIG["title"] and citation["message"] and citation["abstract"]
    assert citation["authors"] == [{"name": CONFIG["author"]}]
    assert citation["version"] == project["version"]
    assert citation["keywords"] == project["keywords"]
    assert citation["authors"] == project["authors"]
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    assert len(citation["keywords"]) == len(set(citation["keywords"])) >= 5


@pytest.mark.parametrize("place", [CONFIG["repository"]["url"], CONFIG["html"]["baseurl"]])
def test_the_settings_and_the_metadata_alone_know_the_address_of(place):
    url = urlsplit(place)
    address = url.path.strip("/")  # owner/name, as Binder and others write it
    address = address if "/" in address else f"{url.netloc}/{address}"
    command = ["git", "grep", "--files-with-matches", "--ignore-case", "--fixed-strings", "-I"]
    found = subprocess.run([*command, address], cwd=ROOT, capture_output=True, text=True)
    assert not found.stderr, found.stderr
    assert found.stdout.split() == ["_config.yml", "pyproject.toml"], "take it from _config.yml"


def test_the_metadata_of_the_package_have_the_addresses_of_the_settings():
    site, source = CONFIG["html"]["baseurl"], CONFIG["repository"]["url"]
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert urls == {"Homepage": site, "Source": source, "Issues": f"{source}/issues"}
