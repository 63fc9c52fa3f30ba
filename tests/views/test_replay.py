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


class Reported:
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
def reported(clock):
    return Reported(clock)


def test_a_whole_run_is_told_in_its_order(tmp_path, clock, reported):
    run = complete_run(tmp_path, UID)
    replay = Replay(run.folder, reported, clock)
    assert replay.begin()
    names = [call[0] for call in reported.calls]
    assert names[:3] == ["started", "compiled", "payload"]
    assert names[-2:] == ["standings", "finished"]
    (info,) = reported.named("started")[0]
    assert (info.uid, info.name, info.attempt, info.target_iterations) == (UID, "ttt", 1, 20)
    assert [key.name for key in info.keys][:2] == ["iter", "total_loss"]
    assert [values["iter"] for (values,) in reported.named("payload")] == list(range(20))
    assert [record["state"] for (record,) in reported.named("checkpoint")] == ["begun", "committed"]
    result = replay.result
    assert (result.status, result.iterations, result.exit_code) == ("completed", 20, 0)
    assert result.checkpoint == f"{UID}/checkpoints/000010"
    assert result.time["update"] == 3.0
    assert result.expect[0]["passed"] is True
    assert result.metrics["iter"] == 19


def test_the_clock_shows_the_journal_s_time_and_then_the_present(tmp_path, clock, reported):
    run = complete_run(tmp_path, UID)
    Replay(run.folder, reported, clock).begin()
    assert all(START < moment < START + 1000 for moment in reported.times)
    assert clock() > START + 1000 or clock.moment is None


def test_of_a_resumed_run_what_counts_is_told_once(tmp_path, clock, reported):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    write_rows(run, range(8), lambda i: {"total_loss": float(i)})
    run.end("interrupted")
    run.start(5)
    write_rows(run, range(5, 7), lambda i: {"total_loss": 10.0 * i})
    replay = Replay(run.folder, reported, clock)
    assert replay.begin()
    assert replay.result is None
    losses = [values["total_loss"] for (values,) in reported.named("payload")]
    assert losses == [0, 1, 2, 3, 4, 50, 60]
    assert reported.named("finished") == []
    assert reported.named("started")[0][0].start_iter == 5


def test_a_further_attempt_ends_the_replay(tmp_path, clock, reported):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    replay = Replay(run.folder, reported, clock)
    replay.begin()
    run.payload(0)
    assert replay.follow()
    run.start(0)
    assert not replay.follow()


def test_before_an_attempt_there_is_nothing_to_tell(tmp_path, clock, reported):
    run = Writer(tmp_path, UID)
    run.header()
    assert not Replay(run.folder, reported, clock).begin()
    assert reported.calls == []


def test_values_that_json_lacks_are_numbers(tmp_path, clock, reported):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    run.payload(0, {"total_loss": "Infinity"})
    Replay(run.folder, reported, clock).begin()
    assert reported.named("payload")[0][0]["total_loss"] == float("inf")


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

    class Shown(Reported):
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

    class Shown(Reported):
        def standings(self, iteration, standings):
            progress.standings(standings)

        def __getattr__(self, name):
            return getattr(progress, name)

    run.record("standings", attempt=1, iter=19, standings=[standing("iter_000020", "league")])
    Replay(run.folder, Shown(clock), clock).begin()
    assert "\n".join(line.plain.rstrip() for line in frame(progress, Size(80, 24))) == snapshot


def test_of_a_long_journal_the_end_is_told(tmp_path, clock, reported, monkeypatch):
    monkeypatch.setattr("jaxpot.views.replay._SHOWN_BYTES", 2000)
    run = complete_run(tmp_path, UID)
    replay = Replay(run.folder, reported, clock)
    assert replay.begin()
    assert replay.result.status == "completed"
    assert len(reported.named("started")) == 1
    assert len(reported.named("payload")) < 20
