"""Whether what is stored is what was received: every byte against its row's digest, and back.

Bytes without a row are what the loss of a database leaves. They may be all that is left of
somebody's files, so they are only removed when that is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dropline.home import FolderLock
from dropline.receiver.database import Database, StoredFile
from dropline.receiver.folder import Folder

#: Rows read at a time.
_PAGE = 500


@dataclass(slots=True)
class Totals:
    """What a check has seen so far: files that are whole and their bytes, files that are not, bytes
    that no row tells of, and how many of these were removed."""

    whole: int = 0
    whole_bytes: int = 0
    broken: int = 0
    orphans: int = 0
    removed: int = 0


class Check:
    """A check of the data folder of a receiver that does not run."""

    def __init__(self, data: Path, database: str | None) -> None:
        """`database` as for `Receiver`."""
        self._data = data
        self._url = database
        self.totals = Totals()

    def run(self, *, sweep: bool = False) -> Iterator[str]:
        """A sentence for each thing that is wrong; with `sweep`, bytes without a row are removed.

        Raises FolderInUseError, DatabaseError, OSError.
        """
        folder = Folder(self._data)
        lock = FolderLock(self._data)
        try:
            with closing(Database(self._url, self._data)) as database:
                yield from self._compare(database, folder)
                if sweep and not self.totals.whole:
                    yield (
                        "Nothing is removed: the database knows of no whole file here, so it is "
                        "probably another folder's. Check --data and --database."
                    )
                    sweep = False
                yield from self._look_for_orphans(database, folder, sweep)
        finally:
            lock.release()

    def _compare(self, database: Database, folder: Folder) -> Iterator[str]:
        after: str | None = None
        while rows := database.page(_PAGE, after):
            for row in rows:
                trouble = _trouble(row, database, folder)
                if trouble:
                    self.totals.broken += 1
                    yield f"{row.file_id} {row.name!r}: {trouble}"
                else:
                    self.totals.whole += 1
                    self.totals.whole_bytes += row.size
            after = rows[-1].file_id

    def _look_for_orphans(self, database: Database, folder: Folder, sweep: bool) -> Iterator[str]:
        for path in folder.at_home():
            if database.get(path.name) is None:
                self.totals.orphans += 1
                self.totals.removed += sweep
                if sweep:
                    path.unlink()
                yield f"{path}: {'removed, as ' if sweep else ''}no row tells of it"
        for file_id in database.contents_without_row():
            self.totals.orphans += 1
            self.totals.removed += sweep
            if sweep:
                database.remove(file_id)
            yield f"{file_id}: content in the database that no row tells of"


def _trouble(row: StoredFile, database: Database, folder: Folder) -> str:
    """What is wrong with a file's bytes, or nothing."""
    content = database.content(row.file_id)
    try:
        if content is not None:
            size, digest = len(content), hashlib.sha256(content).hexdigest()
        else:
            path = Path(folder.path(row.file_id))
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "its bytes are gone"
    except OSError as error:
        return f"its bytes cannot be read ({error.strerror})"
    if size != row.size:
        return f"it has {size:,} bytes instead of {row.size:,}"
    return "" if digest == row.sha256 else "its bytes do not have its SHA-256"
