"""The stored files of one data folder: a folder for the bytes, a database for rows and small files.

Besides `files/` and `transit/` (see `folder`) there are `tus/` (see `unfinished`),
`receiver.sqlite` (see `database`), `lock`, which a process holds while it has the data folder to
itself, and `identity`, by which senders know the receiver again.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from dropline.bus import EventBus
from dropline.events import FileDeleted, FileReceived, FileStored, Message
from dropline.home import FolderLock, write_private
from dropline.receiver.database import Database, StoredFile
from dropline.receiver.folder import Folder
from dropline.receiver.spool import Spool
from dropline.receiver.unfinished import LIFETIME, Unfinished
from dropline.receiver.writer import Pending, Writer

#: A file of up to this many bytes is kept in the database: making, syncing and renaming one of its
#: own costs ten times as much. SQLite is as quick as a file system up to some 100 kB.
SMALL = 16 * 1024
#: … and one of more bytes never: it would have to lie in memory whole.
MAX_SMALL = 1024 * 1024

#: The disk keeps this much free: bytes, or a share of it where it is small.
LEAST_FREE, LEAST_FREE_SHARE = 256 * 1024 * 1024, 0.01
#: Seconds between two looks at what is free.
LOOK = 0.1


class Store:
    """Keeps what `FileReceived` tells of; posts `FileStored` for what is new, and `FileDeleted`."""

    def __init__(
        self,
        data: Path,
        database: str | None,
        bus: EventBus,
        *,
        small: int = SMALL,
        lifetime: float = LIFETIME,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the store and finish what an earlier process left.

        Files of up to `small` bytes are kept in the database, the others in the folder.
        `lifetime` and `clock` are those of unfinished uploads, see `Unfinished`. Raises
        FolderInUseError, DatabaseError, OSError.
        """
        self._bus = bus
        self._data = data
        self._small = small
        self._has_room = True
        self._next_look = 0.0
        #: Files and bytes stored, and files deleted, since the start.
        self.stored, self.stored_bytes, self.deleted = 0, 0, 0
        self._counting = threading.Lock()
        #: Called between two files by the threads that work; may keep them for a moment.
        self.give_way = give_way
        self._folder = Folder(data)
        self._lock = FolderLock(data)
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            self.files = Database(database, data)
            undo.callback(self.files.close)
            self._folder.sweep(lambda file_id: self.files.get(file_id) is not None)
            self.identity = _identity(data / "identity")
            self.unfinished = Unfinished(data / "tus", lifetime, clock)
            undo.callback(self.unfinished.close)
            self.unfinished.settle(self.files.by_keys)
            self._writer = Writer(self._folder, self.files, self._announce, give_way)
            undo.pop_all()
        self._subscription = bus.subscribe(FileReceived, self.keep)

    def close(self) -> None:
        """Store what has been received, then let the data folder go."""
        self.unfinished.close()
        self._subscription.cancel()
        self._writer.close()
        self.files.close()
        self._lock.release()

    def spool(self, in_memory: int) -> Spool:
        """A place for the bytes of one file that arrives. Raises OSError.

        A small one, that has at most `in_memory` bytes, is kept in the database.
        """
        return self._folder.spool(min(in_memory, self._small))

    def check_room(self) -> None:
        """Raise OSError when the disk has no more room than must stay free."""
        now = time.monotonic()
        if now >= self._next_look or not self._has_room:  # it may have come back just now
            self._next_look = now + LOOK
            disk = shutil.disk_usage(self._data)
            self._has_room = disk.free >= min(LEAST_FREE, int(disk.total * LEAST_FREE_SHARE))
        if not self._has_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def adopt(self, path: str) -> str:
        """A temporary file of the store's with the bytes of that file. Raises OSError."""
        return self._folder.adopt(path)

    def keep(self, message: Message) -> Pending | None:
        """The storing handler; what it returns is waited for, and may end in FileProblem.

        The temporary file is the store's from now on; one from elsewhere is left alone (None).
        """
        event = message.data
        assert isinstance(event, FileReceived)
        is_ours = event.content is not None or self._folder.holds(event.temporary)
        return self._writer.store(event) if is_ours else None

    def find(self, file: StoredFile) -> str | BytesIO:
        """The path of a stored file's bytes, or the bytes. Raises FileNotFoundError."""
        content = self.files.content(file.file_id)
        return self._folder.path(file.file_id) if content is None else BytesIO(content)

    def delete(self, file_id: str) -> bool:
        """Remove a file; whether it was there. Raises OSError when it could not be removed."""
        if self.files.get(file_id) is None:
            return False
        self._folder.withdraw(file_id)
        try:
            removed = self.files.remove(file_id)
        except OSError:
            self._folder.bring_home(file_id)
            raise
        self._folder.remove(file_id)
        if removed:
            with self._counting:
                self.deleted += 1
            self._bus.post(FileDeleted(file_id))
        return removed

    def _announce(self, files: Sequence[StoredFile]) -> None:
        self.stored += len(files)
        self.stored_bytes += sum(file.size for file in files)
        self._bus.post(*map(stored_event, files))


def stored_event(file: StoredFile) -> FileStored:
    """The event that tells of a row."""
    return FileStored(
        file_id=file.file_id,
        name=file.name,
        size=file.size,
        sha256=file.sha256,
        media_type=file.media_type,
        stored_at=file.stored_at,
    )


def _identity(path: Path) -> str:
    """The id of the data folder, made once: another receiver at the same address has another."""
    if not path.exists():
        write_private(path, str(uuid.uuid4()))
    return path.read_text("utf-8").strip()
