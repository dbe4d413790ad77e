"""The autopilot: on or off, between which bounds, and what it did."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from dropline.station import MAX_WORKERS
from dropline.tuning import AutopilotChanged, AutopilotMoved, Recommendation
from dropline_desktop import format
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.sentences import tuning
from dropline_desktop.theme import Size, Space, Theme

#: Moves that are shown; all are in the event log.
SHOWN = 3
#: The fewest and the most workers at first.
FIRST_BOUNDS = (1, 16)


class AutopilotBox(QWidget):
    """Asks for the autopilot, and tells of its moves."""

    wanted = Signal(bool, int, int)  # on, and between which numbers of workers

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._moves: deque[tuple[datetime, AutopilotMoved]] = deque(maxlen=SHOWN)
        self._ended: AutopilotChanged | None = None  # by another than the user's own click
        self.on = QCheckBox()
        self.least, self.most = QSpinBox(), QSpinBox()
        self.log = QLabel()
        self._captions = [QLabel(), QLabel(), QLabel()]
        self._help = HelpButton(theme)
        self._set_up()
        self.bounds = FIRST_BOUNDS
        self._lay_out()
        self._dress()
        worded(self, self._word)

    @property
    def bounds(self) -> tuple[int, int]:
        """The fewest and the most workers that are shown."""
        return self.least.value(), self.most.value()

    @bounds.setter
    def bounds(self, value: tuple[int, int]) -> None:
        with QSignalBlocker(self.least), QSignalBlocker(self.most):
            for spin, bound in zip((self.least, self.most), value, strict=True):
                spin.setValue(bound)
        if self.on.isChecked():
            self._want()

    def show_state(self, changed: AutopilotChanged) -> None:
        """It was turned on or off, by whomever."""
        with QSignalBlocker(self.on), QSignalBlocker(self.least), QSignalBlocker(self.most):
            self.on.setChecked(changed.on)
            self.least.setValue(changed.least)
            self.most.setValue(changed.most)
        self._ended = None if changed.why == "asked" else changed
        self._tell()

    def show_move(self, moved: AutopilotMoved, at: datetime) -> None:
        """It changed the number of workers at this time of day."""
        self._moves.appendleft((at, moved))
        self._tell()

    def _set_up(self) -> None:
        self.on.setObjectName("autopilot")
        for spin in (self.least, self.most):
            spin.setRange(1, MAX_WORKERS)
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._bounds_changed)
        self.on.toggled.connect(self._want)
        self.log.setObjectName("autopilotLog")
        self.log.setTextFormat(Qt.TextFormat.PlainText)
        self.log.setWordWrap(True)
        self.log.hide()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.on, 1)
        head.addWidget(self._help)
        bounds = QHBoxLayout()
        bounds.setSpacing(Space.S)
        for part in (self._captions[0], self.least, self._captions[1], self.most,
                     self._captions[2]):  # fmt: skip
            bounds.addWidget(part)
        bounds.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addLayout(head)
        column.addLayout(bounds)
        column.addWidget(self.log)

    def _bounds_changed(self) -> None:
        other = self.most if self.sender() is self.least else self.least
        if self.least.value() > self.most.value():
            with QSignalBlocker(other):
                other.setValue(self.least.value() if other is self.most else self.most.value())
        if self.on.isChecked():
            self._want()

    def _want(self) -> None:
        self.wanted.emit(self.on.isChecked(), *self.bounds)

    def _tell(self) -> None:
        lines = [] if self._ended is None else [tuning(self._ended)]
        for at, moved in self._moves:
            why = tuning(Recommendation(moved.workers, moved.why, moved.value, moved.limit))
            lines.append(f"{format.clock(at)}  {moved.before} → {why}")
        self.log.setText("\n".join(lines))
        self.log.setVisible(bool(lines))

    def _word(self) -> None:
        self.on.setText(self.tr("Auto&pilot: follow the advice"))
        for caption, text in zip(
            self._captions,
            (
                self.tr("between", "and so many workers"),
                self.tr("and", "between so many workers"),
                self.tr("workers", "between so many and so many"),
            ),
            strict=True,
        ):
            caption.setText(text)
        for spin, name in (
            (self.least, self.tr("Fewest workers of the autopilot")),
            (self.most, self.tr("Most workers of the autopilot")),
        ):
            spin.setAccessibleName(name)
            spin.setToolTip(name)
        self._help.explain(
            self.tr("the autopilot"),
            self.tr(
                "<p>It sets the number of workers to the advice, not too often and only within "
                "your bounds, and tells each move with its reason. Change the workers yourself, "
                "and it is off at once.</p>"
            ),
        )
        self._tell()

    def _dress(self) -> None:
        for label in (*self._captions, self.log):
            label.setFont(self._theme.font(Size.CAPTION))
        mute(self.log)
