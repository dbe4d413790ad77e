"""One watched folder: every content that comes to rest in it is handed over once.

A state machine that a thread steps. A *notice* of the system makes a look prompt; a *scan* of the
whole folder, at the start, after a return and every now and then, is what nothing escapes. Either
shows files to `Settling`; what has rested is handed over. A *content* is a path, a size and a time
of modification. What was handed over in this run is kept as long as it is there; what an earlier
run has sent `is_sent` knows.
"""

from __future__ import annotations

import logging
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dropline.events import Event, FileRefused, FolderLost, FolderReturned, FolderWatched
from dropline.intake.ignored import UNFINISHED, Ignored
from dropline.intake.settle import Settling
from dropline.intake.walk import BATCH_ITEMS, Batch, Root, inside, walk

if TYPE_CHECKING:
    from dropline.intake.notice import Notices

_log = logging.getLogger(__name__)

#: Takes files that have rested: paths of one folder.
Ready = Callable[[Sequence[str]], object]
#: Whether this path with this size (bytes) and modification time (ns) has been sent.
IsSent = Callable[[str, int, int], bool]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a folder is looked at, in seconds.

    A file is taken when it has not changed for `settle`, or for `closed` since its writer closed
    it, where the system tells of that. The whole folder is looked through every `rescan`, and every
    `poll` where the system does not tell of all changes, but never sooner than `idle` times what
    the last time took. Whether the folder is there is looked up every `check`.
    """

    settle: float = 2.0
    closed: float = 0.5
    rescan: float = 60.0
    poll: float = 5.0
    idle: float = 10.0
    check: float = 2.0


class WatchedFolder:
    """What is known of a folder and its files. For one thread, `waiting` for any."""

    def __init__(
        self,
        folder: str,
        ready: Ready,
        is_sent: IsSent,
        post: Callable[[Event], object],
        listen: Callable[[], Notices],
        *,
        clock: Callable[[], float],
        pace: Pace,
        ignore: Iterable[str] = UNFINISHED,
    ) -> None:
        """`listen` begins to take notice of changes; OSError when the system does not tell."""
        self.folder = folder
        self._ready = ready
        self._is_sent = is_sent
        self._post = post
        self._listen = listen
        self._clock = clock
        self._pace = pace
        self._ignored = Ignored(folder, ignore)

        self._place: tuple[int, int] | None = None  # device and inode; None while it is not there
        self._mounted = False  # whether a disk was mounted there when it last was there
        self._lost = False
        self._note: str | None = None  # what was told of how the system tells of changes
        self._next_check = -math.inf

        self._notices: Notices | None = None
        self._trusted = False  # whether notices tell of all changes, as far as is known
        self._unnoticed: set[str] = set()  # what a scan found new, with no notice of it so far

        self._scan: Iterator[Batch] | None = None
        self._scans = 0
        self._scan_began = 0.0
        self._complete = False  # whether a scan came to its end since we listen
        self._next_scan = math.inf
        self._scan_not_before = -math.inf
        self._refused: dict[str, int] = {}  # path and how many scans in a row met it
        self._refused_now: dict[str, int] = {}

        self._settling = Settling(pace.settle, pace.closed)
        self._rested: list[tuple[str, int, int]] = []
        # Size and time handed over, or sent earlier, of each path; and the scan that last saw it.
        self._handed: dict[str, tuple[int, int, int]] = {}

    @property
    def waiting(self) -> tuple[str, ...]:
        """The files that wait to be at rest."""
        return self._settling.waiting

    def step(self, forgotten: Iterable[str] = ()) -> float:
        """Do what is due, a part of it when it is much; return after how many seconds to go on.

        `forgotten`: paths to hand over again.
        """
        for path in forgotten:
            self._handed.pop(path, None)
            if self._place is not None:
                self._look(path)
        if self._clock() >= self._next_check:
            self._check()
        if self._place is not None:
            self._take_notices()
            self._go_on_scanning()
            for path in self._settling.due(self._clock(), BATCH_ITEMS):
                self._look(path)
            self._hand_over()
        return max(0.0, self._next_step() - self._clock())

    def close(self) -> None:
        """Take no more notice of changes."""
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    def _next_step(self) -> float:
        if self._place is None:
            return self._next_check
        if self._scan is not None:
            return -math.inf
        scan = max(self._next_scan, self._scan_not_before)
        return min(self._next_check, scan, self._settling.next_look)

    # --- the folder itself ------------------------------------------------------------------

    def _check(self) -> None:
        self._next_check = self._clock() + self._pace.check
        try:
            status = os.stat(self.folder)
            os.scandir(self.folder).close()  # may it be read?
            mounted = os.path.ismount(self.folder)
        except OSError as error:
            self._lose(_why_lost(self.folder, error))
            return
        place = (status.st_dev, status.st_ino)
        if self._mounted and not mounted:  # what is seen there now is only where it was mounted
            self._lose(f"The disk of “{self.folder}” is not mounted any more: mount it again.")
        elif place != self._place:  # for the first time, again, or in the place of another
            self._place, self._mounted = place, mounted
            self._begin()

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._post(FolderLost(self.folder, reason))
        self._lost = True
        self._place = None
        self._scan = None
        self._settling.clear()
        self._unnoticed.clear()
        self.close()

    def _begin(self) -> None:
        self.close()
        if self._lost:
            self._post(FolderReturned(self.folder))
        self._lost = False
        self._trusted = True
        self._complete = False
        self._scan = None
        self._next_scan = self._clock()
        try:
            self._notices = self._listen()
        except OSError as error:
            self._distrust(
                f"the system does not tell of changes in it ({error.strerror or error}): where "
                "that is a limit of inotify, raise it to have them told."
            )
        else:
            self._tell("")

    # --- notices ----------------------------------------------------------------------------

    def _take_notices(self) -> None:
        if self._notices is None:
            return
        files, folders = self._notices.take()
        if folders:
            self._next_check = -math.inf  # it may be this one
            self._scan_soon()
        now = self._clock()
        for path, closed in files.items():
            if path not in self._ignored:
                self._unnoticed.discard(path)
                if closed or not self._settling.stirred(path, now):
                    self._look(path, closed=closed)

    def _distrust(self, reason: str) -> None:
        """Notices do not tell of everything: look through the folder more often."""
        self._trusted = False
        self._unnoticed.clear()
        self._next_scan = min(self._next_scan, self._clock() + self._pace.poll)
        self._tell(f"It is looked through every {self._pace.poll:g} seconds, since {reason}")

    def _tell(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._post(FolderWatched(self.folder, note))

    # --- scans ------------------------------------------------------------------------------

    def _scan_soon(self) -> None:
        self._next_scan = min(self._next_scan, self._clock() + self._pace.closed)

    def _go_on_scanning(self) -> None:
        if self._scan is None:
            now = self._clock()
            if now < max(self._next_scan, self._scan_not_before):
                return
            self._scan = walk([Root(self.folder, self.folder)], clock=self._clock)
            self._scans += 1
            self._scan_began = now
            self._next_scan = math.inf
            self._refused_now = {}
        batch = next(self._scan, None)
        if batch is None:
            self._end_scan()
            return
        for item in batch.found:
            if not item.name.endswith("/") and item.path not in self._ignored:
                self._see(item.path, item.size, item.mtime_ns, scanned=True)
        for refused in batch.refused:
            if refused.path not in self._ignored:
                times = self._refused_now[refused.path] = self._refused.get(refused.path, 0) + 1
                if times == 2:  # the first time, it may just have been deleted
                    self._post(FileRefused(refused.path, self.folder, refused.reason))

    def _end_scan(self) -> None:
        now = self._clock()
        self._scan = None
        self._complete = True
        self._refused = self._refused_now
        interval = self._pace.rescan if self._trusted else self._pace.poll
        self._next_scan = min(self._next_scan, now + interval)
        self._scan_not_before = now + self._pace.idle * (now - self._scan_began)
        # What two scans in a row did not meet is gone: once is too little, for it may have been
        # away for a moment. What lies in a folder that could not be read may be there.
        gone = [
            path
            for path, (_, _, scan) in self._handed.items()
            if scan < self._scans - 1 and not any(inside(path, place) for place in self._refused)
        ]
        for path in gone:
            del self._handed[path]

    # --- files ------------------------------------------------------------------------------

    def _look(self, path: str, *, closed: bool = False) -> None:
        try:
            status = os.stat(path)
        except OSError:
            self._settling.gone(path)
            self._unnoticed.discard(path)
            return
        if stat.S_ISDIR(status.st_mode):  # a link to a folder: only a scan knows where it leads
            self._scan_soon()
        elif stat.S_ISREG(status.st_mode):
            self._see(path, status.st_size, status.st_mtime_ns, closed=closed)

    def _see(
        self, path: str, size: int, mtime_ns: int, *, closed: bool = False, scanned: bool = False
    ) -> None:
        content = (path, size, mtime_ns)
        handed = self._handed.get(path)
        if handed is not None and handed[:2] == content[1:]:
            self._keep(*content)
            self._settling.gone(path)  # it may have been another content for a while
            return
        if path not in self._settling:
            if self._is_sent(*content):
                self._keep(*content)
                return
            if scanned and self._trusted and self._complete:
                self._unnoticed.add(path)
        if self._settling.seen(*content, self._clock(), closed=closed):
            if path in self._unnoticed:
                self._distrust(
                    "the system does not tell of all changes in it, as is usual for network "
                    "folders and links to folders; elsewhere raise the limit of inotify's watches."
                )
            if self._is_sent(*content):  # the line may have sent it as it came to be
                self._keep(*content)
            else:
                self._rested.append(content)

    def _keep(self, path: str, size: int, mtime_ns: int) -> None:
        self._handed[path] = (size, mtime_ns, self._scans)

    def _hand_over(self) -> None:
        rested, self._rested = self._rested, []
        if not rested:
            return
        try:
            self._ready([path for path, _, _ in rested])
        except Exception:  # noqa: BLE001 - the next scan finds them again
            _log.exception("files in %s were not taken", self.folder)
            return
        for content in rested:
            self._keep(*content)


def _why_lost(folder: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"“{folder}” may not be read: give yourself permission to."
    if isinstance(error, FileNotFoundError):
        return f"“{folder}” is not there: put it back or mount its disk."
    if isinstance(error, NotADirectoryError):
        return f"“{folder}” is no folder: put the folder back."
    return f"“{folder}” cannot be read ({error.strerror or error}): check its disk."
