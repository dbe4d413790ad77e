"""A trace: when the jobs of a log arrived, how much of a worker each took, and their sizes.

A job's service is the sum of its attempts. A worker that serves several jobs at a time shares its
time among them, so that all services together are the time for which workers were busy. A job that
never finished is left out; one that came back after it had left is another job.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from dropline.meter import Entry, Kind, read_log
from dropline.meter.log import warn
from dropline.station import SMALL

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNKNOWN = -1
"""Stands for the size of a job of which the log tells none."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The jobs that finished, in the order in which the log lets them arrive."""

    arrivals: Floats
    """When each arrived, in seconds; ascending."""
    services: Floats
    """The seconds of a worker that each took."""
    sizes: Integers | None = None
    """Bytes; None when the log does not tell the size of each."""

    def __len__(self) -> int:
        return len(self.arrivals)

    def mixed(self, large: float, seed: int = 1) -> Trace:
        """The same arrivals with another mix of sizes.

        A share `large` of the jobs, from 0 to 1, is drawn from the recorded ones of more than
        `SMALL` bytes and the rest from the others, each with its size and its service. Raises
        ValueError when the log tells no sizes, or has no job of a kind that is wanted.
        """
        if not 0 <= large <= 1:
            raise ValueError(f"a share of large files lies from 0 to 1, not at {large:g}")
        if self.sizes is None:
            raise ValueError("the log doesn't tell the size of every job: record one anew")
        random = np.random.default_rng(seed)
        wanted = random.random(len(self)) < large
        drawn = np.empty(len(self), dtype=np.intp)
        for kind, name in ((True, "large"), (False, "small")):
            places = np.flatnonzero(wanted == kind)
            pool = np.flatnonzero((self.sizes > SMALL) == kind)
            if len(places) and not len(pool):
                raise ValueError(f"the log has no {name} file to draw from: record one with some")
            if len(places):
                drawn[places] = random.choice(pool, len(places))
        return Trace(self.arrivals, self.services[drawn], self.sizes[drawn])


def read_trace(path: str | PathLike[str], notice: Callable[[str], object] = warn) -> Trace:
    """The trace of the log at `path`; entries that can't follow from what came before are skipped.

    Takes about 25 bytes a job, and some more for those that are present at one time. `notice` gets
    the sentence about a last line cut short. Raises LogError when the log can't be read.
    """
    reader = _Reader()
    for entry in read_log(path, notice):
        reader.take(entry)
    return reader.trace()


class _Worker:
    """The time of a worker that each of the jobs it serves gets; it runs slower for several."""

    __slots__ = ("clock", "jobs", "now")

    def __init__(self) -> None:
        self.clock = self.now = 0.0
        self.jobs = 0

    def advance(self, t: float) -> None:
        if self.jobs:
            self.clock += (t - self.now) / self.jobs
        else:
            self.clock = 0.0
        self.now = t


class _Reader:
    """Follows a log and keeps, for each arrival, what its job took."""

    def __init__(self) -> None:
        self._arrivals = array("d")
        self._services = array("d")
        self._sizes = array("q")
        self._finished = bytearray()
        self._present: dict[str | int | None, int] = {}  # the place of a job in the arrays
        # Of a job in service: who serves it, and that one's clock when it began.
        self._running: dict[str | int | None, tuple[_Worker, float]] = {}
        self._workers: dict[int, _Worker] = {}

    def take(self, entry: Entry) -> None:
        job = entry.job
        match entry.kind:
            case Kind.ARRIVE if job not in self._present:
                self._present[job] = len(self._arrivals)
                self._arrivals.append(entry.t)
                self._services.append(0.0)
                self._sizes.append(UNKNOWN)
                self._finished.append(False)
            case Kind.START if job in self._present and job not in self._running:
                self._begin(entry)
            case Kind.RETRY if job in self._running:
                self._end(entry)
            case Kind.FINISH if job in self._running:
                self._end(entry)
                self._finished[self._present.pop(job)] = True
            case Kind.FAIL if job in self._running:
                self._end(entry)
                del self._present[job]
            case Kind.CANCEL if job in self._present:
                if job in self._running:
                    self._end(entry)
                del self._present[job]

    def trace(self) -> Trace:
        finished = np.frombuffer(self._finished, dtype=np.bool_)
        sizes = np.frombuffer(self._sizes, dtype=np.int64)[finished]
        return Trace(
            np.frombuffer(self._arrivals)[finished],
            np.frombuffer(self._services)[finished],
            None if (sizes == UNKNOWN).any() else sizes,
        )

    def _begin(self, entry: Entry) -> None:
        worker = _Worker() if entry.worker is None else self._workers.get(entry.worker, _Worker())
        if entry.worker is not None:
            self._workers[entry.worker] = worker
        worker.advance(entry.t)
        worker.jobs += 1
        self._running[entry.job] = worker, worker.clock
        if entry.size is not None:
            self._sizes[self._present[entry.job]] = entry.size

    def _end(self, entry: Entry) -> None:
        worker, began = self._running.pop(entry.job)
        worker.advance(entry.t)
        worker.jobs -= 1
        self._services[self._present[entry.job]] += worker.clock - began
