import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.checkpoints.metadata import File, Leaf, Metadata, canonical, decode, encode

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/é"), inner, max_size=3),
    max_leaves=8,
)


def example(**changes: Any) -> Metadata:
    metadata = Metadata(
        iteration=100,
        created=1795338940.25,
        types=("best", "periodic"),
        score=0.5,
        metric="eval_vs_random/win_rate",
        content_sha256="ab" * 32,
        leaves={"params/w": Leaf("float32", (3, 2)), "it": Leaf("int32", ())},
        files={"state/manifest.ocdbt": File(113, "cd" * 32)},
        metadata={"counters": {"num_episodes": 7}},
    )
    return attrs.evolve(metadata, **changes)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.text("abc"), plain, max_size=3),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_round_trip(metadata: dict[str, Any], score: float) -> None:
    written = example(metadata=metadata, score=score)
    assert decode(encode(written)) == written
    assert encode(decode(encode(written))) == encode(written)


def test_sizes_and_sha_cover_metadata_json_itself() -> None:
    assert example().bytes == 113 + len(encode(example()))
    assert example().sha256 != example(score=0.25).sha256


def test_every_flipped_bit_shows() -> None:
    raw = encode(example())
    for position in range(0, len(raw), 3):
        flipped = bytearray(raw)
        flipped[position] ^= 1 << (position % 8)
        with pytest.raises(ValueError, match=r"."):
            decode(bytes(flipped))


@pytest.mark.parametrize("cut", [0, 1, 50, -1, -2, -40])
def test_every_truncation_shows(cut: int) -> None:
    with pytest.raises(ValueError, match=r"JSON|checksum"):
        decode(encode(example())[:cut])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has format version None; this jaxpot reads 1"),
        (b'{"format_version": 2}', "has format version 2; this jaxpot reads 1"),
        (b'{"format_version": 1}', "its own checksum does not match"),
        (b'{"format_version": 1, "x": NaN}', "is not plain JSON"),
        (b'{"format_version": 1, "x": "\\ud800"}', "is not plain JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"format_version": 1, "x": ' + b"[" * 700 + b"]" * 700 + b"}", "nested|checksum"),
    ],
)
def test_what_is_no_metadata_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(raw)


def sealed(body: dict[str, Any]) -> bytes:
    """Seals a text as a forger would, with the checksum right."""
    import hashlib

    checksum = hashlib.sha256(canonical(body)).hexdigest()
    return canonical({**body, "self_sha256": checksum})


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "state/../../x", "", "a//b", "./a", "a\\b", "a\0"]
)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    body = json.loads(encode(example()))
    del body["self_sha256"]
    body["files"] = {name: {"bytes": 1, "sha256": ""}}
    with pytest.raises(ValueError, match="is not the name of a file inside a checkpoint"):
        decode(sealed(body))


@pytest.mark.parametrize(
    "change",
    [
        {"iteration": -1},
        {"iteration": True},
        {"iteration": "100"},
        {"files": None},
        {"files": {"a": {"bytes": 1.5, "sha256": ""}}},
        {"leaves": {"a": {"dtype": 3, "shape": []}}},
        {"leaves": {"a": {"shape": []}}},
        {"types": None},
        {"score": "high"},
        {"metadata": []},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_a_field_of_another_form_is_refused(change: dict[str, Any]) -> None:
    body = json.loads(encode(example()))
    del body["self_sha256"]
    with pytest.raises(ValueError, match="has missing or wrong fields"):
        decode(sealed(body | change))
