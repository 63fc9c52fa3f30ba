import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from jaxpot.checkpoints import (
    CheckpointError,
    durable,
    newest_whole,
    read_metadata,
    restore,
    verify,
)
from jaxpot.checkpoints import writer as writer_module
from jaxpot.spec import Best

from .conftest import LISTING, PERIODIC, Run, a_state, with_league

ALL = frozenset({"periodic", "milestone", "best"})
WIN = Best(metric="win", keep=2)


def test_the_records_of_one_save(run: Run, snapshot: SnapshotAssertion) -> None:
    writer = run.writer(best=WIN)
    writer.save(
        a_state(), iteration=100, types=ALL, metadata={"digest": "ab" * 8}, score=np.float32(0.5)
    )  # type: ignore[arg-type]
    writer.wait()
    writer.close()
    metadata = verify(run.base / "000100")
    for record in run.records:
        assert 0 <= record.pop("blocking_seconds") < 60
        assert (record.pop("seconds") is None) == (record["state"] == "begun")
        assert record.pop("bytes") == (metadata.bytes if record["state"] == "committed" else None)
        assert record.pop("sha256") == (metadata.sha256 if record["state"] == "committed" else None)
        assert record["score"] is None or isinstance(record["score"], float)
    assert run.records == snapshot


def test_one_save_under_three_names_is_one_set_of_files(run: Run) -> None:
    writer = run.writer(best=WIN)
    writer.save(a_state(), iteration=100, types=ALL, metadata={}, score=0.5)
    writer.wait()
    writer.close()
    for name in read_metadata(run.base / "000100").files:
        assert (run.base / "000100" / name).stat().st_nlink == 3
    for place in (".", "milestones", "best"):
        verify(run.base / place / "000100")


def test_what_is_deleted_is_recorded_in_full(run: Run) -> None:
    writer = run.writer(best=Best(metric="win", keep=1), keep_last=1)
    for iteration in (1, 2):
        writer.save(
            a_state(iteration),
            iteration=iteration,
            types=frozenset({"periodic", "best"}),
            metadata={"digest": f"{iteration:016x}"},
            score=float(iteration),
        )
    writer.wait()
    writer.close()
    of_first = [record for record in run.records if record["iteration"] == 1]
    committed = {r["type"]: r for r in of_first if r["state"] == "committed"}
    deleted = {r["type"]: r for r in of_first if r["state"] == "deleted"}
    assert committed.keys() == deleted.keys() == {"periodic", "best"}
    for kind, record in deleted.items():
        for field in ("path", "bytes", "sha256", "digest", "score"):
            assert record[field] == committed[kind][field]
        assert record["digest"] == f"{1:016x}"


def test_the_wait_of_the_caller_counts(run: Run) -> None:
    writer = run.writer()
    began = time.perf_counter() - 5
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={}, waiting_since=began)
    writer.wait()
    writer.close()
    assert 5 <= run.records[-1]["blocking_seconds"] < 60


def test_the_leagues_listing(run: Run) -> None:
    path = run.save_league(100)
    assert json.loads((path / "league.json").read_text()) == {"entries": LISTING}
    run.save(200)
    assert not (run.base / "000200" / "league.json").exists()


def test_a_listing_is_a_copy_and_names_what_is_not_finite(run: Run) -> None:
    writer = run.writer()
    rows = [{"name": "a", "score": float("nan")}, {"name": "b", "score": float("-inf")}]
    writer.save(with_league(), iteration=1, types=PERIODIC, metadata={}, league=rows)
    rows[0]["name"] = "c"
    writer.wait()
    writer.close()
    found = json.loads((run.base / "000001" / "league.json").read_text())["entries"]
    assert found == [{"name": "a", "score": "NaN"}, {"name": "b", "score": "-Infinity"}]


def test_a_league_is_linked_with_the_rest(run: Run) -> None:
    writer = run.writer()
    types = frozenset({"periodic", "milestone"})
    writer.save(with_league(), iteration=1, types=types, metadata={}, league=LISTING)
    writer.wait()
    writer.close()
    for name in verify(run.base / "milestones" / "000001").files:
        assert (run.base / "milestones" / "000001" / name).stat().st_nlink == 2


def test_metadata_is_kept_as_plain_data(run: Run) -> None:
    writer = run.writer()
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.save(a_state(), iteration=1, types=PERIODIC, metadata={"x": float("nan")})
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={"digest": ("a", "b")})
    writer.wait()
    writer.close()
    assert read_metadata(run.base / "000001").metadata == {"digest": ["a", "b"]}


def test_a_state_may_be_changed_or_donated_at_once(run: Run) -> None:
    writer = run.writer()
    host = {"w": np.arange(4.0, dtype=np.float32)}
    device = {"w": jnp.arange(4.0) + 0}
    writer.save(host, iteration=1, types=PERIODIC, metadata={})
    host["w"] += 1
    writer.save(device, iteration=2, types=PERIODIC, metadata={})
    step = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    for _ in range(3):
        device = step(device)
    writer.wait()
    writer.close()
    for iteration in (1, 2):
        found, _ = restore(run.base / f"00000{iteration}", jax.eval_shape(lambda: device))
        assert found["w"].tolist() == [0, 1, 2, 3]


def test_saving_does_not_transfer_anything_implicitly(run: Run) -> None:
    writer = run.writer()
    state = {"w": jnp.ones(3), "key": jax.random.key(0)}
    with jax.transfer_guard("disallow"):
        writer.save(state, iteration=1, types=PERIODIC, metadata={})
    writer.wait()
    writer.close()


def test_save_does_not_wait_for_the_disk_but_for_the_save_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write, begun = threading.Event(), threading.Event()
    write = writer_module.write_arrays

    def slow(*args: Any) -> None:
        begun.set()
        assert may_write.wait(30)
        write(*args)

    monkeypatch.setattr(writer_module, "write_arrays", slow)
    writer = run.writer()
    writer.save(a_state(1), iteration=1, types=PERIODIC, metadata={})
    assert begun.wait(30)
    assert newest_whole(run.run_dir) == (None, [])
    threading.Timer(0.05, may_write.set).start()
    writer.save(a_state(2), iteration=2, types=PERIODIC, metadata={})
    assert ("committed", "periodic", 1) in run.stages()
    writer.wait()
    writer.close()
    assert run.records[-1]["blocking_seconds"] > 0.02
    assert run.names() == ["000001", "000002"]


def inode(path: Path) -> int:
    return (path / "metadata.json").stat().st_ino


def test_the_same_state_is_not_written_again(run: Run) -> None:
    run.save(5)
    before = inode(run.base / "000005")
    run.save(5)
    assert inode(run.base / "000005") == before
    assert run.stages() == [("begun", "periodic", 5), ("committed", "periodic", 5)] * 2


def test_the_same_state_of_another_type_gains_that_type(run: Run) -> None:
    run.save(5)
    writer = run.writer(keep_last=1)
    writer.save(a_state(5), iteration=5, types=frozenset({"final"}), metadata={})
    writer.wait()
    assert verify(run.base / "000005").types == ("final", "periodic")
    run.records.clear()
    writer.save(a_state(6), iteration=6, types=PERIODIC, metadata={})
    writer.wait()
    writer.close()
    assert run.stages()[2:] == [("deleted", "final", 5), ("deleted", "periodic", 5)]


def test_another_state_of_the_same_iteration_replaces(run: Run) -> None:
    run.save(5)
    writer = run.writer(best=WIN)
    writer.save(a_state(6), iteration=5, types=ALL, metadata={}, score=1.0)
    writer.save(a_state(7), iteration=5, types=ALL, metadata={}, score=0.5)
    writer.wait()
    writer.close()
    wanted = verify(run.base / "000005")
    for place in (".", "milestones", "best"):
        assert verify(run.base / place / "000005") == wanted
        assert not [name for name in run.names(place) if name.startswith(".")]
    found, _ = restore(run.base / "000005", jax.eval_shape(lambda: a_state()))
    assert found["key"].tolist() == [7, 7]


def test_a_damaged_one_is_replaced(run: Run) -> None:
    run.save(5)
    os.truncate(run.base / "000005" / "metadata.json", 3)
    run.save(5)
    verify(run.base / "000005")


@pytest.mark.parametrize("place", [".", "milestones", "best"])
def test_a_full_disk(run: Run, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    run.save(1)
    publish = durable.publish

    def full(temporary: Path, final: Path) -> None:
        if final.parent == (run.base / place).resolve():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        publish(temporary, final)

    monkeypatch.setattr(durable, "publish", full)
    writer = run.writer(best=WIN)
    run.records.clear()
    writer.save(a_state(2), iteration=2, types=ALL, metadata={}, score=1.0)
    text = (
        f"^checkpoint {run.run_dir.name}/checkpoints/.*000002: the disk is full "
        r"\(No space left on device\); the checkpoints before it are whole$"
    )
    with pytest.raises(CheckpointError, match=text):
        writer.save(a_state(3), iteration=3, types=PERIODIC, metadata={})
    order = [".", "milestones", "best"]
    assert [r["state"] for r in run.records[3:]] == [
        "committed" if i < order.index(place) else "failed" for i in range(3)
    ]
    assert run.records[-1]["error"].endswith("the checkpoints before it are whole")
    for where in (".", "milestones", "best"):
        folder = run.base / where
        assert not folder.exists() or not [n for n in os.listdir(folder) if n.startswith(".")]
    monkeypatch.undo()
    verify(run.base / "000001")
    writer.save(a_state(3), iteration=3, types=ALL, metadata={}, score=2.0)
    writer.wait()
    writer.close()
    assert newest_whole(run.run_dir)[0].iteration == 3  # type: ignore[union-attr]


def test_a_disk_without_room_is_not_begun_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    free = os.statvfs(run.run_dir)
    little = os.statvfs_result((free.f_bsize, free.f_frsize, free.f_blocks, 9, 9, *free[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: little)
    writer = run.writer()
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={})
    with pytest.raises(CheckpointError, match="the disk is full"):
        writer.wait()
    writer.close()
    assert run.names() == []


def test_a_failure_is_raised_once_by_wait(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("RESOURCE_EXHAUSTED: Error writing: No space left on device")

    monkeypatch.setattr(writer_module, "write_arrays", broken)
    writer = run.writer()
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={})
    with pytest.raises(CheckpointError, match="the disk is full"):
        writer.wait()
    writer.wait()
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={})
    writer.close()
    assert run.stages() == [("begun", "periodic", 1), ("failed", "periodic", 1)] * 2
    assert run.names() == []


def test_arrays_that_read_back_otherwise_are_not_committed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jaxpot.checkpoints import arrays

    read = arrays.read_arrays

    def negative_zero(*args: Any) -> dict[str, Any]:
        found = read(*args)
        return found | {"w": -found["w"]}

    monkeypatch.setattr(arrays, "read_arrays", negative_zero)
    writer = run.writer()
    writer.save({"w": np.zeros(2, np.float32)}, iteration=1, types=PERIODIC, metadata={})
    with pytest.raises(CheckpointError, match="w: reads back different from what was written"):
        writer.wait()
    writer.close()
    assert run.names() == []


def test_a_record_that_cannot_be_taken(run: Run) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = run.writer()
    writer._records = type(writer._records)(run.runs_dir, refuse)
    writer.save(a_state(), iteration=1, types=PERIODIC, metadata={})
    with pytest.raises(CheckpointError, match="the disk is full") as caught:
        writer.wait()
    assert caught.value.__notes__ == [
        "This could not be recorded either: [Errno 28] No space left on device"
    ]
    writer.close()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (
            {"a": {"b": np.ones(1)}, "a/b": np.ones(1)},
            "two leaves of the state have the path 'a/b'",
        ),
        ({"w": 3}, "w: a int is not an array"),
        ({"w": np.array(["x"])}, "w: arrays of dtype <U1 cannot be saved"),
        ({"w": np.array([None])}, "w: arrays of dtype object cannot be saved"),
    ],
)
def test_what_is_no_state_is_refused(run: Run, state: Any, reason: str) -> None:
    writer = run.writer()
    with pytest.raises(CheckpointError, match=f"^{reason}$"):
        writer.save(state, iteration=1, types=PERIODIC, metadata={})
    writer.close()
    assert run.records == []


def test_wrong_types_are_refused(run: Run) -> None:
    writer = run.writer()
    for types in (frozenset(), frozenset({"weekly"}), frozenset({"best"})):
        with pytest.raises(ValueError, match=r"types are some of|needs a policy"):
            writer.save(a_state(), iteration=1, types=types, metadata={}, score=1.0)
    writer.close()


LIMITED = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.spec import Checkpoint

run_dir, records = Path(sys.argv[1]), []
writer = CheckpointWriter(run_dir, run_dir.parent, Checkpoint(), records.append)
small = {"w": np.arange(100, dtype=np.float32)}
large = {"w": np.random.default_rng(0).standard_normal(100_000).astype(np.float32)}
writer.save(small, iteration=1, types=frozenset({"periodic"}), metadata={})
writer.wait()
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
writer.save(large, iteration=2, types=frozenset({"periodic"}), metadata={})
try:
    writer.wait()
except CheckpointError as error:
    print(str(error).splitlines()[0][:100])
writer.close()
print([(r["state"], r["iteration"]) for r in records])
"""


@pytest.mark.slow
def test_a_write_that_the_system_refuses(run: Run) -> None:
    command = [sys.executable, "-c", LIMITED, str(run.run_dir)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ERROR:absl" not in found.stderr
    error, stages = found.stdout.splitlines()
    assert error.startswith(f"checkpoint {run.run_dir.name}/checkpoints/000002: ")
    assert stages == str([("begun", 1), ("committed", 1), ("begun", 2), ("failed", 2)])
    assert run.names() == ["000001"]
    verify(run.base / "000001")
