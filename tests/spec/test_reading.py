"""One file: what it may be, and how each refusal reads."""

import os

import pytest
import tomli

from jaxpot.spec.faults import SpecError
from jaxpot.spec.source.reading import MAX_BYTES, read_source, walk


@pytest.fixture(autouse=True)
def in_a_fresh_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(content, name="spec.toml"):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return name


def refusal(content):
    with pytest.raises(SpecError) as error:
        read_source(write(content))
    return str(error.value)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_newlines_and_a_byte_order_mark_change_nothing(newline, mark):
    source = read_source(write(mark + newline.join(["a = 1", "[b]", 'c = """', '"""', "d = 2"])))
    assert source.data == {"a": 1, "b": {"c": "", "d": 2}}
    assert {path: line for path, line in source.lines.items() if path[-1] != "c"} == {
        ("a",): 1,
        ("b",): 2,
        ("b", "d"): 5,
    }


ENDS = ["\n", "\r\n", "\r\r\n", "\r", "\n\r", "\r\n\r\n", "\r\r"]
FORMS = [
    "a = 1{end}b = 2",
    "a = 1{end}",
    "{end}a = 1",
    "# a comment{end}b = 2",
    'a = "x{end}y"',
    "a = 'x{end}y'",
    'a = """x{end}y"""',
    "a = '''x{end}y'''",
    'a = """x\\{end}  y"""',
    "a = [1,{end}2]{end}[b]{end}c = 3",
    "[b]{end}c = {{ d = 1 }}{end}",
]


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_are_what_tomli_takes_for_them(end, mark):
    for form in FORMS:
        content = form.format(end=end).encode()
        try:
            wanted = tomli.loads(content.decode())
        except tomli.TOMLDecodeError as error:
            fault = refusal(mark.encode() + content)
            assert fault.startswith(f"spec.toml:{error.lineno}: not TOML at column {error.colno}")
            continue
        source = read_source(write(mark.encode() + content))
        assert source.data == wanted
        assert source.lines.keys() == {path for path, _ in walk(wanted)}


def test_refusals_read_as_they_should(snapshot):
    contents = {
        "latin 1": 'name = "a"\n# \xe9'.encode("latin-1"),
        "utf-16": 'name = "a"'.encode("utf-16"),
        "no value": "seed = 1\nname =\n",
        "bare word": "name = ttt",
        "python bool": "flag = True",
        "control character": 'name = "a\x07"',
        "unclosed string": '\nname = "a',
        "unclosed array": "tags = [\n1,\n",
        "unclosed header": "[env\nid = 1",
        "two statements": "a = 1 b = 2",
        "two keys": "seed = 1\n\nseed = 2",
        "two tables": '[eval.a]\nkind = "random"\n[eval.b]\n[eval.a]\n',
        "two inline keys": "a = { b = 1, b = 2 }",
        "a table over a value": "a = 1\n[a.b]\n",
        "a quoted name twice": '"a b" = 1\n"a\\u0020b" = 2',
        "deep arrays": "a = " + "[" * 1000 + "]" * 1000,
        "arrays just too deep": "a = " + "[" * 40 + "1" + "]" * 40,
        "a deep key": "a" + ".a" * 2000 + " = 1",
        "a deep header": "[" + "a." * 100 + "a]",
        "a long integer": "\na = 9223372036854775808\nb = -9223372036854775809",
        "a very long integer": "a = " + "1" * 5000,
        "a very long hexadecimal integer": "a = 0x" + "f" * 5000,
        "too large": b"#" * (MAX_BYTES + 1),
        "megabytes of nesting": "a = " + "[" * 10_000_000,
        "binary": bytes(range(256)),
    }
    assert {name: refusal(content) for name, content in contents.items()} == snapshot


def test_what_cannot_be_read(snapshot):
    os.mkdir("folder")
    write("", "ttt.toml")
    names = [
        "nothing",
        "ttt",
        "tttt.toml",
        "folder",
        "ttt.toml/x",
        "no/such/folder.toml",
        "a\0b",
        "",
    ]
    found = {}
    for name in names:
        with pytest.raises(SpecError) as error:
            read_source(name)
        found[name] = str(error.value)
    assert found == snapshot


def test_a_file_without_permission(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SpecError, match=r"spec.toml: cannot be read: permission denied \[file-unr"):
        read_source("spec.toml")


@pytest.mark.parametrize("unit", ["[[a]]\n", "a{} = 1\n", "[a.b{}]\n"])
def test_a_file_of_the_largest_size_is_read(unit):
    text = "".join(unit.format(i) for i in range(MAX_BYTES // (len(unit) + 6)))
    source = read_source(write(text))
    assert set(source.lines) == {path for path, _ in walk(source.data)}
