"""A recorded log as rows, so that it is explored as the history on disk is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby
from os import PathLike
from typing import TypeVar

from dropline.events import WorkersChanged
from dropline.history.row import Row, join
from dropline.history.store import Mark
from dropline.meter import Kind, Totals, read_log
from dropline.meter.history import Stretch
from dropline.meter.log import warn
from dropline.meter.percentiles import Spread
from dropline.meter.tally import TICKS, Tally, to_ticks

T = TypeVar("T")

#: Rows of a log, at most; they grow with the log's length.
ROWS = 8_192
#: The first width of a row in ticks: 1/8 s.
_WIDTH = TICKS // 8


class Replay:
    """The past that a log tells of, in its own seconds. See `Past`; nothing here waits."""

    def __init__(self, rows: Sequence[Row], marks: Sequence[Mark], ignored: int) -> None:
        self._rows = rows
        self._marks = marks
        self.ignored = ignored
        """Entries that couldn't follow from what came before, and count nowhere."""

    def extent(self) -> tuple[float, float] | None:
        """See `Past`. What a recorder tells of the time before it began, below 0, is left out."""
        if not self._rows:
            return None
        start, end = self._rows[0].start, self._rows[-1].end
        return (0.0 if start < 0 < end else start), end

    def rows(
        self,
        start: float,
        end: float,
        width: float = 0.0,  # noqa: ARG002 - part of the protocol
    ) -> Sequence[Row]:
        """See `Past`. All rows are as wide as the log's length asks, whatever `width`."""
        return _within(self._rows, start, end, lambda row: row.start)

    def marks(self, start: float, end: float) -> Sequence[Mark]:
        """See `Past`."""
        return _within(self._marks, start, end, lambda mark: mark.time)


def replay(
    path: str | PathLike[str],
    notice: Callable[[str], object] = warn,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Replay:
    """Read the log at `path`; `notice` gets the sentence about a last line cut short.

    Memory is bounded but for the jobs present. Raises LogError when the log can't be read, and
    InterruptedError when it `is_cancelled`.
    """
    tally: Tally | None = None
    cut: _Cutter | None = None
    marks: list[Mark] = []
    workers: int | None = None
    for entry in read_log(path, notice):
        time = to_ticks(entry.t)
        if tally is None or cut is None:
            tally = Tally(time)
            cut = _Cutter(tally)
        if time >= cut.edge:
            if is_cancelled():
                raise InterruptedError(f"{path} was not read to its end")
            cut.advance(time)
        served = tally.apply(time, entry)
        if served is not None:
            cut.spread.add(served)
        if entry.kind is Kind.WORKERS and entry.workers != workers:
            if workers is not None and entry.workers is not None:
                marks.append(Mark(entry.t, WorkersChanged("", workers, entry.workers)))
            workers = entry.workers
    if tally is None or cut is None:
        return Replay((), (), 0)
    return Replay(cut.finish(), marks, tally.ignored)


class _Cutter:
    """Cuts what a tally counts at multiples of a width, which doubles when there are too many."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._width = _WIDTH
        self._rows: list[Row] = []
        self._begin(tally.at(tally.time))

    def advance(self, time: int) -> None:
        """Cut at the edges up to `time`."""
        while time >= self.edge:
            if (time - self._start.time) // self._width + len(self._rows) >= ROWS:
                self._double()
            else:
                self._cut(self._tally.at(self.edge))

    def finish(self) -> list[Row]:
        """All rows, with a last one that holds what happened at the very end too."""
        self._cut(self._tally.at(self._tally.time + 1))
        return self._rows

    def _cut(self, end: Totals) -> None:
        self._rows.append(Row.of(Stretch(self._start, end, self.spread), 0.0))
        self._begin(end)

    def _begin(self, start: Totals) -> None:
        self._start = start
        self.spread = Spread()
        self._set_edge()

    def _set_edge(self) -> None:
        self.edge = (self._start.time // self._width + 1) * self._width
        """Ticks at which the open row ends: `advance` before an entry from then on."""

    def _double(self) -> None:
        self._width *= 2
        self._set_edge()
        pairs = groupby(self._rows, lambda row: to_ticks(row.start) // self._width)
        self._rows = [join(list(rows)) for _, rows in pairs]


def _within(
    items: Sequence[T], start: float, end: float, time: Callable[[T], float]
) -> Sequence[T]:
    first, last = (bisect_left(items, edge, key=time) for edge in (start, end))
    return items[first:last]
