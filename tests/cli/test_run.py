"""`jaxpot run`, `jaxpot resume` and `jaxpot watch`."""

import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest

from jaxpot.cli.main import invoke
from jaxpot.cli.run import watch_command
from jaxpot.loop import environment, seeds
from jaxpot.loop import run as runner
from jaxpot.loop.seeds import SeedsResult
from jaxpot.statistics import Spread
from tests.cli.runs import call, two_runs
from tests.loop.running import train
from tests.tiny import tiny_experiment
from tests.trackers.stream import Clock, play, result

SPEC = """
name = "tiny"
iterations = 3
seed = 5
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [8] }
algorithm = { kind = "ppo", batch_size = 16 }
[collect]
num_steps = 9
selfplay = { num_envs = 4 }
"""


@attrs.define
class Fake:
    """A fake runner: keeps its arguments, plays a made-up run, returns `result`."""

    result: Any = attrs.Factory(result)
    asked: tuple[Any, ...] = ()

    def run(self, loaded, *, runs_dir, iterations, init_from, observer):
        self.asked = (loaded, runs_dir, iterations, init_from)
        return self._play(observer)

    def resume(self, runs_dir, selector, *, iterations, checkpoint, observer):
        self.asked = (runs_dir, selector, iterations, checkpoint)
        return self._play(observer)

    def _play(self, observer):
        play(observer, Clock(), until=100)
        observer.finished(self.result)
        return self.result


@pytest.fixture
def fake(monkeypatch):
    fake = Fake()
    monkeypatch.setattr(runner, "run", fake.run)
    monkeypatch.setattr(runner, "resume", fake.resume)
    monkeypatch.setattr(environment, "prepare", lambda runtime: None)
    return fake


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXPOT_RUNS_DIR", raising=False)
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path


def test_json_is_the_last_line_of_stdout_and_progress_is_on_stderr(fake, spec, capsys, snapshot):
    assert invoke(["run", str(spec), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("ttt 20261122-101530-ab12cd: iterations 0 to 500")
    (line,) = captured.out.splitlines()
    assert json.loads(line) == snapshot
    assert json.loads(line)["metrics"]["value_loss"] == "NaN"


def test_report_for_people(fake, spec, capsys, snapshot):
    invoke(["run", str(spec), "--quiet"])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == snapshot


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"status": "gate_missed", "exit_code": 1}, 1, "gate_missed"),
        ({"status": "interrupted", "exit_code": 143}, 143, "interrupted"),
        ({"status": "failed", "exit_code": 1, "reason": "not finite"}, 1, "error: not finite"),
        ({"status": "stopped", "checkpoint": None}, 0, "checkpoint  none"),
    ],
)
def test_status_decides_the_exit_status(fake, spec, capsys, changes, code, words):
    fake.result = result(**changes)
    assert invoke(["run", str(spec), "--quiet"]) == code
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


def test_options_reach_the_spec_and_the_runner(fake, spec):
    name = 'a "quoted" \u00e9'
    arguments = ["--seed", "7", "--iterations", "2", "-s", "collect.num_steps=5"]
    invoke(["run", str(spec), *arguments, "--runs-dir", "elsewhere"])
    loaded, runs_dir, iterations, init_from = fake.asked
    assert (loaded.experiment.seed, loaded.experiment.collect.num_steps) == (7, 5)
    assert (runs_dir, iterations, init_from) == (Path("elsewhere"), 2, None)
    assert loaded.experiment.iterations == 3
    assert invoke(["run", str(spec), "--name", "other"]) == 0
    assert fake.asked[0].experiment.name == "other"
    assert invoke(["run", str(spec), "--name", name]) == 2


def test_a_parent_reaches_the_runner(fake, spec):
    assert invoke(["run", str(spec), "--init-from", "ttt:milestone:5000"]) == 0
    assert fake.asked[3] == "ttt:milestone:5000"


def seeds_result(**changes):
    """Return the result of two seeds of a made-up run."""
    gate = {"metric": "eval_vs_random/win_rate", "at": "last", "min": 0.9, "max": None}
    single = {**gate, "seeds": 1, "statistic": "mean", "value": 0.9, "judged": True, "passed": True}
    runs = {42: result(expect=[single]), 43: result(expect=[single], status="interrupted")}
    over = {"seeds": 2, "statistic": "mean", "value": 0.875, "standard_error": 0.025}
    values = [{"run": run.uid, "seed": seed, "value": 0.875} for seed, run in runs.items()]
    facts = {
        "name": "ttt",
        "seeds": (42, 43),
        "status": "gate_missed",
        "reason": "all 2 runs are complete and a gate was missed",
        "exit_code": 1,
        "runs": runs,
        "expect": [{**gate, **over, "runs": values, "judged": True, "passed": False}],
        "metrics": {
            "total_loss": Spread(count=2, mean=0.5, standard_error=0.25, min=0.25, max=0.75),
            "policy_loss": Spread(count=2, mean=math.nan, standard_error=None, min=0.25, max=0.75),
            "iteration/sps": Spread(count=2, mean=1.0, standard_error=0.0, min=1.0, max=1.0),
        },
        "warnings": ("it is full",),
    }
    return SeedsResult(**{**facts, **changes})


@pytest.fixture
def together(fake, monkeypatch):
    """A fake `run_seeds`: keeps its arguments, shows one run."""
    asked = {}

    def run_seeds(loaded, *, watch, **options):
        asked.update(options, seed=loaded.experiment.seed)
        with watch(6) as observer:
            play(observer, Clock(), until=100)
        return seeds_result()

    monkeypatch.setattr(seeds, "run_seeds", run_seeds)
    return asked


def test_report_of_seeds_for_people(together, spec, capsys, snapshot):
    assert invoke(["run", str(spec), "--seeds", "2", "--quiet"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "warning: it is full\n"
    assert captured.out == snapshot
    facts = {"runs_dir": Path("runs"), "iterations": None, "init_from": None}
    assert together == {"seeds": 2, "seed": 5, **facts}


def test_json_of_seeds_is_the_last_line_of_stdout(together, spec, capsys, snapshot):
    assert invoke(["run", str(spec), "--seeds", "2", "--seed", "6", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("seed 6: run 1 of 2\nttt 20261122-101530-ab12cd: iterations")
    answer = json.loads(captured.out)
    assert [run.pop("digest") for run in answer["runs"]] == ["0123456789abcdef"] * 2
    assert {key: answer[key] for key in answer if key != "runs"} == snapshot
    assert answer["runs"][1]["status"] == "interrupted"


def test_seeds_are_at_least_one(together, spec, capsys):
    assert invoke(["run", str(spec), "--seeds", "0"]) == 2
    assert "0 is not in the range" in capsys.readouterr().err


def test_runs_dir_may_stand_before_and_the_commands_to_try_next_have_it(fake, spec, capsys):
    invoke(["--runs-dir", "else where", "run", str(spec), "--quiet"])
    assert fake.asked[1] == Path("else where")
    assert "jaxpot show 20261122-101530-ab12cd --runs-dir 'else where'" in capsys.readouterr().out


def test_runs_dir_of_the_environment_needs_no_option(fake, spec, capsys, monkeypatch):
    monkeypatch.setenv("JAXPOT_RUNS_DIR", "elsewhere")
    invoke(["run", str(spec), "--quiet"])
    assert "--runs-dir" not in capsys.readouterr().out


def test_wrong_spec_creates_nothing(fake, spec, capsys):
    assert invoke(["run", str(spec), "-s", "collect.num_stps=5"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "-s collect.num_stps=5" in captured.err
    assert "num_steps" in captured.err
    assert fake.asked == ()
    assert not Path("runs").exists()


def test_runs_dir_that_cannot_be_made(fake, spec, capsys):
    assert invoke(["run", str(spec), "--runs-dir", f"{spec}/runs"]) == 2
    assert "cannot be created" in capsys.readouterr().err
    assert fake.asked == ()


def test_own_parts_are_imported_only_after_jax_is_prepared(fake, spec, tmp_path, monkeypatch):
    (tmp_path / "own_game.py").write_text("import order\norder.seen.append('import')\n")
    (tmp_path / "order.py").write_text("seen = []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import order  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(environment, "prepare", lambda runtime: order.seen.append("prepare"))
    spec.write_text(SPEC.replace('kind = "mlp", hidden_dims = [8]', 'kind = "own_game:Net"'))
    assert invoke(["run", str(spec)]) == 2
    assert order.seen == ["prepare", "import"]


def test_display_that_fails_is_reported_and_costs_no_result(fake, spec, capsys, monkeypatch):
    from jaxpot.views.plain import Plain

    def payload(self, payload):
        raise ValueError("no")

    monkeypatch.setattr(Plain, "payload", payload)
    assert invoke(["run", str(spec), "--json"]) == 0
    captured = capsys.readouterr()
    assert "warning: the display (Plain) failed on the way: ValueError('no')" in captured.err
    assert json.loads(captured.out)["status"] == "completed"


def test_resume_takes_a_selector_and_prints_the_same(fake, spec, capsys):
    assert invoke(["resume", "latest", "--iterations", "9", "--json"]) == 0
    assert fake.asked == (Path("runs"), "latest", 9, None)
    resumed = json.loads(capsys.readouterr().out)
    invoke(["run", str(spec), "--json"])
    assert resumed == json.loads(capsys.readouterr().out)


def test_terminal_gets_the_dashboard(monkeypatch):
    from jaxpot.cli.run import display
    from jaxpot.views.dashboard import Dashboard
    from jaxpot.views.plain import Plain

    def kinds(**choices):
        with display(**{"plain": False, "quiet": False, **choices}) as observers:
            return [type(one) for one in observers._observers]

    monkeypatch.setenv("TERM", "xterm")
    assert kinds() == [Plain]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert kinds() == [Dashboard]
    assert kinds(plain=True) == [Plain]
    monkeypatch.setenv("TERM", "dumb")
    assert kinds() == [Plain]


ONLY = {"eval": {"vs_random": None, "tree": None}, "collect": {"random": None}}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a finished run with checkpoints 000002 and 000004."""
    experiment = tiny_experiment(iterations=4, checkpoint={"every": 2}, overrides=ONLY)
    return train(experiment, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def asked(monkeypatch):
    """Prevent training; keep the calls that get that far."""
    seen = []
    resume = runner.resume

    def watched(*arguments, **options):
        seen.append(options["checkpoint"])
        return resume(*arguments, **options, ingest=False)

    monkeypatch.setattr(runner, "resume", watched)
    return seen


def resumed(run, *arguments):
    return invoke(["--runs-dir", str(run.run_dir.parent), "resume", run.uid, *arguments])


def test_without_it_a_finished_run_gives_its_result(done, asked, capsys):
    assert resumed(done, "--json") == 0
    assert json.loads(capsys.readouterr().out)["attempt"] == 1
    assert asked == [None]


@pytest.mark.parametrize("word", ["3", "best", "milestone:2"])
def test_what_is_not_there_is_the_users_error(done, asked, capsys, word):
    assert resumed(done, "--from", word) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: run {done.uid} has no checkpoint {word!r}; there are periodic 2, 4\n"
    )
    assert asked == [word]


def test_a_word_that_means_nothing_is_explained(done, asked, capsys):
    assert resumed(done, "--from", "newest") == 2
    assert "write latest, best, milestone:N or a number of" in capsys.readouterr().err


def test_an_older_one_is_started_from_and_says_what_it_supersedes(done, asked, capsys):
    assert resumed(done, "--from", "2", "--json") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert (result["attempt"], result["digest"]) == (2, done.digest)
    uid = done.uid
    assert (
        f"resuming from {uid}/checkpoints/000002 supersedes, and deletes, {uid}/checkpoints/000004"
    ) in captured.err


COMPLETE, KILLED = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    two_runs(folder)
    return folder


def test_the_end_of_a_run_that_has_ended(runs_dir):
    result = call(watch_command, runs_dir, COMPLETE)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"ttt {COMPLETE}: completed after 20 iterations")
    assert "20/20" in result.stderr


def test_json_ends_with_the_run_s_record(runs_dir):
    result = call(watch_command, runs_dir, COMPLETE, "--json", "--quiet")
    record = json.loads(result.stdout)
    assert (record["run"], record["status"]) == (COMPLETE, "completed")
    assert result.stderr == ""


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--exit-code"], 130)])
def test_the_exit_status_is_the_run_s_where_that_is_asked_for(runs_dir, arguments, code):
    assert call(watch_command, runs_dir, "latest", *arguments).exit_code == code


def test_ctrl_c_leaves_the_run_alone(runs_dir, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxpot.views.watching.watch", interrupt)
    before = (runs_dir / KILLED / "journal.jsonl").read_bytes()
    result = call(watch_command, runs_dir, KILLED)
    assert result.exit_code != 0
    assert f"run {KILLED} goes on by itself" in result.stderr
    assert (runs_dir / KILLED / "journal.jsonl").read_bytes() == before
