"""What lies before the readings that the charts keep: read from a `Past`, off the GUI thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QThreadPool, Signal

from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.charts.history import Floats
from dropline_desktop.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dropline.history import Mark, Past, Row
    from dropline.history.curves import Curves

_log = logging.getLogger(__name__)

#: What is loaded beyond each end of the view, as a share of it, so that panning finds it there.
_MARGIN = 0.5
#: A group of rows may be so many times as wide as a group asked for is.
_COARSE = 2.0
#: Rows that a group is made of, if there are so many.
_ROWS = 6
#: The history does not tell wanted workers from those that there are.
_NAMES = {"wanted": "workers", "running": "workers"}


@dataclass(frozen=True)
class Loaded:
    """What there is from `start` to `end`, in the past's seconds, in groups of `step` seconds."""

    start: float
    end: float
    step: float
    window: float
    curves: Curves
    marks: Sequence[Mark]

    def between(self, start: float, end: float) -> tuple[Floats, Floats]:
        """Times, and a row of points for each of `COLUMNS`, from `start` to `end`.

        One more point on each side lets curves reach out.
        """
        times = self.curves.times
        first, last = np.searchsorted(times, (start, end))
        points = slice(max(0, int(first) - 1), min(len(times), int(last) + 1))
        return times[points], _columns(self.curves.points, len(times))[:, points]

    def groups(self, start: float, end: float) -> tuple[Floats, Floats]:
        """The times at which groups end that begin from `start` to `end`, and their figures."""
        starts = self.curves.starts
        first, last = np.searchsorted(starts, (start, end))
        figures = _columns(self.curves.means, len(starts))
        return self.curves.ends[first:last], figures[:, first:last]

    def at(self, t: float) -> Floats | None:
        """The figures of the group in which `t` lies, one for each of `COLUMNS`."""
        means = self.curves.at(t)
        if means is None:
            return None
        return np.array([means.get(_name(q.key), np.nan) for q in COLUMNS])


def _columns(values: dict[str, Floats], length: int) -> Floats:
    unknown: Floats = np.full(length, np.nan)
    return np.array([values.get(_name(quantity.key), unknown) for quantity in COLUMNS])


def _name(key: str) -> str:
    return _NAMES.get(key, key)


class Loader(QObject):
    """Loads what is asked for, one thing at a time: ask again when it has `changed`."""

    changed = Signal()
    failed = Signal(str)  # a sentence
    _done = Signal(object)

    def __init__(self, past: Past, parent: QObject) -> None:
        super().__init__(parent)
        self.loaded: Loaded | None = None
        self.past = past
        self._busy = self._told = self._retired = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._done.connect(self._take)

    def ask(self, start: float, end: float, groups: int, window: float, *, latest: float) -> None:
        """See that `loaded` reaches from `start` to `end` in about so many groups.

        There is nothing to be had after `latest`. Returns at once.
        """
        span = end - start
        step = span / groups
        loaded = self.loaded
        if self._busy or (
            loaded is not None
            and loaded.start <= start
            and loaded.end >= min(end, latest) - step
            and loaded.window == window
            and loaded.step <= _COARSE * step <= 2 * _COARSE * loaded.step
        ):
            return
        self._busy = True
        begin, until = start - _MARGIN * span, min(end + _MARGIN * span, latest)
        most = max(2, round((until - begin) / step))
        self._pool.start(lambda: self._load(begin, until, most, step, window))

    def retire(self) -> None:
        """Tell nothing more, and go once nothing is being read."""
        self._retired = True
        if not self._busy:
            self.deleteLater()

    def wait(self) -> None:
        """Return when nothing is being read."""
        self._pool.waitForDone()

    def _load(self, start: float, end: float, most: int, step: float, window: float) -> None:
        from dropline.history.curves import curves

        rows: Sequence[Row] = ()
        marks: Sequence[Mark] = ()
        try:
            rows = self.past.rows(start, end, step / _ROWS)
            marks = self.past.marks(start, end)
        except (OSError, ValueError) as error:  # shown as if there were none, and told once
            _log.warning("the past cannot be shown: %s", error)
            if not self._told:
                self._told = True
                self.failed.emit(spoken(str(error)))
        self._done.emit(Loaded(start, end, step, window, curves(rows, most, window), marks))

    def _take(self, loaded: Loaded) -> None:
        self._busy = False
        if self._retired:
            self.deleteLater()
            return
        self.loaded = loaded
        self.changed.emit()
