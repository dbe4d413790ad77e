"""For tests of the window: off screen, in English, and nothing of it outlives its test."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QTimer
from PySide6.QtWidgets import QApplication

from dropline.home import Home
from dropline_desktop.app import Application
from dropline_desktop.language import Language, Translation
from dropline_desktop.theme import Mode, Theme

# Read when the application object is made, which is later than this.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LC_ALL"] = "C.UTF-8"

PATIENCE = 60_000  # milliseconds

# What Qt says that is no fault of ours; anything else of that level fails the test.
QT_MESSAGES_IGNORED: tuple[str, ...] = (
    # off screen
    r"This plugin does not support ((propagateSizeHints|raise)\(\)|grabbing the keyboard)",
)


def pytest_itemcollected(item: pytest.Item) -> None:
    # Markers, not settings in pyproject.toml: without Qt and pytest-qt tests/core still runs.
    item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
    item.add_marker(pytest.mark.qt_log_ignore(*QT_MESSAGES_IGNORED))


@pytest.fixture(autouse=True)
def translation(qapp: QApplication) -> Iterator[Translation]:
    """English, until the test wants another language."""
    translation = Translation(qapp, Language.ENGLISH)
    yield translation
    translation.close()
    QLocale.setDefault(QLocale.c())
    QCoreApplication.sendPostedEvents()


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    """The light one, until the test wants another."""
    yield Theme(qapp, Mode.LIGHT)
    qapp.styleHints().unsetColorScheme()


@pytest.fixture(autouse=True)
def nothing_of_qt_left_behind(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail a test that leaves a timer running or a window open."""
    started: weakref.WeakKeyDictionary[QTimer, str] = weakref.WeakKeyDictionary()
    start = QTimer.start

    def noted_start(timer: QTimer, *arguments: object) -> None:
        frame = sys._getframe(1)
        started[timer] = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        start(timer, *arguments)

    monkeypatch.setattr(QTimer, "start", noted_start)
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left: list[str] = []
    for timer, where in started.items():
        if shiboken6.isValid(timer) and timer.isActive():
            left.append(f"a timer started at {where}")
            timer.stop()
    for window in qapp.topLevelWidgets():
        if window.isVisible():
            left.append(f"{type(window).__name__} {window.objectName()!r} on the screen")
            window.close()
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
def wait(qtbot) -> Callable[[Callable[[], object]], None]:
    """Let the program go on until something is so; long enough for a busy machine."""
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE)


@pytest.fixture
def application(qapp, wait, dropline_home) -> Iterator[Callable[[], Application]]:
    """Makes applications; each is closed at the end, whatever the test has done."""
    made: list[Application] = []

    def make() -> Application:
        app = Application(qapp, Home(dropline_home), port=0)
        app.ended = False
        app.finished.connect(lambda: setattr(app, "ended", True))
        made.append(app)
        return app

    yield make
    for app in made:
        app.shutdown()
        wait(lambda app=app: app.ended)
        app.window.deleteLater()
        app.deleteLater()


@pytest.fixture
def session_bus(need_program, monkeypatch) -> Iterator[None]:
    """A session bus of the test's own."""
    daemon = subprocess.Popen(
        [need_program("dbus-daemon", "dbus-daemon"), "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
    yield
    daemon.terminate()
    daemon.communicate()
