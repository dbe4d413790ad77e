"""Events a second through the buses, beside psygnal, Qt's own signals and no bus at all."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import psygnal
from grounds import Grounds
from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, Signal
from report import Section, Table, alternate, middle, ratio

from dropline.bus import MemoryBus
from dropline.events import Event, FileUploaded
from dropline_desktop.bus import QtBus

ROUNDS = 5
#: Seconds that all rounds of one table may take together.
BUDGET = 25.0
#: Events that one `post` of many hands over.
TOGETHER = 100
EVENT = FileUploaded(1, "0193a5f2-0000-7000-8000-000000000000", 4096, "0" * 64, False, 0.01)

#: Takes a number of events, returns the seconds until the last one was handled.
Carrier = Callable[[int], float]


class Handled:
    """The handler of every contender: counts, and can be waited for."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.all = threading.Event()

    def one(self, _event: object) -> None:
        """Handle one event."""
        self._left -= 1
        if not self._left:
            self.all.set()

    def batch(self, events: Sequence[object]) -> None:
        """Handle several events."""
        self._left -= len(events)
        if not self._left:
            self.all.set()


class Psygnals:
    """An emitter of psygnal's."""

    happened = psygnal.Signal(object)


class QtSignals(QObject):
    """An emitter of Qt's."""

    happened = Signal(object)


# --- in the caller's thread ---------------------------------------------------------------------


def call(count: int) -> float:
    """No bus: a loop that calls the function."""
    handle = Handled(count).one
    began = time.perf_counter()
    for _ in range(count):
        handle(EVENT)
    return time.perf_counter() - began


def psygnal_emit(count: int) -> float:
    """psygnal, one slot."""
    emitter, handled = Psygnals(), Handled(count)
    emitter.happened.connect(handled.one)
    began = time.perf_counter()
    for _ in range(count):
        emitter.happened.emit(EVENT)
    return time.perf_counter() - began


def memory_publish(count: int) -> float:
    """`MemoryBus.publish`, one handler."""
    bus, handled = MemoryBus(), Handled(count)
    bus.subscribe(FileUploaded, handled.one)
    began = time.perf_counter()
    for _ in range(count):
        bus.publish(EVENT)
    seconds = time.perf_counter() - began
    bus.close()
    return seconds


# --- from one thread to another -----------------------------------------------------------------


def simple_queue(count: int) -> float:
    """No bus: a queue between two threads, and a loop that calls the function."""
    waiting: queue.SimpleQueue[Event] = queue.SimpleQueue()
    handle = Handled(count).one

    def post_all() -> None:
        for _ in range(count):
            waiting.put(EVENT)

    return _from_a_thread(post_all, lambda: [handle(waiting.get()) for _ in range(count)])


def psygnal_queued(count: int) -> float:
    """psygnal with `thread="main"`: emitted in a thread, delivered by the main one."""
    emitter, handled = Psygnals(), Handled(count)
    emitter.happened.connect(handled.one, thread="main")

    def post_all() -> None:
        for _ in range(count):
            emitter.happened.emit(EVENT)

    def deliver_all() -> None:
        while not handled.all.is_set():
            psygnal.emit_queued()

    return _from_a_thread(post_all, deliver_all)


def memory_post(count: int, *, together: int = 1) -> float:
    """`MemoryBus.post`, and one handler that takes batches, in the bus's thread."""
    bus, handled = MemoryBus(), Handled(count)
    bus.subscribe(FileUploaded, handled.batch, batches=True)
    began = time.perf_counter()
    for _ in range(count // together):
        bus.post(*(EVENT,) * together)
    handled.all.wait()
    seconds = time.perf_counter() - began
    bus.close()
    return seconds


def qt_queued(count: int) -> float:
    """A Qt signal, emitted in a thread, delivered by the event loop of the main one."""
    emitter, handled, loop = QtSignals(), Handled(count), QEventLoop()

    def handle(event: object) -> None:
        handled.one(event)
        if handled.all.is_set():
            loop.quit()

    emitter.happened.connect(handle, Qt.ConnectionType.QueuedConnection)

    def post_all() -> None:
        for _ in range(count):
            emitter.happened.emit(EVENT)

    return _from_a_thread(post_all, loop.exec)


def qt_bus_post(count: int, *, together: int = 1) -> float:
    """`QtBus.post` in a thread, and one handler that takes batches, in the main one."""
    bus, handled, loop = QtBus(), Handled(count), QEventLoop()

    def handle(messages: Sequence[object]) -> None:
        handled.batch(messages)
        if handled.all.is_set():
            loop.quit()

    bus.subscribe(FileUploaded, handle, batches=True)

    def post_all() -> None:
        for _ in range(count // together):
            bus.post(*(EVENT,) * together)

    seconds = _from_a_thread(post_all, loop.exec)
    bus.close()
    return seconds


def _from_a_thread(post_all: Callable[[], None], deliver_all: Callable[[], object]) -> float:
    """Seconds until what a thread posts is delivered here."""
    thread = threading.Thread(target=post_all)
    began = time.perf_counter()
    thread.start()
    deliver_all()
    seconds = time.perf_counter() - began
    thread.join()
    return seconds


# --- the tables ---------------------------------------------------------------------------------

IN_ONE_THREAD: dict[str, Carrier] = {
    "no bus: a call": call,
    "psygnal emit": psygnal_emit,
    "MemoryBus.publish": memory_publish,
}
ACROSS_THREADS: dict[str, Carrier] = {
    "no bus: SimpleQueue": simple_queue,
    "psygnal queued": psygnal_queued,
    "Qt signal queued": qt_queued,
    "MemoryBus.post": memory_post,
    f"MemoryBus.post, {TOGETHER} at once": partial(memory_post, together=TOGETHER),
    "QtBus.post": qt_bus_post,
    f"QtBus.post, {TOGETHER} at once": partial(qt_bus_post, together=TOGETHER),
}


def bench(_grounds: Grounds, *, quick: bool) -> Section:
    """100,000 events a run, 10,000 when quick."""
    count = 10_000 if quick else 100_000
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    _qt = QCoreApplication.instance() or QCoreApplication([])
    return Section(
        f"The bus: {count:,} events to one handler",
        f"Best of {ROUNDS} runs in turn: what else runs can only slow them. Dropline's buses put "
        "each event in an envelope (id, source, subject, time) and keep handlers' errors apart; "
        "the others hand the bare object on. QtBus spends at most half of each frame on "
        "deliveries, so that the window stays free.",
        [
            _table(IN_ONE_THREAD, "psygnal emit", count),
            _table(ACROSS_THREADS, "psygnal queued", count),
        ],
    )


def _table(carriers: dict[str, Carrier], peer: str, count: int) -> Table:
    contenders = {name: partial(_rate, carrier, count) for name, carrier in carriers.items()}
    runs = alternate(contenders, ROUNDS, BUDGET)
    figures = {name: [max(rates)] for name, rates in runs.items()}
    first = next(iter(carriers))
    table = Table(["carrier", "events/s", "µs an event", f"× {peer}", f"× {first}"])
    for name, rates in figures.items():
        microseconds = [1e6 / rate for rate in rates]
        against = ratio(rates, figures[peer]), ratio(rates, figures[first])
        table.rows.append([name, middle(rates), middle(microseconds), *against])
    return table


def _rate(carrier: Carrier, count: int) -> float:
    return count / carrier(count)
