"""Links, headings, files, tests and objects that pages name exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, page, resolve

PAGES = [
    str(path.relative_to(ROOT))
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("specs/*.md")])
]
FOLDERS = "benchmarks|docs|jaxpot|specs|tests"
NOT_OBJECTS = re.compile(r"jaxpot\.(duckdb|lock|schema\d)\b")


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page(name))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = ROOT / name if not path else (ROOT / name).parent / path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", PAGES)
def test_files_and_tests_that_are_named_exist(name):
    named = re.findall(rf"`((?:{FOLDERS})/[\w./]*)(?:::(\w+))?`", prose(page(name)))
    missing = [path for path, _ in named if not (ROOT / path).exists()]
    assert missing == []
    for path, test in named:
        assert not test or f"def {test}(" in page(path), f"{path}::{test}"


@pytest.mark.parametrize("name", PAGES)
def test_objects_that_are_named_exist(name):
    for dotted in re.findall(r"`(jaxpot(?:\.\w+)+)", prose(page(name))):
        if not NOT_OBJECTS.match(dotted):
            assert resolve(dotted) is not None, dotted


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("docs/")])
def test_readme_leads_to_every_page(name):
    assert f"]({name})" in page("README.md")
