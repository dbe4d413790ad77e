"""The exact books of a line: its state after each event, and cumulative totals.

All times are whole ticks of 2**-40 s (0.9 ps) and all sums Python ints, which never overflow or
round. So a total never loses precision however long the program runs, the difference of two
totals is exact, and an identity such as Little's law holds to the last bit or shows a mistake.
A power of two makes `seconds * TICKS` exact in floating point; only its rounding to a whole
tick, at most half a picosecond, is left of the original time.
"""

from typing import NamedTuple

from dropline.meter.log import Entry, Kind
from dropline.meter.present import Job, Present

TICKS = 2**40
"""Ticks a second."""

FLOAT_TICKS = float(TICKS)
"""The same for products with floats, which take longer with an integer."""


def to_ticks(seconds: float) -> int:
    """The nearest whole tick; raises ValueError or OverflowError when `seconds` isn't finite."""
    return round(seconds * FLOAT_TICKS)


def to_seconds(ticks: int) -> float:
    """The nearest float, in seconds."""
    return ticks / TICKS


# Asked of the enumeration, each would take longer than the rest of a comparison.
_ARRIVE, _START, _FINISH, _RETRY = Kind.ARRIVE, Kind.START, Kind.FINISH, Kind.RETRY
_FAIL, _CANCEL, _WORKERS = Kind.FAIL, Kind.CANCEL, Kind.WORKERS


class Totals(NamedTuple):
    """Everything counted from the meter's start up to `time`; times and areas are in ticks.

    An area is the integral over time of a step function, such as the number of jobs present.
    """

    time: int
    arrivals: int
    finished: int
    failed: int
    retried: int
    cancelled: int
    in_system_area: int
    """∫N, jobs present."""
    serving_area: int
    """∫S, jobs in service; what waits is the rest, ∫Nq = ∫N − ∫S."""
    busy_area: int
    """∫B, busy workers: as many as jobs in service, but for workers that serve several at once."""
    capacity_area: int
    """∫max(c, B): after c is lowered, surplus workers end their jobs and still count."""
    response_sum: int
    """Σ (finish − arrive) over finished jobs."""
    wait_sum: int
    """Σ (first start − arrive) over finished jobs."""
    sojourn_sum: int
    """Σ (leave − arrive) over all jobs that left: finished, failed or cancelled."""
    age: int
    """G, the total age of the jobs present at `time` (not cumulative)."""


class State(NamedTuple):
    """The line at one instant; ages in seconds, None when no job is present."""

    in_system: int
    waiting: int
    busy: int
    workers: int
    mean_age: float | None
    """Mean time since arrival of the jobs present: in overload it rises before any response."""
    oldest_age: float | None


Served = tuple[int, int]
"""The response time and the wait of one finished job, in ticks; plain, for there are many."""


class Tally:
    """Applies entries in order of time and keeps the books; O(1) an entry, not thread-safe.

    Memory grows with the jobs present only. A waiting job that is given up leaves by `cancel`;
    `finish`, `fail` and `retry` end an attempt, so they need a running job.
    """

    def __init__(self, start: int) -> None:
        self.time = start
        """Ticks at the last entry."""
        self.late = 0
        """Entries older than the one before, applied at `time`."""
        self.ignored = 0
        """Entries that can't follow from the state; they change nothing else."""
        self._workers = 0
        self._present = Present()
        self._first_start: dict[Job, int] = {}
        # The jobs in service, and how many of them each worker has that is known by number.
        self._running: dict[Job, int | None] = {}
        self._shares: dict[int, int] = {}
        self._unshared = 0
        # Σ arrival times of those present: G(t) = N·t − that, and independent of ∫N, which is
        # summed from event to event: so Little's law is a real check of it.
        self._arrival_sum = 0
        self._in_system_area = 0
        # Σ change × its time, of S, of B and of max(c, B): ∫S = S·t − that, and an entry costs
        # something only where it changes one of them.
        self._serving_changes = self._busy_changes = self._capacity_changes = 0
        self._capacity = 0
        self._arrivals = self._finished = self._failed = self._retried = self._cancelled = 0
        self._response_sum = self._wait_sum = self._sojourn_sum = 0

    def apply(self, time: int, entry: Entry) -> Served | None:
        """Apply `entry` at `time` ticks; the finished job's times, when it finishes one."""
        elapsed = time - self.time
        if elapsed > 0:
            self._in_system_area += self._present.count * elapsed
            self.time = time
        elif elapsed:
            self.late += 1
            time = self.time
        _, kind, job, workers, worker, _ = entry
        if kind is _ARRIVE:
            if job is not None and self._present.add(job, time):
                self._arrival_sum += time
                self._arrivals += 1
                return None
        elif kind is _START:
            if job not in self._running and job in self._present:
                self._begin(job, worker)
                self._first_start.setdefault(job, time)
                return None
        elif kind is _FINISH:
            if job in self._running:
                self._finished += 1
                served_for = time - self._first_start[job]
                response = self._leave(job)
                wait = response - served_for
                self._response_sum += response
                self._wait_sum += wait
                return response, wait
        elif kind is _RETRY:
            if job in self._running:
                self._retried += 1
                self._end(job)
                return None
        elif kind is _FAIL:
            if job in self._running:
                self._failed += 1
                self._leave(job)
                return None
        elif kind is _CANCEL:
            if job in self._present:
                self._cancelled += 1
                self._leave(job)
                return None
        elif kind is _WORKERS and workers is not None and workers >= 0:
            self._workers = workers
            self._set_capacity()
            return None
        self.ignored += 1
        return None

    def at(self, time: int) -> Totals:
        """The totals at `time`, or at the last entry when that is later.

        It changes nothing: an entry that arrives afterwards for an earlier time still counts
        at its own time, so reading at any rate leaves the books as exact as they were.
        """
        time = max(time, self.time)
        elapsed = time - self.time
        in_system, serving, busy = self._present.count, len(self._running), self._busy
        return Totals(
            time=time,
            arrivals=self._arrivals,
            finished=self._finished,
            failed=self._failed,
            retried=self._retried,
            cancelled=self._cancelled,
            in_system_area=self._in_system_area + in_system * elapsed,
            serving_area=serving * time - self._serving_changes,
            busy_area=busy * time - self._busy_changes,
            capacity_area=self._capacity * time - self._capacity_changes,
            response_sum=self._response_sum,
            wait_sum=self._wait_sum,
            sojourn_sum=self._sojourn_sum,
            age=in_system * time - self._arrival_sum,
        )

    def state(self, time: int) -> State:
        """The state at `time`, or at the last entry when that is later."""
        time = max(time, self.time)
        in_system, serving = self._present.count, len(self._running)
        mean_age = oldest_age = None
        oldest = self._present.oldest()
        if oldest is not None:
            mean_age = (in_system * time - self._arrival_sum) / (in_system * TICKS)
            oldest_age = to_seconds(time - oldest)
        return State(
            in_system, in_system - serving, self._busy, self._workers, mean_age, oldest_age
        )

    @property
    def _busy(self) -> int:
        return self._unshared + len(self._shares)

    def _begin(self, job: Job, worker: int | None) -> None:
        self._running[job] = worker
        self._serving_changes += self.time
        if worker is not None:
            shares = self._shares.get(worker, 0)
            self._shares[worker] = shares + 1
            if shares:
                return
        else:
            self._unshared += 1
        self._busy_changes += self.time
        self._set_capacity()

    def _end(self, job: Job) -> None:
        worker = self._running.pop(job)
        self._serving_changes -= self.time
        if worker is not None:
            shares = self._shares[worker] - 1
            if shares:
                self._shares[worker] = shares
                return
            del self._shares[worker]
        else:
            self._unshared -= 1
        self._busy_changes -= self.time
        self._set_capacity()

    def _set_capacity(self) -> None:
        busy = self._unshared + len(self._shares)
        capacity = self._workers if self._workers > busy else busy
        if capacity != self._capacity:
            self._capacity_changes += (capacity - self._capacity) * self.time
            self._capacity = capacity

    def _leave(self, job: Job) -> int:
        arrived = self._present.remove(job)
        self._first_start.pop(job, None)
        if job in self._running:
            self._end(job)
        if not self._present.count:
            self._first_start.clear()  # a dict that was large would stay large
        self._arrival_sum -= arrived
        sojourn = self.time - arrived
        self._sojourn_sum += sojourn
        return sojourn
