from jaxpot.views.report.figures import lineage, lineage_chart, stays


def test_changes_of_a_league_are_stays():
    events = [
        (3, "add", "a"),
        (6, "add", "b"),
        (6, "archive", "a"),
        (8, "recall", "a"),
        (9, "release", "a"),
        (9, "drop", "b"),
        (12, "drop", "a"),
        (14, "add", "c"),
    ]
    assert stays(events, 20) == [
        ("a", "league", 3, 6),
        ("a", "archive", 6, 8),
        ("a", "recalled", 8, 9),
        ("a", "archive", 9, 12),
        ("b", "league", 6, 9),
        ("c", "league", 14, 20),
    ]


def test_one_that_joins_and_leaves_at_once_stays_nowhere_in_between():
    found = stays([(5, "add", "a"), (5, "archive", "a")], 9)
    assert found == [("a", "archive", 5, 9)]


def test_changes_of_what_never_joined_are_no_stay():
    assert stays([(5, "drop", "a")], 9) == []


def test_a_long_lineage_shows_its_newest_entries():
    found = stays([(i, "add", f"iter_{i:06d}") for i in range(80)], 100)
    spec, left_out = lineage_chart(found)
    assert left_out == 20
    assert lineage(found, "league-0").small == "The 20 oldest entries are left out."
    assert spec["encoding"]["y"]["sort"][0] == "iter_000020"
