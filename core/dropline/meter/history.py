"""The recent past at several widths: exact totals at each edge, percentiles between edges.

Bins of 1/8, 1, 10 and 60 s, a bounded number of each; every edge of a wide bin is an edge of the
narrower ones. A finished job is added to the narrowest open bin alone, and a bin that closes is
merged into the open bin one width up. So each open bin holds what its closed finer bins held,
and any stretch up to now is a few wide bins and some narrow ones at its start.
"""

from collections import deque
from itertools import pairwise
from typing import NamedTuple

from dropline.meter.percentiles import Spread, merged
from dropline.meter.tally import TICKS, Served, Tally, Totals

# 1/8 s and not 1/10 s: a whole number of ticks, and a whole number of them makes a second.
WIDTHS = (TICKS // 8, TICKS, 10 * TICKS, 60 * TICKS)
"""Widths of the bins in ticks."""

KEPT = 130
"""Bins kept of each width: they reach back 16 s, 130 s, 22 min and 2 h 10 min."""


class Stretch(NamedTuple):
    """What happened between two edges."""

    start: Totals
    end: Totals
    spread: Spread | None
    """Of the jobs finished in between; None when there were none. It never changes."""


class Bin:
    """A stretch of time from `start` to the next bin's start."""

    __slots__ = ("spread", "start")

    def __init__(self, start: Totals) -> None:
        self.start = start
        self.spread: Spread | None = None  # None until a job finishes: most bins stay small

    def add(self, served: Served) -> None:
        """Take in one finished job."""
        if self.spread is None:
            self.spread = Spread()
        self.spread.add(served)

    def merge(self, other: Spread) -> None:
        """Take in a closed bin's finished jobs."""
        if self.spread is None:
            self.spread = Spread()
        self.spread.merge(other)


class History:
    """The bins of one tally, from the time it has on; not thread-safe."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        start = tally.at(tally.time)
        self._origin = start.time
        self._tiers = [deque([Bin(start)], maxlen=KEPT) for _ in WIDTHS]
        self._ended = Spread()  # all that finished in closed bins of the greatest width
        self.next_edge = start.time + WIDTHS[0]
        """Ticks at which the narrowest open bin ends: `advance` before an entry from then on."""

    def __len__(self) -> int:
        """How many bins are kept, at most `KEPT` of each width."""
        return sum(map(len, self._tiers))

    def advance(self, time: int) -> None:
        """Close the bins that end by `time`, and open those that follow; bounded in any gap."""
        closed: Spread | None = None
        for width, tier in zip(WIDTHS, self._tiers, strict=True):
            current = tier[-1]
            if closed is not None:
                current.merge(closed)
            passed = (time - current.start.time) // width
            if not passed:
                break
            closed = current.spread
            for k in range(max(1, passed - KEPT + 1), passed + 1):
                tier.append(Bin(self._tally.at(current.start.time + k * width)))
        else:
            if closed is not None:
                self._ended.merge(closed)
        self.next_edge = self._tiers[0][-1].start.time + WIDTHS[0]

    def add(self, served: Served) -> None:
        """Take in a job that finished at the tally's time."""
        self._tiers[0][-1].add(served)

    def since(self, time: int) -> tuple[Totals, list[Spread]]:
        """The totals at the latest edge up to `time`, and the spreads from there to now.

        Finer edges first: the narrowest width that reaches back to `time` gives the edge, and
        when none does, the oldest edge kept is the one. The spreads never change afterwards.
        """
        reaching = (i for i, tier in enumerate(self._tiers) if tier[0].start.time <= time)
        level = next(reaching, len(WIDTHS) - 1)
        width, tier = WIDTHS[level], self._tiers[level]
        index = max(0, (time - tier[0].start.time) // width)
        if index >= len(tier):  # no entry has come since that edge, so it isn't cut yet
            return self._tally.at(tier[0].start.time + index * width), []
        return tier[index].start, self._spreads(level, index)

    def whole(self) -> Spread:
        """All that finished since the start."""
        return merged([self._ended, *(tier[-1].spread for tier in self._tiers)])

    def seconds(self, start: int) -> list[Stretch]:
        """The bins of one second that are closed, from the edge at `start` on, oldest first."""
        return [
            Stretch(bin.start, following.start, bin.spread)
            for bin, following in pairwise(self._tiers[1])
            if bin.start.time >= start
        ]

    def _spreads(self, level: int, index: int) -> list[Spread]:
        """All that finished since the start of a bin, in as few pieces as the widths allow."""
        edge = self._tiers[level][index].start.time
        bins: list[Bin] = []
        while True:
            width, tier = WIDTHS[level], self._tiers[level]
            last = tier[-1].start.time
            while edge < last and not self._starts_wider(level, edge):
                bins.append(tier[(edge - tier[0].start.time) // width])
                edge += width
            if edge == last:
                break
            level += 1
        # A copy of the open bins, which go on changing.
        recent = merged(tier[-1].spread for tier in self._tiers[: level + 1])
        return [*(bin.spread for bin in bins if bin.spread is not None), recent]

    def _starts_wider(self, level: int, edge: int) -> bool:
        """Whether a bin one width up starts at `edge` too."""
        return level + 1 < len(WIDTHS) and (edge - self._origin) % WIDTHS[level + 1] == 0
