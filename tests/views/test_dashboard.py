import io

import pytest
from rich.console import Console

from jaxpot.views.dashboard import Dashboard
from tests.trackers.stream import Clock, checkpoint, info, payload, play, result

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
        dashboard.recalling(past=True)
        dashboard.started(info())
        dashboard.warning("long ago")
        dashboard.recalling(past=False)
        dashboard.warning("now")
    assert "long ago" not in console.file.getvalue()
    assert "warning: now" in console.file.getvalue()
