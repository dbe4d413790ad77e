"""A ring in what has the focus, from the moment on in which the keyboard moves it."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPalette, QRegion
from PySide6.QtWidgets import QApplication, QWidget

#: The width of the ring in pixels; in the colour of words.
WIDTH = 2


class FocusRing(QObject):
    """One for all windows. The ring is a child of what has the focus, and so stays in its place;
    a mask keeps it out of what is painted inside."""

    def __init__(self, app: QApplication, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ring: QWidget | None = None
        self._part: QWidget | None = None  # that has the ring
        app.focusChanged.connect(self._follow)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Grow and shrink with what has the focus."""
        if event.type() is QEvent.Type.Resize:
            self._place()
        return False

    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        self._remove()
        # Qt sets this attribute at a Tab or a mnemonic, and takes it away at a click.
        by_keys = Qt.WidgetAttribute.WA_KeyboardFocusChange
        if now is not None and not now.isWindow() and now.window().testAttribute(by_keys):
            self._part, self._ring = now, QWidget(now)
            self._ring.setBackgroundRole(QPalette.ColorRole.WindowText)
            self._ring.setAutoFillBackground(True)
            self._ring.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._place()
            self._ring.show()
            now.installEventFilter(self)

    def _place(self) -> None:
        ring, part = self._ring, self._part
        if ring is not None and part is not None:
            area = part.rect()
            ring.setGeometry(area)
            inside = area.adjusted(WIDTH, WIDTH, -WIDTH, -WIDTH)
            ring.setMask(QRegion(area).subtracted(QRegion(inside)))

    def _remove(self) -> None:
        (ring, part), self._ring, self._part = (self._ring, self._part), None, None
        if ring is not None and part is not None and shiboken6.isValid(ring):  # else gone with it
            part.removeEventFilter(self)
            ring.hide()
            ring.deleteLater()
