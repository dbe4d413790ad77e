"""Tells when this computer wakes from sleep, as logind does (org.freedesktop.login1.Manager).

The line's clock, `time.monotonic`, stands still meanwhile on Linux and macOS, so figures count no
sleep; but a target that was down then need not be down now.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import SLOT, QObject, Signal, Slot
from PySide6.QtDBus import QDBusConnection

_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


class Wake(QObject):
    """Hears of it on Linux; elsewhere neither Qt nor Python tells."""

    woke = Signal()

    def listen(self) -> None:
        """Tell from now on, where there is a logind; asks for nothing and waits for nothing."""
        if sys.platform == "linux":
            heard = SLOT("_prepare(bool)")
            QDBusConnection.systemBus().connect(*_LOGIND, "PrepareForSleep", self, heard)  # type: ignore[call-overload]

    @Slot(bool)
    def _prepare(self, sleeping: bool) -> None:
        """Said before the computer sleeps, and after it."""
        if not sleeping:
            self.woke.emit()
