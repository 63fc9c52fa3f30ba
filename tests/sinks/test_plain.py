import io

import pytest

from jaxpot.sinks.plain import Plain
from tests.sinks.stream import Clock, checkpoint, info, payload, play, result


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


def test_lines_of_a_run(stream, clock, snapshot):
    plain = Plain(stream, clock=clock)
    play(plain, clock, until=230)
    plain.warning("the database is held by another process (pid 7)")
    plain.checkpoint(checkpoint(230, "failed", error="No space left on device"))
    plain.finished(result())
    assert stream.getvalue() == snapshot


def test_a_burst_writes_one_line_of_progress(stream, clock):
    plain = Plain(stream, clock=clock)
    plain.started(info())
    for _ in range(1000):
        clock.now += 0.001
        plain.payload(payload(0))
    assert len(stream.getvalue().splitlines()) == 1
    clock.now += 2
    plain.payload(payload(1))
    plain.payload(payload(2))
    assert len(stream.getvalue().splitlines()) == 2


def test_resumed_attempt_says_so(stream, clock):
    Plain(stream, clock=clock).started(info(attempt=3, start_iter=200, nproc=None))
    assert "attempt 3: iterations 200 to 500 on cpu;" in stream.getvalue()


def test_only_warnings(stream, clock):
    plain = Plain(stream, clock=clock, only_warnings=True)
    play(plain, clock, until=500)
    plain.warning("odd")
    plain.checkpoint(checkpoint(500, "failed", error="full"))
    plain.finished(result())
    assert stream.getvalue() == "warning: odd\nwarning: checkpoint 500 failed: full\n"
