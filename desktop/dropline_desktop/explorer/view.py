"""The charts of a past: panned and zoomed at will, read off the GUI thread."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from dropline.report import Run
from dropline_desktop import format
from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.charts.history import Floats
from dropline_desktop.charts.keys import moved
from dropline_desktop.charts.marks import Mark, mark_of
from dropline_desktop.charts.past import Loader
from dropline_desktop.charts.stack import Stack
from dropline_desktop.language import worded
from dropline_desktop.parts import Card
from dropline_desktop.theme import Theme

#: Seconds that rates and times may be taken over; about a hundredth of what is shown.
_WINDOWS = (0.1, 1.0, 5.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0)
_UNKNOWN: Floats = np.full(len(COLUMNS), np.nan)


class View(Card):
    """Shows a `Run`: its past from its start to its end, and wherever the user goes from there."""

    spanChanged = Signal()
    failed = Signal(str)  # a sentence

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: Run | None = None
        self._loader: Loader | None = None
        self._pointed: float | None = None
        self._stack = Stack(theme)
        self._soon = QTimer(self)  # draws after the event that asks for it
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.draw)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._stack.pointed.connect(self._point)
        self._stack.changed.connect(self._changed)
        worded(self, self._word)

    def show_run(self, run: Run) -> None:
        """Show a run."""
        self._run = run
        if self._loader is not None:
            self._loader.retire()
        self._loader = Loader(run.past, self)
        self._loader.changed.connect(self._soon.start)
        self._loader.failed.connect(self.failed)
        if run.wall:
            self._stack.label_times(datetime.fromtimestamp(run.start).astimezone())
        else:
            self._stack.label_elapsed()
        self.look_at(run.start, run.end)

    @property
    def averaging(self) -> float:
        """The seconds that rates and times of the curves are taken over."""
        start, end = self._stack.view
        return next((w for w in _WINDOWS if w >= (end - start) / 100), _WINDOWS[-1])

    @property
    def span(self) -> tuple[float, float]:
        """The times at the left and the right end."""
        start, end = self._stack.view
        return self._origin + start, self._origin + end

    def look_at(self, start: float, end: float) -> None:
        """Show the time from `start` to `end`."""
        self._stack.view = (start - self._origin, end - self._origin)
        self._changed()

    def look_at_all(self) -> None:
        """Show the whole run."""
        if self._run is not None:
            self.look_at(self._run.start, self._run.end)

    def draw(self) -> None:
        """Draw what there is of the view; what isn't there yet is asked for."""
        if self._loader is None:
            return
        start, end = self.span
        self._loader.ask(start, end, self._stack.runs, self.averaging, latest=math.inf)
        times, values = self.points()
        origin = self._origin
        self._stack.draw(times - origin, values, [(m.t - origin, m) for m in self.marks()])
        self._tell()

    def points(self) -> tuple[Floats, Floats]:
        """What is drawn: times, and values with a row for each of `COLUMNS`."""
        if self._loader is None or self._loader.loaded is None:
            return np.empty(0), np.empty((len(COLUMNS), 0))
        return self._loader.loaded.between(*self.span)

    def table(self) -> tuple[Floats, Floats]:
        """The figures that the curves are made of, and the ends of the times that they tell of."""
        if self._loader is None or self._loader.loaded is None:
            return np.empty(0), np.empty((len(COLUMNS), 0))
        return self._loader.loaded.groups(*self.span)

    def marks(self) -> list[Mark]:
        """What is marked in the view."""
        if self._loader is None or self._loader.loaded is None:
            return []
        start, end = self.span
        return [
            Mark(mark.time, *look)
            for mark in self._loader.loaded.marks
            if start <= mark.time <= end and (look := mark_of(mark.event)) is not None
        ]

    def wait(self) -> None:
        """Return when nothing is being read."""
        if self._loader is not None:
            self._loader.wait()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows pan, + and - zoom, Home shows the whole run."""
        if (view := moved(self.span, event.key())) is not None:
            self.look_at(*view)
        elif event.key() == Qt.Key.Key_Home:
            self.look_at_all()
        else:
            super().keyPressEvent(event)

    @property
    def _origin(self) -> float:
        """The time at x = 0: that of day begins with the run, a log's own at 0."""
        return self._run.start if self._run is not None and self._run.wall else 0.0

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Charts of the past"))
        self._tell()

    def _changed(self) -> None:
        self._soon.start()
        self.spanChanged.emit()

    def _point(self, x: float | None) -> None:
        self._pointed = x
        self._tell()

    def _tell(self) -> None:
        """Fill the legends with the figures under the mouse."""
        values, moment = (
            None,
            self.tr("rates and times over {}").format(format.duration(self.averaging)),
        )
        if self._pointed is not None and self._loader is not None and self._run is not None:
            at = self._origin + self._pointed
            loaded = self._loader.loaded
            values = loaded.at(at) if loaded is not None else None
            moment = moment_text(at, wall=self._run.wall)
        self._stack.show_values(moment, _UNKNOWN if values is None else values)


def moment_text(t: float, *, wall: bool) -> str:
    """A time of the past: "24 Nov 14:03:45", or that of a log, "2 min 5 s"."""
    if not wall:
        return format.duration(t) if t >= 0 else f"−{format.duration(-t)}"
    at = datetime.fromtimestamp(t).astimezone()
    return f"{format.day(at)} {format.clock(at)}"
