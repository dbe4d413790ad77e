"""What predictions rest on: gaps between arrivals, service times, and rates by busy workers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dropline.meter.log import Entry, Kind

#: Of the gaps between arrivals, and of the service times, so many of the latest are kept.
KEPT = 2_000
#: Jobs waiting for another attempt whose earlier attempts are remembered; others lose theirs.
REMEMBERED = 10_000
#: Jobs that a rate by busy workers rests on at most: then half of them are forgotten, so that a
#: target that changes shows.
COUNTED = 4_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The line at `time`, and what was seen of it; seconds."""

    time: float
    in_system: int
    busy: int
    workers: int
    #: The latest times between arrivals, the first perhaps from the start of watching.
    gaps: tuple[float, ...]
    #: From before the first of these gaps until `time`.
    watched: float
    #: The latest jobs' worker-seconds over all attempts; a bundle's are shared by its jobs.
    services: tuple[float, ...]
    #: Of each of them how many workers were busy when it left.
    busy_then: tuple[int, ...]
    #: When, since the number of workers last changed, first nobody waited, and nobody was here.
    changed: float
    no_queue: float | None
    empty: float | None
    #: By number of busy workers, seconds and jobs that left served in them, the latest mostly.
    seconds_by_busy: Mapping[int, float]
    completions_by_busy: Mapping[int, int]

    @property
    def arrival_rate(self) -> float | None:
        """λ, arrivals a second; None before any time has passed."""
        return len(self.gaps) / self.watched if self.watched > 0 else None


class Observed:
    """An observer of a station's log entries: O(1) an entry, memory bounded by the workers.

    A snapshot may be taken from any thread.
    """

    def __init__(self, start: float) -> None:
        """Watch from `start` on, in the entries' clock; who came earlier is present, no arrival."""
        self._lock = threading.Lock()
        self._start = self._time = self._latest_arrival = start
        self._in_system = self._workers = 0
        self._changed = start
        self._no_queue: float | None = None
        self._empty: float | None = None
        self._gaps: deque[float] = deque(maxlen=KEPT)
        self._services: deque[float] = deque(maxlen=KEPT)
        self._busy_then: deque[int] = deque(maxlen=KEPT)
        self._seconds: dict[int, float] = {}
        self._completions: dict[int, int] = {}
        # Who runs: since when and by whom. By worker: jobs it has, and the most it had at a time.
        self._running: dict[str | int, tuple[float, str | int]] = {}
        self._shares: dict[str | int, list[int]] = {}
        self._earlier: dict[str | int, float] = {}

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Take log entries, in order of time."""
        with self._lock:
            for entry in entries:
                self._apply(entry)
            self._note()  # not between entries of one moment

    def snapshot(self, now: float) -> Snapshot:
        """What has been seen until `now`."""
        with self._lock:
            self._pass(now)
            return Snapshot(
                time=self._time,
                in_system=self._in_system,
                busy=len(self._shares),
                workers=self._workers,
                gaps=tuple(self._gaps),
                watched=self._time - self._latest_arrival + sum(self._gaps),
                services=tuple(self._services),
                busy_then=tuple(self._busy_then),
                seconds_by_busy=dict(self._seconds),
                completions_by_busy=dict(self._completions),
                changed=self._changed,
                no_queue=self._no_queue,
                empty=self._empty,
            )

    def forget(self, services: int) -> None:
        """Forget the oldest service times, so many, and all rates: they are of another target."""
        with self._lock:
            for _ in range(min(services, len(self._services))):
                self._services.popleft()
                self._busy_then.popleft()
            self._seconds.clear()
            self._completions.clear()

    def _pass(self, now: float) -> None:
        elapsed = now - self._time
        if elapsed > 0:
            busy = len(self._shares)
            self._seconds[busy] = self._seconds.get(busy, 0.0) + elapsed
            self._time = now

    def _note(self) -> None:
        """Note when first nobody waited, and nobody was here."""
        if self._no_queue is None and self._in_system <= len(self._running):
            self._no_queue = self._time
        if self._empty is None and not self._in_system:
            self._empty = self._time

    def _apply(self, entry: Entry) -> None:
        self._pass(entry.t)
        job = entry.job
        match entry.kind:
            case Kind.WORKERS if entry.workers is not None:
                self._workers = entry.workers
                self._changed, self._no_queue, self._empty = self._time, None, None
            case Kind.ARRIVE:
                self._in_system += 1
                if entry.t >= self._start:
                    self._gaps.append(self._time - self._latest_arrival)
                    self._latest_arrival = self._time
            case Kind.START if job is not None and job not in self._running:
                # A worker that isn't known by number serves this job alone.
                worker = f"job {job}" if entry.worker is None else entry.worker
                self._running[job] = entry.t, worker
                share = self._shares.setdefault(worker, [0, 0])
                share[0] += 1
                share[1] = max(share)
            case Kind.FINISH | Kind.FAIL if job in self._running:
                busy = len(self._shares)
                self._count(busy)
                self._busy_then.append(busy)
                self._services.append(self._end(job) + self._earlier.pop(job, 0.0))
                self._in_system -= 1
            case Kind.RETRY if job in self._running:
                spent = self._end(job)
                if job in self._earlier or len(self._earlier) < REMEMBERED:
                    self._earlier[job] = self._earlier.get(job, 0.0) + spent
            case Kind.CANCEL if job is not None:
                if job in self._running:
                    self._end(job)
                self._earlier.pop(job, None)
                self._in_system -= 1

    def _count(self, busy: int) -> None:
        """One more has left while so many were busy."""
        jobs = self._completions.get(busy, 0) + 1
        if jobs >= COUNTED:
            jobs //= 2
            self._seconds[busy] = self._seconds.get(busy, 0.0) / 2
        self._completions[busy] = jobs

    def _end(self, job: str | int) -> float:
        """The attempt at a job is over; return its share of the worker's time."""
        began, worker = self._running.pop(job)
        share = self._shares[worker]
        share[0] -= 1
        if not share[0]:
            del self._shares[worker]
        return (self._time - began) / share[1]
