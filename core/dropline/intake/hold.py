"""Hold sources that may vanish as soon as the drop returns.

An archive manager unpacks what is dragged out of it into a temporary folder and removes that once
the drop is over. What is dropped from a temporary folder is therefore hard-linked into the spool,
or, across file systems, opened now and copied from the open file later. The drop itself must stay
quick: what does not fit into its time is held by the walking thread straight after.

Where the spool cannot take something, the whole path is sent from where it is, while it is there.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from os.path import join
from pathlib import Path
from typing import BinaryIO

from dropline.home import FolderInUseError
from dropline.intake.spool import Spool
from dropline.intake.walk import Root, inside

#: What holding may take of the drop's own time, in seconds (a GUI frame or two).
DROP_SECONDS = 0.03
#: Files and folders that are held inside the drop however long they take: a disk that is slow for
#: a moment must not lose them.
LEAST = 256
#: Files kept open at most until the walking thread has copied them.
MAX_OPEN = 128
#: Bytes copied at a time.
BLOCK = 1 << 20


def temporary_folders() -> list[str]:
    """The folders whose content others clean up."""
    candidates = [
        tempfile.gettempdir(),
        "/tmp",
        "/var/tmp",
        os.environ.get("XDG_RUNTIME_DIR", ""),
        os.path.expanduser("~/.cache"),
    ]
    return [os.path.realpath(folder) for folder in candidates if folder]


class Hold:
    """The held sources of one drop: `now` inside the drop, `rest` in the walking thread."""

    def __init__(
        self,
        paths: Sequence[str],
        spool: Spool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._spool = spool
        self._clock = clock
        self._folders = temporary_folders()
        self._held: dict[int, str] = {}
        self._open: list[tuple[int, BinaryIO, str]] = []
        self._steps = self._hold_all()

    def now(self, seconds: float = DROP_SECONDS, least: int = LEAST) -> None:
        """Hold as much as fits into `seconds`, and `least` files and folders in any case."""
        deadline = self._clock() + seconds
        for step, _ in enumerate(self._steps, 1):
            if len(self._open) >= MAX_OPEN or (step >= least and self._clock() >= deadline):
                return

    def rest(self, stop: Callable[[], bool] = lambda: False) -> list[Root]:
        """Hold what is left, copy what was only opened, and say where to read each path.

        Ends early once `stop()` is true.
        """
        self._copy_open(stop)
        for _ in self._steps:
            self._copy_open(stop)
            if stop():
                break
        return [Root(path, self._held.get(number, path)) for number, path in enumerate(self._paths)]

    def _hold_all(self) -> Iterator[None]:
        for number, path in enumerate(self._paths):
            try:
                real = os.path.realpath(path)
                if path and self._is_temporary(real):  # an empty path is not the current folder
                    name = os.path.basename(os.path.abspath(path))
                    held = join(self._spool.folder(), name)
                    self._held[number] = held
                    yield from self._mirror(number, real, held)
            except (FolderInUseError, OSError, ValueError):  # a full disk, a NUL in the path
                self._held.pop(number, None)
            yield

    def _is_temporary(self, path: str) -> bool:
        return any(inside(path, folder) for folder in self._folders)

    def _mirror(self, number: int, root: str, place: str) -> Iterator[None]:
        """Mirror a file or a folder. Raises OSError when the spool does not take it.

        What cannot be held (pipes, what may not be read, what just vanished) becomes a link to the
        source, so that the walk meets it and reports it.
        """
        os.makedirs(os.path.dirname(place))
        waiting = [(root, place)]
        while waiting:
            source, held = waiting.pop()
            try:
                status = os.lstat(source)
                if stat.S_ISDIR(status.st_mode):
                    names = os.listdir(source)
                    os.mkdir(held)
                    os.utime(held, ns=(status.st_atime_ns, status.st_mtime_ns))
                    waiting.extend((join(source, name), join(held, name)) for name in names)
                elif stat.S_ISREG(status.st_mode):
                    self._hold_file(number, source, held)
                else:
                    self._hold_link(number, source, held, root, place)
            except OSError:
                os.symlink(source, held)
            yield

    def _hold_link(self, number: int, source: str, held: str, root: str, place: str) -> None:
        """Hold what a link leads to, unless it is sure to stay, or a folder elsewhere.

        A link to a folder in the mirror, or around it, stays one in the mirror, so that nothing is
        walked in both.
        """
        target = os.path.realpath(source)
        if os.path.isfile(target) and self._is_temporary(target):
            self._hold_file(number, target, held)
        elif inside(target, root) and target != source:
            os.symlink(place + target[len(root) :], held)
        elif inside(root, target):
            os.symlink(place, held)
        else:
            os.symlink(source, held)

    def _hold_file(self, number: int, source: str, held: str) -> None:
        try:
            os.link(source, held, follow_symlinks=False)
        except OSError:  # another file system, or one without hard links
            file = open(source, "rb")  # noqa: SIM115 - closed by _copy_open
            self._open.append((number, file, held))

    def _copy_open(self, stop: Callable[[], bool]) -> None:
        while self._open:
            number, file, held = self._open.pop()
            with file:
                try:
                    whole = _copy(file, held, stop)
                except OSError:
                    whole = False
            if not whole:
                self._held.pop(number, None)
                Path(held).unlink(missing_ok=True)  # what filled the disk leaves it


def _copy(file: BinaryIO, place: str, stop: Callable[[], bool]) -> bool:
    """Copy an open file; False when it changed meanwhile, or was not to be copied to its end."""
    before = os.fstat(file.fileno())
    left = before.st_size
    with open(place, "xb") as copy:
        while left and not stop() and (data := file.read(min(BLOCK, left))):
            copy.write(data)
            left -= len(data)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.fstat(file.fileno())
    return not left and (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
