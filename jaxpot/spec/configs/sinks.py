"""Configs of sinks: other tools, and files, that a run's records are sent to."""

from typing import ClassVar, Literal

import attrs

from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.fields import option

_OWN_PLACE = "without it, that is below `sinks/` in the run's own folder."


@attrs.frozen(kw_only=True)
class TensorBoard:
    """Writes TensorBoard's event files; needs the extra `tensorboard`."""

    kind: ClassVar[str] = "tensorboard"

    folder: str | None = option(
        default=None,
        doc=f"Folder that holds a folder for each run, named by its uid; {_OWN_PLACE}",
    )


@attrs.frozen(kw_only=True)
class WandB:
    """Sends to Weights & Biases, at once or by `wandb sync` later; needs the extra `wandb`."""

    kind: ClassVar[str] = "wandb"

    project: str | None = option(default=None, doc="Its project; without it, the spec's name.")
    entity: str | None = option(
        default=None,
        doc="User or team that the project belongs to; without it, wandb's own choice.",
    )
    group: str | None = option(default=None, doc="Group of runs that it is shown in.")
    mode: Literal["offline", "online"] = option(
        default="offline",
        doc="Whether it is written to files, for `wandb sync`, or sent at once to wandb's server.",
    )
    tags: tuple[str, ...] = option(
        default=(), max_items=100, unique=True, doc="Labels beside the spec's own tags."
    )


@attrs.frozen(kw_only=True)
class JsonLines:
    """Writes one JSON object a line: of each iteration, each histogram, each table of standings."""

    kind: ClassVar[str] = "jsonl"

    folder: str | None = option(
        default=None,
        doc=f"Folder that holds a file for each run, named by its uid; {_OWN_PLACE}",
    )


SinkConfig = TensorBoard | WandB | JsonLines | ImportedPart
