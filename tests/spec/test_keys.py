"""When a payload key is there."""

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import PayloadKey


def key(every=1, start=0, until=None):
    return PayloadKey(
        name="x", dtype="float", unit="", doc="", phase="p", every=every, start=start, until=until
    )


def test_cadences_count_from_one():
    assert [t for t in range(10) if key(every=3).cadence.fires(t)] == [2, 5, 8]
    assert [t for t in range(10) if key(start=2, until=4).cadence.fires(t)] == [2, 3]


@settings(max_examples=200, deadline=None)
@given(
    every=st.integers(1, 12),
    start=st.integers(0, 30),
    until=st.one_of(st.none(), st.integers(1, 60)),
    iterations=st.integers(1, 60),
    other=st.integers(1, 12),
)
def test_first_within_is_the_first_of_all(every, start, until, iterations, other):
    each = key(every, start, until)
    there = [t for t in range(iterations) if each.cadence.fires(t) and (t + 1) % other == 0]
    assert each.cadence.first(iterations, every=other) == (there[0] if there else None)
