"""Taking in whatever runs a path has: folders, archives, TensorBoard's logs."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from jaxpot.errors import UserError
from jaxpot.exchange.archives import is_archive, unpack
from jaxpot.exchange.journals import Imported, import_journal, staging
from jaxpot.exchange.places import sources
from jaxpot.exchange.tensorboard_logs import import_log

_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ELOOP, errno.EIO)


def import_path(
    runs_dir: Path, path: Path, *, update: bool = False, checkpoints: bool = True
) -> Iterator[Imported]:
    """Take in each run that a path has; yield what became of it.

    A run that cannot be taken in is reported as refused, and stops none of the others. A folder
    that is passed over is reported as skipped, without a uid.

    Raises:
        UserError: there is no such path, no run in it, or an archive that is not safe to unpack.
    """
    if path.is_dir() or path.name.endswith(".jsonl"):
        yield from _import_folder(runs_dir, path, update=update, checkpoints=checkpoints)
    elif not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    elif is_archive(path):
        runs_dir.mkdir(parents=True, exist_ok=True)
        with staging(runs_dir) as room:
            folder = room / path.name.partition(".")[0]
            folder.mkdir()
            unpack(path, folder)
            yield from _import_folder(
                runs_dir, folder, update=update, checkpoints=checkpoints, archive=path
            )
    else:
        raise UserError(
            f"{path}: neither a folder nor an archive (.tar, .tar.gz, .tgz, .zip) nor a journal"
        )


def _import_folder(
    runs_dir: Path, folder: Path, *, update: bool, checkpoints: bool, archive: Path | None = None
) -> Iterator[Imported]:
    found, passed_over = sources(folder, called=archive)
    for path, why in passed_over:
        yield Imported("", str(path.relative_to(folder) if archive else path), "skipped", why)
    for source in found:
        inside = source.folder.relative_to(folder) if archive is not None else ""
        origin = f"{archive.absolute()}/{inside}" if archive is not None else ""
        try:
            if source.kind == "journal":
                yield import_journal(
                    runs_dir, source.folder, update=update, checkpoints=checkpoints
                )
            else:
                yield import_log(runs_dir, source.folder, source.name, origin=origin, update=update)
        except (UserError, OSError) as error:
            why = str(error) if isinstance(error, UserError) else f"{source.folder}: {error}"
            if isinstance(error, OSError) and error.errno not in _UNREADABLE:
                raise
            yield Imported(source.folder.name, source.name, "refused", why)
