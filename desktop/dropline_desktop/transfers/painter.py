"""How the rows of the list look: their state with a mark and a bar, trouble in its colour.

All visible rows are painted in one go, with few calls of Qt. Almost every such call lets go of the
interpreter for a moment, and as often as not a thread that sends has it then: through a delegate,
with some hundred calls of Python besides, a frame takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap

from dropline_desktop.theme import Size, Theme
from dropline_desktop.transfers.model import Column, TransfersModel
from dropline_desktop.transfers.rows import State

#: The colour of each state, by its name in the theme.
COLOURS = {
    State.WAITING: "muted",
    State.SENDING: "in_service",
    State.RETRYING: "waiting",
    State.SENT: "done",
    State.DUPLICATE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "muted",
    State.REFUSED: "failed",
    State.HELD: "waiting",
    State.SKIPPED: "done",
}
_MARK = 14
_GAP = 6
_BAR = 3


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


@dataclass(frozen=True, slots=True)
class Line:
    """A row on the screen: its row in the model's `rows`, its place, and whether it is selected."""

    row: int
    top: int
    odd: bool
    selected: bool


class RowPainter:
    """Paints rows of a `TransfersModel`."""

    def __init__(self, model: TransfersModel, theme: Theme) -> None:
        self._model = model
        self._theme = theme
        self._alignments = {column: int(model.alignment(column)) for column in Column}
        self.dress()

    def dress(self) -> None:
        """Take colours and font from the theme anew."""
        self._font = self._theme.font(Size.BODY)
        metrics = QFontMetrics(self._font)
        self.row_height = round(metrics.height() * 1.65)
        self._text = self._theme.colour("text")
        self._selected = self._theme.colour("on_accent")
        self._back = {False: self._theme.colour("surface"), True: self._theme.colour("alternate")}
        self._highlight = self._theme.colour("accent")
        self._states = {state: self._theme.colour(name) for state, name in COLOURS.items()}
        self._tracks = {state: _faint(colour) for state, colour in self._states.items()}
        self._marks: dict[tuple[State, bool, float], QPixmap] = {}

        # The cache asks what it wraps for its documentation, which for a method of Qt takes 45 ms.
        @lru_cache(4096)
        def elided(text: str, mode: Qt.TextElideMode, width: int) -> str:
            return metrics.elidedText(text, mode, width)

        self._elided = elided

    def paint(
        self,
        painter: QPainter,
        lines: Iterable[Line],
        columns: Iterable[tuple[Column, int, int]],
        width: int,
    ) -> None:
        """Paint rows of a width; `columns` gives the left edge and the width of each in sight."""
        places = tuple(columns)
        scale = painter.device().devicePixelRatioF()
        painter.setFont(self._font)
        for line in lines:
            back = self._highlight if line.selected else self._back[line.odd]
            painter.fillRect(0, line.top, width, self.row_height, back)
            for column, left, room in places:
                if column is Column.STATE:
                    self._state(painter, line, left + _GAP, room - 2 * _GAP, scale)
                else:
                    self._cell(painter, line, column, left + _GAP, room - 2 * _GAP)

    def _cell(self, painter: QPainter, line: Line, column: Column, left: int, width: int) -> None:
        text = self._model.text(line.row, column)
        if not text:
            return
        colour = self._text
        if column is Column.RESULT:
            colour = self._states[self._model.rows.state(line.row)]
        painter.setPen(self._selected if line.selected else colour)
        middle = column is Column.NAME
        elide = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
        shown = self._elided(text, elide, width)
        alignment = self._alignments[column]
        painter.drawText(left, line.top, width, self.row_height, alignment, shown)

    def _state(self, painter: QPainter, line: Line, left: int, width: int, scale: float) -> None:
        state = self._model.rows.state(line.row)
        mark = self._mark(state, line.selected, scale)
        painter.drawPixmap(left, line.top + (self.row_height - _MARK) // 2, mark)
        left, width, height = left + _MARK + _GAP, width - _MARK - _GAP, self.row_height
        share = self._model.share(line.row)
        colour = self._selected if line.selected else self._states[state]
        if share is not None:
            bottom = line.top + height - _BAR - 2
            painter.fillRect(left, bottom, width, _BAR, self._tracks[state])
            painter.fillRect(left, bottom, round(width * share), _BAR, colour)
            height -= _BAR
        text = self._elided(
            self._model.text(line.row, Column.STATE), Qt.TextElideMode.ElideRight, width
        )
        painter.setPen(colour)
        painter.drawText(left, line.top, width, height, int(_LEFT), text)

    def _mark(self, state: State, selected: bool, scale: float) -> QPixmap:
        key = state, selected, scale
        if key not in self._marks:
            pixmap = QPixmap(round(_MARK * scale), round(_MARK * scale))
            pixmap.setDevicePixelRatio(scale)
            pixmap.fill(Qt.GlobalColor.transparent)
            colour = self._selected if selected else self._states[state]
            with QPainter(pixmap) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(colour, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                _draw_mark(painter, QRectF(0, 0, _MARK, _MARK), state)
            self._marks[key] = pixmap
        return self._marks[key]


def _faint(colour: QColor) -> QColor:
    faint = QColor(colour)
    faint.setAlphaF(0.25)
    return faint


def _draw_mark(painter: QPainter, box: QRectF, state: State) -> None:
    """A shape a state, so that no state is told by its colour alone."""
    circle = box.adjusted(1.5, 1.5, -1.5, -1.5)
    center, r = box.center(), box.width() / 2

    def at(*points: float) -> list[QPointF]:
        pairs = zip(points[::2], points[1::2], strict=True)
        return [center + QPointF(x * r, y * r) for x, y in pairs]

    match state:
        case State.WAITING:  # an empty circle
            painter.drawEllipse(circle)
        case State.SENDING:  # an arrow upwards
            painter.drawPolyline(at(-0.5, -0.2, 0, -0.75, 0.5, -0.2))
            painter.drawLine(*at(0, -0.7, 0, 0.75))
        case State.RETRYING:  # a clock
            painter.drawEllipse(circle)
            painter.drawPolyline(at(0, -0.45, 0, 0, 0.35, 0.2))
        case State.SENT | State.DUPLICATE | State.SKIPPED:  # a tick
            painter.drawPolyline(at(-0.65, 0.05, -0.2, 0.5, 0.7, -0.5))
        case State.HELD:  # two bars
            painter.drawLine(*at(-0.3, -0.5, -0.3, 0.5))
            painter.drawLine(*at(0.3, -0.5, 0.3, 0.5))
        case State.FAILED:  # a cross
            painter.drawLine(*at(-0.5, -0.5, 0.5, 0.5))
            painter.drawLine(*at(-0.5, 0.5, 0.5, -0.5))
        case State.CANCELLED:  # a dash
            painter.drawLine(*at(-0.55, 0, 0.55, 0))
        case State.REFUSED:  # no entry
            painter.drawEllipse(circle)
            painter.drawLine(*at(-0.5, 0.5, 0.5, -0.5))
