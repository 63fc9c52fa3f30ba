"""`jaxpot diff`: what two specs say differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jaxpot.cli.options import UserPath, json_option
from jaxpot.cli.output import emit, json_text, note


@click.command("diff")
@click.argument("a", type=UserPath())
@click.argument("b", type=UserPath())
@json_option("The two specs' digests and every difference, as one object.")
def command(a: Path, b: Path, as_json: bool) -> None:
    """Compare what specs A and B come to: every default filled in, bases and all.

    \b
    Examples:
      jaxpot diff specs/ttt.toml specs/smoke.toml
      jaxpot diff specs/ttt.toml specs/smoke.toml --json

    Two ways to write one spec do not differ. Exit status 0, different or not.
    """
    from jaxpot.spec import diff, load, training_digest

    loaded = {"a": load(a), "b": load(b)}
    digests = {side: training_digest(spec.experiment) for side, spec in loaded.items()}
    found = diff(loaded["a"].resolved, loaded["b"].resolved)
    same_training = digests["a"] == digests["b"]
    if as_json:
        emit(
            json_text(
                {
                    "a": str(a),
                    "b": str(b),
                    "same_training": same_training,
                    "differences": [{"path": path, "a": old, "b": new} for path, old, new in found],
                },
                indent=2,
            )
        )
        return
    for path, old, new in found:
        emit(f"{path}: {_shown(old)} -> {_shown(new)}")
    training = "train alike but for the seed" if same_training else "train differently"
    note(f"{len(found)} differences; the two {training}" if found else "no difference")


def _shown(value: Any) -> str:
    return "(absent)" if value is None else json_text(value)
