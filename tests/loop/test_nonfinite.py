"""An update that is not finite is undone on the device, reported on the host, and saved before."""

import jax.numpy as jnp
import pytest

from jaxpot.loop.phase import Phase
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.run import resume
from tests.loop.running import rows, trace, train, train_graph
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.usefixtures("shared_programs")


def poison_at(iteration, what):
    def build(context, phase):
        del context, phase

        def run(values):
            bad = values["iteration"] == iteration
            params = {**values["params"]}
            if what == "params":
                first = next(iter(params))
                params[first] = _poisoned(params[first], bad)
            finite = values["finite"] & ~(bad & (what == "loss"))
            return {"params": params, "finite": finite}, {}

        return run

    return Phase(
        name="poison", where="device", program="iteration", implementation=build,
        reads=("params", "finite", "iteration"), writes=("params", "finite"),
    )  # fmt: skip


def _poisoned(tree, bad):
    if isinstance(tree, dict):
        name = next(iter(tree))
        return {**tree, name: _poisoned(tree[name], bad)}
    return jnp.where(bad, jnp.nan, tree)


def one_regime(**optimizer):
    """A tiny experiment of one program, for each costs a compile."""
    without = {"collect": {"random": None}, "eval": {"vs_random": None, "tree": None}}
    return tiny_experiment(overrides={**without, "optimizer": optimizer})


@pytest.mark.parametrize(
    ("iteration", "what"), [(0, "loss"), pytest.param(5, "params", marks=pytest.mark.slow)]
)
def test_the_state_before_the_bad_update_is_kept_and_named(tmp_path, what, iteration):
    """Once the cause is gone, the run goes on to the bits that it would have had."""
    experiment = one_regime()
    graph = compile_graph(experiment).with_phase(poison_at(iteration, what), after="training")
    result = train_graph(experiment, graph, tmp_path)
    whole = train(experiment, tmp_path)

    assert (result.status, result.exit_code) == ("failed", 1)
    assert f"the update of iteration {iteration} is not finite" in result.reason
    assert result.checkpoint.endswith(f"checkpoints/{iteration:06d}")
    assert result.checkpoint in result.reason
    assert result.iterations == iteration == len(rows(result))
    assert trace(result) == trace(whole)[:iteration]
    if iteration:
        assert result.digest == trace(whole)[iteration - 1][1]

    mended = resume(tmp_path, result.uid, ingest=False)
    assert mended.status == "completed"
    assert trace(mended) == trace(whole)


def test_a_learning_rate_that_blows_up_fails_honestly(tmp_path):
    result = train(one_regime(learning_rate=1e38, max_grad_norm=None), tmp_path)
    assert (result.status, result.exit_code) == ("failed", 1)
    assert "not finite" in result.reason
