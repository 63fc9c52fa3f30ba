"""Digests are stable, see every change, and group what trains alike."""

import pytest

from jaxpot.spec import from_resolved, resolved, spec_digest, training_digest
from jaxpot.spec.resolve import plain
from tests.spec.specs import FULL, SMALL, changed, leaves

NOT_TRAINING = ("name", "description", "seed", "iterations", "tags", "eval", "checkpoint", "expect")


def digests(data):
    experiment = from_resolved(data)
    return spec_digest(experiment), training_digest(experiment)


def test_digests_are_stable(snapshot):
    assert {"small": digests(SMALL), "full": digests(FULL)} == snapshot


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "other"),
        (("description",), "other"),
        (("seed",), 8),
        (("iterations",), 600),
        (("tags",), ["other"]),
        (("env", "id"), "othello"),
        (("model", "num_blocks"), 2),
        (("algorithm", "gamma"), 0.5),
        (("algorithm", "entropy_coeff", "warmup"), 4),
        (("optimizer", "learning_rate"), 0.2),
        (("optimizer", "max_grad_norm"), "none"),
        (("collect", "num_steps"), 8),
        (("collect", "random", "until"), 51),
        (("collect", "selfplay", "opponent"), "live"),
        (("collect", "league", "num_envs"), 10),
        (("collect", "archive"), "none"),
        (("league", "size"), 4),
        (("league", "fill_every"), "none"),
        (("league", "forgotten_margin"), 0),
        (("league", "log_every"), 6),
        (("target", "tau"), 0.25),
        (("target", "every"), 1),
        (("eval", "archive", "every"), 20),
        (("eval", "archive", "greedy"), False),
        (("eval", "rival", "every"), 20),
        (("eval", "rival", "checkpoint"), "best"),
        (("eval", "vs_random", "num_games"), 66),
        (("checkpoint", "every"), "none"),
        (("expect", 0, "min"), 0.25),
        (("runtime", "deterministic"), False),
        (("runtime", "nproc"), 3),
        (("runtime", "compilation_cache"), False),
    ],
)
def test_a_change_is_seen(path, value):
    base = changed(changed(FULL, ("eval", "tree"), {"kind": "my:Own", "every": 100}), ("seed",), 7)
    spec, training = digests(base)
    other_spec, other_training = digests(changed(base, path, value))
    assert other_spec != spec
    elsewhere = path[-1] in ("nproc", "compilation_cache", "log_every")
    plays = path[0] not in NOT_TRAINING or path[:2] == ("eval", "archive")
    assert (other_training != training) == (plays and not elsewhere)


def test_sinks_and_samples_are_no_part_of_the_training():
    spec, training = digests(FULL)
    for key, value in (("sinks", {"tensorboard": {}}), ("debug", {"every": 5})):
        other_spec, other_training = digests({**FULL, key: value})
        assert (other_spec != spec, other_training) == (True, training)
        assert digests({**FULL, key: {} if key == "sinks" else "none"}) == (spec, training)


def test_an_evaluator_of_the_archive_has_its_games_from_its_name():
    evaluators = {"old": FULL["eval"]["archive"], "rival": FULL["eval"]["rival"]}
    base = {**FULL, "expect": [], "checkpoint": {}, "eval": evaluators}
    names = [{"archive": x, "rival": y} for x, y in [evaluators.values()]]
    assert digests({**base, "eval": names[0]})[1] != digests(base)[1]
    backwards = dict(reversed(evaluators.items()))
    assert digests({**base, "eval": backwards}) == digests(base)


def test_a_later_field_at_its_default_is_no_part_of_a_digest():
    assert digests(changed(SMALL, ("collect", "selfplay", "opponent"), "live")) == digests(SMALL)
    assert resolved(from_resolved(SMALL))["collect"]["selfplay"]["opponent"] == "live"


def test_a_field_without_a_value_is_no_part_of_a_digest():
    experiment = from_resolved(SMALL)
    assert "none" in [value for _, value in leaves(resolved(experiment))]
    assert "none" not in [value for _, value in leaves(plain(experiment, sparse=True))]


def test_no_periodic_checkpoints_differ_from_the_default():
    assert digests(changed(SMALL, ("checkpoint", "every"), "none")) != digests(SMALL)
