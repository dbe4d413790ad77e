"""The status bar: where the receiver listens, how the target does, and Little's law."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QStatusBar, QToolButton, QWidget

from dropline.events import (
    FileRetried,
    FileUploaded,
    Message,
    ReceiverStarted,
    ReceiverStopped,
    TargetDown,
    TargetUp,
)
from dropline.meter import LittlesLaw
from dropline.station import Reading
from dropline_desktop import format
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton, mute
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable
from dropline_desktop.theme import Size, Theme

#: By how much, relative to L, the two sides of Little's law may differ: rounding, and no more.
TOLERANCE = 1e-9


class StatusBar(QStatusBar):
    """Speaks in words; it knows only what events and readings said."""

    #: Try a target that is down now.
    probeAsked = Signal()
    #: Let other devices send here.
    shareAsked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._url: str | None = None  # until it starts; "" once it has stopped
        self._last: Message | None = None  # what was last heard of the target
        self._down: Message | None = None
        self.receiver = ToolButton()
        self.try_now = ToolButton(outlined=True)
        self.target = QLabel()
        self.little = QLabel()
        self._set_up_receiver()
        self._set_up_try_now()
        for label in (self.target, self.little):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.target.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.addWidget(self.receiver)
        self.addWidget(self.try_now)
        self.addWidget(self.target, 1)
        self.try_now.hide()
        self.addPermanentWidget(self.little)
        for part in (self.receiver, self.try_now, self.target, self.little):
            part.setFont(theme.font(Size.CAPTION))
        mute(self.target)
        worded(self, self._word)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events."""
        outcome: Message | None = None
        for message in messages:
            match message.data:
                case FileUploaded() | FileRetried():
                    outcome = message
                case TargetDown():
                    self._set_down(message)
                case TargetUp():
                    outcome = message
                    self._set_down(None)
                case ReceiverStarted(url=url):
                    self._show_receiver(url)
                case ReceiverStopped():
                    self._show_receiver("")
        if outcome is not None and self._down is None:  # of a batch only the last is seen
            self._show_target(outcome)

    def show_reading(self, reading: Reading) -> None:
        """Tell when a target that is down is tried again; check the reading by Little's law."""
        if self._down is not None:
            self._show_down(self._down, self._next_try(reading))
        law = reading.little
        self.little.setText(self._law(law))
        self.little.setToolTip(self._explain(law))

    def _set_up_receiver(self) -> None:
        self._copy = QAction(icon("copy", self._theme), "", self)
        self._copy.triggered.connect(self.copy_address)
        self._visit = QAction(self)
        self._visit.triggered.connect(lambda: QDesktopServices.openUrl(QUrl(self._url or "")))
        self._share = QAction(self)
        self._share.triggered.connect(self.shareAsked)
        menu = QMenu(self.receiver)
        menu.addActions([self._copy, self._visit, self._share])
        self.receiver.setIcon(icon("copy", self._theme))
        self.receiver.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.receiver.setPopupMode(QToolButton.ToolButtonPopupMode.DelayedPopup)
        self.receiver.setMenu(menu)
        self.receiver.clicked.connect(self.copy_address)

    def _set_up_try_now(self) -> None:
        self.try_now.setObjectName("tryNow")
        self.try_now.clicked.connect(self.probeAsked)

    def copy_address(self) -> None:
        """Put the receiver's address on the clipboard."""
        QGuiApplication.clipboard().setText(self._url or "")
        self.showMessage(self.tr("{} copied").format(self._url), 3000)

    def _word(self) -> None:
        self._copy.setText(self.tr("&Copy the address"))
        self._visit.setText(self.tr("&Open the upload page in the browser"))
        self._share.setText(self.tr("&Send from a phone…"))
        self.try_now.setText(self.tr("Try now"))
        self.try_now.setToolTip(self.tr("Try the target at once, instead of after the pause"))
        self._show_receiver(self._url)
        if self._down is not None:
            self._show_down(self._down, "")
        elif self._last is not None:
            self._show_target(self._last)

    def _show_receiver(self, url: str | None) -> None:
        self._url = url
        self.receiver.setEnabled(bool(url))
        absent = self.tr("Receiver starts…") if url is None else self.tr("Receiver stopped")
        self.receiver.setText(url or absent)
        self.receiver.setAccessibleName(self.tr("Receiver: {}").format(self.receiver.text()))
        self.receiver.setToolTip(
            self.tr("The receiver listens here. Click to copy the address, hold for more.")
        )

    def _set_down(self, message: Message | None) -> None:
        self._down = message
        self.try_now.setVisible(message is not None)
        if message is not None:
            self._show_down(message, "")

    def _show_target(self, message: Message) -> None:
        self._last = message
        clock = format.clock(message.time.astimezone())
        match message.data:
            case FileRetried(reason=reason):
                text = self.tr("Target: the last attempt, at {0}, failed: {1}")
                text = text.format(clock, printable(spoken(reason)))
            case TargetUp():
                text = self.tr("Target: answers again since {}").format(clock)
            case _:
                text = self.tr("Target: answers, last file verified at {}").format(clock)
        self.target.setText(text)
        self.target.setToolTip(text)

    def _show_down(self, message: Message, next_try: str) -> None:
        assert isinstance(message.data, TargetDown)
        clock = format.clock(message.time.astimezone())
        text = self.tr("Target: down since {}").format(clock)
        if next_try:
            text = self.tr("{0}, {1}").format(text, next_try)
        self.target.setText(text)
        self.target.setToolTip(f"{text}\n{printable(spoken(message.data.reason))}")

    def _next_try(self, reading: Reading) -> str:
        if reading.next_try is None:
            return ""
        if reading.next_try > 0:
            seconds = float(math.ceil(reading.next_try))
            return self.tr("next try in {}").format(format.duration(seconds))
        if reading.busy:
            return self.tr("being tried…")
        return self.tr("tried again with the next file")

    def _law(self, law: LittlesLaw) -> str:
        if not law.mean_in_system:
            return self.tr("Little's law: the line is empty")
        sign = "−" if law.edge < 0 else "+"
        sides = self.tr("Little's law: L {0} = X·W {1} {2} {3} at the edges").format(
            format.number(law.mean_in_system),
            format.number(law.throughput_times_response),
            sign,
            format.number(abs(law.edge)),
        )
        if abs(law.error) <= TOLERANCE * law.mean_in_system:
            return f"{sides} ✓"
        return self.tr("{0} ✗ off by {1}").format(sides, format.number(law.error))

    def _explain(self, law: LittlesLaw) -> str:
        text = self.tr(
            "<p><b>Little's law</b> checks the figures against each other: the mean number in "
            "the line, L, is throughput times mean response time, X·W, plus what the window's "
            "edges cut off, the change in the total age of those present. It holds exactly, for "
            "any window and any order of service.</p>"
        )
        if not law.stationary:
            text += self.tr(
                "<p>The edges weigh more than a fifth now: the line is filling or emptying, so "
                "L = X·W by itself says little about this window.</p>"
            )
        return text
