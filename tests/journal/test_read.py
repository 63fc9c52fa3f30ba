"""Reading a journal back without the database."""

from jaxpot.journal import Histogram, Payload, Standings, live_records
from tests.journal.reading import live_payloads, read_header, records


def test_superseded_payloads_are_dropped(run):
    run.payloads(range(15))
    run.start(10)
    run.payloads(range(10, 12))
    run.start(11)
    run.payloads(range(11, 14))
    found = [(record["attempt"], record["iter"]) for record in live_payloads(run.path)]
    assert found == [*((1, i) for i in range(10)), (2, 10), *((3, i) for i in range(11, 14))]


def test_damaged_and_torn_lines_are_passed_over(run):
    run.payload(0)
    run.raw(b'garbage\n[1, 2]\n{"kind":"payload"}\n' + b"[" * 100_000 + b"\n")
    run.payload(1)
    run.raw(b'{"kind":"payload","attempt":1,"iter":2,"values":{}}')
    assert [record["iter"] for record in live_payloads(run.path)] == [0, 1]


def test_records_of_some_kinds(run):
    run.event("keys", {"payload": "attempt"})
    run.end()
    assert [record["kind"] for record in records(run.path)] == [
        *("header", "attempt", "keys", "event", "end")
    ]
    assert [record["kind"] for record in records(run.path, kinds=("attempt", "end"))] == [
        *("attempt", "end")
    ]


def test_the_header(run, tmp_path):
    header = read_header(run.path)
    assert header is not None
    assert header["uid"] == run.uid
    assert read_header(tmp_path / "nothing") is None
    run.path.write_bytes(b"garbage\n")
    assert read_header(run.path) is None


def test_what_counts_of_each_kind(run):
    """A resume from a checkpoint repeats its iteration's standings, which were saved before."""
    run.payloads(range(4))
    for iteration in (1, 3):
        run.record("standings", attempt=1, iter=iteration, standings=[{"name": "old"}])
        run.record("histogram", attempt=1, iter=iteration, name="x", counts=[1])
    run.start(3)
    run.payload(3)
    run.record("standings", attempt=2, iter=1, standings=[{"name": "new"}])
    found = list(live_records(run.path, Payload, Standings, Histogram))
    assert [(row.kind, row.attempt, row.iter) for row in found] == [
        *(("payload", 1, n) for n in range(3)),
        ("histogram", 1, 1),
        ("payload", 2, 3),
        ("standings", 2, 1),
    ]


def test_records_from_a_byte_on(run):
    run.payload(0)
    start = run.path.stat().st_size
    run.payload(1)
    assert [row["iter"] for row in records(run.path, start=start)] == [1]
