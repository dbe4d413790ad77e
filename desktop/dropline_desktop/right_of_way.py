"""The GUI thread goes first: while it handles a frame, threads that work stand aside.

Almost every call of Qt lets go of the interpreter, and then waits for it behind every thread that
works, for 0.5 ms each time (see `interpreter`): a frame of 5 ms took 50 to 300 beside a walk, four
workers and a receiver. So these threads ask between two files, or two batches, whether they may go
on. It costs them what the frame takes alone, less than it took while all fought for the
interpreter: more files a second are sent this way.
"""

from __future__ import annotations

import threading
import time

from PySide6.QtCore import QChildEvent, QCoreApplication, QEvent, QObject, Slot
from PySide6.QtWidgets import QDialog

#: Seconds that the GUI thread has the right of way at most at a time, and without a rest.
LONGEST, MOST = 0.1, 0.3
#: It earns so many seconds of it in each second of rest, so that the work goes on under a window
#: that is never at rest.
EARNS = 4.0
#: After everything else that waits in the event loop, the painting included.
_LAST = -1000
#: What makes a window much to do: to be painted or shown, other colours, another language.
_MUCH = frozenset({
    QEvent.Type.UpdateRequest,
    QEvent.Type.Show,
    QEvent.Type.ApplicationPaletteChange,
    QEvent.Type.LanguageChange,
})  # fmt: skip


class RightOfWay(QObject):
    """The GUI thread takes it; it is over once the event loop comes to rest, or after `LONGEST`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._over = QEvent.Type(QEvent.registerEventType())
        self._free = threading.Event()
        self._free.set()
        self._taken = self._ended = time.monotonic()
        self._left = MOST
        self._asked = False

    @Slot()
    def take(self) -> None:
        """From now on others stand aside. For the GUI thread."""
        if self._free.is_set():
            now = time.monotonic()
            earned = EARNS * (now - self._ended)
            self._left = min(MOST, self._left - (self._ended - self._taken) + earned)
            self._taken = self._ended = now
            if self._left <= 0.0:
                return
            self._free.clear()
        if not self._asked:
            self._asked = True
            QCoreApplication.postEvent(self, QEvent(self._over), _LAST)

    def give_way(self) -> None:
        """Return when the GUI thread does not have the right of way. For any other thread."""
        if not self._free.is_set() and not self._free.wait(LONGEST):
            self._end()

    def event(self, event: QEvent) -> bool:
        """The event loop has come to what it does last."""
        if event.type() != self._over:
            return super().event(event)
        self._asked = False
        self._end()
        return True

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Of a window and its dialogs: take the right of way where there is much to do."""
        if event.type() in _MUCH:
            self.take()
        elif event.type() == QEvent.Type.ChildPolished:  # it is about to be shown first
            assert isinstance(event, QChildEvent)
            if isinstance(event.child(), QDialog):
                event.child().installEventFilter(self)
        return False

    def _end(self) -> None:
        if not self._free.is_set():
            self._ended = time.monotonic()
            self._free.set()
