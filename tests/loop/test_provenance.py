import json
import os
import subprocess
import sys

import pytest

from jaxpot.loop import provenance


def git(directory, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(directory), *who, *arguments], check=True, capture_output=True)


def test_git_state_of_a_checkout(tmp_path):
    assert provenance.git_state(tmp_path) == (None, None, None)
    git(tmp_path, "init")
    no_commit = "no commit is recorded: the repository has no commit yet"
    assert provenance.git_state(tmp_path) == (None, None, no_commit)
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit, dirty, problem = provenance.git_state(tmp_path)
    assert problem is None
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "b").write_text("untracked")
    assert provenance.git_state(tmp_path) == (commit, False, None)
    (tmp_path / "a").write_text("2")
    assert provenance.git_state(tmp_path) == (commit, True, None)


def test_git_state_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(tmp_path) == (None, None, None)
    (tmp_path / ".git").mkdir()
    below = tmp_path / "below"
    below.mkdir()
    commit, _, problem = provenance.git_state(below)
    assert commit is None
    assert problem == "no commit is recorded: git cannot be started: No such file or directory"


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    return tmp_path


def test_a_repository_of_another_owner_is_told_with_the_way_out(checkout, monkeypatch):
    # git's own switch for its tests: the repository counts as another owner's.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    commit, dirty, problem = provenance.git_state(checkout)
    assert (commit, dirty) == (None, None)
    assert problem is not None
    assert "detected dubious ownership" in problem
    assert problem.endswith(f"--add safe.directory {checkout}` lets git read it")


def test_a_git_that_does_not_answer_is_told(checkout, monkeypatch):
    monkeypatch.setattr(provenance, "_GIT_TIMEOUT_S", 0.2)
    slow = checkout / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 5\n")
    slow.chmod(0o700)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    problem = "no commit is recorded: git did not answer within 0.2 s"
    assert provenance.git_state(checkout) == (None, None, problem)


def test_a_damaged_and_a_bare_repository_are_told(checkout, tmp_path_factory):
    bare = tmp_path_factory.mktemp("bare")
    git(bare, "clone", "--bare", str(checkout), "of.git")
    commit, dirty, problem = provenance.git_state(bare / "of.git")
    assert (len(commit), dirty) == (40, None)
    assert problem.startswith("whether files differ from the commit is unknown: git: fatal: ")
    (checkout / ".git" / "HEAD").write_text("nonsense")
    commit, _, problem = provenance.git_state(checkout)
    assert commit is None
    assert problem.startswith("no commit is recorded: git: fatal: not a git repository")


def test_provenance_has_its_fields_and_needs_no_jax(tmp_path):
    code = (
        "import json, sys; from jaxpot.loop.provenance import provenance;"
        "found = provenance(); assert 'jax' not in sys.modules; print(json.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    found = provenance.provenance(tmp_path)
    assert set(json.loads(done.stdout)) == set(found)
    assert found["pid"] == os.getpid()
    assert found["versions"]["jaxpot"]
