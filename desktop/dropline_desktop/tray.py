"""The tray icon, and the notification that a drop is through."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon, QWidget

from dropline.bus import EventBus
from dropline.events import Message, StationDrained
from dropline.station import Reading
from dropline_desktop import format
from dropline_desktop.icons import application_icon
from dropline_desktop.language import worded
from dropline_desktop.notify import notify
from dropline_desktop.sentences import drained_sentence


class Tray(QObject):
    """Lives where the desktop has a tray; notifies in any case, unless the window is in front."""

    pauseWanted = Signal(bool)
    quitWanted = Signal()

    def __init__(self, window: QWidget, *, notifying: bool = True) -> None:
        super().__init__(window)
        self._window = window
        #: Whether the desktop is told that a drop is through.
        self.notifying = notifying
        self._icon: QSystemTrayIcon | None = None
        self._show, self._pause, self._quit = QAction(self), QAction(self), QAction(self)
        self._pause.setCheckable(True)
        self._pause.triggered.connect(self.pauseWanted)
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._icon = self._make_icon()
        worded(window, self._word)

    def listen(self, bus: EventBus) -> None:
        """Notify of every drop that is through; keep the menu and the tooltip true."""
        bus.subscribe(StationDrained, lambda message: self._tell_drained(message.data))
        bus.subscribe(Reading, self._take_readings, batches=True)

    def _take_readings(self, messages: list[Message]) -> None:
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        self._pause.setChecked(reading.paused)
        if self._icon is not None:
            self._icon.setToolTip(self._progress(reading))

    def hide(self) -> None:
        """Take the icon away."""
        if self._icon is not None:
            self._icon.hide()

    def _make_icon(self) -> QSystemTrayIcon:
        tray = QSystemTrayIcon(application_icon(), self)
        menu = QMenu(self._window)
        self._show.triggered.connect(self._show_or_hide)
        self._quit.triggered.connect(self.quitWanted)
        menu.addActions([self._show, self._pause])
        menu.addSeparator()
        menu.addAction(self._quit)
        tray.setContextMenu(menu)
        tray.setToolTip("Dropline")
        tray.activated.connect(self._activated)
        tray.show()
        return tray

    def _word(self) -> None:
        self._show.setText(self.tr("&Show or hide the window"))
        self._pause.setText(self.tr("&Pause"))
        self._quit.setText(self.tr("&Quit"))

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self._show_or_hide()

    def _show_or_hide(self) -> None:
        self._window.setVisible(not self._window.isVisible())
        if self._window.isVisible():
            self._window.raise_()
            self._window.activateWindow()

    def _progress(self, reading: Reading) -> str:
        if not reading.in_system:
            return self.tr("Dropline: nothing to send")
        text = self.tr("Dropline: %Ln file(s) to send", "", reading.in_system)
        if reading.paused:
            return self.tr("{}, paused").format(text)
        if reading.eta is not None:
            return self.tr("{0}, about {1}").format(text, format.duration(reading.eta))
        return text

    def _tell_drained(self, event: StationDrained) -> None:
        if not self.notifying or self._window.isActiveWindow():
            return  # whoever looks at the window sees it
        body = drained_sentence(event.finished, event.failed, event.cancelled)
        if self._icon is not None and QSystemTrayIcon.supportsMessages():
            picture = QSystemTrayIcon.MessageIcon
            kind = picture.Warning if event.failed else picture.Information
            self._icon.showMessage("Dropline", body, kind)
        else:
            notify("Dropline", body)
