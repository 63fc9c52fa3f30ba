"""The interactive shell of `jaxpot sql`. The database is open only while a query runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.cli.output import emit, note
from jaxpot.cli.reference import describe_item, list_items, list_queries
from jaxpot.cli.rows import print_table
from jaxpot.cli.shell_words import WordCompleter, Words
from jaxpot.errors import UserError
from jaxpot.paths import expanded
from jaxpot.store.canned import named_queries, parse_parameters, read_value
from jaxpot.store.open import Records, prepared
from jaxpot.store.query import parameters_of, run_query
from jaxpot.store.tables import read_catalog

if TYPE_CHECKING:
    import duckdb
    from prompt_toolkit import PromptSession

_HELP = r"""End a query with `;`. A named query (\l) needs only its name and `;`.

\d              list the views, macros and tables
\d NAME         show the columns of one
\l              list the named queries
\p              show the parameters
\p NAME=VALUE   set $NAME for the next queries: \p run=latest
\timing         turn timing of answers on or off
\x              switch between one line per value, a table, and whichever fits
\q              leave, like Ctrl-D

Tab completes keywords, tables, columns, and in quotes runs and metrics. Ctrl-C stops a query."""
_PROMPT = "jaxpot> "
_POLL_SECONDS = 0.05
# How answers are laid out: None lets the width of the terminal decide.
_NEXT_LAYOUT: dict[bool | None, bool | None] = {None: True, True: False, False: None}
_LAYOUTS = {None: "whichever fits", True: "one line per value", False: "a table"}
_LEAVING = frozenset({"\\q", "exit", "quit", "exit;", "quit;"})


class Shell:
    """Reads queries and commands from a user and prints the answers."""

    def __init__(
        self, records: Records, parameters: Mapping[str, Any], *, max_rows: int, allow_files: bool
    ) -> None:
        """Prepare a shell; nothing is opened yet.

        Args:
            records: The runs to query.
            parameters: Initial parameters, passed to the queries that use them.
            max_rows: The most rows of an answer to print; 0 for all.
            allow_files: Let queries use files and the network.
        """
        self._records = records
        self._parameters = dict(parameters)
        self._max_rows = max_rows
        self._allow_files = allow_files
        self._timing = False
        self._expanded: bool | None = None

    def run(self) -> None:
        """Answer queries until the user leaves."""
        words = Words()
        try:
            with self._records.reading() as connection:
                words.read(connection)
        except UserError as error:
            note(f"error: {error}")
        session = _prompt_session(words)
        emit(r"SQL over every run; \? for help, Ctrl-D to leave.")
        while True:
            try:
                text = session.prompt(_PROMPT).strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text in _LEAVING:
                return
            if text:
                self.answer(text, words)

    def answer(self, text: str, words: Words | None = None) -> None:
        """Answer one query or command; print an error as one line."""
        began = time.perf_counter()
        try:
            if text.startswith("\\"):
                name, _, argument = text.partition(" ")
                self._command(name, argument.strip().rstrip(";"))
                return
            self._ask(text, words)
        except UserError as error:
            note(f"error: {error}")
        except OSError as error:
            note(f"error: {error.filename or 'output'}: {error.strerror}")
        except KeyboardInterrupt:
            note("stopped")
        if self._timing:
            note(f"{time.perf_counter() - began:.3f} s")

    def _command(self, name: str, argument: str) -> None:
        match name.rstrip(";"):
            case "\\?":
                emit(_HELP)
            case "\\d":
                self._describe(argument)
            case "\\l":
                emit(list_queries(list(named_queries().values())))
            case "\\p":
                for key, text in parse_parameters([argument] if argument else []).items():
                    self._parameters[key] = read_value(key, text)
                for key, value in self._parameters.items():
                    emit(f"${key} = {value}")
            case "\\timing":
                self._timing = not self._timing
                emit(f"timing is {'on' if self._timing else 'off'}")
            case "\\x":
                self._expanded = _NEXT_LAYOUT[self._expanded]
                emit(f"answers are {_LAYOUTS[self._expanded]}")
            case _:
                raise UserError(rf"there is no {name}; \? lists the commands")

    def _ask(self, text: str, words: Words | None) -> None:
        with self._records.reading(allow_files=self._allow_files) as connection:
            if words is not None:
                words.read(connection)

            def ask() -> None:
                path = self._records.path
                query, _ = prepared(connection, text, {})
                known = parameters_of(connection, query, path=path)
                given = {k: value for k, value in self._parameters.items() if k in known}
                query, parameters = prepared(connection, text, given)
                result = run_query(connection, query, path=path, parameters=parameters)
                print_table(result, self._max_rows, expanded=self._expanded)

            _interruptible(connection, ask)

    def _describe(self, name: str) -> None:
        with self._records.reading() as connection:
            items = read_catalog(connection)
        if not name:
            emit(list_items(items))
            return
        named = [item for item in items if item.name == name.lower()]
        if not named:
            raise UserError(rf"there is no view, macro or table {name!r}; \d lists them")
        emit("\n\n".join(map(describe_item, named)))


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], None]) -> None:
    """Do work with a connection so that Ctrl-C stops the work, not the shell.

    Raises:
        KeyboardInterrupt: The user stopped it.
    """
    failures: list[BaseException] = []
    # Wait for an event, not for the thread: after Ctrl-C interrupts `join`, some Pythons take the
    # thread for ended.
    done = threading.Event()

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=guarded, daemon=True).start()
    is_stopped = False
    while not done.is_set():
        try:
            done.wait(_POLL_SECONDS)
        except KeyboardInterrupt:
            is_stopped = True
        if is_stopped:
            connection.interrupt()
    if is_stopped:
        raise KeyboardInterrupt
    for failure in failures:
        raise failure


def history_file() -> Path:
    """Return the file that keeps the history; create its folder."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = expanded(state) / "jaxpot" / "sql_history"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _prompt_session(words: Words) -> PromptSession[str]:
    """Return a prompt with colours, completion and history; a query may take several lines."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    history: History = InMemoryHistory()
    try:
        history = FileHistory(str(history_file()))
    except (OSError, UserError) as error:
        note(f"note: the history is not kept: {error}")

    def is_incomplete() -> bool:
        text = session.default_buffer.text.strip()
        return bool(text) and not (text.startswith("\\") or text.endswith(";") or text in _LEAVING)

    session: PromptSession[str] = PromptSession(
        history=history,
        multiline=Condition(is_incomplete),
        prompt_continuation="    ... ",
        lexer=PygmentsLexer(SqlLexer),
        completer=WordCompleter(words),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
    )
    return session
