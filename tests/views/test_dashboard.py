import io

import pytest
from rich.console import Console

from jaxpot.views.dashboard import Dashboard, frame
from jaxpot.views.progress import Progress
from jaxpot.views.sections import Size
from tests.trackers.stream import Clock, checkpoint, info, key, payload, play, result

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def terminal(**options):
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=24, **options)


def test_display_opens_with_the_run_and_closes_with_it():
    console, clock = terminal(color_system="standard"), Clock()
    with Dashboard(console, clock=clock) as dashboard:
        assert console.file.getvalue() == ""
        play(dashboard, clock, until=100)
        dashboard.finished(result())
        written = console.file.getvalue()
    assert written.startswith(HIDE)
    assert written.rindex(SHOW) > written.rindex(HIDE)
    assert "completed after 500 iterations" in written


def test_warnings_are_printed_in_full_and_stay():
    console, clock = terminal(color_system=None), Clock()
    text = "checkpoint 000300 is damaged: " + "state/d/0: SHA-256 differs, " * 5
    with Dashboard(console, clock=clock) as dashboard:
        play(dashboard, clock, until=100)
        dashboard.warning(text)
        dashboard.checkpoint(checkpoint(200, "failed", error="No space left on device"))
    printed = " ".join(console.file.getvalue().split())
    assert text.strip() in printed
    assert "warning: checkpoint 200 failed: No space left on device" in printed


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_terminal_is_given_back_however_the_run_ends(error):
    console = terminal()
    with pytest.raises(error), Dashboard(console) as dashboard:
        dashboard.started(info())
        raise error
    written = console.file.getvalue()
    assert written.rindex(SHOW) > written.rindex(HIDE)


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console, clock = terminal(), Clock()
    dashboard = Dashboard(console, clock=clock, live=False)
    play(dashboard, clock, until=230)
    console.print(dashboard)
    colours = [f"\x1b[{code}m" for code in range(30, 38)]
    assert not any(colour in console.file.getvalue() for colour in colours)


def test_payload_keeps_the_reference_it_is_given():
    dashboard = Dashboard(terminal(), live=False)
    dashboard.started(info())
    values = payload(0)
    dashboard.payload(values)
    assert dashboard.progress.latest is values


def test_picture_takes_the_console_s_room():
    console = Console(file=io.StringIO(), width=40, height=12, force_terminal=True)
    dashboard, clock = Dashboard(console, clock=(clock := Clock()), live=False), clock
    play(dashboard, clock, until=230)
    with console.capture() as capture:
        console.print(dashboard)
    lines = capture.get().splitlines()
    assert len(lines) <= 12


def test_a_further_attempt_begins_the_picture_anew():
    console, clock = terminal(color_system=None), Clock()
    with Dashboard(console, clock=clock, hint="Ctrl-C leaves the run alone") as dashboard:
        play(dashboard, clock, until=100)
        dashboard.finished(result(status="interrupted"))
        dashboard.started(info(attempt=2, start_iter=50))
        assert dashboard.progress.latest is None
        assert dashboard.progress.done == 50
    assert "attempt 2" in console.file.getvalue()
    assert "Ctrl-C leaves the run alone" in console.file.getvalue()


def test_warnings_of_the_past_are_not_printed_again():
    console, clock = terminal(color_system=None), Clock()
    with Dashboard(console, clock=clock) as dashboard:
        dashboard.replaying(past=True)
        dashboard.started(info())
        dashboard.warning("long ago")
        dashboard.replaying(past=False)
        dashboard.warning("now")
    assert "long ago" not in console.file.getvalue()
    assert "warning: now" in console.file.getvalue()


REWARDS = {"train_vs_league/reward": 0.125, "train_vs_archive/reward": -0.03125}


def drawn(progress, size):
    return "\n".join(line.plain.rstrip() for line in frame(progress, size))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    return Progress(clock=clock)


@pytest.mark.parametrize(
    "size",
    [Size(120, 40), Size(80, 24), Size(80, 16), Size(60, 40), Size(40, 12), Size(20, 5)],
    ids=lambda size: f"{size.width}x{size.height}",
)
def test_picture_in_mid_run(progress, clock, snapshot, size):
    play(progress, clock, until=230)
    assert drawn(progress, size) == snapshot


def test_picture_in_ascii(progress, clock, snapshot):
    play(progress, clock, until=230)
    picture = drawn(progress, Size(80, 24, ascii_only=True))
    assert picture.isascii()
    assert picture == snapshot


def test_picture_during_warm_up_has_its_own_curve(progress, clock, snapshot):
    play(progress, clock, until=40)
    assert drawn(progress, Size(80, 24)) == snapshot


def test_picture_before_the_first_iteration(progress, clock, snapshot):
    assert drawn(progress, Size(80, 24)) == "starting"
    progress.started(info(attempt=2, start_iter=200))
    progress.compiling("iteration/selfplay")
    clock.now += 3
    assert drawn(progress, Size(80, 24)) == snapshot


def test_picture_at_the_end(progress, clock, snapshot):
    play(progress, clock, until=500)
    progress.finished(result(status="gate_missed"))
    assert drawn(progress, Size(80, 24)) == snapshot


def test_own_evaluator_shows_its_first_keys(progress):
    keys = (key("iter"), *(key(f"eval_own/{name}", every=2) for name in ("speed", "depth")))
    progress.started(info(keys=keys))
    progress.payload({"iter": 1, "eval_own/speed": 3.5, "eval_own/depth": 7})
    assert "own            speed 3.5  depth 7 at 2" in drawn(progress, Size(80, 24))


@pytest.mark.parametrize(
    "size",
    [Size(120, 40), Size(80, 23), Size(60, 40), Size(40, 12)],
    ids=lambda size: f"{size.width}x{size.height}",
)
def test_picture_of_a_league(clock, snapshot, size):
    dashboard = Dashboard(clock=clock, live=False)
    play(dashboard, clock, until=230, league=True)
    dashboard.payload({**payload(230), **REWARDS})
    assert drawn(dashboard.progress, size) == snapshot


def test_an_empty_league_has_no_section(progress, clock):
    play(progress, clock, until=100)
    progress.standings([])
    assert "league" not in drawn(progress, Size(80, 40))


@pytest.mark.parametrize("width", [1, 2, 7, 15, 33, 75, 76, 77, 200])
@pytest.mark.parametrize("height", [1, 2, 4, 9, 24])
@pytest.mark.parametrize("league", [False, True])
def test_picture_fits_any_terminal(clock, width, height, league):
    dashboard = Dashboard(clock=clock, live=False)
    play(dashboard, clock, until=230, league=league)
    lines = frame(dashboard.progress, Size(width, height))
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
