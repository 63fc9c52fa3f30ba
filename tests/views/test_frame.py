import pytest

from jaxpot.views.dashboard import Dashboard
from jaxpot.views.frame import frame
from jaxpot.views.progress import Progress
from jaxpot.views.sections import Size
from tests.trackers.stream import Clock, info, key, payload, play, result

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
