"""From log entries to bars: who served what, from when to when, after how long a wait.

Words used here. A *lane* is a place for a worker: it keeps its lane while it works, and a worker
that comes later takes over the lane of one that has gone. A *bar* is one request: an attempt at
one file, or at a bundle of them that a worker serves together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dropline.meter.log import Entry, Kind
from dropline.meter.present import Job, Present
from dropline.meter.tally import to_seconds, to_ticks

#: Bars that are kept, 40 bytes each.
CAPACITY = 200_000
#: Jobs waiting for another attempt whose earlier ones are remembered.
REMEMBERED = 10_000


class Outcome(IntEnum):
    """How a bar ended; of a bundle, the worst that became of one of its files."""

    RUNNING = 0
    FINISHED = 1
    CANCELLED = 2
    RETRIED = 3
    FAILED = 4


_OUTCOMES = {
    Kind.FINISH: Outcome.FINISHED,
    Kind.CANCEL: Outcome.CANCELLED,
    Kind.RETRY: Outcome.RETRIED,
    Kind.FAIL: Outcome.FAILED,
}

BAR = np.dtype(
    [
        ("waited_from", np.float64),  # of the file that waited longest; NaN if that is not known
        ("start", np.float64),
        ("end", np.float64),
        ("job", np.int64),  # the first file's
        ("lane", np.int16),
        ("attempt", np.int16),  # of the first file
        ("files", np.int32),
        ("unfinished", np.int32),  # files for which it did not end well
        ("outcome", np.int8),
    ]
)
#: Rows of `BAR`.
Rows = NDArray[np.void]


@dataclass(slots=True)
class _Open:
    """A bar that is not over."""

    start: float
    lane: int
    job: Job
    attempt: int
    waited_from: float
    files: int = 0
    running: int = 0
    unfinished: int = 0
    outcome: Outcome = Outcome.RUNNING

    def row(self, end: float) -> tuple[object, ...]:
        """This bar as a row of `BAR`."""
        job = self.job if isinstance(self.job, int) else -1
        return (
            *(self.waited_from, self.start, end, job, self.lane, self.attempt),
            *(self.files, self.unfinished, Outcome.RUNNING if self.running else self.outcome),
        )


@dataclass(slots=True)
class _Lanes:
    """Who works in which lane."""

    owners: list[object] = field(default_factory=list)
    rested: list[float] = field(default_factory=list)  # since when nothing runs there; inf: it does
    of: dict[object, int] = field(default_factory=dict)

    def begin(self, worker: object, workers: int) -> int:
        """The lane in which `worker` begins a bar; one of the first, where there are `workers`."""
        lane = self.of.get(worker)
        if lane is None and len(self.owners) < workers:
            lane = self._new()
        elif lane is None or lane >= workers:
            lane = self._settle(lane)
        self.rested[lane] = math.inf
        self.of.pop(self.owners[lane], None)
        self.owners[lane], self.of[worker] = worker, lane
        return lane

    def end(self, lane: int, t: float) -> None:
        """Nothing runs in the lane any more."""
        self.rested[lane] = t

    def _settle(self, own: int | None) -> int:
        """A lane below a worker's `own` where nothing has run for longest."""
        below = range(len(self.owners) if own is None else own)
        free = [lane for lane in below if self.rested[lane] < math.inf]
        if free:
            return min(free, key=self.rested.__getitem__)
        return self._new() if own is None else own

    def _new(self) -> int:
        self.owners.append(None)
        self.rested.append(0.0)
        return len(self.owners) - 1


class Bars:
    """The latest bars of a line. Not for use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._rows: Rows = np.empty(capacity, BAR)  # in order of their ends
        self._count = 0
        self._open: dict[object, _Open] = {}  # by worker
        self._worker_of: dict[Job, object] = {}  # of the files being served
        self._waiting = Present()
        self._again: dict[Job, tuple[float, int]] = {}  # since when, after how many attempts
        self._lanes = _Lanes()
        self._workers = 0

    @property
    def workers(self) -> int:
        """How many workers are wanted."""
        return self._workers

    def take(self, entries: Sequence[Entry]) -> None:
        """Take in log entries, in order of time."""
        for entry in entries:
            job = entry.job
            match entry.kind:
                case Kind.ARRIVE if job not in self._waiting and job not in self._worker_of:
                    self._waiting.add(job, to_ticks(entry.t))
                case Kind.START if job not in self._worker_of:
                    self._start(entry)
                case Kind.WORKERS if entry.workers is not None:
                    self._workers = entry.workers
                case kind if kind in _OUTCOMES:
                    if job in self._worker_of:
                        self._end(entry, _OUTCOMES[kind])
                    elif self._again.pop(job, None) is None and job in self._waiting:
                        self._waiting.remove(job)

    def between(self, start: float, end: float, now: float) -> Rows:
        """The bars, waits included, of which something lies in [start, end]; running last."""
        rows = self._rows[: self._count]
        rows = rows[np.searchsorted(rows["end"], start) :]
        rows = np.concatenate([rows, np.array([o.row(now) for o in self._open.values()], BAR)])
        return rows[(np.fmin(rows["waited_from"], rows["start"]) <= end) & (rows["end"] >= start)]

    def _start(self, entry: Entry) -> None:
        job = entry.job
        since, attempts = self._again.pop(job, (math.nan, 0))
        if job in self._waiting:
            since = to_seconds(self._waiting.remove(job))
        worker: object = ("job", job) if entry.worker is None else entry.worker
        bar = self._open.get(worker)
        if bar is None:
            lane = self._lanes.begin(worker, self._workers)
            bar = self._open[worker] = _Open(entry.t, lane, job, attempts + 1, since)
        bar.files += 1
        bar.running += 1
        bar.waited_from = min(bar.waited_from, since)
        self._worker_of[job] = worker

    def _end(self, entry: Entry, outcome: Outcome) -> None:
        worker = self._worker_of.pop(entry.job)
        bar = self._open[worker]
        bar.running -= 1
        bar.outcome = max(bar.outcome, outcome)
        bar.unfinished += outcome is not Outcome.FINISHED
        if outcome is Outcome.RETRIED and len(self._again) < REMEMBERED:
            self._again[entry.job] = entry.t, bar.attempt
        if not bar.running:
            del self._open[worker]
            self._lanes.end(bar.lane, entry.t)
            self._append(bar.row(entry.t))

    def _append(self, row: tuple[object, ...]) -> None:
        if self._count == len(self._rows):  # the older half goes
            kept = self._count // 2
            self._rows[:kept] = self._rows[self._count - kept : self._count]
            self._count = kept
        self._rows[self._count] = row
        self._count += 1
