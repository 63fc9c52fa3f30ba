"""Completion in the shell."""

import pytest

from jaxpot.cli.shell_words import Words
from jaxpot.store import Store
from tests.cli.runs import two_runs


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Return the words of a database of two runs."""
    path = tmp_path_factory.mktemp("words") / "runs"
    two_runs(path)
    found = Words()
    with Store(path).reading() as connection:
        found.read(connection)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sel", ["SELECT"]),
        ("leaderb", ["leaderboard"]),
        ("FROM stand", ["standings"]),
        ("FROM ser", ["series(", "SERIALIZABLE"]),
        ("SELECT training_d", ["training_digest"]),
        ("SELECT arg_ma", ["arg_max("]),
        ("FROM metric AS m WHERE m.", ["iter", "key", "run", "uid", "value"]),
        ("FROM metric WHERE metric.v", ["value"]),
        ("FROM metric WHERE key = 'ev", ["eval_vs_random/win_rate"]),
        ("FROM series('la", ["latest"]),
        ("FROM runs WHERE uid = '20261122-10", ["20261122-101530-aaaaaa"]),
        ("FROM series('latest', 'tot", ["total_loss"]),
        ("SELECT param('latest', 'optimizer.le", ["optimizer.learning_rate"]),
        ("FROM tags WHERE tag = 'qu", ["quickstart"]),
        ("\\t", ["\\timing"]),
        ("\\d stan", ["standings"]),
        ("\\d nope", []),
        ("", []),
        ("SELECT 'a' ", []),
    ],
)
def test_what_may_follow(words, text, expected):
    found = [word for word, _, _ in words.completions(text)]
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_a_query_name_is_for_the_beginning(words):
    assert "leaderboard" not in [word for word, _, _ in words.completions("SELECT leaderb")]
