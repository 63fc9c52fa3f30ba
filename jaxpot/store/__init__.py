"""What runs recorded: journals, the database made from them, and questions to both.

DuckDB is imported by the first question, not by this package: the training process, which only
appends to its journal, loads it at the end at most, to judge gates over that journal.
"""

from jaxpot.store.errors import (
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseHeldError,
    LockKeptError,
    SchemaMismatchError,
    StoreError,
)
from jaxpot.store.launch import IngestChild, start_child
from jaxpot.store.query import QueryError
from jaxpot.store.reader import RunRow, Store
from jaxpot.store.runs import (
    RunLock,
    RunLockedError,
    RunRef,
    create_run,
    find,
    is_running,
    new_uid,
    run_dir,
)

__all__ = [
    "DatabaseDamagedError",
    "DatabaseFullError",
    "DatabaseHeldError",
    "IngestChild",
    "LockKeptError",
    "QueryError",
    "RunLock",
    "RunLockedError",
    "RunRef",
    "RunRow",
    "SchemaMismatchError",
    "Store",
    "StoreError",
    "create_run",
    "find",
    "is_running",
    "new_uid",
    "run_dir",
    "start_child",
]
