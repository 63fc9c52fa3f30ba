"""The site's navigation has every page once, in the order start, concepts, guides, reference."""

from __future__ import annotations

import re

import pytest

import jaxpot
from tests.docs.pages import ROOT, blocks, page, resolve

NAV = page("mkdocs.yml").partition("\nnav:\n")[2]
LISTED = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", NAV, flags=re.MULTILINE)


def test_navigation_and_pages_agree():
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert len(LISTED) == len(set(LISTED))
    assert set(LISTED) == pages


def test_index_comes_first_and_then_concepts_guides_and_reference():
    parts = re.findall(r"^  - ([^:\n]+):", NAV, flags=re.MULTILINE)
    assert LISTED[0] == "index.md"
    assert parts == ["Start", "Concepts", "Guides", "Reference"]


def test_index_leads_to_every_page():
    linked = set(re.findall(r"\]\(([\w-]+\.md)", page("docs/index.md")))
    assert linked == set(LISTED) - {"index.md"}


def test_index_and_navigation_list_the_concepts_in_one_order():
    concepts = page("docs/index.md").partition("## Concepts")[2].partition("## Guides")[0]
    numbered = re.findall(r"^\d\. \[[^]]+\]\(([\w-]+\.md)\)", concepts, flags=re.MULTILINE)
    listed = NAV.partition("- Concepts:")[2].partition("- Guides:")[0]
    assert numbered == re.findall(r"(\S+\.md)$", listed, flags=re.MULTILINE)


def test_api_page_names_what_exists():
    names = re.findall(r"^::: (\S+)$", page("docs/api.md"), flags=re.MULTILINE)
    assert "jaxpot.spec.load" in names
    missing = [name for name in names if resolve(name) is None]
    assert missing == []


def test_api_page_has_every_public_function():
    text = page("docs/api.md")
    public = [name for name in jaxpot.__all__ if not name.startswith("__")]
    assert all(f"`{name}`" in text.partition("## ")[0] for name in public)
    assert all(callable(getattr(jaxpot, name)) for name in public)
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        jaxpot.train  # noqa: B018


@pytest.mark.slow
def test_api_page_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(page("docs/api.md"), "python")
    exec(block.replace("specs/", f"{ROOT}/specs/"), {})  # noqa: S102
    (row,) = jaxpot.open_store("runs").runs().rows()
    uid, status, loss = capsys.readouterr().out.split()
    assert (uid, status) == (row[0], "completed")
    assert float(loss) > 0
