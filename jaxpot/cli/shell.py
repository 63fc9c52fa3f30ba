"""The shell of `jaxpot sql`: queries one after another, the database open for each alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jaxpot.cli.output import emit, note
from jaxpot.errors import UserError
from jaxpot.store.canned import parse_parameters, read_value
from jaxpot.store.open import Records, prepared

if TYPE_CHECKING:
    import duckdb

    from jaxpot.cli.shell_words import Words

_HELP = r"""A query ends with `;`. The name of a query (\l lists them) is enough, with its `;`.

\d          the views, macros and tables
\d NAME     the columns of one
\l          the queries that have names
\p          the parameters' values
\p NAME=VALUE   a value for $NAME in what is asked from now on: \p run=latest
\timing     say how long each answer took, or no more
\x          a line for each value, or a table, or what fits
\q          leave, as Ctrl-D does

Tab completes keywords, tables, columns, and in quotes runs and metrics. Ctrl-C stops a query."""
_PROMPT = "jaxpot> "
_POLL_SECONDS = 0.05
_EXPANDED: dict[bool | None, bool | None] = {None: True, True: False, False: None}
_LEAVING = frozenset({"\\q", "exit", "quit", "exit;", "quit;"})


class Shell:
    """A conversation with the recorded runs."""

    def __init__(
        self,
        records: Records,
        parameters: Mapping[str, Any],
        *,
        max_rows: int,
        allow_files: bool,
    ) -> None:
        """Begin with parameters; nothing is opened.

        Args:
            records: What is asked.
            parameters: Values of parameters, for those queries that have them.
            max_rows: How many rows an answer shows; 0 for all.
            allow_files: Let queries reach files and the network.
        """
        self._records = records
        self._parameters = dict(parameters)
        self._max_rows = max_rows
        self._allow_files = allow_files
        self._timing = False
        self._expanded: bool | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "\\?": lambda _: emit(_HELP),
            "\\d": self._describe,
            "\\l": lambda _: self._list(),
            "\\p": self._set,
            "\\timing": lambda _: self._toggle_timing(),
            "\\x": lambda _: self._toggle_expanded(),
        }

    def run(self) -> None:
        """Ask and answer until the user leaves."""
        from jaxpot.cli.shell_prompt import prompt_session
        from jaxpot.cli.shell_words import Words

        words = Words()
        self._refresh(words)
        session = prompt_session(words, _LEAVING)
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
        """Answer one thing that a user typed; what is wrong with it is a line."""
        began = time.perf_counter()
        try:
            name, _, rest = text.partition(" ")
            if text.startswith("\\"):
                self._command(name, rest.strip().rstrip(";"))
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

    def _command(self, name: str, rest: str) -> None:
        command = self._commands.get(name.rstrip(";"))
        if command is None:
            raise UserError(rf"there is no {name}; \? lists what there is")
        command(rest)

    def _ask(self, text: str, words: Words | None) -> None:
        from jaxpot.cli.rows import print_table
        from jaxpot.store.query import parameters_of, run_query

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

    def _refresh(self, words: Words) -> None:
        try:
            with self._records.reading() as connection:
                words.read(connection)
        except UserError as error:
            note(f"error: {error}")

    def _describe(self, name: str) -> None:
        from jaxpot.cli.reference import describe_item, list_items
        from jaxpot.store.catalog import read_catalog

        with self._records.reading() as connection:
            items = read_catalog(connection)
        if not name:
            emit(list_items(items))
            return
        named = [item for item in items if item.name == name.lower()]
        if not named:
            raise UserError(rf"there is no view, macro or table {name!r}; \d lists them")
        emit("\n\n".join(map(describe_item, named)))

    def _list(self) -> None:
        from jaxpot.cli.reference import list_queries
        from jaxpot.store.canned import named_queries

        emit(list_queries(list(named_queries().values())))

    def _set(self, assignment: str) -> None:
        if assignment:
            for name, text in parse_parameters([assignment]).items():
                self._parameters[name] = read_value(name, text)
        for name, value in self._parameters.items():
            emit(f"${name} = {value}")

    def _toggle_timing(self) -> None:
        self._timing = not self._timing
        emit(f"timing is {'on' if self._timing else 'off'}")

    def _toggle_expanded(self) -> None:
        self._expanded = _EXPANDED[self._expanded]
        how = {None: "what fits", True: "a line for each value", False: "a table"}
        emit(f"answers are {how[self._expanded]}")


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], None]) -> None:
    """Do work with a connection such that Ctrl-C ends it, and not the shell.

    Raises:
        KeyboardInterrupt: it was ended.
    """
    failures: list[BaseException] = []
    # A thread that is joined when Ctrl-C comes counts as ended in some Pythons; an event does not.
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
