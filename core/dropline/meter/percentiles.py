"""Percentiles in bounded memory: a DDSketch for each time, which merge without losing accuracy.

C. Masson, J. E. Rim, H. K. Lee: DDSketch, PVLDB 12 (2019). A maintained package keeps the
bins; percentiles themselves are never averaged, only sketches merged.
"""

from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from ddsketch import DDSketch

from dropline.meter.tally import Served, to_seconds

RELATIVE_ERROR = 0.01
"""A percentile is within 1 % of the value at its rank, whatever the distribution."""


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

    def __init__(self) -> None:
        self._sketch = DDSketch(RELATIVE_ERROR)

    @classmethod
    def of(cls, histogram: Histogram) -> "Percentiles":
        """The distribution that a histogram tells of."""
        percentiles = cls()
        zeros, first, counts = histogram
        sketch, store = percentiles._sketch, percentiles._sketch._store
        if counts:
            store.bins = [float(count) for count in counts]
            store.offset = store.min_key = first
            store.max_key = first + len(counts) - 1
            store.count = sum(store.bins)
        sketch._zero_count = float(zeros)
        sketch._count = zeros + store.count
        return percentiles

    @property
    def histogram(self) -> Histogram:
        """What was added, as whole numbers; `Percentiles.of` makes the same of it."""
        store = self._sketch._store
        bins = store.bins[store.min_key - store.offset : store.max_key - store.offset + 1]
        first = int(store.min_key) if bins else 0
        return Histogram(int(self._sketch._zero_count), first, [int(count) for count in bins])

    @property
    def count(self) -> int:
        """How many times were added."""
        return int(self._sketch.count)

    def add(self, seconds: float) -> None:
        """Take in one time, 0 or longer."""
        self._sketch.add(seconds)

    def merge(self, other: "Percentiles") -> None:
        """Take in all that `other` took in."""
        self._sketch.merge(other._sketch)

    def quantile(self, p: float) -> float | None:
        """The time that a share `p` of all times doesn't exceed; None when there are none.

        It is the lower of the two at rank p·(n − 1). Raises ValueError unless 0 ≤ p ≤ 1.
        """
        if not 0 <= p <= 1:
            raise ValueError(f"a quantile lies from 0 to 1, not at {p}")
        value = self._sketch.get_quantile_value(p)
        return None if value is None else float(value)


def bin_value(key: int) -> float:
    """The time in seconds that stands for all in a bin of `Percentiles`."""
    return float(DDSketch(RELATIVE_ERROR)._mapping.value(key))


class Spread:
    """How long the jobs finished in some stretch of time took, and how long they waited."""

    __slots__ = ("response", "wait")

    def __init__(self) -> None:
        self.response = Percentiles()
        self.wait = Percentiles()

    def add(self, served: Served) -> None:
        """Take in one finished job."""
        self.response.add(to_seconds(served.response))
        self.wait.add(to_seconds(served.wait))

    def merge(self, other: "Spread") -> None:
        """Take in all that `other` took in."""
        self.response.merge(other.response)
        self.wait.merge(other.wait)


def merged(spreads: Iterable[Spread | None]) -> Spread:
    """All of them together; None is nothing."""
    whole = Spread()
    for spread in spreads:
        if spread is not None:
            whole.merge(spread)
    return whole
