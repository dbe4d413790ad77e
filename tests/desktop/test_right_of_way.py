"""The GUI thread goes first, but never for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QDialog, QWidget
from pytestqt.qtbot import QtBot

from dropline_desktop import right_of_way
from dropline_desktop.right_of_way import RightOfWay


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def asked(pool: ThreadPoolExecutor, way: RightOfWay) -> Future[None]:
    """A thread that has begun to ask."""
    begun = threading.Event()

    def ask() -> None:
        begun.set()
        way.give_way()

    future = pool.submit(ask)
    assert begun.wait(60)
    return future


def test_it_is_free_until_it_is_taken(qtbot: QtBot) -> None:
    RightOfWay().give_way()


def test_others_wait_until_the_event_loop_comes_to_rest(
    qtbot: QtBot, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right_of_way, "LONGEST", 30.0)
    way = RightOfWay()
    way.take()
    way.take()
    waiting = asked(pool, way)
    assert not waiting.done()
    qtbot.waitUntil(waiting.done)
    way.give_way()


def test_nobody_waits_for_a_window_that_hangs(qtbot: QtBot, pool: ThreadPoolExecutor) -> None:
    way = RightOfWay()
    way.take()
    pool.submit(way.give_way).result(10)  # nothing is done for the event loop meanwhile
    way.give_way()  # and it is over for all


def test_work_goes_on_beside_a_window_that_is_never_at_rest(
    qtbot: QtBot, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(right_of_way, "LONGEST", 30.0)
    way = RightOfWay()
    for _ in range(3):  # one after the other, as long as there is
        way.take()
        assert not asked(pool, way).done()
        now[0] += right_of_way.MOST / 3 + 0.001
        QCoreApplication.sendPostedEvents(way)
    way.take()
    way.give_way()
    now[0] += 0.019 / right_of_way.EARNS  # which earns a frame
    way.take()
    waiting = asked(pool, way)
    assert not waiting.done()
    QCoreApplication.sendPostedEvents(way)
    waiting.result(10)


@pytest.mark.parametrize(
    "kind",
    [
        QEvent.Type.UpdateRequest,
        QEvent.Type.Show,
        QEvent.Type.ApplicationPaletteChange,
        QEvent.Type.LanguageChange,
    ],
)
def test_a_window_that_has_much_to_do_takes_it(
    qtbot: QtBot, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, kind: QEvent.Type
) -> None:
    monkeypatch.setattr(right_of_way, "LONGEST", 30.0)
    way = RightOfWay()
    assert not way.eventFilter(way, QEvent(kind))
    waiting = asked(pool, way)
    assert not waiting.done()
    qtbot.waitUntil(waiting.done)


def test_a_dialog_that_opens_takes_it(
    qtbot: QtBot, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right_of_way, "LONGEST", 30.0)
    way, window = RightOfWay(), QWidget()
    qtbot.addWidget(window)
    window.installEventFilter(way)
    dialog = QDialog(window)
    dialog.show()
    waiting = asked(pool, way)
    assert not waiting.done()
    qtbot.waitUntil(waiting.done)
