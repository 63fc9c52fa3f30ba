"""Every bit is verified, and a state is restored into the tree it is for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpot.checkpoints import (
    DamagedCheckpoint,
    StateMismatch,
    read,
    read_metadata,
    restore,
    restore_network,
    verify,
)

from .conftest import PERIODIC, Run, a_state


def files(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def flip(path: Path, position: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[position if position >= 0 else len(data) // 2] ^= 0x10
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "flipped": flip,
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "emptied": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "removed": Path.unlink,
}


def test_a_whole_one(whole: Path) -> None:
    metadata = verify(whole)
    assert metadata.iteration == 100
    assert set(metadata.files) == set(files(whole)) - {"metadata.json"}
    assert {name.split("/")[0] for name in metadata.files} == {"state"}
    assert metadata.bytes == sum((whole / name).stat().st_size for name in files(whole))
    assert metadata == read_metadata(whole)


@pytest.mark.parametrize("which", ["whole", "whole_league"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_to_any_file_is_named(
    which: str, damage: Callable[[Path], None], request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(which)
    for name in files(path):
        kept = (path / name).read_bytes()
        damage(path / name)
        with pytest.raises(DamagedCheckpoint) as caught:
            verify(path)
        assert caught.value.path == path
        assert caught.value.file == name
        assert caught.value.reason
        assert str(caught.value).startswith(f"{path}: damaged: {name}: ")
        (path / name).write_bytes(kept)
    verify(path)


def test_the_leagues_files_are_there_with_a_league_only(whole_league: Path) -> None:
    named = set(verify(whole_league).files)
    assert "league.json" in named
    assert {name.split("/")[0] for name in named} == {"state", "league_states", "league.json"}


def test_a_folder_that_is_gone(whole: Path) -> None:
    shutil.rmtree(whole / "state")
    with pytest.raises(DamagedCheckpoint, match=r"state/.*: is missing"):
        verify(whole)


@pytest.mark.parametrize("name", ["extra", "state/extra", "state/d/new/extra"])
def test_a_file_too_many(whole: Path, name: str) -> None:
    (whole / name).parent.mkdir(exist_ok=True)
    (whole / name).write_text("x")
    with pytest.raises(DamagedCheckpoint, match=f"{name}: is not among the files"):
        verify(whole)


def test_links_are_not_followed(whole: Path, tmp_path: Path) -> None:
    for name in files(whole):
        moved = (whole / name).rename(tmp_path / "elsewhere")
        (whole / name).symlink_to(moved)
        with pytest.raises(DamagedCheckpoint) as caught:
            verify(whole)
        assert caught.value.file == name
        (whole / name).unlink()
        moved.rename(whole / name)
    moved = (whole / "state").rename(tmp_path / "state")
    (whole / "state").symlink_to(moved, target_is_directory=True)
    with pytest.raises(DamagedCheckpoint, match="state: is neither a plain file nor a directory"):
        verify(whole)


def test_a_checkpoint_that_is_a_link_or_a_file_or_nothing(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(whole)
    (tmp_path / "file").write_text("")
    for name in ("link", "file", "nothing"):
        with pytest.raises(DamagedCheckpoint, match="damaged: is not a directory"):
            verify(tmp_path / name)


def test_a_pipe_does_not_hang(whole: Path) -> None:
    (whole / "metadata.json").unlink()
    os.mkfifo(whole / "metadata.json")
    with pytest.raises(DamagedCheckpoint, match=r"metadata\.json: is not a plain file"):
        verify(whole)


def test_a_huge_metadata_is_not_read(whole: Path) -> None:
    os.truncate(whole / "metadata.json", 2**40)
    with pytest.raises(DamagedCheckpoint, match=r"metadata\.json: has \d+ bytes, which is"):
        verify(whole)


def test_a_huge_file_is_not_read(whole: Path) -> None:
    os.truncate(whole / "state" / "_METADATA", 2**40)
    with pytest.raises(DamagedCheckpoint, match=r"_METADATA: has \d+ bytes instead of \d+"):
        verify(whole)


def test_neither_jax_nor_numpy_is_imported(whole: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from jaxpot import checkpoints as c;"
        f"c.verify(Path({str(whole)!r})); c.list_checkpoints(Path({str(whole.parents[1])!r}));"
        "print(sorted({'jax', 'numpy', 'orbax', 'flax'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


NETWORK = {
    "params": {"dense": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}},
    "model_state": {"norm": {"mean": np.array([np.nan, -0.0], np.float32)}},
}


def abstract(state: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)


def assert_same_bits(found: Any, wanted: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert isinstance(one, np.ndarray)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == np.asarray(other).tobytes()


def save_and_restore(run: Run, state: Any) -> Any:
    writer = run.writer()
    metadata = {"counters": {"num_episodes": 2**40}, "versions": {"jax": "0"}}
    writer.save(state, iteration=1, types=PERIODIC, metadata=metadata)
    writer.wait()
    writer.close()
    found, found_metadata = restore(run.base / "000001", abstract(state))
    assert found_metadata == metadata
    return found


def test_every_kind_of_leaf(whole: Path) -> None:
    found, metadata = restore(whole, abstract(a_state(100)))
    assert_same_bits(found, a_state(100))
    assert metadata == {}


def test_an_optimizers_state(run: Run) -> None:
    params = {"dense/0": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}}
    optimizer = optax.MultiSteps(
        optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)), every_k_schedule=2
    )
    state = {"params": params, "opt_state": optimizer.init(params), "key": jax.random.key(5)}
    state = jax.tree.map(lambda x: x, state)
    found = save_and_restore(run, state)
    assert found["key"].dtype == state["key"].dtype
    assert jax.random.key_data(found["key"]).tolist() == [0, 5]
    key = state.pop("key")
    assert key is not found.pop("key")
    assert_same_bits(found, state)


def test_odd_bits_and_odd_layouts(run: Run) -> None:
    nans = np.array([0x7FC01234, 0xFF800001, 0x80000000, 1], np.uint32)
    state = {
        "nan": nans.view(np.float32),
        "f16": np.array([0x7C01, 0x8000], np.uint16).view(np.float16),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "strided": np.arange(10, dtype=np.int8)[::2],
        "zeros": np.zeros((4, 4), np.float32),
        "scalar": np.float32(-0.0),
        "..": {"é": np.uint8([1]), ".": np.int64(2**40)},
        "a b": np.bool_(True),
    }
    assert_same_bits(save_and_restore(run, state), state)


def test_only_leaves_without_elements(run: Run) -> None:
    state = {"a": np.zeros((0, 2), np.float32), "b": np.zeros(0, np.uint32)}
    assert_same_bits(save_and_restore(run, state), state)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"new": np.zeros(2)}, "new: the program has it, the checkpoint does not"),
        ({"key": None}, "key: the checkpoint has it, the program does not"),
        (
            {"key": np.zeros(3, np.uint32)},
            "key: the program has uint32[3], the checkpoint uint32[2]",
        ),
        ({"key": np.zeros(2, np.int32)}, "key: the program has int32[2], the checkpoint uint32[2]"),
        ({"empty": np.zeros((0, 4), np.float32)},
         "empty: the program has float32[0, 4], the checkpoint float32[0, 3]"),
    ],
    ids=["missing", "extra", "shape", "dtype", "empty"],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused(
    whole: Path, change: dict[str, Any], fault: str
) -> None:
    wanted = {k: v for k, v in (a_state() | change).items() if v is not None}
    with pytest.raises(StateMismatch) as caught:
        restore(whole, abstract(wanted))
    assert caught.value.faults == (fault,)
    assert str(caught.value) == f"{whole}: does not fit this program's state:\n  {fault}"


def test_every_misfit_is_named_at_once(whole: Path) -> None:
    wanted = {"x": np.zeros(1), "params": np.zeros(1), "done": np.zeros(2, bool)}
    with pytest.raises(StateMismatch) as caught:
        restore(whole, abstract(wanted))
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "empty", "key", "opt_state/0", "opt_state/1/0", "params", "params/dense/kernel", "x",
    ]  # fmt: skip


def test_a_damaged_one_is_not_restored(whole: Path) -> None:
    os.truncate(whole / "state" / "manifest.ocdbt", 10)
    with pytest.raises(DamagedCheckpoint, match=r"state/manifest\.ocdbt: has 10 bytes"):
        restore(whole, abstract(a_state()))


def test_a_network_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    state = NETWORK | {"params_too": np.zeros(2, np.float32), "key": np.zeros(2, np.uint32)}
    save_and_restore(run, state)
    asked: list[set[str]] = []
    original = read.read_arrays

    def spy(directory: Path, leaves: Any) -> Any:
        asked.append(set(leaves))
        return original(directory, leaves)

    monkeypatch.setattr(read, "read_arrays", spy)
    params, model_state = restore_network(
        run.base / "000001", abstract(NETWORK["params"]), abstract(NETWORK["model_state"])
    )
    assert_same_bits({"params": params, "model_state": model_state}, NETWORK)
    assert asked == [{"params/dense/kernel", "model_state/norm/mean"}]


def test_a_network_without_model_state(run: Run) -> None:
    save_and_restore(run, {"params": NETWORK["params"], "model_state": {}, "w": np.zeros(1)})
    params, model_state = restore_network(run.base / "000001", abstract(NETWORK["params"]), {})
    assert_same_bits(params, NETWORK["params"])
    assert model_state == {}


def test_a_network_that_does_not_fit_is_refused_leaf_by_leaf(run: Run) -> None:
    save_and_restore(run, NETWORK)
    other = {"dense": {"kernel": np.zeros((3, 3), np.float32), "bias": np.zeros(3, np.float32)}}
    with pytest.raises(StateMismatch) as caught:
        restore_network(run.base / "000001", abstract(other), {})
    assert caught.value.faults == (
        "model_state/norm/mean: the checkpoint has it, the program does not",
        "params/dense/bias: the program has it, the checkpoint does not",
        "params/dense/kernel: the program has float32[3, 3], the checkpoint float32[2, 3]",
    )


def test_a_network_of_a_damaged_checkpoint_is_not_restored(run: Run) -> None:
    save_and_restore(run, NETWORK)
    os.truncate(run.base / "000001" / "state" / "manifest.ocdbt", 10)
    with pytest.raises(DamagedCheckpoint, match=r"state/manifest\.ocdbt: has 10 bytes"):
        restore_network(run.base / "000001", abstract(NETWORK["params"]), {})
