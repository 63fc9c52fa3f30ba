"""What the database says about itself."""

from jaxpot.store import database
from jaxpot.store.tables import read_catalog


def test_everything_has_a_comment():
    with database.in_memory() as connection:
        items = read_catalog(connection)
    missing = [item.name for item in items if not item.comment]
    missing += [
        f"{item.name}.{column.name}"
        for item in items
        for column in item.columns
        if "macro" not in item.kind and not column.comment
    ]
    assert missing == []
    assert {item.kind for item in items} == {"view", "table", "macro", "table macro"}


def test_comments_are_sentences():
    with database.in_memory() as connection:
        items = read_catalog(connection)
    comments = [item.comment or "" for item in items]
    comments += [column.comment or "." for item in items for column in item.columns]
    assert [comment for comment in comments if not comment.endswith(".")] == []


def test_a_macro_says_how_it_is_called():
    with database.in_memory() as connection:
        macros = [item for item in read_catalog(connection) if "macro" in item.kind]
    for macro in macros:
        assert (macro.comment or "").startswith(f"{macro.name}("), macro.name
