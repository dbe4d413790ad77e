"""The drawing area of a chart: pyqtgraph, dressed by the theme."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPen

from dropline_desktop.charts.axes import OVERHANG_ABOVE, OVERHANG_RIGHT, TimeAxis, ValueAxis
from dropline_desktop.theme import Size, Space, Theme

_AXIS_DIGITS = 8  # room for the labels of the value axis


class Plot(pg.PlotWidget):
    """Curves over time; only time is panned and zoomed by the mouse."""

    pointed = Signal(object)  # the time under the mouse; None when it left

    def __init__(self, theme: Theme, values: ValueAxis, times: TimeAxis, *, labelled: bool) -> None:
        """`labelled`: whether the time axis has labels, or is that of a chart below."""
        super().__init__(axisItems={"left": values, "bottom": times})
        self._theme = theme
        self._axes = (values, times)
        self._labelled = labelled
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the charts as a whole take the keys
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAcceptDrops(False)  # a drop is the window's
        self.setMenuEnabled(False)
        self.hideButtons()
        item = self.getPlotItem()
        item.layout.setContentsMargins(0, OVERHANG_ABOVE, OVERHANG_RIGHT, 0)
        item.layout.setVerticalSpacing(0)
        item.layout.setHorizontalSpacing(0)
        view = self.getViewBox()
        view.setMouseEnabled(x=True, y=False)
        view.disableAutoRange()
        view.setDefaultPadding(0)
        view.setLimits(minXRange=1.0, maxXRange=31 * 86_400.0)
        times.setStyle(showValues=labelled)
        for axis in self._axes:
            axis.enableAutoSIPrefix(False)  # the chart has its units in the legend
            axis.setStyle(tickLength=0, tickAlpha=255, maxTickLevel=0)
            axis.setGrid(255)
            axis.setZValue(-1)  # the grid behind the curves
        self.scene().sigMouseMoved.connect(self._moved)
        theme.changed.connect(self.dress)
        self.dress()

    def dress(self) -> None:
        """Take on the theme's colours and font."""
        colour = self._theme.colour
        font = self._theme.font(Size.CAPTION)
        metrics = QFontMetricsF(font)
        values, times = self._axes
        self.setBackground(colour("surface"))
        for axis in self._axes:
            axis.setTickFont(font)
            axis.setTextPen(colour("muted"))
            axis.setPen(QPen(colour("border"), 1))
            axis.setTickPen(QPen(colour("grid"), 1))
        values.setWidth(round(metrics.horizontalAdvance("8" * _AXIS_DIGITS)))
        times.setHeight(round(metrics.height()) + Space.S if self._labelled else OVERHANG_ABOVE)

    def leaveEvent(self, event: QEvent) -> None:
        """The mouse is gone."""
        super().leaveEvent(event)
        self.pointed.emit(None)

    def _moved(self, position: QPointF) -> None:
        view = self.getViewBox()
        inside = view.sceneBoundingRect().contains(position)
        self.pointed.emit(view.mapSceneToView(position).x() if inside else None)
