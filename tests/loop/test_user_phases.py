"""`[phases.NAME]`: phases of the user's own, as lines of a spec."""

import json

import pytest

from jaxpot.cli.main import invoke
from jaxpot.spec import SpecError, load

CLOCKED = """
import attrs
import jax.numpy as jnp

from jaxpot.loop.phase import Cadence, Field, Phase
from jaxpot.spec import PayloadKey


@attrs.frozen(kw_only=True)
class Best:
    every: int = 2
    key: str = "best/reward"

    def payload_keys(self, prefix):
        timer = f"timings/{prefix}"
        return (
            PayloadKey(name=self.key, dtype="float", unit="", doc="Best.", phase=prefix,
                       every=self.every),
            PayloadKey(name=timer, dtype="float", unit="s", doc="Time.", phase=prefix,
                       every=self.every, wall_clock=True),
        )

    @property
    def state_fields(self):
        return (Field(name="best", init=lambda *_: jnp.float32(-1e9)),)

    def build(self, *, name):
        return Phase(
            name=name, where="host", cadence=Cadence(every=self.every), waits=True,
            reads=("best", "payload"), writes=("best",), timer=f"timings/{name}",
            implementation=lambda context, phase: self.run,
        )

    def run(self, values):
        best = max(values["best"], -values["payload"]["total_loss"])
        return {"best": jnp.float32(best)}, {self.key: best}
"""

SPEC = """
name = "phases"
iterations = 6
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [8] }
algorithm = { kind = "ppo", num_epochs = 1, batch_size = 32 }
collect = { num_steps = 5, selfplay = { num_envs = 8 } }
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "clocked.py").write_text(CLOCKED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(phase):
    with open("spec.toml", "w", encoding="utf-8") as file:
        file.write(f"{SPEC}phases.best = {phase}\n")


def values(runs_dir, capsys):
    query = "select iter, value from metric where key = 'best/reward' order by iter"
    assert invoke(["--runs-dir", runs_dir, "sql", query, "--json"]) == 0
    return [tuple(row.values()) for row in json.loads(capsys.readouterr().out)]


@pytest.mark.slow
def test_a_host_phase_of_a_spec_runs_is_recorded_and_resumed(capsys):
    write('{ kind = "clocked:Best", before = "log_payload", every = 3 }')
    assert invoke(["--runs-dir", "whole", "run", "spec.toml", "--quiet"]) == 0
    capsys.readouterr()
    whole = values("whole", capsys)
    assert [iteration for iteration, _ in whole] == [2, 5]
    assert invoke(["--runs-dir", "cut", "run", "spec.toml", "--quiet", "--iterations", "4"]) == 0
    assert invoke(["--runs-dir", "cut", "resume", "latest", "--quiet", "--iterations", "6"]) == 0
    capsys.readouterr()
    assert values("cut", capsys) == whole


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ('{ kind = "clocked:Best" }', "phase-place"),
        ('{ kind = "clocked:Best", after = "guard", before = "digest" }', "phase-place"),
        ('{ kind = "clocked:Best", after = 3 }', "wrong-type"),
        ('{ kind = "clocked:Best", after = "guard", evry = 3 }', "unknown-key"),
        ('{ kind = "average", after = "guard" }', "unknown-kind"),
        ('{ kind = "clocked:Worst", after = "guard" }', "import-failed"),
        ('{ after = "guard" }', "missing-kind"),
    ],
)
def test_a_wrong_table_is_refused(phase, code):
    write(phase)
    with pytest.raises(SpecError) as refused:
        load("spec.toml", import_user_code=True)
    assert [fault.code for fault in refused.value.faults] == [code]


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (
            '{ kind = "clocked:Best", after = "nowhere" }',
            'spec.toml:8: phases.best.after: no phase is called "nowhere"',
        ),
        ('{ kind = "clocked:Best", after = "training" }', "stands within the iteration's program"),
        ('{ kind = "clocked:Best", after = "persistence" }', "which completes the payload"),
        (
            '{ kind = "clocked:Best", before = "log_payload", key = "reward" }',
            "must start with 'best/'",
        ),
    ],
)
def test_a_phase_that_cannot_stand_there_is_refused_before_anything_is_written(
    here, capsys, phase, message
):
    write(phase)
    assert invoke(["run", "spec.toml"]) == 2
    assert message in capsys.readouterr().err
    assert not list(here.glob("runs/*"))


def test_a_metric_of_a_phase_can_be_a_gate(capsys):
    write('{ kind = "clocked:Best", before = "log_payload" }')
    gate = 'expect=[{ metric = "best/reward", at = "last", min = -1e9 }]'
    assert invoke(["check", "spec.toml", "-s", gate]) == 0
    assert invoke(["check", "spec.toml", "--import", "-s", gate]) == 0
    wrong = gate.replace("best/reward", "best/rewards")
    assert invoke(["check", "spec.toml", "-s", wrong]) == 0
    assert invoke(["check", "spec.toml", "--import", "-s", wrong]) == 2
    assert "best/rewards" in capsys.readouterr().err
