"""The table on the screen: keys, the menu of a row, and what a newcomer reads while it is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QPoint,
    QRect,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QGuiApplication,
    QHideEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from dropline_desktop import format
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.reveal import reveal
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable
from dropline_desktop.theme import Size, Theme
from dropline_desktop.transfers.model import Column, Index, TransfersModel
from dropline_desktop.transfers.painter import Line, RowPainter
from dropline_desktop.transfers.rows import ACTIVE, THERE, UNFINISHED, State

#: Lines that are copied to the clipboard at most.
MAX_COPIED = 100_000
#: Widths of the columns at first, in digits; the last takes the rest, and this at least.
WIDTHS = {
    Column.STATE: 13,
    Column.NAME: 17,
    Column.SIZE: 9,
    Column.ATTEMPT: 8,
    Column.SPEED: 11,
    Column.RESULT: 6,
}
#: Columns that a narrow list does without, and how many digits wide it must be to have them.
SPARE = {Column.SIZE: 44, Column.ATTEMPT: 75, Column.SPEED: 75}
#: An action, and the states of the files that it acts on.
Deed = tuple[QAction, frozenset[State]]
#: Milliseconds between repaints of what changes with time alone ("retry in").
TICK = 500


class TransfersView(QTableView):
    """Shows a `TransfersModel`; asks for what the user wants done with files by their job ids."""

    cancelAsked = Signal(object)
    retryAsked = Signal(object)
    sendAgainAsked = Signal(object)
    holdAsked = Signal(object)
    releaseAsked = Signal(object)
    #: Job ids, and the priority that they are to have.
    priorityAsked = Signal(object, int)
    #: A sentence that the user must read.
    noticed = Signal(str)

    def __init__(self, model: TransfersModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transfers")
        self._model = model
        self._theme = theme
        self._rows = RowPainter(model, theme)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self._set_up_headers()
        self._deeds = self._make_deeds()
        self._copy_paths = self._action("copy", "Ctrl+C", self.copy_paths)
        self._copy_reasons = self._action("copy", "Ctrl+Shift+C", self.copy_reasons)
        self._reveal = self._action("reveal", "Return", self._show_file)
        self._ticker = QTimer(self)
        self._ticker.setInterval(TICK)
        self._ticker.timeout.connect(self._tick)
        theme.changed.connect(self._dress)
        self._dress()
        worded(self, self._word)

    def _set_up_headers(self) -> None:
        vertical = self.verticalHeader()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.hide()
        horizontal = self.horizontalHeader()
        horizontal.setStretchLastSection(True)  # what went wrong gets what room there is
        horizontal.setHighlightSections(False)
        # Before it paints, a header asks of each cell whether it is selected: of a million rows
        # that takes most of a minute. One without a part in the selection asks nothing.
        horizontal.setSelectionModel(QItemSelectionModel(self._model, horizontal))
        horizontal.setSectionsMovable(True)
        horizontal.setMinimumSectionSize(40)
        em = self.fontMetrics().horizontalAdvance("0")
        for column, digits in WIDTHS.items():
            self.setColumnWidth(column, digits * em)

    def _action(self, picture: str, key: str, run: Callable[[], object]) -> QAction:
        action = QAction(self)
        if picture:
            action.setIcon(icon(picture, self._theme))
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda: run())
        self.addAction(action)
        return action

    def _make_deeds(self) -> tuple[tuple[Deed, ...], ...]:
        """What acts on the selected files, in the groups and the order of the menu."""

        def deed(
            picture: str,
            key: str,
            states: frozenset[State],
            ask: Callable[[list[int]], object],
        ) -> Deed:
            def run() -> None:
                if jobs := self._selected_jobs(states):
                    ask(jobs)

            return self._action(picture, key, run), states

        def prioritise(priority: int) -> Callable[[list[int]], object]:
            return lambda jobs: self.priorityAsked.emit(jobs, priority)

        failed, held = frozenset({State.FAILED}), frozenset({State.HELD})
        waiting = UNFINISHED - {State.SENDING}
        return (
            (
                deed("pause", "P", ACTIVE, self.holdAsked.emit),
                deed("play", "R", held, self.releaseAsked.emit),
            ),
            (
                deed("first", "Alt+Up", waiting, prioritise(1)),
                deed("", "Alt+Down", waiting, prioritise(0)),
            ),
            (
                deed("retry", "F5", failed, self.retryAsked.emit),
                deed("", "Shift+F5", THERE, self.sendAgainAsked.emit),
                deed("cancel", "Del", UNFINISHED, self.cancelAsked.emit),
            ),
        )

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Transfers"))
        (hold, release), (first, usual), (retry, again, cancel) = self._deeds
        for (action, _states), text in (
            (hold, self.tr("Pause")),
            (release, self.tr("Resume")),
            (first, self.tr("Send first")),
            (usual, self.tr("Usual turn")),
            (retry, self.tr("Retry")),
            (again, self.tr("Send again")),
            (cancel, self.tr("Cancel")),
        ):
            action.setText(text)
        self._copy_paths.setText(self.tr("Copy path"))
        self._copy_reasons.setText(self.tr("Copy error"))
        self._reveal.setText(self.tr("Show in folder"))
        self.horizontalHeader().viewport().update()
        self.viewport().update()

    # --- what the user asks for -------------------------------------------------------------

    def copy_paths(self) -> None:
        """Put the paths of the selected files on the clipboard, one a line."""
        self._copy(self._model.rows.path(row) for row in self._selected_rows())

    def copy_reasons(self) -> None:
        """Put the name and the reason of each selected file that has one on the clipboard."""
        rows = self._model.rows
        self._copy(
            f"{rows.name(row)}: {spoken(rows.reasons[row])}"
            for row in self._selected_rows()
            if row in rows.reasons
        )

    def _copy(self, lines: Iterator[str]) -> None:
        taken = [printable(line) for line in islice(lines, MAX_COPIED)]
        if taken:
            QGuiApplication.clipboard().setText("\n".join(taken))
        if next(lines, None) is not None:
            text = self.tr("Only the first {} lines were copied: select fewer rows.")
            self.noticed.emit(text.format(format.count(MAX_COPIED)))

    def _show_file(self) -> None:
        row = next(self._selected_rows(), None)
        if row is not None:
            reveal(self._model.rows.path(row), self)

    def _show_menu(self, place: QPoint) -> None:
        if not self.selectionModel().hasSelection():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chosen = self._selected_states()
        for group in self._deeds:
            for action, states in group:
                action.setEnabled(not chosen.isdisjoint(states))
                menu.addAction(action)
            menu.addSeparator()
        self._copy_reasons.setEnabled(bool(self._model.rows.reasons))
        menu.addActions([self._copy_paths, self._copy_reasons, self._reveal])
        # A key must work whatever the last menu greyed out.
        menu.aboutToHide.connect(self._enable_actions, Qt.ConnectionType.QueuedConnection)
        menu.popup(self.viewport().mapToGlobal(place))

    def _enable_actions(self) -> None:
        for action in self.actions():
            action.setEnabled(True)

    def _ranges(self) -> Iterator[QItemSelectionRange]:
        """The selection piece by piece: asking for each row of a million would take seconds."""
        yield from sorted(_pieces(self.selectionModel().selection()), key=QItemSelectionRange.top)

    def _selected_rows(self) -> Iterator[int]:
        for piece in self._ranges():
            for place in range(piece.top(), piece.bottom() + 1):
                yield self._model.row(place)

    def _selected_states(self) -> set[State]:
        pieces = (self._model.states(piece.top(), piece.bottom()) for piece in self._ranges())
        return set().union(*pieces)

    def _selected_jobs(self, states: frozenset[State]) -> list[int]:
        pieces = (self._model.jobs(p.top(), p.bottom(), states) for p in self._ranges())
        return list(chain.from_iterable(pieces))

    # --- how it looks -----------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ticker.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._ticker.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        digits = event.size().width() / self.fontMetrics().horizontalAdvance("0")
        for column, least in SPARE.items():
            self.setColumnHidden(column, digits < least)

    def dataChanged(self, first: Index, last: Index, roles: Sequence[int] = ()) -> None:
        """Paint only when a row in sight changed: of a long list, most are not."""
        top, bottom = self._in_sight(self.viewport().rect())
        if first.row() <= bottom and last.row() >= top:
            super().dataChanged(first, last, list(roles))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self.viewport()) as painter:
            if self._model.rowCount():
                painter.setClipRect(event.rect())
                area = event.rect()
                width = self.viewport().width()
                self._rows.paint(painter, self._lines(area), self._columns(area), width)
            elif len(self._model.rows):
                self._write(painter, "", self.tr("No file in the list fits what you look for."))
            else:
                self._write(painter, self.tr("Nothing here yet"), self._first_words())

    def _first_words(self) -> str:
        return self.tr(
            "Drop files or folders on the window. Each file becomes a row, is sent by one of the "
            "workers and counts as sent once the receiver has proved that it holds every byte."
        )

    def _in_sight(self, area: QRect) -> tuple[int, int]:
        """The first and the last place of the list in an area of the viewport."""
        first, last = self.rowAt(area.top()), self.rowAt(area.bottom())
        return max(first, 0), last if last >= 0 else self._model.rowCount() - 1

    def _lines(self, area: QRect) -> Iterator[Line]:
        """The rows that an area of the viewport shows."""
        first, last = self._in_sight(area)
        selection = [(piece.top(), piece.bottom()) for piece in self._ranges()]
        for place in range(first, last + 1):
            yield Line(
                self._model.row(place),
                self.rowViewportPosition(place),
                odd=place % 2 == 1,
                selected=any(top <= place <= bottom for top, bottom in selection),
            )

    def _columns(self, area: QRect) -> Iterator[tuple[Column, int, int]]:
        """The columns in an area of the viewport: left edge and width of each."""
        for column in Column:
            left, width = self.columnViewportPosition(column), self.columnWidth(column)
            if width and left <= area.right() and left + width >= area.left():
                yield column, left, width

    def _write(self, painter: QPainter, title: str, text: str) -> None:
        room = self.viewport().rect()
        width = min(round(room.width() * 0.8), 360)
        centred = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
        area = QRect((room.width() - width) // 2, room.height() // 4, width, room.height())
        painter.setFont(self._theme.font(Size.TITLE))
        painter.setPen(self._theme.colour("text"))
        used = painter.drawText(area, centred, title)
        area.setTop(used.bottom() + (8 if title else 0))
        painter.setFont(self._theme.font(Size.BODY))
        painter.setPen(self._theme.colour("muted"))
        painter.drawText(area, centred, text)

    def _dress(self) -> None:
        self._rows.dress()
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setDefaultSectionSize(self._rows.row_height)
        self.viewport().update()

    def _tick(self) -> None:
        if self._model.rows.due:
            self.viewport().update()


def _pieces(selection: QItemSelection) -> list[QItemSelectionRange]:
    return [selection.at(number) for number in range(selection.count())]
