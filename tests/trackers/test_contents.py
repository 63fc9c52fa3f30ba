"""What arrives: key for key, step for step, as the journal has it; read back by each tool."""

import json
import math

import numpy as np
import pytest

from jaxpot.spec import WandB
from jaxpot.trackers.base import SinkRun
from jaxpot.trackers.jsonl import JsonLinesSink
from jaxpot.trackers.tensorboard import TensorBoardSink
from jaxpot.trackers.wandb import WandBSink
from tests.journal.reading import records
from tests.store.journals import SPEC, complete_run
from tests.trackers import readers

UID = "20261122-101530-aaaaaa"
ODD = {"a/nan": "NaN", "a/inf": "Infinity", "a/low": "-Infinity", "big": 2**40 + 1}
HISTOGRAM = "eval_vs_random/actions"


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    run = complete_run(tmp_path_factory.mktemp("runs"), UID)
    run.payload(20, ODD)
    return list(records(run.path))


def feed(sink, journal):
    sink.restart(0)
    for record in journal:
        if record["kind"] in ("header", "payload", "histogram", "standings"):
            getattr(sink, record["kind"])(record)
    sink.flush()
    sink.close()


def payloads(journal):
    return [record for record in journal if record["kind"] == "payload"]


def test_tensorboard(journal, tmp_path):
    feed(TensorBoardSink(tmp_path), journal)
    found = readers.scalars(tmp_path)
    expected = {}
    for record in payloads(journal):
        for key, value in readers.numbers(record["values"]).items():
            point = (record["iter"], record["time"], float(np.float32(value)))
            expected.setdefault(key, []).append(point)
    assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)  # NaN is NaN
    assert math.isnan(found["a/nan"][-1][2])
    everything = readers.events(tmp_path)
    (histogram,) = everything.Histograms(HISTOGRAM)
    assert histogram.step == 19
    assert histogram.histogram_value.bucket == [3, 0, 5]
    assert histogram.histogram_value.bucket_limit == [0.5, 1.5, 2.5]
    (table,) = everything.Tensors("league/standings/text_summary")
    text = table.tensor_proto.string_val[0].decode()
    assert "| iter_000006 | archive | 0.002 | 70 | True |" in text
    (spec,) = everything.Tensors("spec/text_summary")
    assert spec.tensor_proto.string_val[0].decode() == '    name = "ttt"\n'


def test_tensorboards_hyperparameters(journal, tmp_path):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    feed(TensorBoardSink(tmp_path), journal)
    content = readers.events(tmp_path).PluginTagToContent("hparams")
    start = HParamsPluginData.FromString(content["_hparams_/session_start_info"])
    given = start.session_start_info.hparams
    assert given["optimizer.learning_rate"].number_value == 1e-3
    assert given["env.id"].string_value == "tic_tac_toe"
    assert given["model.hidden_dims"].string_value == "[64, 64]"
    experiment = HParamsPluginData.FromString(content["_hparams_/experiment"]).experiment
    assert [each.name.tag for each in experiment.metric_infos] == ["total_loss"]


def test_json_lines(journal, tmp_path):
    path = tmp_path / "x.jsonl"
    feed(JsonLinesSink(path), journal)
    assert readers.lines(path, "payload") == [
        {"kind": "payload", "time": each["time"], **each["values"]} for each in payloads(journal)
    ]
    (histogram,) = readers.lines(path, "histogram")
    assert (histogram["iter"], histogram["counts"]) == (19, [3, 0, 5])
    (standings,) = readers.lines(path, "standings")
    assert len(standings["standings"]) == 3
    assert readers.lines(path)[0]["spec"] == SPEC


def test_wandb(journal, tmp_path):
    config = WandB(project="p", entity="e", group="g", tags=("mine", "quickstart"))
    sink = WandBSink(config, SinkRun(uid=UID, name="ttt", folder=tmp_path / "w"))
    feed(sink, journal[:6])
    feed(sink, journal)  # once more from the start: there is one run all the same
    found = readers.wandb_records(tmp_path / "w")
    (run,) = [each.run for each in found if each.WhichOneof("record_type") == "run"]
    assert (run.run_id, run.project, run.entity, run.run_group) == (UID, "p", "e", "g")
    assert list(run.tags) == ["quickstart", "mine"]
    given = {each.key: json.loads(each.value_json) for each in run.config.update}
    assert {key: given[key] for key in SPEC} == SPEC
    rows = readers.wandb_rows(found)
    assert [row["_step"] for row in rows] == list(range(21))
    for row, record in zip(rows, payloads(journal), strict=True):
        assert row["_timestamp"] == record["time"]
        values = readers.numbers(record["values"])
        assert repr({key: float(row[key]) for key in values}) == repr(values)
    assert rows[19][HISTOGRAM + "/values"] == [3, 0, 5]
    (table,) = (tmp_path / "w").rglob("*.table.json")
    data = json.loads(table.read_text())
    assert data["columns"] == ["name", "place", "score", "rollouts", "active"]
    assert data["data"][1] == ["iter_000006", "archive", 0.002, 70, True]
