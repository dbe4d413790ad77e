"""One chart: its curves, and to the right of them a legend that carries the values."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from dropline_desktop.charts.axes import TimeAxis
from dropline_desktop.charts.contents import Chart
from dropline_desktop.charts.curve import Curve
from dropline_desktop.charts.history import Floats
from dropline_desktop.charts.marks import MarksItem
from dropline_desktop.charts.plot import Plot
from dropline_desktop.charts.readout import Readout
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.theme import Size, Space, Theme

_LEGEND_DIGITS = 28  # width of the legend
_ROOM = 0.02  # share of the range left free at its ends, so that lines there are whole
_LEAST = 0.001  # seconds; on a logarithmic scale what is shorter is drawn here


class Strip(QWidget):
    """Draws the curves of a `Chart`. Times are relative: x = 0 is where the panel says."""

    dressed = Signal()  # the theme or the screen changed
    curvesChanged = Signal()  # a curve was hidden or shown, or the scale changed

    def __init__(self, theme: Theme, chart: Chart, times: TimeAxis, *, bottom: bool) -> None:
        """`bottom`: this strip's time axis serves all above it."""
        super().__init__()
        self.chart = chart
        self.also_show = 0.0  # a value that the scale reaches to, besides the curves
        self._theme = theme
        self._seen = False
        self._greatest = 0.0
        self._least = math.inf
        self._scale = chart.axis()
        self.plot = Plot(theme, self._scale, times, labelled=bottom)
        self.plot.setObjectName(chart.name)
        self.marks = MarksItem(theme, labels=chart.marked)
        self._curves = [Curve(self.plot, theme, line) for _, line in chart.curves]
        self.marks.setZValue(1.0)  # or what is expected would cross the words
        self.plot.addItem(self.marks, ignoreBounds=True)
        self.cross = pg.InfiniteLine(angle=90)
        self.cross.hide()
        self.plot.addItem(self.cross, ignoreBounds=True)
        self.readouts = [Readout(theme, quantity, line) for quantity, line in chart.curves]
        for readout in self.readouts:
            readout.toggled.connect(self.curvesChanged)
        self._promise, self._title, self._unit = QLabel(), QLabel(), QLabel()
        self._heading = QHBoxLayout()
        self._lay_out(bottom)
        theme.changed.connect(self._dress)
        self._dress()
        worded(self, self._word)

    def event(self, event: QEvent) -> bool:
        """On a screen of other density the lines are drawn anew."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._dress()
        return super().event(event)

    @property
    def decades(self) -> bool:
        """Whether the scale is logarithmic."""
        return self._scale.decades

    @decades.setter
    def decades(self, on: bool) -> None:
        self._scale.decades = on
        self._scale.picture = None  # pyqtgraph's cache of what it drew
        self.curvesChanged.emit()

    @property
    def pixels(self) -> int:
        """The length of the time axis."""
        return max(1, round(self.plot.getViewBox().width()))

    def add_tool(self, tool: QWidget) -> None:
        """Put a small control beside the title."""
        self._heading.addWidget(tool)

    def add_footer(self, label: QWidget) -> None:
        """Put something under the legend, beside the time axis."""
        self._legend_column.addWidget(label)

    def draw(self, times: Floats, values: Floats) -> None:
        """Draw the curves: `values` has a row for each."""
        self._greatest, self._least = 0.0, math.inf
        if self.chart.steps:  # each value holds until the next one's time
            times, values = np.repeat(times, 2)[1:], np.repeat(values, 2, axis=1)[:, :-1]
        for row, curve, readout in zip(values, self._curves, self.readouts, strict=True):
            if readout.isChecked() and len(times):
                self._greatest = float(np.fmax.reduce(row, initial=self._greatest))
                self._least = float(np.fmin.reduce(row, initial=self._least))
                curve.draw(times, self._drawn(row))
            else:
                curve.clear()
        if not self._seen and self._greatest > 0:
            self._seen = True
            self._promise.hide()
        self._fit()

    def show_values(self, values: Floats) -> None:
        """Show these in the legend."""
        for readout, value in zip(self.readouts, values.tolist(), strict=True):
            readout.show_value(None if math.isnan(value) else value)

    def to_view(self, value: float) -> float:
        """Where a value is drawn."""
        return math.log10(max(value, _LEAST)) if self.decades else value

    def from_view(self, y: float) -> float:
        """The value that is drawn at `y`."""
        return 10.0**y if self.decades else y

    def _drawn(self, row: Floats) -> Floats:
        if not self.decades:
            return row
        scaled: Floats = np.log10(np.maximum(row, _LEAST))
        return scaled

    def _fit(self) -> None:
        """Let the scale reach from nought to over the greatest value; or over whole decades."""
        greatest = max(self._greatest, self.also_show)
        low, high = 0.0, self._scale.fit(greatest)
        if self.decades:
            high = math.ceil(math.log10(max(greatest, 10 * _LEAST)))
            low = min(math.floor(self.to_view(self._least)), high - 1)
        room = (high - low) * _ROOM
        wanted = [low - room, high + room]
        view = self.plot.getViewBox()
        if view.viewRange()[1] != wanted:
            view.setYRange(*wanted, padding=0)

    def _lay_out(self, bottom: bool) -> None:
        self._promise.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._promise.setWordWrap(True)
        self._promise.setAutoFillBackground(True)
        self._promise.setBackgroundRole(QPalette.ColorRole.Base)
        cover = QVBoxLayout(self.plot)
        cover.setContentsMargins(0, 0, 0, 0)
        cover.addWidget(self._promise)

        self._heading.setContentsMargins(Space.S, 0, Space.S, 0)
        self._heading.addWidget(self._title)
        self._heading.addStretch(1)
        self._heading.addWidget(self._unit)
        self._legend_column = legend = QVBoxLayout()
        legend.setContentsMargins(0, Space.XS, Space.S, 0 if bottom else Space.XS)
        legend.setSpacing(0)
        legend.addLayout(self._heading)
        for readout in self.readouts:
            legend.addWidget(readout)
        legend.addStretch(1)
        self._legend = QWidget()
        self._legend.setLayout(legend)

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.plot, 1)
        row.addWidget(self._legend)
        self.plot.setMinimumSize(120, 36)

    def _word(self) -> None:
        chart = self.chart
        self.plot.setAccessibleName(chart.title())
        self.plot.setAccessibleDescription(chart.promise())
        self._promise.setText(chart.promise())
        self._title.setText(chart.title())
        self._unit.setText(chart.unit())
        for readout in self.readouts:
            readout.word()
            readout.setAccessibleName(f"{chart.title()}: {readout.quantity.name()}")
        self._scale.picture = None  # pyqtgraph's cache of what it drew
        self._scale.update()

    def _dress(self) -> None:
        caption, title = self._theme.font(Size.CAPTION), self._theme.font(Size.CAPTION)
        title.setBold(True)
        self._title.setFont(title)
        for label in (self._unit, self._promise):
            label.setFont(caption)
            mute(label)
        self._legend.setFixedWidth(QFontMetrics(caption).horizontalAdvance("8" * _LEGEND_DIGITS))
        ratio = self.devicePixelRatioF()
        self.cross.setPen(pg.mkPen(self._theme.colour("muted"), width=ratio))
        for curve in self._curves:
            curve.dress(ratio)
        self.dressed.emit()
