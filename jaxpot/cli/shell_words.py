"""Completion in the shell of `jaxpot sql`: names from the database and words of SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from jaxpot.store.canned import named_queries

if TYPE_CHECKING:
    import duckdb
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

_QUOTED = re.compile(r"(?:[^']|'[^']*')*'([^']*)")
_NAME = re.compile(r"[\w.]+$")
_DESCRIBED = re.compile(r"\\d\s+(\w*)$")

_RELATIONS = """
SELECT table_name, list(DISTINCT column_name) FROM duckdb_columns() WHERE NOT internal
GROUP BY table_name ORDER BY table_name
"""
_MACROS = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE NOT internal AND function_type IN ('macro', 'table_macro') ORDER BY ALL
"""
_SQL_WORDS = """
SELECT upper(keyword_name) AS word FROM duckdb_keywords()
UNION
SELECT function_name || '(' FROM duckdb_functions()
WHERE internal AND function_type = 'aggregate' AND regexp_matches(function_name, '^[a-z_]+$')
ORDER BY word
"""
_KEYS = "SELECT DISTINCT name FROM keys ORDER BY ALL"
_PATHS = "SELECT DISTINCT path FROM params ORDER BY ALL"
_RUNS = "SELECT uid, name FROM runs ORDER BY started DESC"
_TAGS = "SELECT DISTINCT tag FROM tags ORDER BY ALL"


class Words:
    """The names in a database when it was last read."""

    def __init__(self) -> None:
        self._columns: dict[str, list[str]] = {}
        self._words: dict[str, list[str]] = {}  # by kind

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the names."""

        def first(query: str) -> list[str]:
            return [row[0] for row in connection.execute(query).fetchall()]

        self._columns = dict(connection.execute(_RELATIONS).fetchall())
        macros = first(_MACROS)
        runs = connection.execute(_RUNS).fetchall()
        names = dict.fromkeys(name for _, name in runs)
        self._words = {
            "command": ["\\?", "\\d", "\\l", "\\p", "\\q", "\\timing", "\\x"],
            "table or macro": [*self._columns, *macros],
            "run": ["latest", *names, *first(_TAGS), *(uid for uid, _ in runs)],
            "metric": first(_KEYS),
            "parameter": first(_PATHS),
            "query": list(named_queries()),
            "table": list(self._columns),
            "macro": [f"{name}(" for name in macros],
            "column": sorted({name for names in self._columns.values() for name in names}),
            "SQL": self._words.get("SQL") or first(_SQL_WORDS),
        }

    def completions(self, text: str) -> Iterator[tuple[str, str, str]]:
        """Yield completions of a text: each word, the part it replaces, and its kind."""
        if described := _DESCRIBED.fullmatch(text):
            yield from self._starting(described[1], "table or macro")
        elif text.startswith("\\"):
            yield from self._starting(text, "command")
        elif quote := _QUOTED.fullmatch(text):
            yield from self._starting(quote[1], "run", "metric", "parameter")
        elif name := _NAME.search(text):
            table, dot, column = name[0].rpartition(".")
            if dot:
                for word in self._columns_of(table, text):
                    if word.lower().startswith(column.lower()):
                        yield word, column, "column"
            else:
                query = ["query"] if text.strip() == column else []
                yield from self._starting(column, *query, "table", "macro", "column", "SQL")

    def _starting(self, start: str, *kinds: str) -> Iterator[tuple[str, str, str]]:
        seen: set[str] = set()
        for kind in kinds:
            for word in self._words.get(kind, ()):
                if word.lower().startswith(start.lower()) and word not in seen:
                    seen.add(word)
                    yield word, start, kind

    def _columns_of(self, name: str, text: str) -> list[str]:
        """Return the columns of a table, or of the table that an alias in the text stands for."""
        alias = re.search(rf"(\w+)\s+(?:AS\s+)?{re.escape(name)}\b", text, re.IGNORECASE)
        table = name if name in self._columns or alias is None else alias[1]
        return sorted(self._columns.get(table, ()))


class WordCompleter(Completer):
    """Completes text with the words of a database."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the completions of the text before the cursor."""
        del complete_event
        for word, replaced, kind in self._words.completions(document.text_before_cursor):
            yield Completion(word, start_position=-len(replaced), display_meta=kind)
