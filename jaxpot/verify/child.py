"""Train in a separate process for a comparison: a request on stdin, an answer on stdout.

This file is run by its path, also by another environment's interpreter, whose own jaxpot then
trains: nothing of jaxpot is imported before the request has set the path.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxpot.loop.observer import Observer
    from jaxpot.spec import Experiment

_COMMIT_SECONDS = 60.0


def main() -> None:
    """Do what stdin asks for and answer with one line of JSON."""
    # What a user's own code prints must not end up in the answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    if request["path"] is not None:
        sys.path[:] = request["path"]
    else:
        sys.path.append(os.getcwd())
    try:
        from jaxpot.errors import UserError
    except ImportError as error:
        answer: dict[str, Any] = {"error": f"{sys.executable} has no jaxpot: {error}"}
    else:
        try:
            answer = _train(request)
        except UserError as error:
            answer = {"error": str(error)}
    answers.write(json.dumps(answer) + "\n")
    answers.close()


def _train(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run or resume, once in each of the request's runs directories."""
    import jaxpot
    from jaxpot.loop import run as runner

    results = []
    for runs_dir in map(Path, request["runs_dirs"]):
        observer = _observer(request.get("kill_at"))
        if request["action"] == "resume":
            _set_chunk(request)
            result = runner.resume(
                runs_dir,
                request["uid"],
                iterations=request["iterations"],
                checkpoint=request.get("checkpoint"),
                observer=observer,
                ingest=False,
            )
        else:
            experiment = _experiment(request)
            _set_chunk(request)
            result = runner.run(
                experiment,
                runs_dir=runs_dir,
                iterations=request["iterations"],
                observer=observer,
                ingest=False,
            )
        results.append({"uid": result.uid, "status": result.status, "reason": result.reason})
    return {"results": results, "jaxpot": str(Path(jaxpot.__file__).parent)}


def _experiment(request: Mapping[str, Any]) -> Experiment:
    """Read the request's spec: a file, as this environment's jaxpot reads it, or its values."""
    from jaxpot.loop.environment import prepare
    from jaxpot.spec import from_resolved, load

    if "file" in request:
        prepare(load(request["file"], overrides=request["overrides"]).experiment.runtime)
        loaded = load(request["file"], overrides=request["overrides"], import_user_code=True)
        return loaded.experiment
    prepare(from_resolved(request["spec"]).runtime)
    return from_resolved(request["spec"], import_user_code=True)


def _set_chunk(request: Mapping[str, Any]) -> None:
    """Limit how many iterations are dispatched before their metrics are fetched."""
    if request.get("chunk") is not None:
        from jaxpot.loop.environment import prepare
        from jaxpot.spec import from_resolved

        prepare(from_resolved(request["spec"]).runtime, nproc=request["nproc"])
        from jaxpot.loop import attempt

        attempt._MAX_CHUNK = request["chunk"]


def _observer(kill_at: int | None) -> Observer | None:
    if kill_at is None:
        return None
    from jaxpot.loop.observer import Observers

    class Killer(Observers):
        """Kill this process once an iteration is recorded and a checkpoint is committed."""

        def __init__(self) -> None:
            super().__init__()
            self._committed = threading.Event()

        def checkpoint(self, record: Mapping[str, Any]) -> None:
            if record["state"] == "committed":
                self._committed.set()

        def payload(self, payload: Mapping[str, float | int]) -> None:
            if payload["iter"] >= kill_at and self._committed.wait(_COMMIT_SECONDS):
                os.kill(os.getpid(), signal.SIGKILL)

    return Killer()


if __name__ == "__main__":
    main()
