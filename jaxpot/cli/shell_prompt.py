"""Where a user types queries: several lines, colours, completion, and what was typed before."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.cli.output import note
from jaxpot.errors import UserError
from jaxpot.paths import expanded

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from jaxpot.cli.shell_words import Words

_MORE = "    ... "


def history_file() -> Path:
    """Give where the shell keeps what was typed; its folder is made."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = expanded(state) / "jaxpot" / "sql_history"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def prompt_session(words: Words, leaving: Container[str]) -> PromptSession[str]:
    """Give what asks a user for queries, over several lines where one is not enough.

    Args:
        words: What Tab completes with.
        leaving: What needs no `;` after it.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    from jaxpot.cli.shell_words import WordCompleter

    history: History = InMemoryHistory()
    try:
        history = FileHistory(str(history_file()))
    except (OSError, UserError) as error:
        note(f"note: no history is kept: {error}")

    def is_begun() -> bool:
        text = session.default_buffer.text.strip()
        return bool(text) and not (text.startswith("\\") or text.endswith(";") or text in leaving)

    session: PromptSession[str] = PromptSession(
        history=history,
        multiline=Condition(is_begun),
        prompt_continuation=_MORE,
        lexer=PygmentsLexer(SqlLexer),
        completer=WordCompleter(words),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
    )
    return session
