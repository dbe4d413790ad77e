"""SIGINT and SIGTERM as a Qt signal.

Python runs its handlers only between two of its own instructions, and Qt's event loop may go
without one for long. So the signal's number is written to a socket on which Qt waits.
"""

from __future__ import annotations

import signal
import socket
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopSignals(QObject):
    """Emits `received` when the process is asked to stop, until `close`. For the main thread."""

    received = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._notifier = QSocketNotifier(self._read.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._wake)
        self._before = {number: signal.signal(number, _ignore) for number in _CAUGHT}
        self._fd_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Leave signals to whoever had them before."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()

    def _wake(self) -> None:
        if set(self._read.recv(64)) & set(_CAUGHT):
            self.received.emit()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Python writes to the socket only for signals that have a handler."""
