"""`metadata.json`: what a checkpoint holds, and the SHA-256 of each of its files.

The file has a checksum of itself too, so that a flipped bit anywhere in a checkpoint shows.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import attrs
from attrs.validators import instance_of, optional

from jaxpot.checkpoints.layout import PLACE_OF

FORMAT_VERSION = 1

_CHECKSUM = "self_sha256"


@attrs.frozen
class Leaf:
    """The dtype and shape of one array of a state."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@attrs.frozen
class File:
    """The size and hash of one file of a checkpoint."""

    bytes: int
    sha256: str


@attrs.frozen(kw_only=True)
class Metadata:
    """The contents of `metadata.json`.

    Attributes:
        iteration: Iterations done in the state.
        created: When it was written, in Unix seconds.
        types: The types it was first saved as, sorted.
        score: The value of the metric that `best` ranks by, if it was saved as a best one.
        metric: That metric's name.
        content_sha256: Hash of the leaves' paths, dtypes, shapes and bytes, however stored.
        files: Every other file by its path relative to the checkpoint, with "/".
        metadata: What the caller of `save` gave: counters, spec digest, versions.
    """

    iteration: int
    created: float = attrs.field(validator=instance_of((int, float)))
    types: tuple[str, ...]
    score: float | None = attrs.field(validator=optional(instance_of((int, float))))
    metric: str | None = attrs.field(validator=optional(instance_of(str)))
    content_sha256: str = attrs.field(validator=instance_of(str))
    leaves: Mapping[str, Leaf]
    files: Mapping[str, File]
    metadata: Mapping[str, Any] = attrs.field(validator=instance_of(Mapping))

    @property
    def sha256(self) -> str:
        """The SHA-256 of `metadata.json`; it covers all other files, whose hashes are in it."""
        return hashlib.sha256(encode(self)).hexdigest()

    @property
    def bytes(self) -> int:
        """The size of the whole checkpoint."""
        return len(encode(self)) + sum(file.bytes for file in self.files.values())

    @property
    def digest(self) -> str | None:
        """The state's digest, if the caller of `save` gave one."""
        digest = self.metadata.get("digest")
        return digest if isinstance(digest, str) else None

    def same_state(self, other: "Metadata") -> bool:
        """Return whether the other has the same arrays and was saved with the same metadata."""
        return (self.iteration, self.content_sha256, self.metadata) == (
            other.iteration,
            other.content_sha256,
            other.metadata,
        )


def as_json(score: float | None) -> float | str | None:
    """Return a score for JSON, which has no infinity: that becomes a string `float` can read."""
    if score is None or math.isfinite(score):
        return score
    return "Infinity" if score > 0 else "-Infinity"


def canonical(value: Any) -> bytes:
    """Encode plain data as JSON in its only accepted form."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


def encode(metadata: Metadata) -> bytes:
    """Return the text of `metadata.json`."""
    body = {"format_version": FORMAT_VERSION, **attrs.asdict(metadata)}
    body["score"] = as_json(metadata.score)
    return canonical({**body, _CHECKSUM: hashlib.sha256(canonical(body)).hexdigest()})


def decode(raw: bytes) -> Metadata:
    """Read the text of `metadata.json`.

    Raises:
        ValueError: `encode` did not write this text; the message says why.
    """
    try:
        body = json.loads(raw)
    except ValueError:
        raise ValueError("is not JSON") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("is not a JSON object")
    version = body.get("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(f"has format version {version!r}; this jaxpot reads {FORMAT_VERSION}")
    checksum = body.pop(_CHECKSUM, None)
    try:
        expected = hashlib.sha256(canonical(body)).hexdigest()
        written = canonical({**body, _CHECKSUM: expected})
    except ValueError:
        raise ValueError("is not plain JSON") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    # Comparing the text refuses other spellings of the same data: spaces, order, repeated keys.
    if checksum != expected or written != raw:
        raise ValueError("its own checksum does not match")
    del body["format_version"]
    try:
        return _structure(body)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"has missing or wrong fields: {error}") from error


def _structure(body: dict[str, Any]) -> Metadata:
    leaves = {
        path: Leaf(_str(leaf["dtype"]), tuple(_count(n) for n in leaf["shape"]))
        for path, leaf in body.pop("leaves").items()
    }
    files = {
        _name(name): File(_count(file["bytes"]), _str(file["sha256"]))
        for name, file in body.pop("files").items()
    }
    if body["score"] in ("Infinity", "-Infinity"):
        body["score"] = float(body["score"])
    iteration, types = _count(body.pop("iteration")), tuple(map(_type, body.pop("types")))
    return Metadata(iteration=iteration, types=types, leaves=leaves, files=files, **body)


def _name(name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        raise TypeError(f"{name!r} is not the name of a file inside a checkpoint")
    return name


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value


def _type(value: Any) -> str:
    if _str(value) not in PLACE_OF:
        raise TypeError(f"{value!r} is not a type of checkpoint")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value
