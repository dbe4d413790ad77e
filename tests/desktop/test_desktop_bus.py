"""The desktop's bus: progress in the taskbar, and the end of a sleep, by their real interfaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dropline.bus import Router
from dropline_desktop.app import Application
from dropline_desktop.taskbar import Taskbar

from .test_tiles import READING

ROUTER = Router("test", lambda _event: None)
#: A taskbar: prints what it hears.
TASKBAR = """
import json
from PySide6.QtCore import SLOT, QCoreApplication, QObject, Slot
from PySide6.QtDBus import QDBusConnection

class Heard(QObject):
    @Slot(str, "QVariantMap")
    def update(self, application, properties):
        print(json.dumps([application, properties]), flush=True)

app = QCoreApplication([])
heard = Heard()
assert QDBusConnection.sessionBus().connect(
    "", "", "com.canonical.Unity.LauncherEntry", "Update", heard,
    SLOT("update(QString,QVariantMap)"))
QDBusConnection.sessionBus().interface().isServiceRegistered("any")  # after it the bus knows
print("ready", flush=True)
app.exec()
"""
SENDER = """
from PySide6.QtCore import QCoreApplication, QTimer
from dropline_desktop.taskbar import _tell
app = QCoreApplication([])
_tell(0.25, True)
_tell(0.0, False)
QTimer.singleShot(0, app.quit)
app.exec()
"""
#: A logind: tells of a sleep for each line that it reads, "true" before it and "false" after it.
LOGIND = """
import sys, threading
from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtDBus import QDBusConnection, QDBusMessage

class Lines(QObject):
    read = Signal(str)
    def tell(self, line):
        message = QDBusMessage.createSignal(
            "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep")
        message.setArguments([line.strip() == "true"])
        bus.send(message)

app = QCoreApplication([])
lines = Lines()
lines.read.connect(lines.tell)
bus = QDBusConnection.sessionBus()
assert bus.registerService("org.freedesktop.login1")
print("ready", flush=True)
threading.Thread(target=lambda: [lines.read.emit(line) for line in sys.stdin], daemon=True).start()
app.exec()
"""
SLEEPER = """
from PySide6.QtCore import QCoreApplication
from PySide6.QtDBus import QDBusConnection
from dropline_desktop.wake import Wake
app = QCoreApplication([])
wake = Wake()
wake.woke.connect(lambda: print("woke", flush=True))
wake.listen()
QDBusConnection.systemBus().interface().isServiceRegistered("any")  # after it the bus knows
print("ready", flush=True)
app.exec()
"""


class Processes:
    """Programs that talk over a bus, ended with the test."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, script: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        assert process.stdout.readline() == "ready\n"
        return process


@pytest.fixture
def processes(session_bus: None) -> Iterator[Processes]:
    made = Processes()
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def test_a_taskbar_hears_of_the_progress(processes: Processes) -> None:
    taskbar = processes.start(TASKBAR)
    subprocess.run([sys.executable, "-c", SENDER], check=True, timeout=60)
    application = "application://dropline.desktop"
    for share, seen in ((0.25, True), (0.0, False)):
        told = {"progress": share, "progress-visible": seen}
        assert json.loads(taskbar.stdout.readline()) == [application, told]


def test_the_bar_goes_from_one_empty_line_to_the_next(qapp: object) -> None:
    told: list[tuple[float, bool]] = []
    taskbar = Taskbar(tell=lambda *each: told.append(each))
    for finished, left in ((100, 0), (100, 10), (105, 5), (105, 5), (110, 0), (110, 0), (110, 4)):
        reading = replace(READING, finished=finished, in_system=left)
        taskbar.take([ROUTER.envelope(reading)])
    assert told == [(0.0, True), (0.5, True), (0.0, False), (0.0, True)]
    taskbar.hide()
    taskbar.hide()
    assert told[4:] == [(0.0, False)]


def test_the_end_of_a_sleep_is_heard(processes: Processes) -> None:
    logind = processes.start(LOGIND)
    address = os.environ["DBUS_SESSION_BUS_ADDRESS"]
    sleeper = processes.start(SLEEPER, DBUS_SYSTEM_BUS_ADDRESS=address)
    for line in ("true", "false"):
        logind.stdin.write(line + "\n")
        logind.stdin.flush()
    assert sleeper.stdout.readline() == "woke\n"


def test_a_target_that_is_down_is_tried_at_the_end_of_a_sleep(
    application, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Application = application()
    asked: list[str] = []

    class Line:
        def probe_now(self) -> None:
            asked.append("probe")

    monkeypatch.setattr(app.engine, "do", lambda command: command(Line()))
    app.wake.woke.emit()
    assert asked == ["probe"]
