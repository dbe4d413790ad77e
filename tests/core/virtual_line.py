"""A line in virtual time: the log of c workers, c changing as it goes, thousands of jobs a second.

Discrete events: what a station of threads would have logged, without the threads and the waiting.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import TypeVar

from dropline.events import Event
from dropline.meter import Entry, Kind, Meter
from dropline.station import Counts, Observer, Spent
from dropline.tuning import By, Tuner

EventT = TypeVar("EventT", bound=Event)


class VirtualLine:
    """First come, first served; all busy workers go at a pace that their number decides."""

    name = "virtual"

    def __init__(
        self,
        arrivals: Iterator[float],
        service: Callable[[], float],
        *,
        speed: Callable[[int], float] = lambda _busy: 1.0,
        observers: Sequence[Observer] = (),
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
        self._observers = list(observers)
        self._finished = 0
        self.is_down = False
        self._waiting: deque[int] = deque()
        self._job = 0
        # Work done by each busy worker since the beginning; jobs end when it comes to so much.
        self._work = 0.0
        self._serving: list[tuple[float, int]] = []

    @property
    def in_system(self) -> int:
        """Jobs present."""
        return len(self._waiting) + len(self._serving)

    def watch(self, observer: Observer) -> None:
        """Tell what happens to `observer`, too; before anything has happened."""
        self._observers.append(observer)

    def unwatch(self, observer: Observer) -> None:
        """Tell it no more."""
        self._observers.remove(observer)

    def counts(self) -> Counts:
        """The state, as a station tells it; files have no sizes here."""
        return Counts(
            paused=False,
            wanted=self.workers,
            running=self.workers,
            busy=len(self._serving),
            serving=len(self._serving),
            waiting=len(self._waiting),
            finished=self._finished,
            failed=0,
            cancelled=0,
            bytes_done=0,
            bytes_left=0,
            squares_left=0,
            largest_left=0,
            service=None,
            spent=Spent(0.0, 0.0, 0.0, 0.0),
            next_try=1.0 if self.is_down else None,
        )

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
                self._finished += 1
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


class Tuned:
    """A virtual line with a tuner, which looks once a second of virtual time."""

    def __init__(self, line: VirtualLine, ledger: Path | None = None) -> None:
        self.line = line
        self.events: list[Event] = []
        meter = Meter(line.now)
        line.watch(meter.observe_all)
        self.tuner = Tuner(line, meter, self.events.append, self._unless, clock=lambda: line.now)
        self.tuner.open(ledger)

    def run(self, seconds: float, period: float = 1.0) -> None:
        """Let time pass."""
        end = self.line.now + seconds
        while self.line.now < end:
            self.line.run(min(end, self.line.now + period))
            self.tuner.look()

    def resize(self, workers: int, by: By = By.HAND) -> None:
        """Another number of workers, set by somebody."""
        self.tuner.moves(workers, by)
        self.line.resize(workers)

    def of(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def _unless(self, workers: int, by: By, stands: Callable[[], bool]) -> None:
        if stands():
            self.resize(workers, by)
