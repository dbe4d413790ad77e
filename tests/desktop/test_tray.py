"""Notifications and the file manager, asked over a real session bus by their real interfaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from PySide6.QtWidgets import QWidget

from dropline.bus import MemoryBus
from dropline.events import StationDrained
from dropline_desktop.tray import Tray

# A service in a process of its own. QtDBus refuses a call whose arguments have other types.
SERVICE = """
import json, sys
from PySide6.QtCore import ClassInfo, QCoreApplication, QObject, Slot
from PySide6.QtDBus import QDBusConnection

name, method, *types = sys.argv[1:]

def called(self, *arguments):
    print(json.dumps(arguments), flush=True)
    return 7

slot = Slot(*types, result="uint", name=method)(called)
Service = ClassInfo({"D-Bus Interface": name})(type("Service", (QObject,), {method: slot}))
app = QCoreApplication([])
service = Service()
bus = QDBusConnection.sessionBus()
assert bus.registerObject(
    "/" + name.replace(".", "/"), service, QDBusConnection.RegisterOption.ExportAllSlots
)
assert bus.registerService(name)
print("ready", flush=True)
app.exec()
"""
NOTIFY = ["QString", "uint", *["QString"] * 3, "QStringList", "QVariantMap", "int"]


@pytest.fixture
def service(session_bus):
    """`service(name, method, *types)` starts a service; its output tells of the calls."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, *arguments], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate()


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return window


def test_a_drained_drop_is_notified(service, window, need_program):
    need_program("gdbus", "libglib2.0-bin")
    notifications = service("org.freedesktop.Notifications", "Notify", *NOTIFY)
    bus = MemoryBus("test")
    Tray(window).listen(bus)
    bus.publish(StationDrained("send", 500, 2, 0))
    app, _, _, title, body, actions, hints, _ = json.loads(notifications.stdout.readline())
    assert (app, title, body) == ("Dropline", "Dropline", "500 files sent, 2 failed")
    assert (actions, hints) == ([], {})
    bus.close()


def test_nobody_to_notify_is_no_failure(session_bus, window):
    bus = MemoryBus("test")
    Tray(window).listen(bus)
    assert bus.publish(StationDrained("send", 1, 0, 0)).errors == ()
    bus.close()


def test_a_file_is_shown_in_its_folder(service):
    """In a process of its own, because Qt keeps its connection to a session bus for good."""
    manager = service("org.freedesktop.FileManager1", "ShowItems", "QStringList", "QString")
    script = """
import os
from PySide6.QtCore import QCoreApplication
from PySide6.QtDBus import QDBusPendingCallWatcher
from dropline_desktop.reveal import reveal
app = QCoreApplication([])
reveal(os.fsdecode(b"/data/a b/caf\\xe9"), app)
app.findChild(QDBusPendingCallWatcher).finished.connect(app.quit)
app.exec()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30, env=os.environ)
    assert json.loads(manager.stdout.readline()) == [["file:///data/a%20b/caf%E9"], ""]
