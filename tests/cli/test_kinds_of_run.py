"""Every command that takes a run, on runs of every kind: a useful answer and no traceback."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

from jaxpot.cli.main import COMMANDS, invoke
from jaxpot.store.exchange.importing import import_path
from jaxpot.store.runs import RunLock
from tests.marks import slow_except
from tests.store.journals import START, Writer, complete_run

pytestmark = pytest.mark.optimised

UID = "20261122-101530-aaaaaa"
OTHER = "20261122-111530-bbbbbb"

# Commands that take a run. $run is that run, $other a complete run, $out a path to write to.
LINES = [
    *("show $run", "show $run --json", "watch $run --plain", "watch $run --quiet --json"),
    *("expect $run", "expect $run --json", "expect $run --spec specs/ttt.toml"),
    *("compare $run $other", "compare $run $other --json --all", "compare $run $run2"),
    *("plot $run -k total_loss -o $out.svg", "plot $run -k loss/total", "report $run -o $out.html"),
    *("export $run -f csv -o $out", "export $run -f parquet -o $out", "export $run -f jsonl -o -"),
    *("export $run -f tensorboard -o $out", "sync $run --sink tensorboard", "samples $run"),
    *("tag $run mine", "note $run text", "note $run", "gc $run", "gc $run --apply"),
    *(
        "snapshot $out.duckdb --runs $run",
        "snapshot $out.duckdb",
        "resume $run",
        "resume $run --from best",
    ),
    *("verify $run", "verify $run --from latest", "bisect $run $other", "bisect $other $run"),
    *("diff $run $other", "explain $run optimizer.learning_rate", "plan $run", "keys $run"),
    *("rm $run --yes", "rm $run --purge --yes", "restore $run", "ls", "ls --json", "rebuild"),
    *("completion bash", "check $run"),
    "sql --json 'SELECT * FROM runs LEFT JOIN attempts USING (run_id)'",
    *(f"sql {path.stem}" for path in sorted(Path("jaxpot/store/queries").glob("*.sql"))),
]
_CHANGING = ("rm", "gc", "restore", "rebuild", "tag", "note", "resume", "verify", "bisect", "sync")


def imported(runs_dir: Path) -> str:
    """Import a TensorBoard log."""
    with SummaryWriter(str(runs_dir.parent / "log")) as writer:
        for step in range(5):
            writer.add_scalar("loss/total", 1.0 / (step + 1), step, START + step)
    (found,) = import_path(runs_dir, runs_dir.parent / "log")
    return found.uid


def killed(runs_dir: Path) -> str:
    run = Writer(runs_dir, UID)
    run.header()
    run.start()
    run.payloads(range(8))
    run.raw(b'{"kind":"payl')
    return UID


def older(runs_dir: Path) -> str:
    """Write a journal with only the mandatory fields."""
    run = Writer(runs_dir, UID)
    run.record("header", journal_version=1, uid=UID)
    run.record("attempt", attempt=1, start_iter=0)
    run.record("keys", keys=[{"name": "total_loss"}])
    for iteration in range(3):
        run.record("payload", attempt=1, iter=iteration, values={"total_loss": 0.5})
    run.record("checkpoint", attempt=1, iteration=2, type="periodic", state="begun", path="x")
    run.record("standings", attempt=1, iter=2, standings=[{"name": "a"}])
    run.record("event", name="expect")
    run.record("event", name="time")
    run.record("end", status="completed")
    return UID


def empty_folder(runs_dir: Path) -> str:
    (runs_dir / UID).mkdir(parents=True)
    return UID


def empty_journal(runs_dir: Path) -> str:
    empty_folder(runs_dir)
    (runs_dir / UID / "journal.jsonl").touch()
    return UID


def header_only(runs_dir: Path) -> str:
    Writer(runs_dir, UID).header()
    return UID


def begun_only(runs_dir: Path) -> str:
    run = Writer(runs_dir, UID)
    run.header(spec=None)
    run.start()
    return UID


def future(runs_dir: Path) -> str:
    Writer(runs_dir, UID).header(journal_version=2)
    return UID


def of_another_uid(runs_dir: Path) -> str:
    run = complete_run(runs_dir, "20261122-101530-cccccc")
    run.folder.rename(runs_dir / UID)
    return UID


KINDS: dict[str, Callable[[Path], str]] = {
    "imported": imported,
    "killed": killed,
    "running": killed,
    "older": older,
    "an empty folder": empty_folder,
    "an empty journal": empty_journal,
    "a header": header_only,
    "a header and an attempt": begun_only,
    "a newer version": future,
    "of another uid": of_another_uid,
}


@contextmanager
def held(folder: Path, kind: str) -> Iterator[None]:
    """Hold the lock of a run, like the process that trains it."""
    if kind != "running":
        yield
        return
    with RunLock(folder):
        yield


@pytest.mark.parametrize("kind", slow_except(KINDS, "killed"))
def test_every_command_answers(tmp_path, capsys, monkeypatch, kind):
    """Call all commands, except `watch` on a running run: it would not end."""
    import shlex

    from jaxpot.errors import UserError

    def built(*_args: object, **_options: object) -> None:
        raise UserError("it would train now")

    monkeypatch.setattr("jaxpot.loop.shapes.build", built)
    monkeypatch.setattr("jaxpot.verify.rerun.rerun", built, raising=False)
    made = tmp_path / "made" / "runs"
    uid = KINDS[kind](made)
    complete_run(made, OTHER, name="other", start=START + 3600)
    wrong = []
    for number, line in enumerate(LINES):
        if kind == "running" and line.startswith("watch"):
            continue
        runs_dir = made
        (tmp_path / str(number)).mkdir()
        if line.startswith(_CHANGING):
            runs_dir = tmp_path / str(number) / "runs"
            shutil.copytree(made, runs_dir)
        out = str(tmp_path / str(number) / "out")
        for name, text in {"$run2": uid, "$run": uid, "$other": OTHER, "$out": out}.items():
            line = line.replace(name, text)
        with held(runs_dir / uid, kind):
            try:
                code = invoke(["--runs-dir", str(runs_dir), *shlex.split(line)])
            except Exception as error:
                wrong.append(f"{LINES[number]}: {type(error).__name__}: {error}")
                continue
        said = capsys.readouterr()
        if code not in (0, 1, 2, 3, 130):
            wrong.append(f"{LINES[number]}: exit {code}")
        if code == 2 and not (said.err.strip() and len(said.err) < 700):
            wrong.append(f"{LINES[number]}: {len(said.err)} characters: {said.err[:300]}")
        if code == 2 and ("Usage" in said.err or "no such option" in said.err):
            wrong.append(f"{LINES[number]}: {said.err[:300]}")
    assert wrong == []


def test_every_command_that_takes_a_run_is_in_the_list():
    tried = {line.partition(" ")[0] for line in LINES}
    assert set(COMMANDS) - tried == {"run", "import", "schema"}
