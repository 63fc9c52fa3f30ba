"""Everything that a run left over and that an unstopped run of its spec leaves, too."""

from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import list_checkpoints, verify
from jaxpot.journal import read_record
from jaxpot.store import Store
from jaxpot.store.runs import journals
from tests.journal.reading import live_payloads, records

_POINTS = """
SELECT m.iter, m.key, m.value::VARCHAR AS value
FROM metric AS m JOIN runs AS r USING (uid)
JOIN keys AS k ON k.run_id = r.run_id AND k.name = m.key
WHERE NOT k.wall_clock
ORDER BY ALL
"""
_DIGESTS = """
SELECT i.iter, i.digest
FROM iters AS i JOIN spans AS s USING (run_id, attempt)
WHERE i.iter < s.live_until
ORDER BY ALL
"""
_LEAGUE = "SELECT iter, event, name, score, rollouts, digest FROM league ORDER BY ALL"


@attrs.frozen
class Outcome:
    """What must not depend on how often a run was stopped.

    Attributes:
        digest: Of the last state.
        rows: Of the journal: iteration, digest, values but the wall clock's.
        points: The same from the database, by SQL.
        digests: Every iteration's, from the database.
        league: The league's changes, from the database.
        checkpoints: The arrays' SHA-256 by place and iteration.
    """

    digest: str
    rows: tuple[tuple[int, str, dict[str, Any]], ...]
    points: tuple[tuple[Any, ...], ...]
    digests: tuple[tuple[Any, ...], ...]
    league: tuple[tuple[Any, ...], ...]
    checkpoints: dict[tuple[str, int], str]

    def differences(self, other: "Outcome") -> list[str]:
        """Names the parts in which two outcomes differ."""
        names = [field.name for field in attrs.fields(Outcome)]
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def outcome_of(runs_dir: Path) -> Outcome:
    """Reads the one run in a folder of runs, and holds its database to its journal.

    Raises:
        AssertionError: A checkpoint is damaged, something half made is left, or the database has
            another number of values than the journal.
    """
    (file,) = journals(runs_dir)
    folder = file.path.parent
    infos = list_checkpoints(folder)
    sums = {(i.place, i.iteration): verify(i.path).content_sha256 for i in infos}
    left = [path.name for path in (folder / "checkpoints").rglob(".*")]
    assert not left, f"left over: {left}"
    wall_clock = {
        key["name"]
        for record in records(file.path, kinds=("keys",))
        for key in record["keys"]
        if key["wall_clock"]
    }
    rows = tuple(
        (
            row["iter"],
            row["digest"],
            {k: v for k, v in row["values"].items() if k not in wall_clock},
        )
        for row in live_payloads(file.path)
    )
    store = Store(runs_dir)
    written = sum(len(row["values"]) for row in records(file.path, kinds=("payload",)))
    assert store.sql("SELECT count(*) FROM metrics")[1] == [(written,)], "values lost or doubled"
    return Outcome(
        digest=read_record(folder).digest,
        rows=rows,
        points=tuple(store.sql(_POINTS)[1]),
        digests=tuple(store.sql(_DIGESTS)[1]),
        league=tuple(store.sql(_LEAGUE)[1]),
        checkpoints=sums,
    )
