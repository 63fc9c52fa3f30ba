"""What a journal says of a run: whether this jaxpot may go on with it."""

import pytest

from jaxpot.errors import UserError
from jaxpot.journal import Attempt, Header, Journal, read_record
from jaxpot.loop import run as runner
from jaxpot.loop.provenance import ROWS, header, require_rows
from tests.tiny import tiny_experiment

UID = "20260101-000000-abcdef"


def recorded(folder, **attempt):
    """Writes the journal of a run that was killed before its first save."""
    folder.mkdir()
    with Journal(folder / "journal.jsonl") as journal:
        journal.append(Header(uid=UID, **header(tiny_experiment())))
        journal.append(Attempt(attempt=1, start_iter=0, **attempt))


@pytest.mark.parametrize("attempt", [{}, {"rows": "v1"}, {"rows": "v3"}], ids=str)
def test_a_run_of_another_rows_contract_is_not_resumed(tmp_path, attempt):
    recorded(tmp_path / UID, **attempt)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"under rows contract v[13], and this jaxpot has v2: .*"):
        runner.resume(tmp_path, UID, ingest=False)
    assert sorted(path for path in tmp_path.rglob("*") if "lock" not in path.name) == before


def test_one_of_this_contract_may_be(tmp_path):
    recorded(tmp_path / UID, rows=ROWS)
    require_rows(read_record(tmp_path / UID))
