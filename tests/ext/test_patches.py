"""What is changed in other libraries, and for which versions."""

import re
from importlib import metadata
from types import SimpleNamespace

import patches
import pytest
from sphinx.errors import ExtensionError

from tests.building import build
from tests.ext.tiny_site import write
from tests.pages import ROOT

PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.M))
TRIED = [pair for versions in patches.PATCHES.values() for pair in versions.items()]


@pytest.mark.parametrize(("library", "versions"), TRIED)
def test_each_change_holds_for_the_version_of_the_requirements(library, versions):
    assert PINNED[library.lower()] in versions


@pytest.mark.parametrize("library", sorted(dict(TRIED)))
def test_another_version_is_an_error_in_one_sentence(monkeypatch, library):
    strict = SimpleNamespace(patches_any_version=False)
    patches.check_versions(None, strict)
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9" if name == library else version(name))
    with pytest.raises(ExtensionError) as raised:
        patches.check_versions(None, strict)
    message = str(raised.value)
    assert message.startswith(f"{library} 9 is installed, and ") and "\n" not in message
    assert f"was tried with {PINNED[library.lower()]}" in message
    patches.check_versions(None, SimpleNamespace(patches_any_version=True))


def test_with_another_version_nothing_is_built(tmp_path):
    book = write(tmp_path)
    extension = book / "book/_ext/patches.py"
    tried = f'"jupyter-cache": ["{PINNED["jupyter-cache"]}"]'
    assert tried in extension.read_text()
    extension.write_text(extension.read_text().replace(tried, '"jupyter-cache": ["0.1"]'))
    code, log = build(book)
    assert code != 0
    assert (
        "is installed, and join_what_is_printed in book/_ext/patches.py was tried with 0.1" in log
    )
    assert not (book / "_build/html/index.html").exists()
