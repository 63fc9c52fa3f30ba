"""TensorBoard's logs as runs, held to what TensorBoard itself reads."""

import math
import shutil
import struct
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter, summary
from tensorboardX.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboardX.record_writer import RecordWriter

from jaxpot.cli.main import invoke
from jaxpot.errors import UserError
from jaxpot.store import Store, find
from jaxpot.store.annotate import tag
from jaxpot.store.exchange.importing import import_path

NOW = 1_795_000_000.0

# Made at run time: no type checker sees them.
MODULES: list[Any] = [event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2]
EVENTS, SUMMARIES, TENSORS, SHAPES = MODULES


@pytest.fixture
def logs(tmp_path):
    """Two logs of one experiment, as tensorboardX writes them."""
    for name, offset in (("train", 0.0), ("eval/fixed", 0.5)):
        with SummaryWriter(str(tmp_path / "logs" / name)) as writer:
            for step in range(0, 40, 2):
                wall = NOW + step + offset
                writer.add_scalar("loss/total", math.sin(step) + offset, step, wall)
                if step % 6 == 0:
                    writer.add_scalar("acc é", step, step, wall + 0.25)
            writer.add_scalar("loss/total", math.nan, 41, NOW + 41)
            writer.add_scalar("loss/total", math.inf, 42, NOW + 42)
            writer.add_histogram("weights", np.arange(10.0), 3)
            writer.add_text("note", "hello", 3)
    return tmp_path / "logs"


@pytest.fixture
def here(tmp_path):
    """The runs directory."""
    return tmp_path / "runs"


def series(store, uid):
    points = {}
    query = (
        "SELECT r.uid, m.key, m.iter, m.value, epoch(i.time) FROM metric AS m "
        "JOIN runs AS r USING (uid) JOIN iters AS i ON i.run_id = r.run_id AND i.iter = m.iter "
        "ORDER BY ALL"
    )
    for found, key, step, value, wall in store.sql(query)[1]:
        if found == uid:
            points.setdefault(key, []).append((step, value, wall))
    return points


def oracle(folder):
    """What TensorBoard reads: each tag's points."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return {
        name: [(e.step, e.value, e.wall_time) for e in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_what_tensorboard_reads_is_what_there_is(here, logs):
    found = list(import_path(here, logs))
    assert [(run.name, run.action) for run in found] == [
        ("eval/fixed", "imported"),
        ("train", "imported"),
    ]
    assert "1 x histo" in found[0].detail
    store = Store(here)
    for run in found:
        expected = oracle(logs / run.name)
        ours = series(store, run.uid)
        assert {k: str([p[:2] for p in v]) for k, v in ours.items()} == {
            k: str([p[:2] for p in v]) for k, v in expected.items()
        }
        walls = [point[2] for point in ours["loss/total"]]
        theirs = [point[2] for point in expected["loss/total"]]
        assert max(abs(a - b) for a, b in zip(walls, theirs, strict=True)) <= 0.25


def test_they_pass_through_every_reader(here, logs, capsys):
    uid = next(iter(import_path(here, logs / "train"))).uid
    assert uid.startswith("2026")
    for arguments in (["ls"], ["show", uid], ["show", "train", "--json"], ["rebuild"], ["ls"]):
        assert invoke(["--runs-dir", str(here), *arguments]) == 0
    row = Store(here).runs()[0]
    assert (row.name, row.status, row.iterations) == ("train", "completed", 43)
    assert row.started is not None
    events = Store(here).sql("SELECT payload->>'$.format' FROM events WHERE kind = 'imported'")
    assert events[1] == [("tensorboard",)]
    assert invoke(["--runs-dir", str(here), "resume", "train"]) == 2
    assert "this journal has no spec; the run cannot be resumed" in capsys.readouterr().err


def test_again_and_further(here, logs):
    first = next(iter(import_path(here, logs / "train")))
    tag(find(here, first.uid), add=["mine"])
    assert [run.action for run in import_path(here, logs / "train")] == ["skipped"]
    with SummaryWriter(str(logs / "train"), filename_suffix=".2") as writer:
        writer.add_scalar("loss/total", 7.0, 50, NOW + 50)
    assert [run.action for run in import_path(here, logs / "train")] == ["skipped"]
    assert Store(here).runs()[0].iterations == 43
    again = list(import_path(here, logs / "train", update=True))
    assert [(run.uid, run.action) for run in again] == [(first.uid, "updated")]
    assert Store(here).runs()[0].iterations == 51
    assert Store(here).runs()[0].tags == ("mine",)
    assert [run.action for run in import_path(here, logs / "train", update=True)] == ["skipped"]


class Log:
    """Writes one event file by hand."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.file = RecordWriter(str(folder / "events.out.tfevents.1795000000.x"))
        self.write(file_version="brain.Event:2")

    def write(self, step=0, **fields):
        self.file.write(EVENTS.Event(wall_time=NOW + step, step=step, **fields).SerializeToString())

    def value(self, step, **fields):
        self.write(
            step, summary=SUMMARIES.Summary(value=[SUMMARIES.Summary.Value(tag="x", **fields)])
        )

    def read(self, here):
        self.file.close()
        found = next(iter(import_path(here, self.folder)))
        points = series(Store(here), found.uid).get("x", []) if found.action == "imported" else []
        return [point[:2] for point in points], found


def tensor(kind, shape=(), **fields):
    dims = [SHAPES.TensorShapeProto.Dim(size=size) for size in shape]
    data = TENSORS.TensorProto(dtype=kind, tensor_shape=SHAPES.TensorShapeProto(dim=dims), **fields)
    plugin = SUMMARIES.SummaryMetadata.PluginData(plugin_name="scalars")
    return {"tensor": data, "metadata": SUMMARIES.SummaryMetadata(plugin_data=plugin)}


def test_scalars_that_are_tensors(here, tmp_path):
    log = Log(tmp_path / "log")
    for step, fields in enumerate(
        [
            tensor("DT_FLOAT", float_val=[1.5]),
            tensor("DT_DOUBLE", tensor_content=struct.pack("<d", 2.5)),
            tensor("DT_INT64", int64_val=[3]),
            tensor("DT_INT32", shape=(1,), int_val=[4]),
            tensor("DT_FLOAT", tensor_content=struct.pack("<f", 5.5)),
        ]
    ):
        log.value(step, **fields)
    log.value(9, **tensor("DT_FLOAT", shape=(2,), float_val=[1, 2]))
    log.value(9, **tensor("DT_STRING", string_val=[b"x"]))
    points, found = log.read(here)
    assert points == [(0, 1.5), (1, 2.5), (2, 3.0), (3, 4.0), (4, 5.5)]
    assert found.detail == "left out 2 x scalars, which is no scalar"
    accumulated = EventAccumulator(str(log.folder)).Reload().Tensors("x")
    assert [e.step for e in accumulated][:5] == [0, 1, 2, 3, 4]


def test_a_session_that_starts_again_voids_what_it_repeats(here, tmp_path):
    log = Log(tmp_path / "log")
    for step in range(6):
        log.value(step, simple_value=1.0)
    log.write(3, session_log=EVENTS.SessionLog(status=EVENTS.SessionLog.START))
    for step in (3, 4):
        log.value(step, simple_value=2.0)
    points, _ = log.read(here)
    assert points == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]
    assert [point[:2] for point in oracle(log.folder)["x"]] == points


def test_steps_that_no_iteration_has(here, tmp_path):
    log = Log(tmp_path / "log")
    for step in (-1, 2**31 - 1, 2**31, 5, 2**31 - 2):
        log.value(step, simple_value=1.0)
    points, found = log.read(here)
    assert points == [(5, 1.0), (2**31 - 2, 1.0)]
    assert found.detail == "left out 3 x a value at a step beyond 0 to 2147483646"
    for command in (["ls"], ["show", found.uid], ["sql", "FROM metric"], ["rebuild"], ["ls"]):
        assert invoke(["--runs-dir", str(here), *command]) == 0


def test_hyperparameters_are_the_run_s_parameters(here, tmp_path):
    log = Log(tmp_path / "log")
    for each in summary.hparams({"lr": 0.5, "net.kind": "mlp", "on": True}, {"x": None}):
        log.write(summary=each)
    log.value(1, simple_value=1.0)
    log.read(here)
    assert Store(here).sql("SELECT path, value FROM params ORDER BY path")[1] == [
        ("lr", "0.5"),
        ("net.kind", "mlp"),
        ("on", "true"),
    ]
    assert invoke(["--runs-dir", str(here), "resume", "log"]) == 2


def test_damage_is_said_and_the_rest_read(here, tmp_path):
    log = Log(tmp_path / "log")
    log.value(1, simple_value=1.0)
    log.file.write(b"\xff\xff no event")
    log.value(2, simple_value=2.0)
    points, found = log.read(here)
    assert points == [(1, 1.0), (2, 2.0)]
    assert found.detail == "left out 1 x a record that is no event"


def test_odd_times(here, tmp_path):
    log = Log(tmp_path / "log")
    for step, wall in ((1, math.nan), (2, -5.0), (3, 1e300), (4, NOW)):
        value = SUMMARIES.Summary(value=[SUMMARIES.Summary.Value(tag="x", simple_value=1.0)])
        log.file.write(EVENTS.Event(wall_time=wall, step=step, summary=value).SerializeToString())
    assert [step for step, _ in log.read(here)[0]] == [1, 2, 3, 4]


def test_a_log_without_scalars_is_refused(here, tmp_path):
    found = Log(tmp_path / "log").read(here)[1]
    assert found.action == "refused"
    assert "no scalar is in its event files" in found.detail
    assert not here.exists()


def timeless(folder, values):
    """Writes a log without wall times, whose file is called like every other one's."""
    folder.mkdir(parents=True, exist_ok=True)
    file = RecordWriter(str(folder / "events.out.tfevents.0.x"))
    for step, value in enumerate(values):
        scalar = SUMMARIES.Summary(value=[SUMMARIES.Summary.Value(tag="x", simple_value=value)])
        file.write(EVENTS.Event(step=step, summary=scalar).SerializeToString())
    file.close()


def values_of(here, uid):
    query = "SELECT m.value FROM metric AS m WHERE uid = $1 ORDER BY iter".replace("$1", f"'{uid}'")
    return [value for (value,) in Store(here).sql(query)[1]]


@pytest.mark.parametrize("second", [[7.0, 8.0], [1.0, 2.0], [1.0, 2.0, 3.0], [1.0]])
def test_logs_of_equal_names_under_other_parents_are_two(here, tmp_path, second):
    """Without wall times nothing but their content and their place tells them apart."""
    for parent, values in (("a", [1.0, 2.0]), ("b", second)):
        timeless(tmp_path / parent / "run", values)
    uids = []
    for parent in ("a", "b"):
        (found,) = import_path(here, tmp_path / parent / "run", update=True)
        assert found.action == "imported"
        uids.append(found.uid)
    assert [values_of(here, uid) for uid in uids] == [[1.0, 2.0], second]
    for parent, uid in zip(("b", "a"), reversed(uids), strict=True):
        (found,) = import_path(here, tmp_path / parent / "run", update=True)
        assert (found.uid, found.action) == (uid, "skipped")


def test_only_a_log_that_goes_on_replaces_what_is_here(here, tmp_path):
    folder = tmp_path / "run"
    timeless(folder, [1.0, 2.0])
    (first,) = import_path(here, folder)
    timeless(folder, [1.0, 2.0, 3.0])
    (found,) = import_path(here, folder, update=True)
    assert (found.uid, found.action) == (first.uid, "updated")
    timeless(folder, [5.0, 2.0, 3.0, 4.0])
    (other,) = import_path(here, folder, update=True)
    assert other.action == "imported"
    assert values_of(here, first.uid) == [1.0, 2.0, 3.0]
    assert values_of(here, other.uid) == [5.0, 2.0, 3.0, 4.0]
    timeless(folder, [5.0, 2.0])
    (found,) = import_path(here, folder, update=True)
    assert (found.uid, found.action) == (other.uid, "skipped")


def test_a_copy_with_wall_times_is_the_same_run(here, logs, tmp_path):
    (first,) = import_path(here, logs / "train")
    copy = shutil.copytree(logs / "train", tmp_path / "elsewhere" / "train")
    (found,) = import_path(here, copy, update=True)
    assert (found.uid, found.action) == (first.uid, "skipped")


def test_linked_folders_are_followed_and_hidden_ones_named(here, tmp_path):
    timeless(tmp_path / "far" / "run", [1.0])
    folder = tmp_path / "l"
    timeless(folder / ".hidden", [2.0])
    (folder / "a").symlink_to(tmp_path / "far" / "run")
    (folder / "b").symlink_to(tmp_path / "far" / "run")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    found = [(run.action, run.name, run.detail) for run in import_path(here, folder)]
    assert found == [
        ("skipped", str(folder / ".hidden"), "it is hidden; name it to look into it"),
        ("skipped", str(folder / "b"), f"it is {folder / 'a'} again"),
        ("skipped", str(folder / "loop"), f"it is {folder} again"),
        ("imported", "a", ""),
    ]
    (found,) = import_path(here, folder / ".hidden")
    assert found.action == "imported"


def test_a_folder_of_nothing_but_hidden_ones_says_so(here, tmp_path):
    timeless(tmp_path / "l" / ".hidden", [2.0])
    with pytest.raises(UserError, match=r"passed over: .*\.hidden: it is hidden"):
        list(import_path(here, tmp_path / "l"))
