"""Arrival laws: when jobs come, in seconds from the start of a load.

`rate` is their λ in the long run and `scv` their ca², None where the law has none: then no formula
for a settled line applies.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Protocol

from dropline.load.laws import scv
from dropline.meter import Kind, read_log

#: The most jobs that may come at once: they all are in memory then.
MOST_AT_ONCE = 100_000


class Arrivals(Protocol):
    """A law of arrivals."""

    @property
    def rate(self) -> float | None:
        """λ in the long run, arrivals a second; None where there is none."""
        ...

    @property
    def scv(self) -> float | None:
        """ca², the variability of the times between arrivals; None where it has no meaning."""
        ...

    def times(self, source: random.Random, /) -> Iterator[float]:
        """The times, ascending; without an end where the law has none."""
        ...


class Poisson:
    """By chance, at a rate: the gaps are exponential. What M stands for in M/M/c."""

    scv = 1.0

    def __init__(self, rate: float) -> None:
        """Arrivals a second. Raises ValueError unless it is above 0."""
        self.rate = _checked(rate)

    def times(self, source: random.Random, /) -> Iterator[float]:
        return itertools.accumulate(source.expovariate(self.rate) for _ in itertools.count())


class Even:
    """One every 1/rate seconds."""

    scv = 0.0

    def __init__(self, rate: float) -> None:
        """Arrivals a second. Raises ValueError unless it is above 0."""
        self.rate = _checked(rate)

    def times(self, _source: random.Random, /) -> Iterator[float]:
        return (number / self.rate for number in itertools.count(1))


class Batch:
    """So many at once, at the start."""

    rate = None
    scv = None

    def __init__(self, jobs: int) -> None:
        """Raises ValueError unless it is from 1 to `MOST_AT_ONCE`."""
        if not 1 <= jobs <= MOST_AT_ONCE:
            raise ValueError(f"a batch of {jobs} jobs: choose 1 to {MOST_AT_ONCE:,}")
        self.jobs = jobs

    def times(self, _source: random.Random, /) -> Iterator[float]:
        return itertools.repeat(0.0, self.jobs)


class Ramp:
    """By chance, at a rate that goes from one to another over some seconds and then stays."""

    rate = None
    scv = None

    def __init__(self, first: float, last: float, seconds: float) -> None:
        """Arrivals a second. Raises ValueError for what is no ramp."""
        for rate in (first, last):
            if not (math.isfinite(rate) and rate >= 0):
                raise ValueError(f"a rate of {rate} arrivals a second: choose 0 or more")
        if not (first or last):
            raise ValueError("a ramp from 0 to 0 brings no job: choose one rate above 0")
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"a ramp of {seconds} seconds: choose more than 0")
        self.first, self.last, self.seconds = first, last, seconds

    def times(self, source: random.Random, /) -> Iterator[float]:
        """By the inverse of Λ(t), the arrivals that are expected until t, from a unit Poisson
        process: Çinlar, "Introduction to Stochastic Processes" (1975), chapter 4."""
        climb = (self.last - self.first) / self.seconds
        at_end = (self.first + self.last) / 2 * self.seconds
        for expected in itertools.accumulate(source.expovariate(1.0) for _ in itertools.count()):
            if expected < at_end:
                root = math.sqrt(max(0.0, self.first**2 + 2 * climb * expected))
                yield min(2 * expected / (self.first + root), self.seconds)
            elif self.last:
                yield self.seconds + (expected - at_end) / self.last
            else:
                return


class Recorded:
    """As they came before; the first comes at once."""

    def __init__(self, times: Sequence[float]) -> None:
        """Seconds, in any order. Raises ValueError for fewer than two."""
        if len(times) < 2:
            raise ValueError(f"{len(times)} recorded arrivals: a law needs two at least")
        first = min(times)
        self._times = tuple(sorted(time - first for time in times))
        gaps = [after - before for before, after in itertools.pairwise(self._times)]
        seconds = self._times[-1]
        self.rate = len(gaps) / seconds if seconds else None
        self.scv = scv(gaps) if seconds else None

    @classmethod
    def of(cls, log: str | PathLike[str]) -> Recorded:
        """Those of a recorded log. Raises LogError, or ValueError when it has fewer than two."""
        times = [entry.t for entry in read_log(log) if entry.kind is Kind.ARRIVE]
        if len(times) < 2:
            raise ValueError(f"{log} has {len(times)} arrivals: a load needs two at least")
        return cls(times)

    def times(self, _source: random.Random, /) -> Iterator[float]:
        return iter(self._times)


def _checked(rate: float) -> float:
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"a rate of {rate} arrivals a second: choose a number above 0")
    return rate
