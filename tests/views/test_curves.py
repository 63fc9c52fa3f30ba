import math
import statistics
import time
from itertools import accumulate

import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store, database
from jaxpot.views.curves import curves, nothing_drawn
from jaxpot.views.groups import grouped, read_runs
from tests.views.runs import uid, write_rows, write_run

COUNT = 600
SAMPLES = 32
# What the seeds of further groups have.
LOSSES = {
    "n": [[1.0, "NaN", 3.0, "Infinity", "-Infinity", 6.0]],
    "g": [[1.0, "NaN", 3.0], [3.0, 4.0, 5.0]],
    "p": [[1.0, 0.0, -2.0, 4.0]],
    "b": [[0.1], [0.1], [4.0]],
    "e": [["NaN"]],
}


def value(seed, i):
    return math.sin(i / 7 + seed) * (i % 13) + 0.001 * i


def rows(seed, count=COUNT):
    return [
        {"loss": value(seed, i), "iteration/num_samples": SAMPLES + i % 3} for i in range(count)
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        write_run(folder, "a", seed, rows(seed, COUNT - 50 * seed))
    for letter, each in LOSSES.items():
        for seed, losses in enumerate(each):
            losses_as_rows = [{"loss": loss} for loss in losses]
            write_run(folder, letter, seed, losses_as_rows, digest=letter * 64)
    run = write_run(folder, "r", 0, [{"loss": 1.0}] * 100, digest="r" * 64, end=False)
    run.clock += 5000
    run.start(60)
    write_rows(run, range(60, 80), lambda i: {"loss": 2.0})
    return Store(folder)


def drawn(store, *uids, keys=("loss",), separate=False, **options):
    with store.reading() as connection:
        groups, _ = grouped(read_runs(connection, uids), separate=separate)
        return curves(connection, groups, keys, **options)


def curve(store, *uids, **options):
    found, _ = drawn(store, *uids, **options)
    return found[0]


def seeds():
    return [uid("a", seed) for seed in range(3)]


def test_few_points_are_all_there(store):
    found = curve(store, uid("a", 0))
    assert [(point.x, point.y) for point in found.points] == [
        (i, pytest.approx(value(0, i))) for i in range(COUNT)
    ]
    assert (found.total, found.gaps, found.partial) == (COUNT, 0, 0)
    assert all(point.low is None for point in found.points)


def test_of_each_column_the_first_last_least_and_greatest_points_are_kept(store):
    columns = 20
    found = curve(store, uid("a", 0), columns=columns)
    assert len(found.points) <= 4 * columns
    values = [value(0, i) for i in range(COUNT)]
    wanted = set()
    for column in range(columns):
        inside = [i for i in range(COUNT) if min(columns - 1, i * columns // (COUNT - 1)) == column]
        wanted |= {min(inside), max(inside)}
        wanted |= {min(inside, key=values.__getitem__), max(inside, key=values.__getitem__)}
    assert [point.x for point in found.points] == sorted(wanted)
    assert [point.y for point in found.points] == pytest.approx([values[i] for i in sorted(wanted)])
    assert found.total == COUNT


def test_smoothing_is_the_mean_of_the_newest_points(store):
    found = curve(store, uid("a", 0), smooth=5)
    values = [value(0, i) for i in range(COUNT)]
    wanted = [statistics.fmean(values[max(0, i - 4) : i + 1]) for i in range(COUNT)]
    assert [point.y for point in found.points] == pytest.approx(wanted)


@pytest.mark.parametrize("band", ["error", "range", "none"])
def test_seeds_are_their_mean_in_a_band_as_far_as_all_of_them_go(store, band):
    found = curve(store, *seeds(), band=band)
    assert found.total == len(found.points) == COUNT - 100
    assert found.partial == 100
    for i in (0, 77, COUNT - 101):
        values = [value(seed, i) for seed in range(3)]
        mean = statistics.fmean(values)
        half = statistics.stdev(values) / math.sqrt(3)
        wanted = {
            "error": (mean - half, mean + half),
            "range": (min(values), max(values)),
            "none": (None, None),
        }[band]
        point = found.points[i]
        assert point.y == pytest.approx(mean)
        assert (point.low, point.high) == pytest.approx(wanted)


def test_over_samples_the_axis_counts_what_was_collected(store):
    found = curve(store, uid("a", 0), x="samples")
    wanted = list(accumulate(SAMPLES + i % 3 for i in range(COUNT)))
    assert [point.x for point in found.points] == wanted


def test_over_time_pauses_and_superseded_iterations_do_not_count(store):
    (found,), title = drawn(store, uid("r", 0), x="time")
    # A record a second: the keys and 60 iterations of one attempt, the keys and 20 of the next.
    assert title == "seconds of running"
    seconds = [point.x for point in found.points]
    assert seconds[:2] == pytest.approx([2, 3])
    assert seconds[60] - seconds[59] == pytest.approx(2)
    assert seconds[-1] == pytest.approx(61 + 21)
    assert [point.y for point in found.points] == [1.0] * 60 + [2.0] * 20


def test_long_times_have_a_unit_that_fits(store):
    _, title = drawn(store, uid("a", 0), x="time")
    assert title == "minutes of running"


def test_values_that_are_not_finite_are_gaps_and_counted(store):
    found = curve(store, uid("n", 0))
    assert [point.y for point in found.points] == [1.0, None, 3.0, None, None, 6.0]
    assert (found.total, found.gaps) == (6, 3)
    smooth = curve(store, uid("n", 0), smooth=3)
    assert [point.y for point in smooth.points] == [1.0, None, 2.0, None, None, 6.0]


@pytest.mark.parametrize("band", ["error", "range"])
def test_a_gap_of_one_seed_is_a_gap_of_the_mean(store, band):
    found = curve(store, uid("g", 0), uid("g", 1), band=band)
    assert [point.y for point in found.points] == [2.0, None, 4.0]
    assert (found.total, found.gaps, found.partial) == (3, 1, 0)


def test_on_a_logarithmic_axis_what_is_not_positive_is_a_gap(store):
    found = curve(store, uid("p", 0), log_y=True)
    assert [point.y for point in found.points] == [1.0, None, None, 4.0]
    assert found.gaps == 2


def test_a_band_below_zero_ends_at_its_mean_on_a_logarithmic_axis(store):
    uids = [uid("b", seed) for seed in range(3)]
    assert curve(store, *uids).points[0].low < 0.11
    assert curve(store, *uids, log_y=True).points[0].low > 0


def test_without_points_that_is_said(store):
    found, _ = drawn(store, uid("a", 0), keys=["lose"])
    assert found == []
    assert nothing_drawn(found, ["lose"]) == "lose: no points are recorded yet"
    found, _ = drawn(store, uid("e", 0))
    assert nothing_drawn(found, ["loss"]) == "loss: 1 points, and none of them can be drawn"
    assert nothing_drawn([*found, curve(store, uid("a", 0))], ["loss"]) == ""


def test_over_samples_a_run_without_samples_says_what_it_lacks(store):
    with pytest.raises(UserError, match="needs 'iteration/num_samples'"):
        drawn(store, uid("n", 0), x="samples")


def test_a_million_points_are_thinned_by_the_database_and_no_spike_is_lost():
    connection = database.in_memory()
    connection.execute(
        "INSERT INTO runs (run_id, uid, name, status, iterations, attempts) "
        "VALUES (1, 'u', 'long', 'running', 1000000, 1)"
    )
    connection.execute(
        "INSERT INTO attempts (run_id, attempt, start_iter, status, iterations) "
        "VALUES (1, 1, 0, 'running', 1000000)"
    )
    connection.execute("INSERT INTO keys (run_id, key_id, name) VALUES (1, 0, 'loss')")
    connection.execute(
        "INSERT INTO metrics (run_id, attempt, iter, key_id, value64, part) "
        "SELECT 1, 1, i, 0, CASE WHEN i = 123456 THEN 9.0 ELSE sin(i / 1e5) END, 0 "
        "FROM range(1000000) AS t(i)"
    )
    (group,), _ = grouped(read_runs(connection, ["u"]))
    began = time.process_time()
    (found,), _ = curves(connection, [group], ["loss"], columns=500)
    assert time.process_time() - began < 5
    connection.close()
    assert found.total == 1_000_000
    assert len(found.points) <= 4 * 500
    assert (123456.0, 9.0) in [(point.x, point.y) for point in found.points]
