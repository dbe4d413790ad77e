"""What was predicted, beside what is measured: from each change of c on, a line in a band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from dropline.tuning import Figure
from dropline_desktop.charts.overlay import Overlay
from dropline_desktop.charts.strip import Strip
from dropline_desktop.theme import Line, Theme

#: The look of what is predicted in each chart: that of the curve that it is about.
_LINES = {
    "chartRates": Line.THROUGHPUT,
    "chartQueue": Line.IN_SYSTEM,
    "chartResponse": Line.MEAN,
}
#: Changes that are kept.
_MOST = 200


@dataclass(frozen=True)
class Expectation:
    """From `start` on, in seconds, a figure of each of these charts."""

    start: float
    figures: Mapping[str, Figure]


class _Span(NamedTuple):
    """Where a figure is drawn."""

    left: float
    right: float
    figure: Figure


class Expected(QObject):
    """Keeps what was predicted, and draws it in the charts that it is about."""

    def __init__(self, theme: Theme, strips: Sequence[Strip], parent: QObject) -> None:
        super().__init__(parent)
        self._kept: dict[int, Expectation] = {}
        self._bands = {
            strip.chart.name: _Band(theme, strip, _LINES[strip.chart.name])
            for strip in strips
            if strip.chart.name in _LINES
        }

    def expect(self, number: int, expectation: Expectation) -> None:
        """Keep this in the place of what had the same number; each holds until the next begins."""
        self._kept[number] = expectation
        if len(self._kept) > _MOST:
            del self._kept[min(self._kept)]

    def show(self, start: float, end: float, origin: float, now: float) -> None:
        """Draw what was predicted for [start, end], where x = 0 is the time `origin`."""
        kept = [self._kept[number] for number in sorted(self._kept)]
        ends = [*(expectation.start for expectation in kept[1:]), now]
        for name, band in self._bands.items():
            band.show(
                [
                    _Span(e.start - origin, until - origin, e.figures[name])
                    for e, until in zip(kept, ends, strict=False)  # none, where none is kept
                    if name in e.figures and e.start <= end and until >= start
                ]
            )


class _Band(Overlay):
    """The spans of one chart, drawn in pixels of the window."""

    def __init__(self, theme: Theme, strip: Strip, line: Line) -> None:
        super().__init__()
        self._theme = theme
        self._strip = strip
        self._line = line
        self._spans: Sequence[_Span] = ()
        strip.plot.addItem(self, ignoreBounds=True)

    def show(self, spans: Sequence[_Span]) -> None:
        """Draw these."""
        if spans or self._spans:
            self._spans = spans
            self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """A line, and the band between the bounds where there are bounds."""
        to_pixels = painter.transform()
        area = to_pixels.mapRect(self.boundingRect())
        name = self._line.value[0]
        painter.save()
        painter.resetTransform()
        painter.setClipRect(area)
        for left, right, figure in self._spans:
            if figure.expected is None:
                continue
            x, end = (to_pixels.map(QPointF(t, 0.0)).x() for t in (left, right))
            if figure.high is not None:
                top = self._y(figure.high, to_pixels)
                bottom = area.bottom() if figure.low is None else self._y(figure.low, to_pixels)
                band = QRectF(x, top, end - x, bottom - top)
                painter.fillRect(band, self._theme.colour(name, 0.12))
            painter.setPen(QPen(self._theme.colour(name), 1.2, Qt.PenStyle.DashLine))
            y = self._y(figure.expected, to_pixels)
            painter.drawLine(QPointF(x, y), QPointF(end, y))
        painter.restore()

    def _y(self, value: float, to_pixels: QTransform) -> float:
        return to_pixels.map(QPointF(0.0, self._strip.to_view(value))).y()
