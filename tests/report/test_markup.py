import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.report.markup import Html, data, element, joined, named, script, table

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


@given(st.text())
def test_text_stays_text(text):
    made = element("p", text, title=text)
    found = Reader(made)
    assert found.elements == ["p"]
    shown = "".join(c if c.isprintable() or c in "\n\t\u00a0" else "\ufffd" for c in text)
    assert found.text == shown
    assert found.attributes == [("title", shown)]


def test_markup_that_was_made_here_stays_markup():
    made = element("p", element("b", "x"), None, " < y")
    assert made == "<p><b>x</b> &lt; y</p>"
    assert joined([made, "<"]).endswith("</p>&lt;")


def test_an_empty_element_has_no_end():
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_names_of_attributes_are_html_s():
    assert element("p", class_="a", aria_label="b", id=None) == '<p class="a" aria-label="b"></p>'


@given(
    st.recursive(
        st.none() | st.floats(-9, 9) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_data_comes_back_whole(value):
    made = data(value, identifier="x")
    assert Reader(made).elements == ["script"]
    assert json.loads(made.partition(">")[2].removesuffix("</script>")) == value


def test_data_cannot_end_its_element():
    made = data({HOSTILE: [HOSTILE]}, identifier="x")
    assert made.count("<") == 2
    assert "<!--" not in data("<!--", identifier="x")


def test_data_that_json_does_not_have_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        data(float("nan"), identifier="x")


def test_a_script_cannot_end_early():
    made = script('a = "</script>"; b = "<!--"')
    assert made.count("</script") == 1
    assert "<!--" not in made


def test_a_table_has_headers_for_rows_and_columns_and_a_caption():
    made = table(["key", "last"], [[HOSTILE, "1"]], caption="Values", right=(1,))
    found = Reader(made)
    assert found.elements == [
        *("div", "table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "th", "td"),
    ]
    assert ("scope", "row") in found.attributes
    assert HOSTILE in found.text
    assert isinstance(made, Html)


def test_names_without_a_value_are_left_out():
    assert named([("a", "1"), ("b", None), ("c", "")]) == "<dl><dt>a</dt><dd>1</dd></dl>"
