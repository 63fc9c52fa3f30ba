"""A journal that is replayed shows what the loop showed, whatever the journal is like."""

import json

import pytest

from jaxpot.views.dashboard import frame
from jaxpot.views.progress import Progress
from jaxpot.views.replay import JournalClock, Replay
from jaxpot.views.sections import Size
from tests.store.journals import START, Writer, complete_run, standing
from tests.views.runs import write_rows

UID = "20261122-101530-aaaaaa"


class Told:
    """Keeps every call."""

    def __init__(self, clock):
        self.calls, self.times, self._clock = [], [], clock

    def __getattr__(self, name):
        def take(*arguments, **options):
            self.calls.append((name, *arguments, *options.values()))
            self.times.append(self._clock())

        return take

    def named(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture
def clock():
    return JournalClock()


@pytest.fixture
def told(clock):
    return Told(clock)


def test_a_whole_run_is_told_in_its_order(tmp_path, clock, told):
    run = complete_run(tmp_path, UID)
    replay = Replay(run.folder, told, clock)
    assert replay.begin()
    names = [call[0] for call in told.calls]
    assert names[:3] == ["started", "compiled", "payload"]
    assert names[-2:] == ["standings", "finished"]
    (info,) = told.named("started")[0]
    assert (info.uid, info.name, info.attempt, info.target_iterations) == (UID, "ttt", 1, 20)
    assert [key.name for key in info.keys][:2] == ["iter", "total_loss"]
    assert [values["iter"] for (values,) in told.named("payload")] == list(range(20))
    assert [record["state"] for (record,) in told.named("checkpoint")] == ["begun", "committed"]
    result = replay.result
    assert (result.status, result.iterations, result.exit_code) == ("completed", 20, 0)
    assert result.checkpoint == f"{UID}/checkpoints/000010"
    assert result.time["update"] == 3.0
    assert result.expect[0]["passed"] is True
    assert result.metrics["iter"] == 19


def test_the_clock_shows_the_journal_s_time_and_then_the_present(tmp_path, clock, told):
    run = complete_run(tmp_path, UID)
    Replay(run.folder, told, clock).begin()
    assert all(START < moment < START + 1000 for moment in told.times)
    assert clock() > START + 1000 or clock.moment is None


def test_of_a_resumed_run_what_counts_is_told_once(tmp_path, clock, told):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    write_rows(run, range(8), lambda i: {"total_loss": float(i)})
    run.end("interrupted")
    run.start(5)
    write_rows(run, range(5, 7), lambda i: {"total_loss": 10.0 * i})
    replay = Replay(run.folder, told, clock)
    assert replay.begin()
    assert replay.result is None
    losses = [values["total_loss"] for (values,) in told.named("payload")]
    assert losses == [0, 1, 2, 3, 4, 50, 60]
    assert told.named("finished") == []
    assert told.named("started")[0][0].start_iter == 5


def test_a_further_attempt_ends_the_replay(tmp_path, clock, told):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    replay = Replay(run.folder, told, clock)
    replay.begin()
    run.payload(0)
    assert replay.follow()
    run.start(0)
    assert not replay.follow()


def test_before_an_attempt_there_is_nothing_to_tell(tmp_path, clock, told):
    run = Writer(tmp_path, UID)
    run.header()
    assert not Replay(run.folder, told, clock).begin()
    assert told.calls == []


def test_values_that_json_lacks_are_numbers(tmp_path, clock, told):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    run.payload(0, {"total_loss": "Infinity"})
    Replay(run.folder, told, clock).begin()
    assert told.named("payload")[0][0]["total_loss"] == float("inf")


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "payload", "attempt": 1, "iter": 0, "values": {"total_loss": "x"}},
        {"kind": "payload", "attempt": "1", "iter": 0, "values": {}},
        {"kind": "standings", "attempt": 1, "iter": 0, "standings": [{"name": 3}]},
        {"kind": "standings", "attempt": 1, "iter": 0, "standings": "x"},
        {"kind": "event", "attempt": 1, "name": "compile", "payload": {"seconds": "long"}},
        {"kind": "event", "attempt": 1, "name": "expect", "payload": None},
        {"kind": "keys", "attempt": 1, "keys": [1, {"name": "x"}, {"name": "iter", "more": 1}]},
        {"kind": "end", "attempt": 7, "status": "completed", "iterations": 3, "digest": None},
        {"kind": "stranger"},
    ],
    ids=lambda record: json.dumps(record)[:40],
)
def test_a_damaged_record_is_passed_over(tmp_path, clock, record):
    run = Writer(tmp_path, UID)
    run.header(spec={"kind": "no spec"})
    run.start()
    run.raw(json.dumps({"time": START, **record}).encode() + b"\n")
    progress = Progress(clock=clock)

    class Shown(Told):
        def __getattr__(self, name):
            return getattr(progress, name)

    replay = Replay(run.folder, Shown(clock), clock)
    assert replay.begin()
    assert replay.result is None
    assert progress.latest is None
    assert frame(progress, Size(80, 24))


def test_the_picture_of_a_replay_is_that_of_the_run(tmp_path, clock, snapshot):
    run = complete_run(tmp_path, UID)
    progress = Progress(clock=clock)

    class Shown(Told):
        def standings(self, iteration, standings):
            progress.standings(standings)

        def __getattr__(self, name):
            return getattr(progress, name)

    run.record("standings", attempt=1, iter=19, standings=[standing("iter_000020", "league")])
    Replay(run.folder, Shown(clock), clock).begin()
    assert "\n".join(line.plain.rstrip() for line in frame(progress, Size(80, 24))) == snapshot


def test_of_a_long_journal_the_end_is_told(tmp_path, clock, told, monkeypatch):
    monkeypatch.setattr("jaxpot.views.replay._SHOWN_BYTES", 2000)
    run = complete_run(tmp_path, UID)
    replay = Replay(run.folder, told, clock)
    assert replay.begin()
    assert replay.result.status == "completed"
    assert len(told.named("started")) == 1
    assert len(told.named("payload")) < 20
