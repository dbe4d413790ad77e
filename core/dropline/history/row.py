"""A row: everything that happened on a station in a stretch of time, such that rows add up.

Counts, areas and sums are exact differences of the meter's totals; the times of finished jobs are a
mergeable histogram. So the figures of any number of rows together are those that the meter would
have told of the whole, and every percentile comes from one histogram.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple, Self

from dropline.meter import Figures, LittlesLaw, Percentiles, Totals, change, figures, littles_law
from dropline.meter.history import Stretch
from dropline.meter.percentiles import Histogram
from dropline.meter.tally import to_seconds

_NO_TIMES = Histogram(0, 0, ())
_NOTHING = Totals(*[0] * len(Totals._fields))


class Levels(NamedTuple):
    """How many jobs or workers there are, on average over a stretch of time."""

    in_system: float
    waiting: float
    busy: float
    workers: float

    @classmethod
    def of(cls, change: Totals) -> Self:
        """The means over a stretch."""
        areas = (
            change.in_system_area,
            change.in_system_area - change.serving_area,
            change.busy_area,
            change.capacity_area,
        )
        return cls(*(area / change.time for area in areas))


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of time of a station. Times are seconds since 1970, or a log's own."""

    start: float
    end: float
    change: Totals
    """What happened; its `time` is the ticks that the row tells of."""
    response: Histogram
    """Of the jobs finished."""
    wait: Histogram
    """To their first start."""
    low: Levels
    """The least of the means over the seconds in it, or over whatever it was joined of."""
    high: Levels
    oldest: float
    """The greatest age in seconds of a job present, as it was looked at once a second."""

    @classmethod
    def of(cls, stretch: Stretch, zero: float, oldest: float = 0.0) -> Self:
        """The row of a stretch; `zero` is when the stretch's clock showed 0."""
        happened, spread = change(stretch.start, stretch.end), stretch.spread
        levels = Levels.of(happened)
        return cls(
            start=zero + to_seconds(stretch.start.time),
            end=zero + to_seconds(stretch.end.time),
            change=happened,
            response=_NO_TIMES if spread is None else spread.response.histogram,
            wait=_NO_TIMES if spread is None else spread.wait.histogram,
            low=levels,
            high=levels,
            oldest=oldest,
        )

    @property
    def idle(self) -> bool:
        """Whether nothing was there and nothing happened."""
        counts = self.change
        return not (counts.in_system_area or counts.arrivals or counts.finished or counts.busy_area)

    def to_bytes(self) -> bytes:
        """This row, small; `from_bytes` gives it back exactly."""
        times = (self.response, self.wait)
        # The counts, which are most of it, in binary: JSON takes ten times as long to read.
        places = [(each.zeros, each.first, len(each.counts)) for each in times]
        head = (self.start, self.end, self.change, self.low, self.high, self.oldest, places)
        counts = [count for each in times for count in each.counts]
        text = json.dumps(head, separators=(",", ":")).encode()
        return zlib.compress(text + b"\n" + struct.pack(f"<{len(counts)}Q", *counts))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError when `data` is no row."""
        try:
            text, _, packed = zlib.decompress(data).partition(b"\n")
            start, end, change, low, high, oldest, places = json.loads(text)
            (zeros, first, some), (more_zeros, more_first, more) = places
            counts = struct.unpack(f"<{some + more}Q", packed)
            return cls(
                start=start,
                end=end,
                change=Totals(*change),
                response=Histogram(zeros, first, counts[:some]),
                wait=Histogram(more_zeros, more_first, counts[some:]),
                low=Levels(*low),
                high=Levels(*high),
                oldest=oldest,
            )
        except (TypeError, struct.error, zlib.error) as error:
            raise ValueError(f"not a row of the history: {error}") from error


def join(rows: Sequence[Row]) -> Row:
    """One row of several, at least one."""
    return Row(
        start=min(row.start for row in rows),
        end=max(row.end for row in rows),
        change=_sum(rows),
        response=_together(row.response for row in rows),
        wait=_together(row.wait for row in rows),
        low=_each(min, (row.low for row in rows)),
        high=_each(max, (row.high for row in rows)),
        oldest=max(row.oldest for row in rows),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of some rows together, from `figures.start` to `figures.end`.

    Rates and means are over the `covered` seconds, those that the rows tell of.
    """

    figures: Figures
    littles_law: LittlesLaw
    covered: float
    response: Percentiles
    wait: Percentiles
    oldest: float

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures by name, and `p50`, `p95` and `p99` of the response times."""
        times = {f"p{p}": self.response.quantile(p / 100) for p in (50, 95, 99)}
        return {**self.figures.as_dict(), **times}


def summary(rows: Sequence[Row]) -> Summary | None:
    """What rows say together; None when there are none."""
    if not rows:
        return None
    happened = _sum(rows)
    return Summary(
        figures=replace(figures(_NOTHING, happened), start=rows[0].start, end=rows[-1].end),
        littles_law=littles_law(_NOTHING, happened),
        covered=to_seconds(happened.time),
        response=Percentiles.of(_together(row.response for row in rows)),
        wait=Percentiles.of(_together(row.wait for row in rows)),
        oldest=max(row.oldest for row in rows),
    )


def _sum(rows: Iterable[Row]) -> Totals:
    return Totals(*map(sum, zip(*(row.change for row in rows), strict=True)))


def _together(times: Iterable[Histogram]) -> Histogram:
    return reduce(Histogram.plus, times)


def _each(pick: Callable[[Iterable[float]], Any], levels: Iterable[Levels]) -> Levels:
    return Levels(*map(pick, zip(*levels, strict=True)))
