"""A run with sinks: its bits are those of one without, and a resumed one doubles no point."""

from typing import ClassVar

import attrs
import pytest

from jaxpot.loop import run as runner
from jaxpot.loop.observer import Observers
from jaxpot.spec import SpecError
from jaxpot.trackers.process import SideProcess, SinkState
from tests.journal.reading import live_payloads
from tests.loop.running import events, journal, trace, train
from tests.tiny import tiny_experiment
from tests.trackers import readers

pytestmark = pytest.mark.usefixtures("shared_programs")

SINKS = {"tensorboard": {}, "lines": {"kind": "jsonl"}}


@pytest.fixture
def sinks():
    return tiny_experiment(sinks=SINKS)


def run(experiment, runs_dir, **options):
    return runner.run(experiment, runs_dir=runs_dir, **options)


def test_sinks_change_no_bit_and_a_resumed_run_doubles_no_point(sinks, tmp_path):
    plain = train(tiny_experiment(), tmp_path / "plain")
    stopped = run(sinks, tmp_path / "runs", iterations=5)
    resumed = runner.resume(tmp_path / "runs", stopped.uid)
    assert trace(resumed) == trace(plain)
    assert [
        (event["sink"], event["state"], event["done"]) for event in events(resumed, "sink")
    ] == [
        ("tensorboard", "delivered", 5),
        ("lines", "delivered", 5),
        ("tensorboard", "delivered", 8),
        ("lines", "delivered", 8),
    ]
    live = list(live_payloads(journal(resumed)))
    folder = resumed.run_dir / "sinks"
    assert [
        {"kind": "payload", "time": row["time"], **row["values"]} for row in live
    ] == readers.lines(folder / "lines.jsonl", "payload")
    shown = readers.scalars(folder / "tensorboard")
    assert shown.keys() == set().union(*(row["values"] for row in live))
    for key, points in shown.items():
        having = [row for row in live if key in row["values"]]
        assert [point[:2] for point in points] == [(row["iter"], row["time"]) for row in having]


def test_re_runs_that_verify_send_nothing(sinks, tmp_path):
    result = train(sinks, tmp_path, iterations=1)
    assert not (result.run_dir / "sinks").exists()
    assert events(result, "sink") == []


def test_what_is_not_delivered_is_said_once(sinks, tmp_path, monkeypatch):
    class Listener(Observers):
        reported: ClassVar[list[str]] = []

        def warning(self, text):
            self.reported.append(text)

    left = [SinkState(sink="lines", state="failed", done=3, error="OSError: full")]
    monkeypatch.setattr(SideProcess, "finish_sinks", lambda _: left)
    result = run(sinks, tmp_path, iterations=1, observer=(listener := Listener()))
    assert result.status == "stopped"
    assert listener.reported == [
        "sink lines: it has 3 iterations and failed: OSError: full; "
        f"try again with `jaxpot sync {result.uid}`"
    ]
    assert events(result, "sink") == [attrs.asdict(left[0])]


def test_a_missing_package_is_told_before_anything_is_made(sinks, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxpot.spec.registry.find_spec", lambda _: None)
    with pytest.raises(SpecError, match=r"pip install 'jaxpot\[tensorboard\]'"):
        run(sinks, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert train(sinks, tmp_path / "runs", iterations=1).status == "stopped"
