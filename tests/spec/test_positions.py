"""The scanner's paths are tomli's, and its lines are those of the text."""

import sys

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec.source.positions import MAX_DEPTH, scan

DOCUMENT = '''\
# a comment, with "quotes" and [brackets]
name = "ttt"
text = """
[not.a.header]
key = 1 \\""" "" """
literal = \'\'\'
x = 1\'\'\'\'\'
dotted.key = 1
dotted."quoted \\u0041.b".'c d' = 2

[env] # trailing
kind = "pgx"

[collect.random]
until = 3
[collect]
num_steps = 9

[model]
hidden_dims = [
    64,  # first ]
    [1, 2],
    { a = 1, b.c = [ { d = 1 } ] },
]
when = 1979-05-27 07:32:00

[[expect]]
metric = "a#b"
[expect.inner]
x = 1
[[expect]]
[[expect.deep]]
[[expect.deep]]
y = { z = 1 }
'''


def paths_of(value, path=()):
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        children = ()
    found = set()
    for key, child in children:
        found |= {(*path, key)} | paths_of(child, (*path, key))
    return found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("text",), 3),
        (("literal",), 6),
        (("dotted",), 8),
        (("dotted", "key"), 8),
        (("dotted", "quoted A.b", "c d"), 9),
        (("env",), 11),
        (("env", "kind"), 12),
        (("collect",), 16),
        (("collect", "random"), 14),
        (("collect", "random", "until"), 15),
        (("collect", "num_steps"), 17),
        (("model", "hidden_dims"), 20),
        (("model", "hidden_dims", 0), 21),
        (("model", "hidden_dims", 1, 1), 22),
        (("model", "hidden_dims", 2, "b", "c", 0, "d"), 23),
        (("model", "when"), 25),
        (("expect",), 27),
        (("expect", 0), 27),
        (("expect", 0, "metric"), 28),
        (("expect", 0, "inner", "x"), 30),
        (("expect", 1), 31),
        (("expect", 1, "deep", 0), 32),
        (("expect", 1, "deep", 1, "y", "z"), 34),
    ],
)
def test_the_line_of_each_path(path, line):
    assert scan(DOCUMENT).lines[path] == line


def test_the_paths_of_a_document_are_tomlis():
    positions = scan(DOCUMENT)
    assert set(positions.lines) == paths_of(tomli.loads(DOCUMENT))
    assert positions.twice is None


@pytest.mark.parametrize(
    ("text", "path", "line", "first"),
    [
        ("a = 1\nb = 2\na = 3\n", ("a",), 3, 1),
        ("[a]\nb = 1\n[a]\n", ("a",), 3, 1),
        ("[a]\nb.c = 1\nb.c = 2\n", ("a", "b", "c"), 3, 2),
        ("a.b = 1\n[a]\n", ("a",), 2, 1),
        ("[a.b]\n[a]\nb.c = 1\n", ("a", "b"), 3, 1),
        ("[[a]]\n[a]\n", ("a",), 2, 1),
        ("[a]\n[[a]]\n", ("a",), 2, 1),
        ("a = {}\n[a.b]\n", ("a",), 2, 1),
        ("a = {}\na.b = 1\n", ("a",), 2, 1),
        ("a = { b = 1,\n b = 2 }\n", ("a", "b"), 2, 1),
        ("[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2\n", ("a", 1, "b"), 5, 4),
    ],
)
def test_a_repeated_key_is_found_where_tomli_refuses_it(text, path, line, first):
    with pytest.raises(tomli.TOMLDecodeError) as refused:
        tomli.loads(text)
    twice = scan(text).twice
    assert twice is not None
    assert (twice.path, twice.line, twice.first) == (path, line, first)
    assert twice.line <= refused.value.lineno


NAMES = st.sampled_from(["a", "b", "c", "kind", "2", "a.b", "", "ä", 'q"', "\\"])
SCALARS = st.sampled_from(
    [
        *("1", "-0.5e3", "true", "nan", "1979-05-27 07:32:00", "07:32:00"),
        *('"s"', "'l'", '"#,]}"', '"\\"\\u0041"', '""', "''", '""""a"""""'),
        *("'''\nm = 1\n'''", '"""\n[h]\n\\""" """'),
    ]
)
BLANKS = st.sampled_from(["", " ", "\n", " # ],}\n", "\t"])


def spelled(name):
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def arrays(values):
    def text(parts, blanks, trailing):
        inside = ",".join(f"{blanks}{part}{blanks}" for part in parts)
        return f"[{inside}{',' if trailing and parts else ''}{blanks}]"

    return st.builds(text, st.lists(values, max_size=3), BLANKS, st.booleans())


def inline_tables(values):
    pairs = st.dictionaries(NAMES, values, max_size=3)
    return pairs.map(lambda d: "{" + ", ".join(f"{spelled(k)} = {v}" for k, v in d.items()) + "}")


VALUES = st.recursive(SCALARS, lambda v: arrays(v) | inline_tables(v), max_leaves=8)
KEYS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: " . ".join(map(spelled, parts)))
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[ {} ]] # c".format, KEYS),
    st.just("# = [comment]"),
    st.just(""),
)
DOCUMENTS = st.lists(STATEMENTS, max_size=8).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS)
def test_the_set_of_paths_equals_tomlis(text):
    try:
        value = tomli.loads(text)
    except tomli.TOMLDecodeError:
        scan(text)
        return
    positions = scan(text)
    assert set(positions.lines) == paths_of(value)
    assert positions.twice is None


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab\"'[]{}=.,#\n\\ 1", max_size=40))
def test_any_text_is_scanned_without_an_error(text):
    lines = scan(text).lines.values()
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


@pytest.mark.parametrize(
    "unit", ["a{} = 1\n", "[[t]]\n", "k{} = '''\n'\n'''\n", 'k{} = "\\\\"\n', "k{} = [[], {{}}]\n"]
)
def test_work_is_linear_in_the_text(unit):
    def calls(count):
        text = "".join(unit.format(i) for i in range(count))
        made = 0

        def counted(frame, event, argument):
            nonlocal made
            made += 1

        sys.setprofile(counted)
        try:
            scan(text)
        finally:
            sys.setprofile(None)
        return made

    assert calls(800) - calls(400) == pytest.approx(2 * (calls(400) - calls(200)), rel=0.05)


@pytest.mark.parametrize("opening", ["[", "{a=", '"', "'", '"""', "'''", "a.", "[[a.", "#", "\\"])
def test_a_megabyte_of_unclosed_text_is_scanned(opening):
    for start in ("", "x = ", 'x = "', "x = '''", 'x = """', "["):
        assert len(scan(start + opening * (1_000_000 // len(opening))).lines) <= MAX_DEPTH


def test_paths_beyond_the_depth_limit_have_no_position():
    text = "x = " + "[" * 400 + "]" * 400
    assert max(map(len, scan(text).lines)) == MAX_DEPTH
