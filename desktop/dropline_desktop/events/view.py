"""The event log on the screen: the time quietly, then what happened, trouble in its colour."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QShortcut,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from dropline_desktop.events.model import EventModel
from dropline_desktop.sentences import Kind, kind_of
from dropline_desktop.theme import Size, Space, Theme


class EventView(QTableView):
    """Shows an `EventModel`; stays at the newest event until the user scrolls up.

    A table of one column, because a list view lays out every line anew when one joins. It paints
    its lines in one go, for the reason that `transfers.painter` gives.
    """

    def __init__(self, model: EventModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._theme = theme
        self._follow = True
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(40)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().hide()
        copy = QShortcut(QKeySequence.StandardKey.Copy, self, self.copy)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        model.rowsInserted.connect(self._stay_at_the_end)
        model.modelReset.connect(self._stay_at_the_end)
        theme.changed.connect(self._dress)
        self._dress()

    def copy(self) -> None:
        """Put the selected lines on the clipboard, in order."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        lines = (f"{self._model.time_at(row)}  {self._model.sentence_at(row)}" for row in rows)
        QGuiApplication.clipboard().setText("\n".join(lines))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self.viewport()) as painter:
            painter.setFont(self._font)
            first, last = self.rowAt(event.rect().top()), self.rowAt(event.rect().bottom())
            if last < 0:
                last = self._model.rowCount() - 1
            if first >= 0:
                selected = {index.row() for index in self.selectionModel().selectedRows()}
                for row in range(first, last + 1):
                    self._paint_line(painter, row, selected=row in selected)

    def _paint_line(self, painter: QPainter, row: int, *, selected: bool) -> None:
        height = self.rowHeight(row)
        place = QRect(0, self.rowViewportPosition(row), self.viewport().width(), height)
        if selected:
            painter.fillRect(place, self._theme.colour("accent"))
        trouble = kind_of(self._model.event_at(row)) is Kind.TROUBLE
        area = place.adjusted(Space.M, 0, -Space.M, 0)
        words = area.adjusted(self._clock_width, 0, 0, 0)
        middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        text = self._metrics.elidedText(
            self._model.sentence_at(row), Qt.TextElideMode.ElideMiddle, words.width()
        )
        painter.setPen(self._theme.colour("on_accent" if selected else "muted"))
        painter.drawText(area, middle, self._model.time_at(row))
        colour = "on_accent" if selected else "failed" if trouble else "text"
        painter.setPen(self._theme.colour(colour))
        painter.drawText(words, middle, text)

    def _scrolled(self, value: int) -> None:
        self._follow = value == self.verticalScrollBar().maximum()

    def _stay_at_the_end(self) -> None:
        if self._follow:
            self.scrollToBottom()

    def _dress(self) -> None:
        self._font = self._theme.font(Size.CAPTION)
        self._metrics = QFontMetrics(self._font)
        self._clock_width = self._metrics.horizontalAdvance("88:88:88") + 2 * Space.M
        self.verticalHeader().setDefaultSectionSize(round(self._metrics.height() * 1.3))
        self.viewport().update()
