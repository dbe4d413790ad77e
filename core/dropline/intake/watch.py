"""Watched folders: a thread for each, so that one on a disk that hangs holds up no other.

What is watched, and how, is told by `WatchedFolder`; the thread steps it, and sleeps between steps
until something is due, the system tells of a change, or somebody asks.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dropline.events import Event, FolderUnwatched
from dropline.intake.folder import IsSent, Pace, Ready, WatchedFolder
from dropline.intake.ignored import UNFINISHED
from dropline.intake.walk import inside

if TYPE_CHECKING:
    from dropline.intake.notice import Notices

_log = logging.getLogger(__name__)

#: Waits until the event is set, at most so many seconds.
Wait = Callable[[threading.Event, float], object]
#: Seconds to wait after a step that failed.
RECOVER = 5.0


class Watcher:
    """Hands over what comes to rest in folders, each content once.

    All methods return at once; what they lead to is told by events: FolderWatched, FolderLost,
    FolderReturned, FolderUnwatched, and FileRefused with the folder as its drop.
    """

    def __init__(
        self,
        ready: Ready,
        is_sent: IsSent,
        post: Callable[[Event], object],
        *,
        pace: Pace | None = None,
        ignore: Iterable[str] = UNFINISHED,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        """`ready` and `is_sent` are called in the threads of the folders.

        What `ready` takes counts as handed over; if it raises, it is offered again later.
        """
        self._ready = ready
        self._is_sent = is_sent
        self._post = post
        self._pace = pace or Pace()
        self._ignore = tuple(ignore)
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._watches: dict[str, _Watch] = {}
        self._ending: list[_Watch] = []
        self._closed = False

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that are watched, lost ones included, as absolute paths."""
        with self._lock:
            return tuple(self._watches)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The files that wait to be at rest before they are handed over."""
        with self._lock:
            watches = list(self._watches.values())
        return tuple(path for watch in watches for path in watch.folder.waiting)

    def watch(self, folder: str) -> None:
        """Watch a folder and all that is in it; it need not be there yet.

        Watching it twice is watching it once. Raises ValueError, a sentence for the user, for a
        folder in a watched one or around one, and for the whole file system; RuntimeError when the
        watcher is closed.
        """
        folder = os.path.abspath(folder)
        if not os.path.basename(folder):
            raise ValueError(f"“{folder}” is a whole file system: watch the folders in it.")
        with self._lock:
            if self._closed:
                raise RuntimeError("the watcher is closed")
            if folder in self._watches:
                return
            for other in self._watches:
                if inside(folder, other):
                    raise ValueError(f"“{folder}” is watched already, as a part of “{other}”.")
                if inside(other, folder):
                    raise ValueError(
                        f"“{other}” is watched, a part of “{folder}”: stop watching that first."
                    )
            self._ending = [watch for watch in self._ending if watch.thread.is_alive()]
            before = [watch for watch in self._ending if watch.folder.folder == folder]
            watch = self._watches[folder] = self._make(folder, before)
            watch.thread.start()

    def unwatch(self, folder: str) -> None:
        """Watch it no more. A folder that is not watched is left alone."""
        with self._lock:
            watch = self._watches.pop(os.path.abspath(folder), None)
            if watch is not None:
                self._ending.append(watch)
                watch.end(tell=True)

    def folder_of(self, path: str) -> str | None:
        """The watched folder that a path lies in."""
        with self._lock:
            return next((folder for folder in self._watches if inside(path, folder)), None)

    def forget(self, path: str) -> None:
        """Hand a file over again, once it is at rest: it was not sent after all."""
        folder = self.folder_of(path)
        with self._lock:
            watch = self._watches.get(folder) if folder is not None else None
        if watch is not None:
            watch.forgotten.append(path)
            watch.wake.set()

    def close(self, timeout: float = 2.0) -> bool:
        """Watch nothing any more; False if a folder's disk hangs for longer than `timeout` seconds.

        What was handed over is all there will be.
        """
        with self._lock:
            self._closed = True
            watches = [*self._watches.values(), *self._ending]
            self._watches.clear()
            self._ending.clear()
        for watch in watches:
            watch.end(tell=False)
        deadline = time.monotonic() + timeout
        for watch in watches:
            watch.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(watch.thread.is_alive() for watch in watches)

    def _make(self, folder: str, before: list[_Watch]) -> _Watch:
        wake = threading.Event()

        def listen() -> Notices:
            from dropline.intake.notice import Notices  # who watches nothing needs none

            return Notices(folder, wake.set)

        watched = WatchedFolder(
            folder,
            self._ready,
            self._is_sent,
            self._post,
            listen,
            clock=self._clock,
            pace=self._pace,
            ignore=self._ignore,
        )
        return _Watch(watched, wake, self._wait, self._post, before)


class _Watch:
    """A folder and its thread."""

    def __init__(
        self,
        folder: WatchedFolder,
        wake: threading.Event,
        wait: Wait,
        post: Callable[[Event], object],
        before: list[_Watch],
    ) -> None:
        """`before`: earlier threads of the same folder, to wait for."""
        self.folder = folder
        self.wake = wake
        self.forgotten: deque[str] = deque()
        self._wait = wait
        self._post = post
        self._before = before
        self._ended = False
        self._tell = False
        self.thread = threading.Thread(target=self._run, name="watched folder", daemon=True)

    def end(self, *, tell: bool) -> None:
        """Stop after the step that runs; `tell` that it is not watched any more."""
        self._tell = self._tell or tell
        self._ended = True
        self.wake.set()

    def _run(self) -> None:
        for watch in self._before:
            watch.thread.join()
        self._before.clear()
        while not self._ended:
            self.wake.clear()
            forgotten = [self.forgotten.popleft() for _ in range(len(self.forgotten))]
            try:
                seconds = self.folder.step(forgotten)
            except Exception:  # noqa: BLE001 - go on with what is left
                _log.exception("watching %s failed", self.folder.folder)
                seconds = RECOVER
            if not self._ended:
                self._wait(self.wake, seconds)
        self.folder.close()
        if self._tell:
            self._post(FolderUnwatched(self.folder.folder))
