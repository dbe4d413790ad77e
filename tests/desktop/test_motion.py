"""Reduced motion: as the desktop asks for it over its real interface, or as the user does."""

from __future__ import annotations

import subprocess
import sys

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from dropline_desktop.motion import DesktopMotion, Motion, MotionMode

#: A portal: it answers one key of the two, and tells changes that it reads as lines.
PORTAL = """
import sys, threading
from PySide6.QtCore import ClassInfo, QCoreApplication, QObject, QTimer, Signal, Slot
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusVariant

PLACE = "/org/freedesktop/portal/desktop"
NAME = "org.freedesktop.portal.Settings"

@ClassInfo({"D-Bus Interface": NAME})
class Settings(QObject):
    @Slot(str, str, result=QDBusVariant)
    def Read(self, namespace, key):
        return QDBusVariant(QDBusVariant(1 if key == "reduced-motion" else True))

class Lines(QObject):
    read = Signal(str)
    def tell(self, line):
        message = QDBusMessage.createSignal(PLACE, NAME, "SettingChanged")
        message.setArguments(["org.freedesktop.appearance", "reduced-motion",
                              QDBusVariant(int(line))])
        bus.send(message)

app = QCoreApplication([])
settings, lines = Settings(), Lines()
lines.read.connect(lines.tell)
bus = QDBusConnection.sessionBus()
assert bus.registerObject(PLACE, settings, QDBusConnection.RegisterOption.ExportAllSlots)
assert bus.registerService("org.freedesktop.portal.Desktop")
print("ready", flush=True)
threading.Thread(target=lambda: [lines.read.emit(line) for line in sys.stdin], daemon=True).start()
app.exec()
"""
#: In a process of its own, because Qt keeps its connection to a session bus for good.
ASKER = """
from PySide6.QtCore import QCoreApplication
from dropline_desktop.motion import DesktopMotion
app = QCoreApplication([])
motion = DesktopMotion()
motion.wished.connect(lambda reduced: print(reduced, flush=True))
motion.listen()
app.exec()
"""


def started(script: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True)


def test_the_desktop_is_asked_and_its_changes_are_heard(session_bus):
    portal = started(PORTAL)
    assert portal.stdout.readline() == "ready\n"
    asker = started(ASKER)
    try:
        assert asker.stdout.readline() == "True\n"  # the one key
        assert asker.stdout.readline() == "True\n"  # the other, which asks for nothing more
        for value in ("0", "1"):
            portal.stdin.write(value + "\n")
            portal.stdin.flush()
            assert asker.stdout.readline() == f"{value == '1'}\n"
    finally:
        for process in (asker, portal):
            process.kill()
            process.communicate()


def test_a_desktop_that_cannot_be_asked_wishes_nothing(monkeypatch, qapp):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    motion, told = DesktopMotion(), []
    motion.wished.connect(told.append)
    motion.listen()
    assert told == []


def test_gnome_without_animations_asks_for_less(qapp):
    motion, told = DesktopMotion(), []
    motion.wished.connect(told.append)
    motion.take("org.gnome.desktop.interface", "enable-animations", True)
    motion.take("org.gnome.desktop.interface", "enable-animations", False)
    motion.take("org.gnome.desktop.interface", "font-name", "Sans")
    assert told == [False, True]


def test_the_user_s_choice_goes_before_the_desktop_s(qapp):
    motion = Motion()
    motion.wish(True)
    assert motion.reduced
    assert not QApplication.isEffectEnabled(Qt.UIEffect.UI_AnimateMenu)
    motion.mode = MotionMode.FULL
    assert not motion.reduced
    motion.wish(False)
    motion.mode = MotionMode.REDUCED
    assert motion.reduced
    motion.mode = MotionMode.SYSTEM
    assert not motion.reduced
