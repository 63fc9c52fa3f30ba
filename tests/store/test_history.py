"""Reading a journal back without the database."""

from jaxpot.store import live_payloads, read_header, records


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
