"""Where one run keeps its held sources, or what it fetched, out of the way of every other run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path

from dropline.home import FolderInUseError, FolderLock
from dropline.intake.walk import inside

#: The name of a run's folder.
_RUN = re.compile("[0-9a-f]{32}")


class Spool:
    """The folder under `root` that this run alone writes to; its name is the run's.

    A window and senders share `root`, so a run may only sweep away what no living run has, and
    what no file needs that is still to be sent.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))
        self._prefix = os.path.join(self._root, "")
        self.path = self._root / uuid.uuid4().hex
        self._mine: FolderLock | None = None
        self._lock = threading.Lock()

    @property
    def run(self) -> str:
        """The name of this run."""
        return self.path.name

    def open(self) -> None:
        """Make the folder, so that others see this run alive. Raises OSError."""
        with self._lock:
            while self._mine is None:
                # Without its lock it is taken for that of a dead run, and may be swept away.
                with contextlib.suppress(FolderInUseError, FileNotFoundError, FileExistsError):
                    self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                    self._mine = FolderLock(self.path)

    def is_over(self, run: str) -> bool:
        """Whether a run has ended, in whatever way."""
        folder = self._root / run
        try:
            if not folder.is_dir():
                return True
            FolderLock(folder).release()
        except (FolderInUseError, OSError):
            return False
        return True

    def folder(self) -> str:
        """The name of a new folder to hold things in. Raises OSError."""
        self.open()
        return os.path.join(self.path, uuid.uuid4().hex)

    def release(self, source: str) -> None:
        """Remove a held source that is no longer needed, and the folders that it leaves empty.

        What is not held here stays, also what a link in here leads to.
        """
        if not source.startswith(self._prefix):  # the usual case, and quick
            return
        folder, name = os.path.split(os.path.abspath(source))
        spool, folder = os.path.realpath(self._root), os.path.realpath(folder)
        if not inside(folder, spool) or not _RUN.fullmatch(
            folder[len(spool) + 1 :].split(os.sep)[0]
        ):
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

    def sweep(self, needed: Iterable[str] = ()) -> None:
        """Remove what runs that are over have left, but for the sources that are needed."""
        spared = {self.path, *map(self._run_folder, needed)}
        with contextlib.suppress(OSError):
            for path in self._root.iterdir():
                if path not in spared:
                    _remove(path)

    def _run_folder(self, source: str) -> Path:
        """The folder of the run that holds a source; the root for one that is not held."""
        parts = os.path.relpath(source, self._root).split(os.sep)
        return self._root / parts[0] if parts[0] != os.pardir else self._root

    def close(self) -> None:
        """Give the folder up; what is still held there goes with a later sweep."""
        with self._lock:
            if self._mine is None:
                return
            self._mine.release()
            self._mine = None
        with contextlib.suppress(OSError):  # somebody removed it
            if os.listdir(self.path) == ["lock"]:
                shutil.rmtree(self.path)


def _remove(folder: Path) -> None:
    """Remove the folder of a run that is over; one that is just beginning makes it anew."""
    with contextlib.suppress(FolderInUseError, OSError):
        lock = FolderLock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        if sys.platform == "win32":  # which keeps what is open
            shutil.rmtree(folder, ignore_errors=True)
