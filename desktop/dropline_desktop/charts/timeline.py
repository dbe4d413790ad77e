"""All that charts can show in one place: the readings of this run, and the past before them.

The *history* holds the readings, the *past* comes from disk. Where one ends and the other begins,
of what is drawn, is the *seam*.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from dropline.station.reading import Reading
from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.charts.history import Floats, History
from dropline_desktop.charts.marks import Mark, mark_of
from dropline_desktop.charts.past import Loader

if TYPE_CHECKING:
    from dropline.history import Past

_MOST_MARKS = 1000
_WHOLE = 3600.0  # seconds for which the history has every reading; the past knows the peaks before


class Timeline(QObject):
    """Times are those of `clock`; values have a row for each of `COLUMNS`."""

    changed = Signal()  # more of the past is there
    failed = Signal(str)  # a sentence: the past can't be read

    def __init__(self, clock: Callable[[], float], parent: QObject) -> None:
        super().__init__(parent)
        self._now = clock
        self._history = History(len(COLUMNS))
        self._marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self._past: Loader | None = None

    @property
    def past(self) -> Past | None:
        """Where what was before the first reading is read."""
        return None if self._past is None else self._past.past

    def set_past(self, past: Past) -> None:
        """Show what was before the first reading, too."""
        if self._past is not None:
            self._past.retire()
        self._past = Loader(past, self)
        self._past.changed.connect(self.changed)
        self._past.failed.connect(self.failed)
        self.changed.emit()

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading."""
        self._history.append(reading.t, [quantity.value(reading) for quantity in COLUMNS])

    def add_mark(self, mark: Mark) -> None:
        """Keep a mark."""
        self._marks.append(mark)

    def points(self, start: float, end: float, runs: int, window: float) -> tuple[Floats, Floats]:
        """Times and values of curves, about two to each of so many `runs`.

        What isn't there yet is asked for, with figures over `window` seconds; `changed` follows.
        """
        zero = self._zero
        latest = max(self._first, self._now() - _WHOLE)
        if self._past is not None and start < latest:
            self._past.ask(start + zero, end + zero, runs, window, latest=latest + zero)
        seam = self._seam
        if start >= seam:
            return self._history.envelope(start, end, runs)
        assert self._past is not None
        assert self._past.loaded is not None
        before = self._past.loaded.between(start + zero, min(end, seam) + zero)
        if end <= seam:
            return before[0] - zero, before[1]
        share = max(2, round(runs * (end - seam) / (end - start)))
        return _joined(before, self._history.envelope(seam, end, share), zero)

    def table(self, start: float, end: float) -> tuple[Floats, Floats]:
        """The times and values of all readings, and of what is loaded of the past."""
        seam = self._seam
        rows = self._history.between(max(start, seam), end)
        readings = self._history.times[rows].copy(), self._history.values[:, rows].copy()
        if self._past is None or self._past.loaded is None or start >= seam:
            return readings
        zero = self._zero
        groups = self._past.loaded.groups(start + zero, min(end, seam) + zero)
        return _joined(groups, readings, zero)

    def at(self, t: float) -> Floats | None:
        """The values at `t`; None when they aren't known."""
        if self._past is not None and self._past.loaded is not None and t < self._seam:
            return self._past.loaded.at(t + self._zero)
        return self._history.at(t)

    def marks(self, start: float, end: float) -> list[Mark]:
        """What is marked from `start` to `end`, oldest first."""
        marks = [mark for mark in self._marks if start <= mark.t <= end]
        if self._past is None or self._past.loaded is None:
            return marks
        zero, until = self._zero, min(self._seam, end)
        earlier = (
            Mark(mark.time - zero, *look)
            for mark in self._past.loaded.marks
            if start + zero <= mark.time < until + zero and (look := mark_of(mark.event))
        )
        return [*earlier, *(mark for mark in marks if mark.t >= until)]

    def wait(self) -> None:
        """Return when nothing is being read."""
        if self._past is not None:
            self._past.wait()

    @property
    def _zero(self) -> float:
        """The past's seconds, since 1970, when the clock showed 0."""
        return time.time() - self._now()

    @property
    def _first(self) -> float:
        times = self._history.times
        return float(times[0]) if len(times) else self._now()

    @property
    def _seam(self) -> float:
        if self._past is None or self._past.loaded is None:
            return -math.inf
        return max(self._first, self._past.loaded.end - self._zero)


def _joined(
    before: tuple[Floats, Floats], after: tuple[Floats, Floats], zero: float
) -> tuple[Floats, Floats]:
    """The past, in its own seconds, and what comes after it."""
    return (
        np.concatenate((before[0] - zero, after[0])),
        np.concatenate((before[1], after[1]), axis=1),
    )
