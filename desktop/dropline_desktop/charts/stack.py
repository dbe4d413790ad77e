"""The strips, one under the other on one time axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QPalette
from PySide6.QtWidgets import QGraphicsView, QLabel, QSizePolicy, QVBoxLayout, QWidget

from dropline_desktop.charts.axes import TimeAxis
from dropline_desktop.charts.contents import CHARTS, LANES
from dropline_desktop.charts.history import Floats
from dropline_desktop.charts.lanes.strip import LaneStrip
from dropline_desktop.charts.marks import Mark
from dropline_desktop.charts.strip import Strip
from dropline_desktop.parts import Rule, mute
from dropline_desktop.theme import Size, Space, Theme

#: Milliseconds between two strips that are drawn one by one, in which the window is free.
_BETWEEN_MS = 8
_NOT_YET = QGraphicsView.ViewportUpdateMode.NoViewportUpdate
_AS_IT_CHANGES = QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate
#: Runs of a curve, however wide the charts are.
_MOST_RUNS = 1000


class Stack(QWidget):
    """Draws what it is given, for times in seconds relative to an origin that the panel knows."""

    pointed = Signal(object)  # the time under the mouse; None when it left
    moved = Signal()  # the user panned or zoomed
    drawing = Signal()  # a strip is to be drawn now
    changed = Signal()  # something else than the readings asks for a drawing

    def __init__(self, theme: Theme, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives the time now to the chart of the lanes, which there is only with it."""
        super().__init__()
        self._theme = theme
        width = QFontMetricsF(theme.font(Size.CAPTION)).horizontalAdvance("88:88:88") * 1.6
        charts = [chart for chart in CHARTS if chart is not LANES or clock is not None]
        self._axes = [TimeAxis(width) for _ in charts]
        self.strips = [
            LaneStrip(theme, axis, clock)
            if chart is LANES and clock is not None
            else Strip(theme, chart, axis, bottom=chart is CHARTS[-1])
            for chart, axis in zip(charts, self._axes, strict=True)
        ]
        self._bottom = self.strips[-1]
        self._lanes: tuple[QWidget, ...] = ()  # with the rule above
        self._undrawn: list[tuple[Strip, Callable[[], None]]] = []
        self._next = QTimer(self)
        self._next.setInterval(_BETWEEN_MS)
        self._next.timeout.connect(self._draw_next)
        self._moment = QLabel()
        self._lay_out()
        for strip in self.strips:
            if strip is not self._bottom:
                strip.plot.setXLink(self._bottom.plot)
            strip.plot.pointed.connect(self._point)
            strip.plot.getViewBox().sigRangeChangedManually.connect(self.moved)
            strip.curvesChanged.connect(self.changed)
            strip.dressed.connect(self.changed)
        self._bottom.plot.sigXRangeChanged.connect(self.changed)
        self._moment.setFont(theme.font(Size.CAPTION))
        mute(self._moment)

    def named(self, name: str) -> Strip:
        """The strip of a chart, by its name."""
        return next(strip for strip in self.strips if strip.chart.name == name)

    @property
    def pixels(self) -> int:
        """The length of the time axis."""
        return self._bottom.pixels

    @property
    def runs(self) -> int:
        """Runs of two points each that a curve is best made of: a point to a pixel."""
        return max(2, min(round(self.pixels / 2), _MOST_RUNS))

    @property
    def view(self) -> tuple[float, float]:
        """The times at the left and the right end."""
        start, end = self._bottom.plot.getViewBox().viewRange()[0]
        return start, end

    @view.setter
    def view(self, ends: tuple[float, float]) -> None:
        self._bottom.plot.setXRange(*ends, padding=0)

    def fit(self, height: int) -> None:
        """Show the lanes where that height has room for them besides the other charts."""
        needed = sum(strip.minimumSizeHint().height() + 1 for strip in self.strips)
        for part in self._lanes:
            part.setVisible(height >= needed)
        for strip in self._lanes[1:]:  # whole, once there
            strip.setMinimumHeight(strip.minimumSizeHint().height())

    def draw(
        self,
        times: Floats,
        values: Floats,
        marks: Sequence[tuple[float, Mark]],
        *,
        at_once: bool = True,
    ) -> None:
        """Draw the curves: `values` has a row for each of `COLUMNS`.

        All strips `at_once`, or each drawn and painted in a moment of its own: beside threads that
        want the interpreter, one painting of all would keep the window for as long as the strips
        together.
        """
        self.rest()
        self._undrawn = [
            (strip, partial(self._draw_strip, strip, times, rows, marks))
            for strip, rows in self._shared_out(values)
        ]
        if at_once:
            while self._undrawn:
                self._draw_next()
        else:
            for strip in self.strips:  # all have moved in time with the axis
                strip.plot.setViewportUpdateMode(_NOT_YET)
            self._next.start()

    @property
    def is_drawing(self) -> bool:
        """Whether some strips have still to be drawn."""
        return bool(self._undrawn)

    def rest(self) -> None:
        """Leave undrawn what is."""
        for strip, _ in self._undrawn:
            _paint(strip)
        self._undrawn.clear()
        self._next.stop()

    def show_values(self, moment: str, values: Floats) -> None:
        """Fill the legends with a value for each of `COLUMNS`, and say of which moment."""
        self._moment.setText(moment)
        for strip, rows in self._shared_out(values):
            strip.show_values(rows)

    def label_times(self, at_origin: datetime | None) -> None:
        """Label times by the clock, given the time of day at the origin; with None by their age."""
        for axis in self._axes:
            axis.show_clock(at_origin)

    def label_elapsed(self) -> None:
        """Label times by how far they are from the origin."""
        for axis in self._axes:
            axis.show_elapsed()

    def _draw_next(self) -> None:
        if self._undrawn:
            self.drawing.emit()
            strip, draw = self._undrawn.pop(0)
            draw()
            _paint(strip)
        if not self._undrawn:
            self._next.stop()

    @staticmethod
    def _draw_strip(
        strip: Strip, times: Floats, rows: Floats, marks: Sequence[tuple[float, Mark]]
    ) -> None:
        strip.draw(times, rows)
        strip.marks.show_marks(marks)

    def _shared_out(self, values: Floats) -> Iterator[tuple[Strip, Floats]]:
        first = 0
        for strip in self.strips:
            last = first + len(strip.readouts)
            yield strip, values[first:last]
            first = last

    def _point(self, x: float | None) -> None:
        for strip in self.strips:
            strip.cross.setVisible(x is not None)
            if x is not None:
                strip.cross.setValue(x)
        self.pointed.emit(x)

    def _lay_out(self) -> None:
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, Space.XS)
        column.setSpacing(0)
        for strip in self.strips:
            rule = Rule()
            column.addWidget(rule)
            column.addWidget(strip, strip.chart.height)
            if strip.chart is LANES:
                self._lanes = (rule, strip)
                strip.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self._moment.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._moment.setContentsMargins(0, 0, Space.S, 0)
        self._bottom.add_footer(self._moment)


def _paint(strip: Strip) -> None:
    if strip.plot.viewportUpdateMode() == _NOT_YET:  # else what has changed is painted anyway
        strip.plot.setViewportUpdateMode(_AS_IT_CHANGES)
        strip.plot.viewport().update()
