"""Whether what moves rests: as the desktop asks for it, or as the user does here.

What moves by itself are the charts, which glide with the time; reduced, they step once a second.
The menus and tips that Qt lets appear gradually appear at once.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum

from PySide6.QtCore import SLOT, QObject, QSettings, Qt, Signal, Slot
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher, QDBusVariant
from PySide6.QtWidgets import QApplication

#: Where desktops on Linux are asked (XDG Desktop Portal, org.freedesktop.portal.Settings).
_PORTAL = (
    "org.freedesktop.portal.Desktop",
    "/org/freedesktop/portal/desktop",
    "org.freedesktop.portal.Settings",
)
#: Settings of the portal, each with the value that asks for less motion. The second is GNOME's,
#: for portals that do not know the first.
_ASKED: dict[tuple[str, str], object] = {
    ("org.freedesktop.appearance", "reduced-motion"): 1,
    ("org.gnome.desktop.interface", "enable-animations"): False,
}
#: Windows: SystemParametersInfo.
_SPI_GETCLIENTAREAANIMATION = 0x1042


class MotionMode(StrEnum):
    """What the user asked for."""

    SYSTEM = "system"
    FULL = "full"
    REDUCED = "reduced"


class Motion(QObject):
    """Who moves something asks `reduced` as it goes."""

    def __init__(self, mode: MotionMode = MotionMode.SYSTEM, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mode = mode
        self._wished = False
        self._apply()

    @property
    def mode(self) -> MotionMode:
        """What the user asked for."""
        return self._mode

    @mode.setter
    def mode(self, mode: MotionMode) -> None:
        self._mode = mode
        self._apply()

    @property
    def reduced(self) -> bool:
        """Whether nothing is to move that needs not."""
        return self._wished if self._mode is MotionMode.SYSTEM else self._mode is MotionMode.REDUCED

    def wish(self, reduced: bool) -> None:
        """The desktop asks for less motion, or no longer."""
        self._wished = reduced
        self._apply()

    def _apply(self) -> None:
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, not self.reduced)


class DesktopMotion(QObject):
    """What the desktop asks for, told by `wished` whenever it is known anew."""

    wished = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._told: dict[tuple[str, str], object] = {}

    def listen(self) -> None:
        """Ask, in whatever way this desktop has; what is answered later is told then."""
        if sys.platform == "win32":
            self.wished.emit(not _windows_animates())
        elif sys.platform == "darwin":
            domain = os.path.expanduser("~/Library/Preferences/com.apple.universalaccess.plist")
            kept = QSettings(domain, QSettings.Format.NativeFormat).value("reduceMotion", False)
            self.wished.emit(kept in (True, 1, "1", "true"))
        elif os.environ.get("DBUS_SESSION_BUS_ADDRESS"):  # else nobody answers
            self._ask_portal()

    def take(self, namespace: str, key: str, value: object) -> None:
        """A setting of the desktop has this value."""
        if (namespace, key) in _ASKED:
            self._told[namespace, key] = value
            self.wished.emit(any(self._told.get(each) == less for each, less in _ASKED.items()))

    @Slot(str, str, QDBusVariant)
    def _changed(self, namespace: str, key: str, value: QDBusVariant) -> None:
        self.take(namespace, key, _plain(value))

    def _ask_portal(self) -> None:
        bus = QDBusConnection.sessionBus()
        heard = SLOT("_changed(QString,QString,QDBusVariant)")
        bus.connect(*_PORTAL, "SettingChanged", self, heard)  # type: ignore[call-overload]
        for namespace, key in _ASKED:
            call = QDBusMessage.createMethodCall(*_PORTAL, "Read")
            call.setArguments([namespace, key])
            watcher = QDBusPendingCallWatcher(bus.asyncCall(call), self)
            watcher.finished.connect(
                lambda watcher, asked=(namespace, key): self._answered(watcher, *asked)
            )

    def _answered(self, watcher: QDBusPendingCallWatcher, namespace: str, key: str) -> None:
        if not watcher.isError():
            self.take(namespace, key, _plain(watcher.reply().arguments()[0]))
        watcher.deleteLater()


def _plain(value: object) -> object:
    """What is in a variant, or in a variant in a variant, as older portals answer."""
    while isinstance(value, QDBusVariant):
        value = value.variant()
    return value


def _windows_animates() -> bool:
    import ctypes

    on = ctypes.c_int(1)
    user32 = ctypes.windll.user32  # type: ignore[attr-defined]
    user32.SystemParametersInfoW(_SPI_GETCLIENTAREAANIMATION, 0, ctypes.byref(on), 0)
    return bool(on.value)
