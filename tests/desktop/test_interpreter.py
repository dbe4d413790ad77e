"""Python beside a window: whose turn it is, and where garbage goes."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from dropline.bus import MemoryBus
from dropline.events import ReceiverStarted
from dropline_desktop import interpreter as module
from dropline_desktop.interpreter import (
    COLLECT_BUSY,
    COLLECT_EVERY,
    QUIET,
    SWITCH_INTERVAL,
    Interpreter,
)

from .readings import IDLE


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus("test")
    yield bus
    bus.close()


@pytest.fixture
def interpreter(qapp: QApplication, bus: MemoryBus) -> Iterator[Interpreter]:
    before = sys.getswitchinterval()
    interpreter = Interpreter()
    interpreter.listen(bus)
    yield interpreter
    interpreter.close()
    assert sys.getswitchinterval() == before
    assert gc.get_freeze_count() == 0


@pytest.fixture
def collected() -> Iterator[list[tuple[int, str]]]:
    """The generation and the thread of each collection."""
    collected: list[tuple[int, str]] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            collected.append((info["generation"], threading.current_thread().name))

    gc.callbacks.append(note)
    yield collected
    gc.callbacks.remove(note)


def litter(much: int = 100_000) -> None:
    """Make garbage that only a collection finds."""
    for _ in range(much):
        itself: list[object] = []
        itself.append(itself)


def test_turns_are_short(interpreter: Interpreter) -> None:
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)


def test_garbage_of_any_thread_goes_in_that_of_the_window(wait, interpreter, collected) -> None:
    """A widget that is destroyed in another thread may crash the program."""
    widget = QWidget()
    widget.itself = widget
    gone = weakref.ref(widget)
    del widget
    thread = threading.Thread(target=litter, name="worker")
    thread.start()
    thread.join()
    assert gone() is not None
    assert not collected
    wait(lambda: gone() is None)
    assert {thread for _, thread in collected} == {"MainThread"}


def test_full_collections_wait_for_an_empty_line(
    interpreter: Interpreter, bus: MemoryBus, collected: list[tuple[int, str]]
) -> None:
    bus.publish(ReceiverStarted("http://127.0.0.1:1"))
    assert gc.get_freeze_count() > 0
    busy = replace(IDLE, t=100.0, in_system=1)
    collected.clear()
    bus.publish(busy)
    assert interpreter._timer.interval() == COLLECT_BUSY
    bus.publish(replace(IDLE, t=100.1))
    bus.publish(replace(IDLE, t=100.0 + QUIET - 0.1))
    assert not collected, "it may be empty between two files"
    for t in (100.0 + QUIET, 200.0):
        bus.publish(replace(IDLE, t=t))
    assert [generation for generation, _ in collected] == [2]
    assert interpreter._timer.interval() == COLLECT_EVERY


def test_widgets_that_lasted_go_while_the_line_is_empty_and_at_last_while_it_is_not(
    wait, interpreter: Interpreter, bus: MemoryBus, collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL_AFTER", 2)
    monkeypatch.setattr(module, "FULL_AT_LAST", 4)

    def generations(count: int) -> list[int]:
        collected.clear()
        wait(lambda: len(collected) >= count)
        return [generation for generation, _ in collected[:count]]

    assert generations(4) == [1, 1, 2, 1]
    bus.publish(replace(IDLE, in_system=1))
    wait(lambda: collected[-1][0] == 2)
    assert generations(6) == [1, 1, 1, 1, 2, 1]
