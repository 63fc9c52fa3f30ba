"""Hostile input, in short: a few dozen of each kind that the campaign tries by the thousand."""

import pytest

from tests.faults import hostile


@pytest.mark.slow
def test_drawn_input_is_refused_in_words(tmp_path):
    tally = hostile.fuzz(tmp_path, 8, 1)
    tally.check()
    assert tally.total > 30


def test_queries_neither_write_nor_read_files_nor_reach_the_network(tmp_path):
    hostile.queries(tmp_path, every=3).check()


@pytest.mark.slow
def test_links_and_names_do_not_lead_out(tmp_path):
    hostile.links(tmp_path, every=6).check()
