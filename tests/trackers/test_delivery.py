"""Every point arrives once, whatever happens to the sink, the process and the run."""

import random

import pytest

from jaxpot.trackers.delivery import Deliverer, Delivery, read_delivery
from jaxpot.trackers.jsonl import JsonLinesSink
from jaxpot.trackers.tensorboard import TensorBoardSink
from tests.journal.reading import live_payloads
from tests.store.journals import Writer
from tests.trackers import readers


class BrokenError(Exception):
    """What a sink raises here."""


class Flaky:
    """Keeps what counts in a list of the test's, and fails when it is reported to."""

    def __init__(self, rows, *, from_start=False):
        self.rows = rows
        self.from_start = from_start
        self.fail_at = None
        self.calls = []

    def restart(self, iteration):
        self.calls.append(("restart", iteration))
        self.rows[:] = [row for row in self.rows if row[1] < iteration]

    def header(self, record):
        self.calls.append(("header", record["spec"]["iterations"]))

    def payload(self, record):
        if record["iter"] == self.fail_at:
            raise BrokenError("no more")
        self.rows.append(("payload", record["iter"], record["time"]))

    def histogram(self, record):
        self.rows.append(("histogram", record["iter"], record["time"]))

    def standings(self, record):
        self.rows.append(("standings", record["iter"], record["time"]))

    def flush(self):
        self.calls.append(("flush", None))

    def close(self):
        self.calls.append(("close", None))


@pytest.fixture
def run(tmp_path):
    run = Writer(tmp_path, "u1")
    run.header()
    run.start()
    return run


def with_histograms(run, iterations):
    for iteration in iterations:
        run.payload(iteration)
        run.record("histogram", attempt=run.attempt, iter=iteration, name="h", counts=[1, 2])


def deliverer(run, sink, config=None):
    return Deliverer(run.folder, "s", config or {"kind": "x"}, lambda _: sink)


def steps(rows, kind="payload"):
    return [row[1] for row in rows if row[0] == kind]


def test_it_follows_a_growing_journal(run):
    sink = Flaky([])
    delivery = deliverer(run, sink)
    for start in range(0, 30, 10):
        with_histograms(run, range(start, start + 10))
        run.raw(b'{"kind":"payload","it')  # a line that is being written
        delivery.catch_up()
        run.path.write_bytes(run.path.read_bytes().rpartition(b"\n")[0] + b"\n")
    delivery.finish()
    assert steps(sink.rows) == steps(sink.rows, "histogram") == list(range(30))
    assert [call for call in sink.calls if call[0] in ("restart", "close")] == [
        ("restart", 0),
        ("close", None),
    ]
    kept = read_delivery(run.folder, "s")
    assert kept is not None
    assert (kept.state, kept.done, kept.end) == ("delivered", 30, run.path.stat().st_size)


def test_what_it_has_is_not_sent_again(run):
    run.payloads(range(5))
    deliverer(run, Flaky([])).finish()
    run.record("note", text="good")
    again = Flaky([])
    deliverer(run, again).finish()
    assert again.calls == []
    run.start(5)
    run.payload(5)
    rows = []
    deliverer(run, later := Flaky(rows)).finish()
    assert (later.calls[0], steps(rows)) == (("restart", 4), [4, 5])


def test_another_table_is_another_sink(run):
    run.payloads(range(3))
    deliverer(run, Flaky([])).finish()
    sink = Flaky([])
    deliverer(run, sink, {"kind": "x", "folder": "elsewhere"}).finish()
    assert steps(sink.rows) == [0, 1, 2]


def test_a_superseded_row_does_not_arrive(run):
    run.payloads(range(10))
    run.start(6)
    run.payloads(range(6, 8))
    run.start(7, spec={"iterations": 50})
    run.payloads(range(7, 12))
    sink = Flaky([])
    deliverer(run, sink).finish()
    assert steps(sink.rows) == list(range(12))
    assert [row[2] for row in sink.rows] == [row["time"] for row in live_payloads(run.path)]
    assert ("header", 50) in sink.calls


def test_a_row_that_is_superseded_later_is_taken_back(run):
    sink = Flaky([])
    delivery = deliverer(run, sink)
    run.payloads(range(10))
    delivery.catch_up()
    run.start(6)
    run.payloads(range(6, 8))
    delivery.catch_up()
    assert [row[2] for row in sink.rows] == [row["time"] for row in live_payloads(run.path)]
    assert ("restart", 6) in sink.calls


def test_a_failure_is_kept_and_what_came_after_is_delivered_again(run):
    run.payloads(range(4))
    sink = Flaky([])
    delivery = deliverer(run, sink)
    delivery.catch_up()
    run.payloads(range(4, 9))
    sink.fail_at = 6
    with pytest.raises(BrokenError) as error:
        delivery.catch_up()
    delivery.drop(error.value, final=False)
    kept = read_delivery(run.folder, "s")
    assert kept is not None
    assert (kept.state, kept.done, kept.error) == ("following", 4, "BrokenError: no more")
    sink.fail_at = None
    delivery.finish()
    assert steps(sink.rows) == list(range(9))
    assert delivery.now.error is None


def test_a_sink_that_cannot_go_on_gets_everything_again(run):
    run.payloads(range(4))
    rows = []
    deliverer(run, Flaky(rows, from_start=True)).catch_up()
    run.payloads(range(4, 6))
    deliverer(run, sink := Flaky(rows, from_start=True)).finish()
    assert sink.calls[0] == ("restart", 0)
    assert steps(rows) == list(range(6))


def test_damage_is_passed_over(run):
    run.payload(0)
    run.raw(b"garbage\n")
    run.payload(1, {"total_loss": "what?"})
    run.record("histogram", attempt=1, iter=1, name="h", counts="none")
    run.payload(2)
    sink = Flaky([])
    deliverer(run, sink).finish()
    assert steps(sink.rows) == [0, 2]
    assert steps(sink.rows, "histogram") == []


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "x": 1}'])
def test_a_place_that_cannot_be_read_is_none(run, text):
    run.payload(0)
    Delivery(config={}).write(run.folder, "s")
    (run.folder / "sinks" / "s.json").write_text(text)
    assert read_delivery(run.folder, "s") is None
    sink = Flaky([])
    deliverer(run, sink).finish()
    assert steps(sink.rows) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_it_may_be_left_at_any_moment(tmp_path, seed):
    """Real sinks, left with rows that were written and not kept, with resumed runs."""
    draw = random.Random(seed)
    run = Writer(tmp_path, "u1")
    run.header()
    run.start()
    made = {
        "board": lambda: TensorBoardSink(tmp_path / "board"),
        "lines": lambda: JsonLinesSink(tmp_path / "lines.jsonl"),
    }
    done = 0
    for _ in range(8):
        followers = [Deliverer(run.folder, n, {}, lambda _, m=m: m()) for n, m in made.items()]
        for _ in range(draw.randrange(1, 4)):
            with_histograms(run, range(done, done := done + draw.randrange(1, 30)))
            for follower in followers:
                if draw.random() < 0.7:
                    follower.catch_up()
        for follower in followers:
            leave(follower, draw)
        tear(tmp_path, draw)
        if draw.random() < 0.5:
            done = max(0, done - draw.randrange(40))
            run.start(done)
    for name, make in made.items():
        Deliverer(run.folder, name, {}, lambda _, make=make: make()).finish()
    live = list(live_payloads(run.path))
    assert [row["iter"] for row in live] == list(range(done))
    points = [(row["iter"], row["time"]) for row in live]
    assert readers.lines(tmp_path / "lines.jsonl", "payload") == [
        {"kind": "payload", "time": row["time"], **row["values"]} for row in live
    ]
    shown = readers.scalars(tmp_path / "board")
    assert {tag: [each[:2] for each in found] for tag, found in shown.items()} == dict.fromkeys(
        live[0]["values"] if live else (), points
    )
    assert [each.step for each in readers.events(tmp_path / "board").Histograms("h")] == [
        each["iter"] for each in readers.lines(tmp_path / "lines.jsonl", "histogram")
    ]


def leave(follower, draw):
    """Leaves a sink with rows that it was given after its place was kept."""
    sink, done = follower._sink, follower.now.done
    if sink is not None:
        for iteration in range(done, done + draw.randrange(4)):
            values = {"iter": iteration, "total_loss": -1.0}
            row = {"kind": "payload", "time": 0.0, "attempt": 1, "iter": iteration}
            sink.payload({**row, "values": values})
        sink.close()


def tear(tmp_path, draw):
    """Adds the start of a record to the newest files."""
    lines = [path for path in [tmp_path / "lines.jsonl"] if path.exists()]
    boards = sorted((tmp_path / "board").glob("*"))[-1:]
    for path in lines + boards:
        if draw.random() < 0.5:
            with path.open("ab") as file:
                file.write(b'{"kind":"payload","iter":' if path in lines else b"\x80\0\0\0torn")
