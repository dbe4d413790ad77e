"""Where one run keeps its held sources, out of the way of every other run."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import uuid
from pathlib import Path

from dropline.home import FolderInUseError, FolderLock
from dropline.intake.walk import inside


class Spool:
    """The folder under `root` that this run alone writes to; it is made when first needed.

    A window and senders share `root`, so a run may only sweep away what no living run has.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / uuid.uuid4().hex
        self._mine: FolderLock | None = None
        self._lock = threading.Lock()

    def folder(self) -> str:
        """The name of a new folder to hold things in. Raises OSError."""
        with self._lock:
            if self._mine is None:
                self.path.mkdir(mode=0o700, parents=True)
                self._mine = FolderLock(self.path)
        return os.path.join(self.path, uuid.uuid4().hex)

    def release(self, source: str) -> None:
        """Remove a held source that is no longer needed, and the folders that it leaves empty.

        What is not held here stays, also what a link in here leads to.
        """
        folder, name = os.path.split(os.path.abspath(source))
        if not inside(folder, os.fspath(self.path)):  # the usual case, and quick
            return
        spool, folder = os.path.realpath(self.path), os.path.realpath(folder)
        if not inside(folder, spool):
            return
        with contextlib.suppress(OSError):  # gone already, or a folder that is not empty yet
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)
            while folder != spool:
                os.rmdir(folder)  # refuses one that is not empty, and so ends the climb
                folder = os.path.dirname(folder)

    def sweep(self) -> None:
        """Remove what runs that are over have left."""
        with contextlib.suppress(OSError):
            for path in self.path.parent.iterdir():
                if path != self.path:
                    with contextlib.suppress(FolderInUseError, OSError):
                        FolderLock(path).release()
                        shutil.rmtree(path)

    def close(self) -> None:
        """Give the folder up; what is still held there goes with the next sweep."""
        with self._lock:
            if self._mine is None:
                return
            self._mine.release()
            self._mine = None
        with contextlib.suppress(OSError):  # somebody removed it
            if os.listdir(self.path) == ["lock"]:
                shutil.rmtree(self.path)
