"""Curves of what rows tell: every figure over time, in as few points as a chart has pixels.

Neighbouring rows are taken together in groups. A group gives two points for each curve: for levels
(jobs, workers) the least and the greatest second in it, so that no peak is lost; for rates, times
and percentiles twice the exact figure over the window that ends with the group, or over the group
when that is longer. NaN stands for what is undefined and for times that no row tells of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dropline.history.row import Levels, Row
from dropline.meter import Totals
from dropline.meter.percentiles import bin_value
from dropline.meter.tally import TICKS

Floats = NDArray[np.float64]

#: The percentiles that curves are made of.
PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
#: What there are curves of; names as those of `Figures`, `State` and `Reading`.
NAMES = (
    "arrival_rate",
    "throughput",
    "service_rate",
    "capacity",
    "in_system",
    "waiting",
    "mean_response",
    *PERCENTILES,
    "oldest",
    "utilisation",
    "busy",
    "workers",
)
#: Rows that begin so many seconds, or half a row, after the last one's end begin anew.
_GAP = 0.5


@dataclass(frozen=True, slots=True)
class Curves:
    """Points of curves, and the figures of each group of rows that they are made of."""

    times: Floats
    points: dict[str, Floats]
    starts: Floats
    ends: Floats
    means: dict[str, Floats]

    def at(self, t: float) -> dict[str, float] | None:
        """The figures of the group in which `t` lies; None when there is none."""
        i = int(np.searchsorted(self.starts, t, side="right")) - 1
        if i < 0 or t >= self.ends[i]:
            return None
        return {name: float(values[i]) for name, values in self.means.items()}


def curves(rows: Sequence[Row], most: int, window: float = 0.0) -> Curves:
    """Curves of `rows`, which are in order of time, in about `most` groups at most.

    `window`: the seconds that rates and times are taken over, at least.
    """
    if not rows:
        nothing: Floats = np.empty(0)
        empty = dict.fromkeys(NAMES, nothing)
        return Curves(nothing, empty, nothing, nothing, empty)
    starts = np.array([row.start for row in rows])
    ends = np.array([row.end for row in rows])
    breaks = np.flatnonzero(starts[1:] - ends[:-1] > np.maximum(_GAP, (ends - starts)[1:] / 2)) + 1
    first = _groups(len(rows), breaks, most)  # of each group, its first row
    last = np.append(first[1:], len(rows)) - 1
    group_starts, group_ends = starts[first], ends[last]
    since = _windows(group_starts, group_ends, np.searchsorted(first, breaks), window)

    changes = np.array([row.change for row in rows], dtype=np.float64)
    sums = np.add.reduceat(changes, first, axis=0)
    own = dict(zip(Totals._fields, sums.T, strict=True))
    over = dict(zip(Totals._fields, _over(sums, since).T, strict=True))
    attempts = over["finished"] + over["failed"] + over["retried"]
    pace = _ratio(attempts * TICKS, over["busy_area"])
    workers = _ratio(over["capacity_area"], over["time"])
    oldest = np.maximum.reduceat(np.array([row.oldest for row in rows]), first)
    levels = (
        own["in_system_area"],
        own["in_system_area"] - own["serving_area"],
        own["busy_area"],
        own["capacity_area"],
    )
    means: dict[str, Floats] = {
        "arrival_rate": _ratio(over["arrivals"] * TICKS, over["time"]),
        "throughput": _ratio(over["finished"] * TICKS, over["time"]),
        "service_rate": pace,
        "capacity": np.where(workers == 0, 0.0, workers * pace),
        "mean_response": _ratio(over["response_sum"], over["finished"] * TICKS),
        **_percentiles(rows, first, since),
        "oldest": np.where(oldest > 0, oldest, np.nan),
        "utilisation": _ratio(over["busy_area"], over["capacity_area"]),
    }
    points = {name: np.repeat(values, 2) for name, values in means.items()}
    low = np.minimum.reduceat(np.array([row.low for row in rows]), first)
    high = np.maximum.reduceat(np.array([row.high for row in rows]), first)
    for i, (name, area) in enumerate(zip(Levels._fields, levels, strict=True)):
        means[name] = area / own["time"]
        points[name] = np.stack((low[:, i], high[:, i]), axis=1).ravel()
    times = np.stack((group_starts, group_ends), axis=1).ravel()
    # A point of nothing where a stretch begins, so that no line leads across what is not known.
    gaps = 2 * np.searchsorted(first, breaks)
    return Curves(
        times=np.insert(times, gaps, times[gaps] if len(gaps) else []),
        points={name: np.insert(points[name], gaps, np.nan) for name in NAMES},
        starts=group_starts,
        ends=group_ends,
        means={name: means[name] for name in NAMES},
    )


def _groups(count: int, breaks: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """The first row of each group: of equally many rows, and none across a break."""
    size = max(1, -(-count // most))
    edges = [0, *breaks.tolist(), count]
    return np.concatenate([np.arange(start, end, size) for start, end in pairwise(edges)])


def _windows(
    starts: Floats, ends: Floats, breaks: NDArray[np.intp], window: float
) -> NDArray[np.intp]:
    """The group with which the window of each group begins, not before a break."""
    since = np.searchsorted(starts, ends - window - 1e-6)
    since = np.minimum(since, np.arange(len(starts)))
    begins = np.concatenate(([0], breaks))
    nearest = begins[np.searchsorted(begins, np.arange(len(starts)), side="right") - 1]
    return np.maximum(since, nearest)


def _over(values: Floats, since: NDArray[np.intp]) -> Floats:
    """Sums of what groups tell, each from its `since` on; along the first axis."""
    summed = np.concatenate((np.zeros_like(values[:1]), np.cumsum(values, axis=0)))
    result: Floats = summed[1:] - summed[since]
    return result


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    unknown: Floats = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=unknown, where=denominator > 0)


def _percentiles(
    rows: Sequence[Row], first: NDArray[np.intp], since: NDArray[np.intp]
) -> dict[str, Floats]:
    """Of each window, from one histogram of the jobs finished in it."""
    group = np.searchsorted(first, np.arange(len(rows)), side="right") - 1
    told = [
        (g, row.response)
        for g, row in zip(group.tolist(), rows, strict=True)
        if row.change.finished
    ]
    lowest = min((times.first for _, times in told if times.counts), default=0)
    highest = max((times.first + len(times.counts) for _, times in told), default=lowest)
    # The first column counts times of nought; the rest are the bins, in order.
    counts = np.zeros((len(first), highest - lowest + 1))
    for g, times in told:
        counts[g, 0] += times.zeros
        if times.counts:
            begin = times.first - lowest + 1
            counts[g, begin : begin + len(times.counts)] += times.counts
    ranks = np.cumsum(_over(counts, since), axis=1)
    values = np.array([0.0, *(bin_value(lowest + i) for i in range(counts.shape[1] - 1))])
    total = ranks[:, -1]
    result = {}
    for name, p in PERCENTILES.items():
        # As DDSketch does it: the first bin at which more are counted than the rank says.
        bins_below = (ranks <= (p * (total - 1))[:, np.newaxis]).sum(axis=1)
        found = values[np.minimum(bins_below, len(values) - 1)]
        result[name] = np.where(total > 0, found, np.nan)
    return result
