import os
import shutil
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
    arrays,
    newest_whole,
    restore,
    restore_network,
)

from .conftest import PERIODIC, Run, a_state

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
        ({"new": np.zeros(2)}, "new: the program has it, the checkpoint has not"),
        ({"key": None}, "key: the checkpoint has it, the program has not"),
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


def test_the_newest_whole_one(tmp_path: Path, copies: Callable[[str], Path]) -> None:
    assert newest_whole(tmp_path) == (None, [])
    copies("checkpoints/000100")
    found, skipped = newest_whole(tmp_path)
    assert found is not None
    assert (found.iteration, skipped) == (100, [])


def test_damaged_ones_are_skipped_and_named(run: Run) -> None:
    run.save(999_998, 999_999, 1_000_000)
    os.truncate(run.base / "1000000" / "metadata.json", 0)
    (run.base / "999999" / "state" / "_METADATA").unlink()
    found, skipped = newest_whole(run.run_dir)
    assert found is not None
    assert found.iteration == 999_998
    assert skipped == [
        (run.base / "1000000", "metadata.json: is not JSON"),
        (run.base / "999999", "state/_METADATA: is missing"),
    ]
    shutil.rmtree(run.base / "999998" / "state")
    assert newest_whole(run.run_dir)[0] is None


def test_the_newest_up_to_a_limit(run: Run) -> None:
    run.save(1, 2, 3)
    os.truncate(run.base / "000003" / "metadata.json", 0)
    for limit, newest in ((0, None), (1, 1), (2, 2), (9, 2), (None, 2)):
        found, skipped = newest_whole(run.run_dir, limit=limit)
        assert (found.iteration if found else None) == newest
        assert len(skipped) == (limit is None or limit > 2)


def test_another_place_stands_in_for_a_damaged_one(
    tmp_path: Path, copies: Callable[[str], Path]
) -> None:
    (copies("checkpoints/000100") / "state" / "_METADATA").unlink()
    copies("checkpoints/milestones/000100")
    copies("checkpoints/best/000100")
    found, skipped = newest_whole(tmp_path)
    assert found is not None
    assert found.place == "milestones"
    assert [path.parent.name for path, _ in skipped] == ["checkpoints"]


def test_a_renamed_one_does_not_pass_for_another(
    tmp_path: Path, copies: Callable[[str], Path]
) -> None:
    renamed = copies("checkpoints/000200")
    reason = "metadata.json: holds iteration 100, not the one it is named after"
    assert newest_whole(tmp_path) == (None, [(renamed, reason)])


def test_a_network_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    state = NETWORK | {"params_too": np.zeros(2, np.float32), "key": np.zeros(2, np.uint32)}
    save_and_restore(run, state)
    asked: list[set[str]] = []
    read = arrays.read_arrays

    def spy(directory: Path, leaves: Any) -> Any:
        asked.append(set(leaves))
        return read(directory, leaves)

    monkeypatch.setattr(arrays, "read_arrays", spy)
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
        "model_state/norm/mean: the checkpoint has it, the program has not",
        "params/dense/bias: the program has it, the checkpoint has not",
        "params/dense/kernel: the program has float32[3, 3], the checkpoint float32[2, 3]",
    )


def test_a_network_of_a_damaged_checkpoint_is_not_restored(run: Run) -> None:
    save_and_restore(run, NETWORK)
    os.truncate(run.base / "000001" / "state" / "manifest.ocdbt", 10)
    with pytest.raises(DamagedCheckpoint, match=r"state/manifest\.ocdbt: has 10 bytes"):
        restore_network(run.base / "000001", abstract(NETWORK["params"]), {})
