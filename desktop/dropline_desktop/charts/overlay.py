"""What is drawn over a whole chart, in pixels of the window: never stretched with the axes."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF


class Overlay(pg.GraphicsObject):
    """As large as the chart that it is added to; `paint` is for those who inherit it."""

    def boundingRect(self) -> QRectF:
        """The whole chart."""
        return QRectF(self.viewRect())

    def viewRangeChanged(self) -> None:
        """Called by pyqtgraph when the chart is panned or zoomed."""
        self.prepareGeometryChange()
