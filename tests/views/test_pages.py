import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from jaxpot.views.pages import Figure, environment, lineage, lineage_chart, render, stays
from jaxpot.views.tables import Table

HOSTILE = "</script><script id='injected'>alert(1)</script><b>&amp;\"'"


class Reader(HTMLParser):
    """What a browser would make of markup: its elements, its text, and its attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.attributes = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def made(template, **values):
    return environment().from_string(template).render(values)


def part(call, **values):
    """Render a macro of `parts.html`, without the line ends between its elements."""
    text = made(f'{{% from "parts.html" import facts, place, table %}}{{{{ {call} }}}}', **values)
    return text.replace("\n", "")


@given(st.text())
def test_text_stays_text(text):
    found = Reader(made('<p title="{{ text }}">{{ text }}</p>', text=text))
    assert found.elements == ["p"]
    shown = "".join(c if c.isprintable() or c in "\n\t\u00a0" else "\ufffd" for c in text)
    assert found.text == shown
    assert found.attributes == [("title", shown)]


def test_what_is_no_text_is_escaped_as_text_is():
    assert "<b>" not in made("{{ value }}", value=["<b>\x1b"])
    assert "\x1b" not in made("{{ value }}{{ value | join }}{{ 'x' ~ value }}", value="<b>\x1b")
    assert made("{{ value }}", value=None) == ""


def test_a_name_that_a_template_lacks_is_refused():
    with pytest.raises(UndefinedError, match="'unknown' is undefined"):
        made("{{ unknown }}")


@pytest.mark.parametrize("name", environment().list_templates(["html"]))
def test_templates_trust_no_value_and_quote_their_attributes(name):
    """Escaping holds in text and between quotes only."""
    source, _, _ = environment().loader.get_source(environment(), name)
    assert not re.search(r"\bsafe\b|autoescape|Markup", source)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    for tag in re.findall(r"<[^>]*>", re.sub(r"\{\{.*?\}\}", "\0", text, flags=re.DOTALL)):
        assert "\0" not in re.sub(r'"[^"]*"', "", tag)
        assert not re.search(r"\son\w+\s*=|javascript:", tag)


@given(
    st.recursive(
        st.none() | st.floats(-9, 9) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_data_comes_back_whole(value):
    text = made('<script type="application/json">{{ value | tojson }}</script>', value=value)
    assert Reader(text).elements == ["script"]
    assert json.loads(text.partition(">")[2].removesuffix("</script>")) == value


def test_data_cannot_end_its_element():
    assert not set("<>&\u2028") & set(
        made("{{ x | tojson }}", x={HOSTILE: [HOSTILE, "<!--\u2028"]})
    )


def test_data_that_json_does_not_have_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        made("{{ x | tojson }}", x=float("nan"))


def test_a_script_cannot_end_early(monkeypatch):
    monkeypatch.setattr("jaxpot.views.pages.library", lambda: 'a = "</script>"; b = "<!--"')
    curves = {"legend": [], "figures": []}
    text = render("curves.html", [Figure("x", "", "", "", {})], curves=curves, names="", keys="")
    assert text.count("</script") == 3  # the data, the library and page.js
    assert "<!--" not in text


def test_a_table_has_headers_for_rows_and_columns_and_a_caption():
    shown = part("table(t)", t=Table("Values", ["key", "last"], [[HOSTILE, "1"]], right=(1,)))
    found = Reader(shown)
    assert found.elements == [
        *("div", "table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "th", "td"),
    ]
    assert ("scope", "row") in found.attributes
    assert HOSTILE in found.text
    assert '<th scope="col" class="number">last</th>' in shown
    assert '<td class="number">1</td>' in shown


def test_a_caller_draws_the_last_cell_of_each_row():
    call = "{% from 'parts.html' import table %}{% call(x) table(t) %}<b>{{ x }}</b>{% endcall %}"
    shown = made(call, t=Table("Values", ["a", "b"], [["<i>", "<u>"]]))
    assert '<th scope="row">&lt;i&gt;</th>' in shown
    assert "<td><b>&lt;u&gt;</b></td>" in shown


def test_names_without_a_value_are_left_out():
    shown = part("facts(pairs)", pairs=[("a", "1"), ("b", None), ("c", ""), ("d", 0)])
    assert shown == "<dl><dt>a</dt><dd>1</dd><dt>d</dt><dd>0</dd></dl>"


def test_the_place_of_a_chart_describes_it():
    found = Reader(part("place(figure)", figure=Figure("c-1", HOSTILE, HOSTILE, "", {})))
    assert found.elements == ["figure", "figcaption", "div"]
    assert ("data-chart", "c-1") in found.attributes
    assert ("aria-label", HOSTILE) in found.attributes


def test_templates_are_imported_by_those_who_render_alone():
    program = "import sys, jaxpot.views.report; print({'jinja2', 'jax', 'duckdb'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_changes_of_a_league_are_stays():
    events = [
        (3, "add", "a"),
        (6, "add", "b"),
        (6, "archive", "a"),
        (8, "recall", "a"),
        (9, "release", "a"),
        (9, "drop", "b"),
        (12, "drop", "a"),
        (14, "add", "c"),
    ]
    assert stays(events, 20) == [
        ("a", "league", 3, 6),
        ("a", "archive", 6, 8),
        ("a", "recalled", 8, 9),
        ("a", "archive", 9, 12),
        ("b", "league", 6, 9),
        ("c", "league", 14, 20),
    ]


def test_one_that_joins_and_leaves_at_once_stays_nowhere_in_between():
    found = stays([(5, "add", "a"), (5, "archive", "a")], 9)
    assert found == [("a", "archive", 5, 9)]


def test_changes_of_what_never_joined_are_no_stay():
    assert stays([(5, "drop", "a")], 9) == []


def test_a_long_lineage_shows_its_newest_entries():
    found = stays([(i, "add", f"iter_{i:06d}") for i in range(80)], 100)
    spec, left_out = lineage_chart(found)
    assert left_out == 20
    assert lineage(found, "league-0").small == "The 20 oldest entries are left out."
    assert spec["encoding"]["y"]["sort"][0] == "iter_000020"
