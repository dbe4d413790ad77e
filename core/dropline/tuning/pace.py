"""How many jobs a second n busy workers do: X(n), from what was measured, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dropline.theory import usl, validity
from dropline.theory.usl import Fit
from dropline.tuning.advice import Capacity, Measured
from dropline.tuning.observed import Snapshot

#: The normal quantile of a two-sided 90 % range.
Z = 1.6448536269514722
#: A fit is made anew when the jobs it rests on are so many times as many, or at other numbers of
#: workers.
ANEW = 2.0
#: Bootstrap refits: an interval of the peak needs no more to say whether it is bounded.
REFITS = 40


#: A target is another one if chance would make such a change so rarely, and if it is of so many
#: times.
SURELY, MATTERS = 1e-4, 1.2
#: Seconds, instead of none.
TINY = 1e-9
#: Service times are never taken for more alike than this.
LEAST_SCV = 0.01

Array = NDArray[np.float64]


class Rate(NamedTuple):
    """Jobs a second, and the standard deviations of its logarithm towards less and towards more."""

    expected: float
    down: float
    up: float


@dataclass(frozen=True, slots=True)
class Pace:
    """X(n) by the Universal Scalability Law where enough was seen, else between two extremes.

    Without a fit n workers do something between n times one worker's rate and what the `measured`
    ones did together; the former is expected. The law's shape is from all that was seen, its level
    from the latest service times: a target that slows down does so with any number of workers.
    """

    #: The rate of one busy worker lately, jobs a second, and its relative standard error; and how
    #: many workers were busy then, on average over the jobs.
    service_rate: float
    error: float
    busy: float
    #: So many times the fit is what has been seen lately.
    level: float
    #: The most workers that were busy long enough to be measured.
    measured: float
    fit: Fit | None

    def __call__(self, workers: int) -> Rate:
        """X(n) for 1 or more."""
        expected = self.expected(workers)
        down = up = self.error
        of_shape = None if self.fit is None else self.fit.ratio_error(workers, self.busy)
        if of_shape is not None:
            down, up = math.hypot(down, of_shape), math.hypot(up, of_shape)
        else:
            unknown = math.log(workers / self.measured) / Z
            if self.fit is not None:
                unknown /= 2
            if unknown > 0:
                down = math.hypot(down, unknown)
            else:
                up = math.hypot(up, unknown)
        return Rate(expected, down, up)

    def expected(self, workers: int) -> float:
        """The rate alone."""
        if self.fit is None:
            return self.service_rate * workers
        return self.level * self.fit.throughput(workers)

    @classmethod
    def of(cls, services: Array, scv: float, busy_then: Array, most: int, fit: Fit | None) -> Pace:
        """The pace from the latest service times, and how many were busy when each job left.

        `scv` is the variability of service that counts for the error of its mean.
        `most`: the most workers that were busy long enough, 0 if none were.
        """
        mean, level = float(services.mean()), 1.0
        if fit is not None:
            # What the fit says these jobs took: the mean of n/X(n), not that of the mean n.
            numbers, jobs = np.unique(busy_then, return_counts=True)
            took = [1 / fit.service_rate(n) for n in numbers.tolist()]
            level = float(np.average(took, weights=jobs)) / mean
        busy = float(busy_then.mean())
        error = math.sqrt(max(scv, LEAST_SCV) / len(services))
        return cls(1 / mean, error, busy, level, float(most or max(1.0, busy)), fit)


class Fitting:
    """Keeps a fit, and makes it anew only when there is more to go by: it takes a while."""

    def __init__(self, between: Callable[[], None]) -> None:
        """`between` is called every few milliseconds of it."""
        self.fit: Fit | None = None
        self._between = between
        self._rests_on: dict[float, int] = {}

    def update(self, snapshot: Snapshot) -> Fit | None:
        """The usable fit for what has been seen."""
        points = usl.points_by_busy(snapshot.seconds_by_busy, snapshot.completions_by_busy)
        seen = {point.workers: point.completions or 0 for point in points}
        if seen.keys() != self._rests_on.keys() or any(
            not 1 / ANEW < jobs / self._rests_on[workers] < ANEW for workers, jobs in seen.items()
        ):
            self._rests_on = seen
            self.fit = usl.fit(points, refits=REFITS, between=self._between)
        return self.usable

    @property
    def usable(self) -> Fit | None:
        """The fit; None of too little, or where it would mean nothing."""
        return None if self.fit is None or self.fit.superlinear else self.fit


def outdated(snapshot: Snapshot) -> int:
    """How many of the kept service times are of a target that was faster, or slower, than now.

    Told by jobs that left while equally many workers were busy, so that a target that is slower
    only because there are more workers is no other one.
    """
    services, busy_then = np.array(snapshot.services), np.array(snapshot.busy_then)
    if not len(services):
        return 0
    _, group, counts = np.unique(busy_then, return_inverse=True, return_counts=True)
    means = np.bincount(group, services) / counts
    relative = services / np.maximum(means[group], TINY)
    first = validity.latest(relative, level=SURELY)
    if not first:
        return 0
    before, after = float(relative[:first].mean()), float(relative[first:].mean())
    return first if max(before, after) > MATTERS * min(before, after) else 0


def capacity(snapshot: Snapshot, fit: Fit | None) -> Capacity:
    """What may be said of the knee."""
    points = usl.points_by_busy(snapshot.seconds_by_busy, snapshot.completions_by_busy)
    shown = fit is not None and fit.shows_peak
    peak = fit.peak if fit is not None and shown else None
    return Capacity(
        peak=None if peak is None else _finite(peak.value),
        peak_low=None if peak is None else _finite(peak.low),
        peak_high=None if peak is None else _finite(peak.high),
        enough=fit.recommended if fit is not None else None,
        most_measured=round(max((point.workers for point in points), default=0)),
        points=tuple(
            Measured(round(point.workers), point.throughput, point.completions or 0)
            for point in points
        ),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
