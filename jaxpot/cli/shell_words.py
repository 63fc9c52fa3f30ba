"""What the shell of `jaxpot sql` completes: words of the database, and of SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

if TYPE_CHECKING:
    import duckdb
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

_COMMANDS = ("\\?", "\\d", "\\l", "\\p", "\\q", "\\timing", "\\x")
_QUOTED = re.compile(r"(?:[^']|'[^']*')*'([^']*)")
_NAME = re.compile(r"[\w.]*$")
_DESCRIBED = re.compile(r"\\d\s+(\w*)$")

_RELATIONS = """
SELECT table_name, list(DISTINCT column_name) FROM duckdb_columns() WHERE NOT internal
GROUP BY table_name ORDER BY table_name
"""
_MACROS = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE NOT internal AND function_type IN ('macro', 'table_macro') ORDER BY ALL
"""
_OF_SQL = """
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
    """The names that a database has, as they were when it was last read."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.macros: list[str] = []
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.runs: list[str] = []
        self.queries: list[str] = []
        self.of_sql: list[str] = []

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Learn what there is."""
        from jaxpot.store.canned import named_queries

        def first(query: str) -> list[str]:
            return [row[0] for row in connection.execute(query).fetchall()]

        self.of_sql = self.of_sql or first(_OF_SQL)
        self.columns = dict(connection.execute(_RELATIONS).fetchall())
        self.macros = first(_MACROS)
        self.keys = first(_KEYS)
        self.paths = first(_PATHS)
        runs = connection.execute(_RUNS).fetchall()
        names = dict.fromkeys(name for _, name in runs)
        self.runs = ["latest", *names, *first(_TAGS), *(uid for uid, _ in runs)]
        self.queries = list(named_queries())

    def after(self, text: str) -> Iterator[tuple[str, str, str]]:
        """Give what may end a text: each word, what it would replace, and its kind."""
        if text.startswith("\\"):
            yield from self._after_backslash(text)
            return
        quote = _QUOTED.fullmatch(text)
        if quote is not None:
            groups = (("run", self.runs), ("metric", self.keys), ("parameter", self.paths))
            yield from _starting(quote[1], groups)
            return
        found = _NAME.search(text)
        begun = found[0] if found else ""
        table, dot, column = begun.rpartition(".")
        if dot:
            of_table = self._columns_of(table, text)
            yield from _starting(column, (("column", of_table),))
            return
        if begun:
            every = sorted({name for names in self.columns.values() for name in names})
            named = self.queries if text.strip() == begun else []
            macros = [f"{name}(" for name in self.macros]
            relations = (("query", named), ("table", list(self.columns)), ("macro", macros))
            yield from _starting(begun, (*relations, ("column", every), ("SQL", self.of_sql)))

    def _after_backslash(self, text: str) -> Iterator[tuple[str, str, str]]:
        described = _DESCRIBED.fullmatch(text)
        if described is not None:
            tables = [*self.columns, *self.macros]
            yield from _starting(described[1], (("table", tables),))
        elif " " not in text:
            yield from _starting(text, (("command", _COMMANDS),))

    def _columns_of(self, name: str, text: str) -> list[str]:
        """Give the columns of a table, or of what an alias in the text stands for."""
        alias = re.search(rf"(\w+)\s+(?:AS\s+)?{re.escape(name)}\b", text, re.IGNORECASE)
        table = name if name in self.columns or alias is None else alias[1]
        return sorted(self.columns.get(table, ()))


class WordCompleter(Completer):
    """Completes with the words of a database."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Give the completions of the text before the cursor."""
        del complete_event
        for word, replaced, kind in self._words.after(document.text_before_cursor):
            yield Completion(word, start_position=-len(replaced), display_meta=kind)


def _starting(
    begun: str, groups: Iterable[tuple[str, Iterable[str]]]
) -> Iterator[tuple[str, str, str]]:
    seen: set[str] = set()
    for kind, words in groups:
        for word in words:
            if word.lower().startswith(begun.lower()) and word not in seen:
                seen.add(word)
                yield word, begun, kind
