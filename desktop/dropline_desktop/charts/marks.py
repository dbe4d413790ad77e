"""Marks: vertical lines where something happened, with a word on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QCoreApplication, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from dropline.events import (
    Event,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    StationPaused,
    StationResumed,
    TargetDown,
    TargetUp,
    WorkersChanged,
)
from dropline.station import Order
from dropline_desktop.charts.overlay import Overlay
from dropline_desktop.sentences import order_name
from dropline_desktop.theme import Size, Space, Theme


class MarkKind(StrEnum):
    """What happened."""

    WORKERS = "workers"  # the wanted number of workers changed
    PAUSED = "paused"
    RESUMED = "resumed"
    TARGET_DOWN = "target-down"
    TARGET_UP = "target-up"
    NETWORK_DOWN = "network-down"
    NETWORK_UP = "network-up"
    ORDER = "order"  # what waits is served in another order


@dataclass(frozen=True)
class Mark:
    """Something that happened at `t`, in monotonic seconds; `text` is a word or two."""

    t: float
    kind: MarkKind
    text: str


def mark_of(event: Event) -> tuple[MarkKind, str] | None:
    """How an event is marked; None when it is not."""
    translate = QCoreApplication.translate
    match event:
        case WorkersChanged(before=before, wanted=wanted):
            return MarkKind.WORKERS, f"c {before}→{wanted}"
        case OrderChanged(order=order):
            return MarkKind.ORDER, order_name(Order(order))
        case TargetDown():
            return MarkKind.TARGET_DOWN, translate("Charts", "target down")
        case TargetUp():
            return MarkKind.TARGET_UP, translate("Charts", "target up")
        case NetworkDown():
            return MarkKind.NETWORK_DOWN, translate("Charts", "network down")
        case NetworkUp():
            return MarkKind.NETWORK_UP, translate("Charts", "network up")
        case StationPaused():
            return MarkKind.PAUSED, translate("Charts", "paused")
        case StationResumed():
            return MarkKind.RESUMED, translate("Charts", "resumed")
    return None


_LOOKS = {
    MarkKind.WORKERS: ("text", 0.5, Qt.PenStyle.SolidLine),
    MarkKind.PAUSED: ("waiting", 0.8, Qt.PenStyle.DashLine),
    MarkKind.RESUMED: ("waiting", 0.8, Qt.PenStyle.DotLine),
    MarkKind.TARGET_DOWN: ("failed", 0.8, Qt.PenStyle.DashLine),
    MarkKind.TARGET_UP: ("done", 0.8, Qt.PenStyle.DotLine),
    MarkKind.NETWORK_DOWN: ("failed", 0.8, Qt.PenStyle.DashDotLine),
    MarkKind.NETWORK_UP: ("done", 0.8, Qt.PenStyle.DashDotLine),
    MarkKind.ORDER: ("arrival", 0.8, Qt.PenStyle.DashDotDotLine),
}
_ROWS = 2  # of labels, before one is left out for want of room


class MarksItem(Overlay):
    """Draws the marks of one chart; drawn in pixels, so that labels are never stretched."""

    def __init__(self, theme: Theme, *, labels: bool) -> None:
        """`labels`: whether the words are written too."""
        super().__init__()
        self._theme = theme
        self._labels = labels
        self._marks: Sequence[tuple[float, Mark]] = ()

    def show_marks(self, marks: Sequence[tuple[float, Mark]]) -> None:
        """Draw these at these places on the time axis, the newest last."""
        if marks or self._marks:
            self._marks = marks
            self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Lines first, then labels from the newest on."""
        to_pixels = painter.transform()
        area = to_pixels.mapRect(self.boundingRect())
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        placed = [(to_pixels.map(QPointF(x, 0.0)).x(), mark) for x, mark in reversed(self._marks)]
        for left, mark in placed:
            name, opacity, style = _LOOKS[mark.kind]
            painter.setPen(QPen(self._theme.colour(name, opacity), 1.0, style))
            painter.drawLine(QLineF(left, area.top(), left, area.bottom()))
        if self._labels:
            painter.setFont(self._theme.font(Size.CAPTION))
            taken: list[QRectF] = []
            for left, mark in placed:
                self._write(painter, mark.text, QPointF(left, area.top()), area.right(), taken)
        painter.restore()

    def _write(
        self, painter: QPainter, text: str, at: QPointF, end: float, taken: list[QRectF]
    ) -> None:
        """Write the label beside its line, where no other label is; else leave it out."""
        metrics = QFontMetricsF(painter.font())
        width, height = metrics.horizontalAdvance(text) + 2 * Space.S, metrics.height()
        for row in range(_ROWS):
            box = QRectF(at.x() + 1, at.y() + row * height, width, height)
            if box.right() > end:
                box.moveRight(at.x() - 1)
            if not any(box.intersects(other) for other in taken):
                taken.append(box)
                painter.fillRect(box, self._theme.colour("surface", 0.85))
                painter.setPen(self._theme.colour("text"))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                return
