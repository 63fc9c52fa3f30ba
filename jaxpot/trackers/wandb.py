"""Weights & Biases: a run with the same id and the same rows as ours.

Every restart begins at the run's start. Offline the whole run is written again: wandb cannot append
to an offline run, and `wandb sync` would overwrite one of two runs with one id. Online the server
says how many rows it has; those stay, and are not sent again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxpot.spec.configs.sinks import WandB
    from jaxpot.trackers.base import SinkRun

STANDINGS_KEY = "league/standings"

_COLUMNS = ("name", "place", "score", "rollouts", "active")
_MAX_BINS = 512  # wandb refuses a histogram of more


def build(config: WandB, *, run: SinkRun) -> WandBSink:
    """Build the sink of `[sinks.<name>] kind = "wandb"`."""
    return WandBSink(config, run)


class WandBSink:
    """Logs one run's records with their iterations as steps."""

    def __init__(self, config: WandB, run: SinkRun) -> None:
        self._config = config
        self._ours = run
        self._run: Any = None
        self._next = 0
        self._time = 0.0

    @property
    def from_start(self) -> bool:
        """True: wandb does not say which rows are safe."""
        return True

    def restart(self, iteration: int) -> None:
        """Delete an offline run; online, the server keeps its rows."""
        del iteration
        self.close()
        if self._config.mode == "offline":
            shutil.rmtree(self._ours.folder, ignore_errors=True)

    def header(self, record: Mapping[str, Any]) -> None:
        """Begin or resume wandb's run, with the spec as its config."""
        import wandb

        config, ours = self._config, self._ours
        ours.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            id=ours.uid,
            name=ours.name,
            dir=ours.folder,
            project=config.project or ours.name,
            entity=config.entity,
            group=config.group,
            mode=config.mode,
            tags=tuple(dict.fromkeys((*record.get("tags", ()), *config.tags))),
            config=dict(record.get("spec") or {}),
            resume="allow" if config.mode == "online" else None,
            reinit="create_new",
            settings=_settings(),
        )
        self._next = self._run.step

    def payload(self, record: Mapping[str, Any]) -> None:
        values = {
            key: float(value) if isinstance(value, str) else value
            for key, value in record["values"].items()
        }
        self._time = record["time"]
        self._log(record, values)

    def histogram(self, record: Mapping[str, Any]) -> None:
        """Log counts; bin `[i, i + 1)` has the count of the number `i`."""
        import numpy as np
        import wandb

        counts = np.asarray(record["counts"])
        width = -(-len(counts) // _MAX_BINS)
        joined = np.add.reduceat(counts, np.arange(0, len(counts), width))
        edges = np.minimum(np.arange(len(joined) + 1) * width, len(counts))
        self._log(record, {record["name"]: wandb.Histogram(np_histogram=(joined, edges))})

    def standings(self, record: Mapping[str, Any]) -> None:
        import wandb

        table = wandb.Table(columns=list(_COLUMNS), data=_rows(record["standings"]))
        self._log(record, {STANDINGS_KEY: table})

    def flush(self) -> None:
        """Do nothing: wandb cannot wait, and a restart sends everything again."""

    def close(self) -> None:
        """Wait until wandb has written or sent everything, and end its service.

        A service that gets two runs of one id in a row may mix them up and lose the second.
        """
        run, self._run = self._run, None
        if run is not None:
            import wandb

            run.finish()
            wandb.teardown()

    def _log(self, record: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        if record["iter"] >= self._next:
            # A step has one wall time: its payload's, also where more is logged under it.
            self._run.log({**values, "_timestamp": self._time}, step=record["iter"])


def _settings() -> Any:
    """Return settings that log only the records: no console, no system metrics."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        save_code=False,
        x_disable_meta=True,
        x_disable_stats=True,
    )


def _rows(standings: Sequence[Mapping[str, Any]]) -> Any:
    return [[row.get(name) for name in _COLUMNS] for row in standings]
