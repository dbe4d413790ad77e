"""A curve in the look of a `Line`, made of what Qt's raster engine draws fast.

Qt strokes a long, wide, antialiased path some twenty times slower than one that is a pixel wide.
So a curve is drawn as a few thin lines side by side; and the tint under it without antialiasing,
as the curve itself hides the tint's edge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from dropline_desktop.charts.history import Floats
from dropline_desktop.theme import Line, Theme

_NOTHING: Floats = np.empty(0)


class Curve:
    """The items that make up one curve of a plot."""

    def __init__(self, plot: pg.PlotWidget, theme: Theme, line: Line) -> None:
        self._theme = theme
        self._line = line
        self._tint = _Item(connect="finite", pen=None) if line.filled else None
        self._stroke = _Stroke(connect="finite", antialias=True)
        for item in (self._tint, self._stroke):
            if item is not None:
                plot.addItem(item, ignoreBounds=True)

    def draw(self, times: Floats, values: Floats) -> None:
        """Go through these points, with a gap where a value is NaN."""
        self._stroke.setData(times, values)
        if self._tint is not None:
            self._tint.setData(times, values)

    def clear(self) -> None:
        """Draw nothing."""
        self.draw(_NOTHING, _NOTHING)

    def dress(self, pixel_ratio: float) -> None:
        """Take on the theme, on a screen with so many pixels to a unit."""
        pen = self._theme.pen(self._line)
        width = pen.widthF() * pixel_ratio
        dashes = [length * width for length in pen.dashPattern()]
        pen.setCosmetic(True)  # as wide as it says, in pixels, however the plot is stretched
        pen.setWidthF(1.0)
        if dashes:
            pen.setDashPattern(dashes)
        self._stroke.setPen(pen)
        self._stroke.set_width(width, pixel_ratio)
        if self._tint is not None:
            self._tint.setBrush(self._theme.fill(self._line))
            self._tint.setFillLevel(0.0)


class _Item(pg.PlotCurveItem):
    """Takes up the whole chart, so that no new data has to be searched for its bounds."""

    def boundingRect(self) -> QRectF:
        view = self.getViewBox()
        return QRectF() if view is None else QRectF(view.viewRect())  # the item's own may be old

    def viewRangeChanged(self) -> None:
        """Called by pyqtgraph when the chart is panned or zoomed."""
        self.prepareGeometryChange()


class _Stroke(_Item):
    """A curve of thin lines, each a little below the one before."""

    _shifts: Sequence[float] = (0.0,)

    def set_width(self, width: float, pixel_ratio: float) -> None:
        """How wide the lines are together, in pixels."""
        lines = math.ceil(width)
        gap = (width - 1) / max(lines - 1, 1)
        self._shifts = [(i - (lines - 1) / 2) * gap / pixel_ratio for i in range(lines)]
        self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """All thin lines from one path: pyqtgraph's own way takes three times as long for each."""
        if self.xData is None or not len(self.xData):
            return
        path, place = self.getPath(), painter.worldTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.opts["pen"])
        for shift in self._shifts:
            painter.setWorldTransform(place * QTransform.fromTranslate(0.0, shift))
            painter.drawPath(path)
        painter.setWorldTransform(place)
