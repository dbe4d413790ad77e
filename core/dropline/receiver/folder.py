"""Where the bytes of received files lie, so that a process may be killed between any two steps.

    transit/<number>.part   bytes that arrive (a `Spool`)
    transit/<file id>       whole and synced; whether the file is stored, its row alone decides
    files/<xy>/<file id>    stored; xy are the last two digits of the id

A file is stored at the instant in which its row is committed; its bytes are whole on disk by then.
Going home into `files/` comes after that, and a deleted file leaves it before its row goes. So the
next start can finish whatever was cut: what lies in `transit/` is moved home when it has a row, and
removed when it has none. `files/` is never swept: bytes outlive the loss of the database.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from dropline.receiver.spool import Spool

_log = logging.getLogger(__name__)

_NO_LINKS = {errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class Folder:
    """The two folders under `root`, which are made when they are missing.

    Paths are strings here: with `pathlib` a fifth of the time of a small file went into them.
    """

    def __init__(self, root: Path) -> None:
        """Raises OSError, as every method that writes."""
        transit, files = root / "transit", root / "files"
        for path in (root, transit, files):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._transit = os.path.join(transit, "")
        self._files = os.path.join(files, "")
        self._numbers = itertools.count(1)

    def spool(self, in_memory: int) -> Spool:
        """A place for the bytes of one file that arrives; up to `in_memory` need no file."""
        return Spool(self._temporary(), in_memory)

    def adopt(self, path: str) -> str:
        """A second name, that of a temporary file here, for a file of the same disk.

        Where the file system knows no second names the file is moved.
        """
        temporary = self._temporary()
        try:
            os.link(path, temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.replace(path, temporary)
        return temporary

    def holds(self, temporary: str) -> bool:
        """Whether that is a temporary file of this folder."""
        return temporary.startswith(self._transit)

    def name(self, temporary: str, file_id: str) -> str:
        """Give a whole file its id; its new path, still in transit."""
        path = self._transit + file_id
        os.replace(temporary, path)
        return path

    def sync(self) -> None:
        """See the names in transit onto the disk, where the system can do so for a folder."""
        if os.name == "nt":
            return
        descriptor = os.open(self._transit, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def bring_home(self, file_id: str) -> None:
        """Move a stored file from transit to its place.

        Where that fails it is read from where it is, and the next start tries again.
        """
        transit, home = self._transit + file_id, self._home(file_id)
        try:
            try:
                os.replace(transit, home)
            except FileNotFoundError:  # the first one there
                os.makedirs(os.path.dirname(home), exist_ok=True)
                os.replace(transit, home)
        except OSError as error:
            _log.warning("%s stays in transit: %s", file_id, error)

    def withdraw(self, file_id: str) -> None:
        """Put a stored file back into transit, ahead of the end of its row."""
        with suppress(FileNotFoundError):  # it is there already
            os.replace(self._home(file_id), self._transit + file_id)

    def remove(self, file_id: str) -> None:
        """Remove the bytes of a file that has no row any more."""
        for path in (self._transit + file_id, self._home(file_id)):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def path(self, file_id: str) -> str:
        """Where the bytes of a stored file are. Raises FileNotFoundError."""
        home, transit = self._home(file_id), self._transit + file_id
        for path in (home, transit, home):  # just stored, it may be on its way home
            if os.path.isfile(path):
                return path
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file_id)

    def at_home(self) -> Iterator[Path]:
        """The files in `files/` whose names are ids."""
        yield from (path for path in Path(self._files).glob("*/*") if _is_id(path.name))

    def sweep(self, is_stored: Callable[[str], bool]) -> None:
        """Finish what an earlier process left in transit."""
        for name in os.listdir(self._transit):
            if _is_id(name) and is_stored(name):
                self.bring_home(name)
            else:
                os.unlink(self._transit + name)

    def _temporary(self) -> str:
        """A name that no other file in transit has: what earlier processes left is swept first."""
        return f"{self._transit}{next(self._numbers)}.part"

    def _home(self, file_id: str) -> str:
        return f"{self._files}{file_id[-2:]}/{file_id}"


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
