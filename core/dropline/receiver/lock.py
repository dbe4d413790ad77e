"""A folder that one process has to itself, until it ends in whatever way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO


class FolderInUseError(Exception):
    """Another process has the folder."""


class FolderLock:
    """An exclusive lock on a file in the folder, which the system drops when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises FolderInUseError, OSError."""
        self._file: IO[bytes] = open(folder / "lock", "ab")  # noqa: SIM115 - held until release
        try:
            _lock(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise FolderInUseError(str(folder)) from error

    def release(self) -> None:
        """Give the folder back."""
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
