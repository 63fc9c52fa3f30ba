import io

import pytest

from jaxpot.views.plain import Plain
from tests.trackers.stream import Clock, checkpoint, info, payload, play, result, standings


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


def test_the_league_s_news_are_lines(stream, clock):
    plain = Plain(stream, clock=clock)
    play(plain, clock, until=230, league=True)
    reported = [line for line in stream.getvalue().splitlines() if line.startswith("league")]
    assert reported == [
        "league at 25: iter_000025 joined; 1 entry",
        "league at 50: iter_000050 joined; 2 entries",
        "league at 75: iter_000075 joined; 3 entries",
        "league at 100: iter_000100 joined; 4 entries",
        "league at 125: iter_000125 joined; 4 entries, 1 archived, 0 active",
        "league at 150: iter_000150 joined; 4 entries, 2 archived, 0 active",
        "league at 175: iter_000175 joined; 4 entries, 3 archived, 0 active",
        "league at 200: iter_000200 joined, iter_000025 recalled; 4 entries, 4 archived, 1 active",
        "league at 225: iter_000225 joined; 4 entries, 5 archived, 1 active",
    ]


def test_standings_without_news_are_no_line(stream, clock):
    plain = Plain(stream, clock=clock)
    play(plain, clock, until=100, league=True)
    before = stream.getvalue()
    plain.standings(100, standings(100))
    assert stream.getvalue() == before


def test_a_resumed_attempt_tells_the_league_as_it_finds_it(stream, clock):
    plain = Plain(stream, clock=clock)
    plain.started(info(attempt=2, start_iter=200))
    plain.standings(200, standings(200))
    plain.payload(payload(224))
    plain.standings(225, standings(225))
    assert [line for line in stream.getvalue().splitlines() if line.startswith("league")] == [
        "league at 200: 4 entries, 4 archived, 1 active",
        "league at 225: iter_000225 joined; 4 entries, 5 archived, 1 active",
    ]
