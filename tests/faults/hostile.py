"""Hostile input: specs, overrides, journals, checkpoints and queries that somebody else made."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from jaxpot.checkpoints import newest_whole, select_checkpoint
from jaxpot.checkpoints.layout import LEAGUE, MANIFEST, METADATA
from jaxpot.checkpoints.metadata import FORMAT_VERSION, canonical
from jaxpot.checkpoints.select import read_manifest
from jaxpot.checkpoints.writer import CheckpointWriter
from jaxpot.errors import UserError
from jaxpot.loop import run as runner
from jaxpot.spec import Best, Checkpoint, from_resolved, resolved, to_toml
from tests.faults.mutate import NASTY, damaged_bytes, damaged_tree
from tests.faults.processes import ROOT
from tests.faults.quiet import quietly
from tests.faults.tally import Tally
from tests.loop.leagues import league_experiment
from tests.spec.specs import FULL
from tests.store.journals import complete_run

USER_CODES = (0, 1, 2)
CANARY = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
class Canary: pass
"""


class Outside:
    """What lies around a folder of runs, with a module that leaves a mark when it is imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs_dir = folder / "runs"
        (folder / "outside").mkdir(parents=True, exist_ok=True)
        (folder / "outside" / "kept.txt").write_text("kept\n")
        (folder / "canary.py").write_text(CANARY)
        self._before = self.listing()

    def listing(self) -> dict[str, tuple[int, int]]:
        """Lists every file but the runs'."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            parts = path.relative_to(self.folder).parts
            if parts[0] in ("runs", "work"):
                continue
            status = path.lstat()
            found["/".join(parts)] = (status.st_size, status.st_mtime_ns)
        return found

    def check(self) -> None:
        """Holds what lies around to what it was.

        Raises:
            AssertionError: Something was written, or code ran that was not named.
        """
        assert not (self.folder / "ran").exists(), "code was run that was not named"
        assert self.listing() == self._before, "something was written outside"


def many(tally: Tally, kind: str, cases: int, number: int, drawn: Any, case: Any) -> None:
    """Tries `cases` drawn inputs; the smallest that fails is a failure of the tally."""
    tried = 0

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def tries(value: Any) -> None:
        nonlocal tried
        tried += 1
        case(value)

    try:
        tries()
    except AssertionError as error:
        notes = "; ".join(getattr(error, "__notes__", ()))
        tally.failures.append(f"{kind}: {error} {notes}")
    except BaseExceptionGroup as group:
        tally.failures += [f"{kind}: {error!r}" for error in group.exceptions]
    tally.cases[kind] += tried


def fuzz(folder: Path, cases: int, number: int) -> Tally:
    """Tries drawn inputs of every kind, `cases` of the cheap ones."""
    tally = Tally()
    outside = Outside(folder)
    work = folder / "work"
    work.mkdir()
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        for kind, make in _KINDS.items():
            drawn, case, share = make(outside, work)

            def checked(value: Any, case: Callable[[Any], None] = case) -> None:
                case(value)
                outside.check()

            many(tally, kind, max(5, int(cases * share)), number, drawn, checked)
    sys.modules.pop("canary", None)
    return tally


def answers(*arguments: str) -> tuple[int, str, str]:
    """Calls a command, which may refuse but not break."""
    code, out, err = quietly(*arguments)
    assert code in USER_CODES, (code, arguments, err)
    assert code == 0 or err.strip(), f"exit status {code} without a word"
    assert len(err) < 100_000, f"{len(err)} characters of messages"
    return code, out, err


def _specs(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    texts = tuple(path.read_bytes() for path in sorted((ROOT / "specs").glob("*.toml")))
    texts += (to_toml(resolved(from_resolved(FULL))).encode(),)
    path = work / "self.toml"

    def case(data: bytes) -> None:
        path.write_bytes(data)
        answers("check", str(path))

    return damaged_bytes(texts), case, 1.0


def _values(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    league = json.loads(json.dumps(resolved(league_experiment())))
    bases = (FULL, league, resolved(from_resolved(FULL)))

    def case(value: Any) -> None:
        try:
            experiment = from_resolved(value)
        except UserError:
            return
        assert from_resolved(resolved(experiment)) == experiment

    return damaged_tree(bases), case, 1.0


def _overrides(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    spec = work / "spec.toml"
    spec.write_text(to_toml(resolved(from_resolved(FULL))))
    places = st.sampled_from(
        (*FULL, "env.kind", "model.kind", "collect.league.num_envs", "eval.x.kind", "expect[0].at")
    )
    paths = st.one_of(places, st.text(max_size=8), st.sampled_from(NASTY))
    values = st.one_of(
        st.sampled_from(NASTY).map(json.dumps),
        st.text(max_size=8),
        st.sampled_from(("nan", "[" * 600, "{}", "1e999", "9" * 5000, "'canary:Canary'", "")),
        st.integers().map(str),
    )
    texts = st.one_of(st.tuples(paths, values).map("=".join), st.text(max_size=12))

    def case(overrides: list[str]) -> None:
        given = [word for text in overrides for word in ("-s", text)]
        answers("check", str(spec), *given)

    return st.lists(texts, min_size=1, max_size=3), case, 1.0


def _journals(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    lines = _lines(work)
    whole = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"
    drawn = st.one_of(
        damaged_bytes((whole,)),
        damaged_tree((lines,)).map(_as_lines),
    )
    number = 0

    def case(data: bytes) -> None:
        nonlocal number
        # A new database each time costs most; one is made again every so often.
        if number % 50 == 0:
            shutil.rmtree(outside.runs_dir, ignore_errors=True)
        uid = lines[0]["uid"]
        folder = outside.runs_dir / uid
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "journal.jsonl").write_bytes(data)
        number += 1
        for command in (["ls", "--json"], ["show", uid, "--json"]):
            answers("--runs-dir", str(outside.runs_dir), *command)

    return drawn, case, 0.1


def _resumes(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    lines = _lines(work / "resumed")
    whole = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"
    drawn = st.one_of(damaged_bytes((whole,)), damaged_tree((lines,)).map(_as_lines))
    runs_dir = work / "journals"
    folder = runs_dir / lines[0]["uid"]
    folder.mkdir(parents=True)

    def built(*args: Any, **kwargs: Any) -> None:
        raise UserError("it would train now")

    def case(data: bytes) -> None:
        (folder / "journal.jsonl").write_bytes(data)
        # What the run's own spec names is named by who resumes the run.
        with mock.patch("jaxpot.loop.shapes.build", built):
            for extra in ([], ["--from", "latest"], ["--iterations", "99"]):
                answers("--runs-dir", str(runs_dir), "resume", folder.name, *extra)

    return drawn.filter(lambda data: b"canary" not in data), case, 0.4


def _metadata(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    run_dir, body = _saved(work)
    place = run_dir / "checkpoints" / "000004"
    shapes, record = _shapes(run_dir)

    def case(value: Any) -> None:
        (place / METADATA).write_bytes(signed(value))
        _reads(run_dir)
        from jaxpot.loop.restoring import restore_newest

        try:
            restore_newest(run_dir, shapes, record)
        except UserError:
            return

    return damaged_tree((body,)), case, 0.2


def _metadata_bytes(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    run_dir, body = _saved(work / "bytes")
    place = run_dir / "checkpoints" / "000004"
    manifest = run_dir / "checkpoints" / "best" / MANIFEST
    league = place / LEAGUE
    texts = (signed(body), manifest.read_bytes(), league.read_bytes() if league.exists() else b"{")

    def case(data: bytes) -> None:
        for path in (place / METADATA, manifest):
            path.write_bytes(data)
        _reads(run_dir)

    return damaged_bytes(texts), case, 0.5


def _manifests(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    run_dir, _ = _saved(work / "manifests")
    manifest = run_dir / "checkpoints" / "best" / MANIFEST
    body = json.loads(manifest.read_bytes())

    def case(value: Any) -> None:
        manifest.write_bytes(json.dumps(value).encode("utf-8", "surrogatepass"))
        read_manifest(manifest.parent)
        _reads(run_dir)

    return damaged_tree((body,)), case, 0.5


def _queries(outside: Outside, work: Path) -> tuple[Any, Callable[[Any], None], float]:
    runs_dir = work / "queried"
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    quietly("--runs-dir", str(runs_dir), "ls")
    kept = outside.folder / "outside" / "kept.txt"
    texts = tuple(query.format(kept=kept, folder=outside.folder).encode() for query in QUERIES)

    def case(data: bytes) -> None:
        text = data.decode("utf-8", "replace").replace("\0", "")
        code, out, _ = answers("--runs-dir", str(runs_dir), "sql", "--csv", "--", text)
        assert code != 0 or "kept\n" not in out.replace("kept.txt", ""), "a file was read"

    return damaged_bytes(texts), case, 0.2


QUERIES = (
    "COPY runs TO '{folder}/outside/new.csv'",
    "COPY (SELECT 1) TO '{folder}/outside/new.parquet' (FORMAT parquet)",
    "EXPORT DATABASE '{folder}/outside/export'",
    "ATTACH '{folder}/outside/new.duckdb' AS other",
    "ATTACH ':memory:' AS other; CREATE TABLE other.t AS SELECT 1",
    "FROM read_text('{kept}')",
    "FROM read_csv('{kept}')",
    "FROM read_blob('{kept}')",
    "FROM '{kept}'",
    "FROM glob('/etc/*')",
    "FROM sniff_csv('{kept}')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL httpfs; LOAD httpfs; FROM read_csv('http://127.0.0.1:9/x.csv')",
    "FROM read_csv('http://127.0.0.1:9/x.csv')",
    "FROM read_parquet('s3://bucket/x.parquet')",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration; FROM read_text('{kept}')",
    "SET allowed_paths = ['{kept}']; FROM read_text('{kept}')",
    "SET allowed_directories = ['/']; FROM read_text('{kept}')",
    "SET temp_directory = '{folder}/outside/tmp'",
    "SET extension_directory = '{folder}/outside/ext'",
    "SET home_directory = '{folder}/outside'; FROM read_text('~/kept.txt')",
    "SET log_query_path = '{folder}/outside/log'",
    "PRAGMA enable_profiling; PRAGMA profiling_output = '{folder}/outside/p.json'; SELECT 1",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS FROM read_text('{kept}'); FROM t",
    "INSERT INTO notes SELECT run_id, now(), 'x' FROM runs",
    "UPDATE runs SET name = 'x'",
    "DELETE FROM metrics",
    "DROP TABLE metrics",
    "ALTER TABLE runs ADD COLUMN x INT",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "IMPORT DATABASE '{folder}/outside'",
    "SELECT getenv('HOME')",
    "FROM duckdb_secrets()",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/outside/log')",
    "SELECT write_log('x')",
    "SELECT query('FROM read_text(''{kept}'')')",
    "FROM query('FROM read_text(''{kept}'')')",
    "FROM query_table('{kept}')",
)


def queries(folder: Path, *, every: int = 1) -> Tally:
    """Asks what would write, read a file or reach the network; all of it is refused.

    Args:
        folder: Where to work.
        every: Tries only each so many of them.
    """
    tally = Tally()
    outside = Outside(folder)
    complete_run(outside.runs_dir, "20261122-101530-aaaaaa")
    quietly("--runs-dir", str(outside.runs_dir), "ls")
    base = "SELECT count(*), max(iter), min(name) FROM metrics JOIN runs USING (run_id)"
    before = quietly("--runs-dir", str(outside.runs_dir), "sql", "--csv", base)
    secret = (outside.folder / "outside" / "kept.txt").read_text()
    for query in QUERIES[::every]:
        text = query.format(kept=outside.folder / "outside" / "kept.txt", folder=outside.folder)
        with tally.case("jaxpot sql", query):
            code, out, _ = answers("--runs-dir", str(outside.runs_dir), "sql", "--csv", text)
            assert secret not in out, "a file was read"
            assert code != 0 or query.startswith(_HARMLESS), f"was not refused: {out}"
            outside.check()
            assert quietly("--runs-dir", str(outside.runs_dir), "sql", "--csv", base) == before
    return tally


# Without an effect on a database that is read-only, or on nothing but the answer.
_HARMLESS = ("FROM duckdb_secrets", "CHECKPOINT", "FORCE CHECKPOINT", "VACUUM", "SELECT write_log")


def links(folder: Path, *, every: int = 1) -> Tally:
    """Puts links into a folder of runs that lead out of it, and names that do; none is followed.

    Args:
        folder: Where to work.
        every: Tries only each so many links.
    """
    tally = Tally()
    outside = Outside(folder)
    (outside.folder / "outside" / "000002").mkdir()
    (outside.folder / "outside" / ".tmp-000001-0a1b2c3d").mkdir()
    run_dir, _ = _saved(folder / "work")
    outside.runs_dir = run_dir.parent
    outside = Outside(folder)
    kept = outside.folder / "outside" / "kept.txt"
    for name, make in list(_LINKS.items())[::every]:
        with tally.case("a link that leads out", name):
            copied = folder / "work" / "linked" / run_dir.name
            shutil.rmtree(copied.parent, ignore_errors=True)
            shutil.copytree(run_dir, copied, symlinks=True)
            make(copied, kept)
            for command in (["ls"], ["resume", copied.name, "--iterations", "6"], ["rebuild"]):
                answers("--runs-dir", str(copied.parent), *command)
            outside.check()
    for text in ("../outside", "..", "../../etc", "/etc/passwd", "a/b", "", "-", "\0"):
        with tally.case("a name that leads out", repr(text)):
            base = ["--runs-dir", str(run_dir.parent)]
            answers(*base, "show", "--", text)
            answers(*base, "resume", "--", text)
            answers(*base, "resume", run_dir.name, "--from", f"milestone:{text}")
            code, _, _ = quietly(*base, "resume", run_dir.name, "--from", text or "..")
            assert code == 2, code
            outside.check()
    return tally


def _replace(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def _moved(run_dir: Path, kept: Path) -> None:
    away = kept.parent.parent / "work" / "moved"
    shutil.rmtree(away, ignore_errors=True)
    shutil.move(run_dir, away)
    run_dir.symlink_to(away)


_LINKS: dict[str, Callable[[Path, Path], None]] = {
    "run.lock": lambda run_dir, kept: _replace(run_dir / "run.lock", kept),
    "journal.jsonl": lambda run_dir, kept: _replace(run_dir / "journal.jsonl", kept),
    "checkpoints": lambda run_dir, kept: _replace(run_dir / "checkpoints", kept.parent),
    "checkpoints/best": lambda run_dir, kept: _replace(run_dir / "checkpoints/best", kept.parent),
    "checkpoints/milestones": lambda run_dir, kept: _replace(
        run_dir / "checkpoints/milestones", kept.parent
    ),
    "a checkpoint": lambda run_dir, kept: _replace(run_dir / "checkpoints/000004", kept.parent),
    "manifest.json": lambda run_dir, kept: _replace(
        run_dir / "checkpoints/best/manifest.json", kept
    ),
    "jaxpot.lock": lambda run_dir, kept: _replace(run_dir.parent / "jaxpot.lock", kept),
    "jaxpot.duckdb": lambda run_dir, kept: _replace(run_dir.parent / "jaxpot.duckdb", kept),
    "jaxpot.duckdb.wal": lambda run_dir, kept: _replace(run_dir.parent / "jaxpot.duckdb.wal", kept),
    "jaxpot.duckdb.new": lambda run_dir, kept: _replace(run_dir.parent / "jaxpot.duckdb.new", kept),
    "the run's folder": _moved,
}

_BOUNDED = """
import resource, sys
limit = int(sys.argv[1])
from jaxpot.cli.main import main
import duckdb, json, tomli
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.argv = ["jaxpot", *sys.argv[2:]]
main()
"""
_BOUND = 2 << 30
_HUGE = 5 << 30


def memory(folder: Path, commands: Sequence[str] = ("ls", "show", "resume", "rebuild")) -> Tally:
    """Gives commands files of 5 GiB, sparse ones, and 2 GiB of address space to answer in."""
    tally = Tally()
    runs_dir = folder / "runs"
    run = complete_run(runs_dir, "20261122-101530-aaaaaa")
    whole = run.path.read_bytes()
    for name, make in {
        "a journal's endless line": lambda: _grown(run.path, whole),
        "a journal that is one endless line": lambda: _grown(run.path, b""),
    }.items():
        make()
        for command in commands:
            with tally.case(name, command):
                which = [run.uid] if command in ("show", "resume") else []
                _bounded("--runs-dir", str(runs_dir), command, *which)
    _grown(run.path, whole, size=len(whole))
    spec = folder / "huge.toml"
    _grown(spec, b"")
    with tally.case("a spec without end"):
        _bounded("check", str(spec))
    return tally


def _grown(path: Path, content: bytes, size: int = _HUGE) -> None:
    path.write_bytes(content)
    os.truncate(path, size)


def _bounded(*arguments: str) -> None:
    command = [sys.executable, "-c", _BOUNDED, str(_BOUND), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300
    )
    assert done.returncode in USER_CODES, (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr, done.stderr[-2000:]


def _lines(work: Path) -> list[dict[str, Any]]:
    run = complete_run(work / "template", "20261122-101530-aaaaaa")
    spec = json.loads(json.dumps(resolved(league_experiment(iterations=20))))
    lines = [json.loads(line) for line in run.path.read_text().splitlines()]
    lines[0]["spec"] = spec
    return lines


def _as_lines(lines: Any) -> bytes:
    listed = lines if isinstance(lines, list) else [lines]
    return b"".join(json.dumps(line).encode() + b"\n" for line in listed)


def _saved(work: Path) -> tuple[Path, dict[str, Any]]:
    """Trains for a moment; returns the run's folder, and its newest checkpoint's metadata."""
    best = {"metric": "total_loss", "mode": "min", "every": 2}
    experiment = league_experiment({"checkpoint": {"best": best}}, iterations=4)
    found = runner.run(experiment, runs_dir=work / "saved", ingest=False)
    run_dir = found.run_dir
    body = json.loads((run_dir / "checkpoints" / "000004" / METADATA).read_bytes())
    return run_dir, body


def _shapes(run_dir: Path) -> tuple[Any, Any]:
    from jaxpot.journal import read_record
    from jaxpot.loop.context import build_context
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.shapes import abstract_state

    record = read_record(run_dir)
    experiment = from_resolved(record.spec)
    graph = compile_graph(experiment)
    return abstract_state(graph, build_context(experiment, run_dir.parent, {})), record


def signed(value: Any) -> bytes:
    """Encodes metadata with the checksum that belongs to it, whatever it says."""
    import hashlib

    if not isinstance(value, dict):
        return json.dumps(value).encode()
    body = {"format_version": FORMAT_VERSION, **value}
    body.pop("self_sha256", None)
    try:
        text = canonical(body)
        return canonical({**body, "self_sha256": hashlib.sha256(text).hexdigest()})
    except (ValueError, TypeError):
        return json.dumps(body).encode()


def _reads(run_dir: Path) -> None:
    """Does to a run's checkpoints what a resume does first, on a copy."""
    copied = run_dir.parent.parent / "copied" / run_dir.name
    shutil.rmtree(copied.parent, ignore_errors=True)
    shutil.copytree(run_dir, copied, copy_function=os.link)
    newest_whole(copied)
    for selector in ("latest", "best", "4", "milestone:../../x"):
        try:
            select_checkpoint(copied, selector)
        except UserError:
            continue
    policy = Checkpoint(every=1, best=Best(metric="train_vs_league/reward", keep=2))
    try:
        writer = CheckpointWriter(copied, copied.parent, policy, lambda record: None)
        writer.supersede_after(3)
        writer.close()
    except UserError:
        return


_KINDS: dict[str, Callable[[Outside, Path], tuple[Any, Callable[[Any], None], float]]] = {
    "a spec's text": _specs,
    "a spec's values": _values,
    "overrides": _overrides,
    "a journal, read": _journals,
    "a journal, resumed": _resumes,
    "a checkpoint's metadata, signed": _metadata,
    "a checkpoint's metadata and manifest, bytes": _metadata_bytes,
    "a manifest": _manifests,
    "queries": _queries,
}
