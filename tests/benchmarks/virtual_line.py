"""A line in virtual time: the log of c workers, c changing as it goes, thousands of jobs a second.

Discrete events: what a station of threads would have logged, without the threads and the waiting.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from dropline.meter import Entry, Kind


class VirtualLine:
    """First come, first served; all busy workers go at a pace that their number decides."""

    def __init__(
        self,
        arrivals: Iterator[float],
        service: Callable[[], float],
        *,
        speed: Callable[[int], float] = lambda _busy: 1.0,
        observers: Sequence[Callable[[Sequence[Entry]], None]] = (),
    ) -> None:
        """`arrivals` are times in order, `service` draws the seconds a job takes at a speed of 1.

        `speed` is that of each worker when so many are busy; it may be replaced as it goes.
        """
        self.now = 0.0
        self.workers = 0
        self.speed = speed
        self.service = service
        self._arrivals = arrivals
        self._next = next(arrivals, math.inf)
        self._observers = observers
        self._waiting: deque[int] = deque()
        self._job = 0
        # Work done by each busy worker since the beginning; jobs end when it comes to so much.
        self._work = 0.0
        self._serving: list[tuple[float, int]] = []

    @property
    def in_system(self) -> int:
        """Jobs present."""
        return len(self._waiting) + len(self._serving)

    def resize(self, workers: int) -> None:
        """Another number of workers, from now on; surplus ones end their jobs."""
        self.workers = workers
        self._tell(Entry(self.now, Kind.WORKERS, workers=workers))
        self._begin()

    def feed(self, jobs: int) -> None:
        """So many jobs arrive at once."""
        first = self._job + 1
        self._job += jobs
        self._waiting.extend(range(first, self._job + 1))
        self._tell(*(Entry(self.now, Kind.ARRIVE, job) for job in range(first, self._job + 1)))
        self._begin()

    def arrive(self, arrivals: Iterator[float]) -> None:
        """Go on with other arrivals, at these times from now on."""
        self._arrivals = arrivals
        self._next = next(arrivals, math.inf)

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            speed = self.speed(len(self._serving)) if self._serving else 1.0
            ends = math.inf
            if self._serving:
                ends = self.now + max(0.0, self._serving[0][0] - self._work) / speed
            at = min(self._next, ends)
            if at > until:
                self._work += (until - self.now) * speed
                self.now = until
                return
            self._work += (at - self.now) * speed
            self.now = at
            if ends <= self._next:
                self._work, job = heappop(self._serving)
                self._tell(Entry(at, Kind.FINISH, job))
                self._begin()
            else:
                self._next = next(self._arrivals, math.inf)
                self.feed(1)

    def _begin(self) -> None:
        while self._waiting and len(self._serving) < self.workers:
            job = self._waiting.popleft()
            heappush(self._serving, (self._work + self.service(), job))
            self._tell(Entry(self.now, Kind.START, job))

    def _tell(self, *entries: Entry) -> None:
        for observer in self._observers:
            observer(entries)
