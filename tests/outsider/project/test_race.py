from pathlib import Path

from race import Race

from jaxpot.testing import (
    assert_payload_keys,
    assert_reproducible,
    assert_resumable,
    check_environment,
)

SPEC = Path(__file__).with_name("race.toml")


def test_the_game_keeps_the_contract():
    check_environment(Race(line=4).build())


def test_a_run_can_be_repeated():
    assert_reproducible(SPEC, iterations=4)


def test_a_run_can_be_stopped_and_resumed():
    assert_resumable(SPEC, iterations=4, stops=[1])


def test_the_numbers_that_are_recorded(snapshot):
    assert_payload_keys(SPEC, snapshot)
