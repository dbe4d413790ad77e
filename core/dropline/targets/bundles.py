"""How many small files go into one request, by what was measured and what the target takes.

A request's own cost (a round trip, a commit at the receiver) is shared by its files, so many small
files are sent in one; but the more there are the longer each of them waits for the answer, and the
more is to be sent again when it breaks off. So a bundle holds what takes about `SECONDS`; it is
halved when a request breaks off, and given up for a while when the target does not take it.

Workers make their bundles in turn. Threads of one interpreter that read and hash side by side are
no faster together, come to their ends at the same time, and then all wait for the target, which had
nothing to do before. In turn, one is made while the others are on their way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dropline.station import Room

#: The time that a bundle is to take.
SECONDS = 0.25
#: Files and bytes of the first bundle, and of any.
FIRST_FILES, MOST_FILES = 32, 256
MOST_BYTES = 4 << 20
#: A bundle grows to so many times the last one at most.
GROWTH = 2
#: Seconds until a target that took no bundle is offered one again.
GIVE_UP = 600.0
#: Seconds that a worker waits for its turn at most, and that one file may take of it: from a slow
#: disk several are read at a time sooner.
TURN, SLOW = 0.25, 0.01


class Bundles:
    """The bundle size for one target, shared by its workers. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._files = FIRST_FILES
        self._again = 0.0

    def room(self) -> Room:
        """What the next bundle may hold."""
        with self._lock:
            return Room(1 if self._clock() < self._again else self._files, MOST_BYTES)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """The turn of a worker that makes a bundle."""
        turn = Turn(self._making, self._clock)
        try:
            yield turn
        finally:
            turn.end()

    def went(self, files: int, seconds: float) -> None:
        """A bundle was answered after that time."""
        with self._lock:
            fit = int(files * SECONDS / seconds) if seconds > 0 else MOST_FILES
            if files < self._files and fit >= self._files:
                return  # a small bundle says nothing of larger ones
            self._files = max(1, min(fit, GROWTH * self._files, MOST_FILES))

    def broke(self) -> None:
        """A bundle broke off, or the target did not come to all of it."""
        with self._lock:
            self._files = max(1, self._files // 2)

    def refused(self) -> None:
        """The target takes no bundles."""
        with self._lock:
            self._again = self._clock() + GIVE_UP
            self._files = FIRST_FILES


class Turn:
    """The turn of one worker, which ends with the bundle, or with a file that takes long."""

    def __init__(self, making: threading.Lock, clock: Callable[[], float]) -> None:
        """Wait for it."""
        self._making = making
        self._clock = clock
        self._is_ours = making.acquire(timeout=TURN)
        self._since = clock()

    def next_file(self) -> None:
        """A file was read."""
        now = self._clock()
        if now - self._since > SLOW:
            self.end()
        self._since = now

    def end(self) -> None:
        """Let the next worker begin, if this one has not yet."""
        if self._is_ours:
            self._is_ours = False
            self._making.release()
