"""Memory that is short: refused before anything is made, or one line and a kept checkpoint."""

from types import SimpleNamespace

import jax
import pytest

from jaxpot.errors import UserError
from jaxpot.loop import memory
from jaxpot.loop.memory import Free, failure_text
from jaxpot.loop.programs import Program
from jaxpot.loop.run import resume
from jaxpot.spec import load
from tests.loop.running import train
from tests.loop.test_environment import SPEC


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("collect.selfplay.num_envs=500000000", "the network, .*, the games and all else"),
        ("collect.num_steps=500000000", "the state and an iteration's rows"),
        ("model.hidden_dims=[400000, 400000]", "the network, the optimizer's state"),
        ("eval.big={kind='random',every=1,num_games=2000000000}", "the games of an evaluation"),
    ],
)
def test_what_cannot_fit_is_refused_before_a_folder_is_made(
    spec, tmp_path, monkeypatch, override, said
):
    monkeypatch.setattr(memory, "free_memory", lambda: Free(8 << 30, "this test"))
    text = rf"{said}.* take at least .* [GT]iB, and this test has 8.0 GiB free"
    with pytest.raises(UserError, match=text):
        train(load(spec, overrides=[override]).experiment, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_lower_bound_is_below_what_the_compiler_says(spec, tmp_path, monkeypatch):
    taken = {}
    monkeypatch.setattr(memory, "_WORTH_TRACING", 0.0)
    bounds = []
    found = memory._largest_phase
    monkeypatch.setattr(memory, "_largest_phase", lambda *a: bounds.append(found(*a)) or bounds[-1])

    def check(name, compiled):
        taken[name] = compiled.memory_analysis().temp_size_in_bytes

    monkeypatch.setattr("jaxpot.loop.programs.check_program", check)
    overrides = ["collect.selfplay.num_envs=512", "algorithm.batch_size=64"]
    train(load(spec, overrides=overrides).experiment, tmp_path, iterations=1)
    assert 0 < bounds[0] < taken["iteration[selfplay]"]


@pytest.mark.slow
def test_a_program_that_takes_too_much_is_not_called_and_the_state_is_saved(
    spec, tmp_path, monkeypatch
):
    free = memory.free_memory

    def scarce():
        return Free(0, "this test") if scarce.after else free()

    scarce.after = False
    monkeypatch.setattr(memory, "free_memory", scarce)
    overrides = ["eval.late={kind='random',every=2,num_games=4}", "runtime.profile_every=2"]
    experiment = load(spec, overrides=overrides).experiment
    compile_ = Program.__call__

    def call(program, *args):
        scarce.after = program.name.startswith("step")
        return compile_(program, *args)

    monkeypatch.setattr(Program, "__call__", call)
    result = train(experiment, tmp_path / "runs")
    assert (result.status, result.exit_code, result.iterations) == ("failed", 1, 1)
    assert result.reason.startswith("the program step[selfplay]/")
    assert "this test has 0 B free" in result.reason
    assert result.reason.endswith(f"; the state before it is saved in {result.checkpoint}")
    monkeypatch.undo()
    resumed = resume(tmp_path / "runs", result.uid, ingest=False)
    assert (resumed.status, resumed.attempt) == ("completed", 2)
    assert resumed.digest == train(experiment, tmp_path / "other").digest


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "out of memory: MemoryError; fewer games"),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes\nx"),
            "out of memory: RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes; fewer games",
        ),
        (jax.errors.JaxRuntimeError("UNIMPLEMENTED: no kernel"), "jax failed: UNIMPLEMENTED: no"),
    ],
)
def test_a_failure_is_one_line(error, text):
    line = failure_text(error)
    assert line is not None
    assert line.startswith(text)
    assert "\n" not in line


def test_what_a_callback_raises_keeps_its_traceback():
    error = "INTERNAL: CpuCallback error: Traceback (most recent call last):\n  ..."
    assert failure_text(jax.errors.JaxRuntimeError(error)) is None


def test_the_memory_of_a_machine(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:  100 kB\nSwapFree: 20 kB\nHugePages: 0\n")
    assert list(memory._of_machine(meminfo)) == [Free(120 * 1024, "this machine")]
    assert list(memory._of_machine(tmp_path / "none")) == []


def test_the_limits_of_control_groups_of_both_versions(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("4:cpu:/a\n3:memory:/docker/x\n0::/user/job\n")
    for folder, names in (
        ("memory", {"memory.limit_in_bytes": "900", "memory.usage_in_bytes": "500"}),
        ("user", {"memory.max": "1000", "memory.current": "700"}),
        ("user/job", {"memory.max": "max", "memory.current": "600"}),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in names.items():
            (tmp_path / folder / name).write_text(text)
    (tmp_path / "user" / "memory.stat").write_text("anon 1\ninactive_file 40\nactive_file 2\n")
    found = [free.bytes for free in memory._of_control_groups(own, tmp_path)]
    assert found == [400, 342]


def test_a_device_that_tells_its_memory_is_asked(monkeypatch):
    stats = {"bytes_limit": 100, "bytes_in_use": 30}
    device = SimpleNamespace(memory_stats=lambda: stats, device_kind="H1")
    monkeypatch.setattr(jax, "devices", lambda: [device])
    assert memory.free_memory() == Free(70, "the device (H1)")
