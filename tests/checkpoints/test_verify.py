import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxpot.checkpoints import DamagedCheckpoint, verify
from jaxpot.checkpoints.verify import read_metadata


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
    with pytest.raises(DamagedCheckpoint, match=r"metadata\.json: has \d+ bytes, too many"):
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
