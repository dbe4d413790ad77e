"""The curve: what is predicted against the number of workers, with a line to drag."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from dropline.tuning import Advice, Figure, Prediction
from dropline_desktop import format
from dropline_desktop.language import worded
from dropline_desktop.theme import Size, Space, Theme
from dropline_desktop.tune.views import RESPONSE, View

#: Workers that the axis reaches to at least.
LEAST_RANGE = 16
#: Seconds after the user's own change during which what is told of it may be older.
SETTLING = 0.5
#: Milliseconds after the last key before the number of workers is set.
KEYS_REST = 600
#: The scale ends at so many times what is predicted for the fewest workers that keep up well.
_HIGH = 2.5
#: And farther for what was measured, up to so many times.
_FURTHEST = 8.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS = 4


class Curve(QWidget):
    """Shows an `Advice`. Dragging its line asks for a number of workers, once, when let go."""

    workersChosen = Signal(int)
    #: The number under the line while it is moved, and what is now wanted when it is not.
    pointed = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._advice: Advice | None = None
        self._view = RESPONSE
        self._measured: Sequence[tuple[int, float]] = ()
        self._now: float | None = None
        self._workers: int | None = None  # wanted now
        self._asked = -math.inf  # when the user last set them
        self._held: int | None = None  # under the line while it is moved
        self._most = LEAST_RANGE
        self._top = 1.0
        self._ticks: Sequence[float] = ()
        self._area = QRectF()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(KEYS_REST)
        self._rest.timeout.connect(self._let_go)
        self.setObjectName("tuneCurve")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)
        theme.changed.connect(self.update)
        worded(self, self._word)

    def _word(self) -> None:
        self.setAccessibleName(self.tr("What is predicted for each number of workers"))
        self.setToolTip(
            self.tr(
                "Drag the line, or use the arrow keys, to set the number of workers. "
                "The tinted band holds the truth about 9 times in 10."
            )
        )
        self.update()

    # --- what it is told --------------------------------------------------------------------

    def show_advice(self, advice: Advice) -> None:
        """Show these predictions."""
        self._advice = advice
        self._fit()
        self.update()

    def show_workers(self, workers: int) -> None:
        """So many are wanted now, whoever set them."""
        settled = time.monotonic() - self._asked > SETTLING
        if settled and workers != self._workers:
            self._workers = workers
            self._fit()
            self._moved()

    def show_view(self, view: View) -> None:
        """Show another figure."""
        self._view = view
        self._measured, self._now = (), None
        self._fit()
        self.update()

    def show_measured(self, points: Sequence[tuple[int, float]], now: float | None) -> None:
        """Show what was measured with so many workers earlier, and what is measured now."""
        if (points, now) != (self._measured, self._now):
            self._measured, self._now = points, now
            self._fit()
            self.update()

    @property
    def workers(self) -> int | None:
        """The number under the line; None when it is not known."""
        return self._workers if self._held is None else self._held

    @property
    def is_held(self) -> bool:
        """Whether the user is moving the line."""
        return self._held is not None

    def prediction(self, workers: int) -> Prediction | None:
        """What is predicted for so many, or for the nearest number that is on the curve."""
        curve = self._advice.curve if self._advice is not None else ()
        return min(curve, key=lambda p: abs(p.workers - workers), default=None)

    # --- the user ---------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._hold(self._workers_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._hold(self._workers_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._let_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the line by one, pages by four; Return sets at once, Escape undoes."""
        key, at = event.key(), self.workers
        by = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1,
            Qt.Key.Key_PageDown: -4, Qt.Key.Key_PageUp: 4,
        }.get(Qt.Key(key))  # fmt: skip
        if at is not None and by is not None:
            self._hold(at + by)
            self._rest.start()
        elif at is not None and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._hold(1 if key == Qt.Key.Key_Home else self._most)
            self._rest.start()
        elif self._held is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._let_go()
        elif self._held is not None and key == Qt.Key.Key_Escape:
            self._rest.stop()
            self._held = None
            self._moved()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What the keys chose counts."""
        super().focusOutEvent(event)
        if self._rest.isActive():
            self._let_go()

    def _hold(self, workers: int) -> None:
        workers = min(max(workers, 1), self._most)
        if workers != self._held:
            self._held = workers
            self._moved()

    def _let_go(self) -> None:
        self._rest.stop()
        chosen, self._held = self._held, None
        if chosen is None:
            return
        if chosen != self._workers:
            self._workers = chosen
            self._asked = time.monotonic()
            self.workersChosen.emit(chosen)
        self._moved()

    def _moved(self) -> None:
        self.update()
        if self.workers is not None:
            self.pointed.emit(self.workers)

    # --- places -----------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As high as it is legible in a side panel."""
        return QSize(280, round(13 * self._metrics().height()))

    def _metrics(self) -> QFontMetricsF:
        return QFontMetricsF(self._theme.font(Size.CAPTION))

    def _place(self) -> None:
        """Where the curve is drawn; left and below are the labels, above is that of the line."""
        self._ticks = self._round_values()
        metrics = self._metrics()
        left = max(
            metrics.horizontalAdvance(self._view.tick(tick, self._top)) for tick in self._ticks
        )
        self._area = QRectF(self.rect()).adjusted(
            left + Space.M, metrics.height() + Space.L, -Space.M, -metrics.height() - Space.S
        )

    def _x(self, workers: float) -> float:
        return self._area.left() + self._area.width() * (workers - 0.5) / self._most

    def _y(self, value: float | None) -> float:
        share = 1.0 if value is None else min(value / self._top, 1.2)
        return self._area.bottom() - self._area.height() * share

    def _workers_at(self, x: float) -> int:
        self._place()
        return round((x - self._area.left()) / self._area.width() * self._most + 0.5)

    def _fit(self) -> None:
        """Choose the scales: all workers of the curve, and values up to some way over the knee."""
        advice = self._advice
        if self._held is not None:  # a scale must not move under the mouse
            return
        curve = advice.curve if advice is not None else ()
        self._most = max([p.workers for p in curve] + [LEAST_RANGE, self._workers or 0])
        stable = [self._view.predicted(p) for p in curve if self._is_known(p)]
        values = [f.expected for f in stable if f.expected is not None]
        if not values:
            self._top = 1.0
            return
        least = min(values)
        seen = [f.high for f in stable if f.high is not None] + values
        here = advice and advice.now and self._view.predicted(advice.now).expected
        points = [value for _, value in self._measured] + [self._now or 0.0]
        wanted = max(_HIGH * least, 1.3 * (here or 0.0), 1.2 * min(max(points), _FURTHEST * least))
        self._top = min(wanted, 1.1 * max(*seen, *points)) or 1.0

    @property
    def _is_drawn(self) -> bool:
        """Whether anything is predicted."""
        return self._advice is not None and any(map(self._is_known, self._advice.curve))

    def _is_known(self, prediction: Prediction) -> bool:
        return self._view.predicted(prediction).expected is not None

    def _round_values(self) -> list[float]:
        """Those that the scale names."""
        unit = format.time_unit(self._top) if self._view.text is format.duration else 1.0
        fewest = self._top / unit / _TICKS
        decade = 10.0 ** math.floor(math.log10(fewest))
        step = next(s * decade for s in _STEPS if s * decade >= fewest * (1 - 1e-9)) * unit
        return [step * i for i in range(math.floor(self._top / step + 1e-9) + 1)]

    # --- drawing ----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._theme.font(Size.CAPTION))
            self._place()
            self._paint_axes(painter)
            self._paint_line(painter)
            if self._advice is not None:
                self._paint_too_few(painter, self._advice.curve)
                painter.setClipRect(self._area.adjusted(0, -1, 1, 1))
                self._paint_curve(painter, self._advice.curve)
                self._paint_points(painter)
                painter.setClipping(False)
                self._paint_marks(painter, self._advice)
            if not self._is_drawn:
                self._paint_nothing(painter)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(self._colour("accent"), 1.0))
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _colour(self, name: str, opacity: float = 1.0) -> QColor:
        return self._theme.colour(name, opacity)

    def _paint_axes(self, painter: QPainter) -> None:
        area, height = self._area, painter.fontMetrics().height()
        for tick in self._ticks:
            y = self._y(tick)
            painter.setPen(QPen(self._colour("grid"), 1.0))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            if not self._is_drawn:
                continue
            painter.setPen(self._colour("muted"))
            painter.drawText(
                QRectF(0, y - height / 2, area.left() - Space.S, height),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                self._view.tick(tick, self._top),
            )
        room = painter.fontMetrics().horizontalAdvance("888") + Space.M
        step = next(
            step
            for step in (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 256)
            if step * area.width() / self._most >= room
        )
        painter.setPen(self._colour("muted"))
        for workers in (
            [1, *range(step, self._most + 1, step)] if step > 1 else range(1, self._most + 1)
        ):
            self._paint_number(painter, workers)
        painter.setPen(QPen(self._colour("border"), 1.0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())

    def _paint_number(self, painter: QPainter, workers: int) -> None:
        metrics, text = painter.fontMetrics(), format.count(workers)
        box = QRectF(0, self._area.bottom() + Space.XS, metrics.horizontalAdvance(text) + 1,
                     metrics.height())  # fmt: skip
        box.moveCenter(QPointF(self._x(workers), box.center().y()))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_nothing(self, painter: QPainter) -> None:
        area = self._area
        painter.fillRect(area.adjusted(0, Space.L, 0, -1), self._colour("surface", 0.85))
        painter.setPen(self._colour("muted"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        text = self.tr("What other numbers of workers would do appears here once files are sent.")
        painter.drawText(area.adjusted(Space.M, 0, -Space.M, 0), int(flags), text)

    def _paint_too_few(self, painter: QPainter, curve: Sequence[Prediction]) -> None:
        """Shade the numbers with which the line does not keep up."""
        few = [p.workers for p in curve if not self._is_known(p) and not p.stable]
        if not few or not any(map(self._is_known, curve)):
            return
        area, right = self._area, self._x(max(few) + 0.5)
        box = QRectF(area.left(), area.top(), right - area.left(), area.height())
        painter.fillRect(box, self._colour("failed", 0.10))
        text = self.tr("too few")
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + Space.M, metrics.height()
        painter.save()
        painter.translate(box.center())
        if width > box.width():
            painter.rotate(-90)
        if min(width, height) <= box.width():
            sign = QRectF(-width / 2, -height / 2, width, height)
            painter.fillRect(sign, self._colour("surface", 0.85))
            painter.setPen(self._colour("failed"))
            painter.drawText(sign, int(Qt.AlignmentFlag.AlignCenter), text)
        painter.restore()

    def _paint_curve(self, painter: QPainter, curve: Sequence[Prediction]) -> None:
        known = [p for p in curve if self._is_known(p)]
        if not known:
            return
        figures: list[tuple[float, Figure]] = [
            (self._x(p.workers), self._view.predicted(p)) for p in known
        ]
        band = QPolygonF(
            [QPointF(x, self._y(f.low or 0.0)) for x, f in figures]
            + [QPointF(x, self._y(f.high)) for x, f in reversed(figures)]
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour("in_service", 0.22 if self._theme.dark else 0.16))
        painter.drawPolygon(band)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        tried = [p for p in known if not p.beyond]
        for points, style in (
            (tried, Qt.PenStyle.SolidLine),
            (known[max(len(tried) - 1, 0) :], Qt.PenStyle.DotLine),
        ):
            path = QPainterPath()
            for i, p in enumerate(points):
                at = QPointF(self._x(p.workers), self._y(self._view.predicted(p).expected))
                path.lineTo(at) if i else path.moveTo(at)
            painter.setPen(QPen(self._colour("in_service"), 2.0, style))
            painter.drawPath(path)

    def _paint_points(self, painter: QPainter) -> None:
        """What was measured: rings for earlier, a disc for now."""
        painter.setBrush(self._colour("surface"))
        painter.setPen(QPen(self._colour("arrival"), 1.6))
        for workers, value in self._measured:
            painter.drawEllipse(QPointF(self._x(workers), self._y(value)), 3.5, 3.5)
        if self._now is not None and self._workers:
            painter.setBrush(self._colour("text"))
            painter.setPen(QPen(self._colour("surface"), 1.2))
            painter.drawEllipse(QPointF(self._x(self._workers), self._y(self._now)), 4.5, 4.5)

    def _paint_marks(self, painter: QPainter, advice: Advice) -> None:
        area = self._area
        knee, best = advice.capacity.enough, advice.recommendation.workers
        if knee is not None and knee <= self._most:
            x = self._x(knee)
            painter.setPen(QPen(self._colour("capacity", 0.7), 1.2, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if best is not None and best <= self._most:
            x, top = self._x(best), area.bottom() + 1
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._colour("done"))
            size = Space.M * 0.7
            painter.drawPolygon(
                QPolygonF(
                    [QPointF(x, top - 2 * size), QPointF(x - size, top), QPointF(x + size, top)]
                )
            )

    def _paint_line(self, painter: QPainter) -> None:
        """The line that is dragged, by its handle or anywhere."""
        workers = self.workers
        if not workers:
            return
        x, metrics = self._x(workers), painter.fontMetrics()
        painter.setPen(QPen(self._colour("accent"), 1.6))
        painter.drawLine(QPointF(x, metrics.height()), QPointF(x, self._area.bottom()))
        text = self.tr("%Ln worker(s)", "", workers)
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 2 * Space.M, metrics.height() + 2)
        box.moveCenter(QPointF(x, box.height() / 2))
        box.moveRight(min(box.right(), self.width() - 2.0))
        box.moveLeft(max(box.left(), 2.0))
        painter.setBrush(self._colour("accent"))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(self._colour("on_accent"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
