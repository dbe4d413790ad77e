"""Percentiles in bounded memory: a histogram for each time, which merge without losing accuracy.

C. Masson, J. E. Rim, H. K. Lee: DDSketch, PVLDB 12 (2019): bin k holds the times from γ^(k−1) to
γ^k seconds, and 2·γ^k / (1 + γ) stands for them. Percentiles themselves are never averaged, only
histograms merged.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, log2
from operator import add
from typing import NamedTuple

from dropline.meter.tally import TICKS, Served

RELATIVE_ERROR = 0.01
"""A percentile is within 1 % of the value at its rank, whatever the distribution."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_BINS_AN_OCTAVE = 1 / log2(_GAMMA)

TOGETHER = 1024
"""Most finished jobs that a spread keeps to add them together: by ones takes ten times as long."""


class Histogram(NamedTuple):
    """How many times are nought, and how many lie in each bin from the `first` on; `bin_value`
    says where that is.
    """

    zeros: int
    first: int
    counts: Sequence[int]

    def plus(self, other: "Histogram") -> "Histogram":
        """Both together."""
        if not self.counts or not other.counts:
            most = self if self.counts else other
            return Histogram(self.zeros + other.zeros, most.first, most.counts)
        first = min(self.first, other.first)
        end = max(self.first + len(self.counts), other.first + len(other.counts))
        counts = [0] * (end - first)
        for _, begin, some in (self, other):
            at = slice(begin - first, begin - first + len(some))
            counts[at] = map(add, counts[at], some)
        return Histogram(self.zeros + other.zeros, first, counts)


class Percentiles:
    """The distribution of times in seconds, to within `RELATIVE_ERROR`."""

    __slots__ = ("_bins", "_zeros")

    def __init__(self) -> None:
        self._zeros = 0
        self._bins: Counter[int] = Counter()

    @classmethod
    def of(cls, histogram: Histogram) -> "Percentiles":
        """The distribution that a histogram tells of."""
        percentiles = cls()
        percentiles._zeros, first, counts = histogram
        percentiles._bins.update({k: n for k, n in enumerate(counts, first) if n})
        return percentiles

    @property
    def histogram(self) -> Histogram:
        """What was added; `Percentiles.of` makes the same of it."""
        if not self._bins:
            return Histogram(self._zeros, 0, [])
        first, last = min(self._bins), max(self._bins)
        return Histogram(self._zeros, first, [self._bins[k] for k in range(first, last + 1)])

    @property
    def count(self) -> int:
        """How many times were added."""
        return self._zeros + self._bins.total()

    def add(self, times: Sequence[float]) -> None:
        """Take in times in seconds, 0 or longer."""
        bins = [ceil(log2(t) * _BINS_AN_OCTAVE) for t in times if t]
        self._zeros += len(times) - len(bins)
        self._bins.update(bins)

    def merge(self, other: "Percentiles") -> None:
        """Take in all that `other` took in."""
        self._zeros += other._zeros
        self._bins.update(other._bins)

    def quantile(self, p: float) -> float | None:
        """The time that a share `p` of all times doesn't exceed; None when there are none.

        It is the lower of the two at rank p·(n − 1). Raises ValueError unless 0 ≤ p ≤ 1.
        """
        if not 0 <= p <= 1:
            raise ValueError(f"a quantile lies from 0 to 1, not at {p}")
        rank = p * (self.count - 1)
        passed = self._zeros
        if passed > rank:
            return 0.0 if passed else None
        for k in sorted(self._bins):
            passed += self._bins[k]
            if passed > rank:
                return bin_value(k)
        return None


def bin_value(k: int) -> float:
    """The time in seconds that stands for all in a bin of `Percentiles`."""
    return float(2 * _GAMMA**k / (1 + _GAMMA))


class Spread:
    """How long the jobs finished in some stretch of time took, and how long they waited.

    Not thread-safe, also to read, until it was read once after the last job.
    """

    __slots__ = ("_response", "_served", "_wait")

    def __init__(self) -> None:
        self._response = Percentiles()
        self._wait = Percentiles()
        self._served: list[Served] = []

    @property
    def response(self) -> Percentiles:
        """The response times."""
        self._settle()
        return self._response

    @property
    def wait(self) -> Percentiles:
        """The waits."""
        self._settle()
        return self._wait

    def add(self, served: Served) -> None:
        """Take in one finished job."""
        self._served.append(served)
        if len(self._served) >= TOGETHER:
            self._settle()

    def merge(self, other: "Spread") -> None:
        """Take in all that `other` took in."""
        self._response.merge(other.response)
        self._wait.merge(other.wait)

    def _settle(self) -> None:
        if self._served:
            self._response.add([response / TICKS for response, _ in self._served])
            self._wait.add([wait / TICKS for _, wait in self._served])
            self._served = []


def merged(spreads: Iterable[Spread | None]) -> Spread:
    """All of them together; None is nothing."""
    whole = Spread()
    for spread in spreads:
        if spread is not None:
            whole.merge(spread)
    return whole
