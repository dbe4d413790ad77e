"""How much is sent, on the program's icon in the taskbar or dock.

By the launcher interface that began with Unity and that KDE Plasma, Dash to Dock and others heed:
a signal on the session bus, https://wiki.ubuntu.com/Unity/LauncherAPI. For Windows and macOS Qt 6
has nothing like it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtDBus import QDBusConnection, QDBusMessage

from dropline.events import Message
from dropline.station import Reading

_PLACE = "/com/canonical/unity/launcherentry/dropline"
_INTERFACE = "com.canonical.Unity.LauncherEntry"
#: The desktop file, by which a taskbar knows whose icon is meant.
_APPLICATION = "application://dropline.desktop"
#: A smaller step of the bar is not told.
STEP = 0.01


class Taskbar(QObject):
    """Shows a bar from the moment when files wait until none is left."""

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        tell: Callable[[float, bool], None] | None = None,
    ) -> None:
        """`tell` is given the share that is done and whether it is to be seen."""
        super().__init__(parent)
        self._tell = tell or _tell
        self._done_before = 0
        self._shown: float | None = None

    def take(self, messages: list[Message]) -> None:
        """Take in readings of the line."""
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        if not reading.in_system:
            self._done_before = reading.finished
            self.hide()
            return
        done = reading.finished - self._done_before
        share = done / (done + reading.in_system)
        if self._shown is None or abs(share - self._shown) >= STEP:
            self._shown = share
            self._tell(share, True)

    def hide(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown = None
            self._tell(0.0, False)


def _tell(share: float, seen: bool) -> None:
    if sys.platform == "linux" and os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        update = QDBusMessage.createSignal(_PLACE, _INTERFACE, "Update")
        update.setArguments([_APPLICATION, {"progress": share, "progress-visible": seen}])
        QDBusConnection.sessionBus().send(update)
