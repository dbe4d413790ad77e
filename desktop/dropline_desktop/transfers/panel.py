"""The transfers panel: counts that filter, the search field, the list, and what acts on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from dropline.events import Message, ScanFinished, ScanProgressed
from dropline_desktop import format
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton, alarm
from dropline_desktop.theme import Size, Space, Theme
from dropline_desktop.transfers.model import TransfersModel
from dropline_desktop.transfers.rows import THERE, UNFINISHED, State
from dropline_desktop.transfers.view import TransfersView

#: Milliseconds between two looks at the counts.
REFRESH = 100
#: Milliseconds after the last key before the list is searched.
TYPING = 150

#: A panel that is narrower than these pixels has pictures on its buttons, without words.
_ROOMY = 400

#: The filters in order, and the states that each shows; an empty set is all.
FILTERS: Mapping[str, frozenset[State]] = MappingProxyType(
    {
        "all": frozenset(),
        "waiting": frozenset({State.WAITING, State.RETRYING}),
        "sending": frozenset({State.SENDING}),
        "held": frozenset({State.HELD}),
        "sent": THERE,
        "failed": frozenset({State.FAILED}),
        "cancelled": frozenset({State.CANCELLED}),
        "refused": frozenset({State.REFUSED}),
    }
)
#: Filters that show only once there is something for them.
RARE = frozenset({"held", "cancelled", "refused"})
#: Filters that tell at once why the first file was not sent.
EXPLAINED = frozenset({"failed", "refused"})


class TransfersPanel(QWidget):
    """Shows what becomes of every file; job ids go out with what the user asks for."""

    #: Job ids to cancel or to retry; None stands for all.
    cancelAsked = Signal(object)
    retryAsked = Signal(object)
    #: Job ids, as `TransfersView` asks for them.
    sendAgainAsked = Signal(object)
    holdAsked = Signal(object)
    releaseAsked = Signal(object)
    priorityAsked = Signal(object, int)
    stopScanAsked = Signal()
    #: Whether there are files to retry, files to cancel, and a scan to stop.
    possible = Signal(bool, bool, bool)
    #: A sentence that the user must read.
    noticed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._scans: dict[str, ScanProgressed] = {}
        self._placed: tuple[int, ...] = ()
        self.model = TransfersModel(self)
        self.view = TransfersView(self.model, theme, self)
        self.view.cancelAsked.connect(self.cancelAsked)
        self.view.retryAsked.connect(self.retryAsked)
        self.view.sendAgainAsked.connect(self.sendAgainAsked)
        self.view.holdAsked.connect(self.holdAsked)
        self.view.releaseAsked.connect(self.releaseAsked)
        self.view.priorityAsked.connect(self.priorityAsked)
        self.view.noticed.connect(self.noticed)
        self._filters = QButtonGroup(self)
        self._grid = QGridLayout()
        self._chips = {name: self._chip(name) for name in FILTERS}
        self._chips["all"].setChecked(True)
        self.search = self._search_field()
        self._scan_line, self._scan_text = self._make_scan_line()
        self._retry_failed = self._button("retry", lambda: self.retryAsked.emit(None))
        self._cancel_all = self._button("cancel", lambda: self.cancelAsked.emit(None))
        self._why = self._make_why()
        self._lay_out()
        self._typing = self._timer(TYPING, self._look_for)
        self._counting = self._timer(REFRESH, self._count)
        self._filters.buttonToggled.connect(lambda _chip, on: self._look_for() if on else None)
        self.search.textChanged.connect(lambda: self._typing.start())
        self.model.counted.connect(self._count_soon)
        self.view.selectionModel().currentRowChanged.connect(self._tell_why)
        worded(self, self._word)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events about files and scans."""
        self.model.take(messages)
        before = len(self._scans)
        for message in messages:
            match message.data:
                case ScanProgressed() as progress:
                    self._scans[progress.drop] = progress
                case ScanFinished(drop=drop):
                    self._scans.pop(drop, None)
        if self._scans or before:
            self._count_soon()

    # --- parts ------------------------------------------------------------------------------

    def _chip(self, name: str) -> ToolButton:
        chip = ToolButton(self, small=True)
        chip.setCheckable(True)
        chip.setFont(self._theme.font(Size.CAPTION))
        chip.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._filters.addButton(chip)
        return chip

    def _filter_name(self, name: str) -> str:
        return {
            "all": self.tr("All"),
            "waiting": self.tr("Waiting"),
            "sending": self.tr("Sending"),
            "held": self.tr("Held"),
            "sent": self.tr("Sent"),
            "failed": self.tr("Failed"),
            "cancelled": self.tr("Cancelled"),
            "refused": self.tr("Refused"),
        }[name]

    def _search_field(self) -> QLineEdit:
        field = QLineEdit()
        field.setObjectName("transfersSearch")
        field.setClearButtonEnabled(True)
        field.addAction(icon("search", self._theme), QLineEdit.ActionPosition.LeadingPosition)
        QShortcut(QKeySequence.StandardKey.Find, self, field.setFocus)
        return field

    def _make_scan_line(self) -> tuple[QFrame, QLabel]:
        line, text = QFrame(), QLabel()
        self._stop = self._button("stop", self.stopScanAsked.emit)
        text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(line)
        layout.setContentsMargins(Space.S, 0, Space.S, 0)
        layout.addWidget(text, 1)
        layout.addWidget(self._stop)
        line.hide()
        return line, text

    def _make_why(self) -> QLabel:
        """The whole of a reason that the list has no room for."""
        why = QLabel()
        why.setObjectName("transfersWhy")
        alarm(why)
        why.setTextFormat(Qt.TextFormat.PlainText)
        why.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        why.setWordWrap(True)
        why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        why.hide()
        return why

    def _button(self, picture: str, run: Callable[[], object]) -> QPushButton:
        button = QPushButton(icon(picture, self._theme), "")
        button.clicked.connect(lambda: run())
        return button

    def _timer(self, milliseconds: int, run: Callable[[], object]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(run)
        return timer

    def _lay_out(self) -> None:
        self._grid.setSpacing(Space.XS)
        actions = QHBoxLayout()
        actions.setSpacing(Space.S)
        actions.addWidget(self.search, 1)
        actions.addWidget(self._retry_failed)
        actions.addWidget(self._cancel_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(Space.S)
        layout.addLayout(self._grid)
        layout.addLayout(actions)
        layout.addWidget(self._scan_line)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._why)
        order = [*self._chips.values(), self.search, self._retry_failed, self._cancel_all]
        for before, after in pairwise([*order, self.view]):
            self.setTabOrder(before, after)

    # --- what changes -----------------------------------------------------------------------

    def show_only(self, name: str) -> None:
        """Choose one of the `FILTERS`."""
        self._chips[name].setChecked(True)

    def _word(self) -> None:
        for chip in self._chips.values():
            chip.setToolTip(self.tr("Show only these files"))
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setToolTip(self.tr("Search names and errors (Ctrl+F)"))
        self.search.setAccessibleName(self.tr("Search names and errors"))
        self._say_actions()
        self._why.setAccessibleName(self.tr("Why the current file was not sent"))
        self._stop.setText(self.tr("Stop"))
        self._stop.setToolTip(self.tr("Find no more files; those already found stay in the line"))
        self._count()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._say_actions()
        self._place_chips()

    def _place_chips(self) -> None:
        """The filters that are shown, in as few rows as leave none of them cut."""
        shown = [chip for chip in self._chips.values() if not chip.isHidden()]
        widths = [chip.sizeHint().width() for chip in shown]
        for rows in range(1, len(shown) + 1):
            columns = -(-len(shown) // rows)
            widest = [max(widths[column::columns]) for column in range(columns)]
            if sum(widest) + Space.XS * (columns - 1) <= self.width():
                break
        if (placed := (columns, *widths)) == self._placed:
            return
        self._placed = placed
        for place, chip in enumerate(shown):
            self._grid.addWidget(chip, place // columns, place % columns)
        for column in range(len(self._chips)):  # more room for longer words
            self._grid.setColumnStretch(column, widest[column] if column < columns else 0)

    def _say_actions(self) -> None:
        """The buttons for all keep their words where the search field has room beside them."""
        narrow = self.width() < _ROOMY
        for button, text in (
            (self._retry_failed, self.tr("Retry failed")),
            (self._cancel_all, self.tr("Cancel all")),
        ):
            button.setText("" if narrow else text)
            button.setToolTip(text)
            button.setAccessibleName(text)

    def _look_for(self) -> None:
        self.model.look_for(FILTERS[self._chosen()], self.search.text().strip())
        self._count()

    def _chosen(self) -> str:
        """The name of the filter in force."""
        return next(name for name, chip in self._chips.items() if chip.isChecked())

    def _tell_why(self) -> None:
        """Of the current file, or of the first where only those are shown that were not sent."""
        index = self.view.currentIndex()
        if not index.isValid() and self._chosen() in EXPLAINED:
            index = self.model.index(0, 0)
        reason = self.model.reason(self.model.row(index.row())) if index.isValid() else ""
        # A long path may break behind any of its folders.
        self._why.setText(reason.replace("/", "/\u200b"))
        self._why.setVisible(bool(reason))

    def _count_soon(self) -> None:
        if not self._counting.isActive():
            self._counting.start()

    def _count(self) -> None:
        counts = self.model.rows.counts
        for name, chip in self._chips.items():
            count = sum(counts[state] for state in FILTERS[name] or State)
            chip.setText(f"{format.count(count)}\n{self._filter_name(name)}")
            chip.setAccessibleName(f"{self._filter_name(name)}: {format.count(count)}")
            chip.setVisible(name not in RARE or count > 0 or chip.isChecked())
        self._place_chips()
        self._tell_why()
        retry, cancel = counts[State.FAILED] > 0, any(counts[state] for state in UNFINISHED)
        self._retry_failed.setEnabled(retry)
        self._cancel_all.setEnabled(cancel)
        self.possible.emit(retry, cancel, bool(self._scans))
        self._scan_line.setVisible(bool(self._scans))
        if self._scans:
            found = sum(scan.found for scan in self._scans.values())
            refused = sum(scan.refused for scan in self._scans.values())
            text = self.tr("Scanning… %Ln file(s) found", "", found)
            if refused:
                text = self.tr("{0}, {1} refused").format(text, format.count(refused))
            self._scan_text.setText(text)
