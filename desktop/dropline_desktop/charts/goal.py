"""The goal line: how long a file may take, drawn in the response chart and dragged there."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QObject, Signal

from dropline_desktop import format
from dropline_desktop.charts.strip import Strip
from dropline_desktop.theme import Line, Size, Theme


class Goal(QObject):
    """A line across a strip that the user may drag; hidden while there is no goal."""

    changed = Signal(float)  # seconds, when the user has dragged it

    def __init__(self, theme: Theme, strip: Strip) -> None:
        super().__init__(strip)
        self._theme = theme
        self._strip = strip
        self._seconds: float | None = None
        self._line = pg.InfiniteLine(angle=0, movable=True)
        self._label = pg.InfLineLabel(self._line, "", position=0.01, anchors=[(0, 1), (0, 1)])
        self._line.hide()
        self._line.sigDragged.connect(self._dragged)
        self._line.sigPositionChangeFinished.connect(self._dropped)
        strip.plot.addItem(self._line, ignoreBounds=True)
        strip.curvesChanged.connect(self._place)
        strip.dressed.connect(self._dress)
        self._dress()

    @property
    def seconds(self) -> float | None:
        """The goal, None when there is none."""
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._strip.also_show = seconds or 0.0
        self._line.setVisible(seconds is not None)
        self._place()

    def _place(self) -> None:
        if self._seconds is not None:
            self._line.setValue(self._strip.to_view(self._seconds))
            self.say()

    def _dragged(self) -> None:
        self._seconds = max(0.001, self._strip.from_view(self._line.value()))
        self.say()

    def _dropped(self) -> None:
        # Only now, or the scale would run away under the mouse.
        self.seconds = self._seconds
        if self._seconds is not None:
            self.changed.emit(self._seconds)

    def say(self) -> None:
        """Write the goal beside the line."""
        self._label.setFormat(self.tr("goal {}").format(format.duration(self._seconds)))

    def _dress(self) -> None:
        pen = self._theme.cosmetic_pen(Line.GOAL, self._strip.devicePixelRatioF())
        self._line.setPen(pen)
        pen.setWidthF(2 * pen.widthF())
        self._line.setHoverPen(pen)
        self._label.setFont(self._theme.font(Size.CAPTION))
        self._label.setColor(self._theme.colour("failed"))
        self._label.fill = pg.mkBrush(self._theme.colour("surface", 0.8))
