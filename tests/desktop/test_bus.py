"""The QtBus: everything arrives, in order, in the GUI thread, and the window stays alive."""

import threading
import time

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer

from dropline.bus import EventBus
from dropline.events import FileCancelled, FileProgressed, HandlerFailed, Message
from dropline_desktop.bus import BUDGET, CHUNK, QtBus


class Recorder:
    """A batch handler that keeps what it got and the threads that it ran in."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.batches: list[int] = []
        self.threads: set[QThread] = set()

    def __call__(self, messages: list[Message]) -> None:
        self.messages += messages
        self.batches.append(len(messages))
        self.threads.add(QThread.currentThread())


class EventCounter(QObject):
    """Counts what wakes an object: queued calls."""

    def __init__(self, watched: QObject) -> None:
        super().__init__(watched)
        self.calls = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.calls += event.type() == QEvent.Type.MetaCall
        return False


@pytest.fixture
def bus(qapp):
    bus = QtBus("test")
    yield bus
    bus.close()
    bus.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def post_from_threads(bus: EventBus, threads: int, events: int) -> list[threading.Thread]:
    def run(number: int) -> None:
        for sent in range(events):
            bus.post(FileProgressed(number, sent))

    started = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    return started


def test_events_of_four_threads_arrive_in_order_in_the_gui_thread(bus, qtbot):
    recorder, wakes = Recorder(), EventCounter(bus)
    bus.subscribe(FileProgressed, recorder, batches=True)
    threads = post_from_threads(bus, 4, 25_000)
    qtbot.waitUntil(lambda: len(recorder.messages) == 100_000, timeout=30_000)
    for thread in threads:
        thread.join()

    assert recorder.threads == {bus.thread()}
    for number in range(4):
        sent = [m.data.sent for m in recorder.messages if m.data.job == number]
        assert sent == list(range(25_000))
    assert max(recorder.batches) <= CHUNK
    # One wake-up serves any number of messages: at most one for each time the queue ran empty.
    assert wakes.calls <= len(recorder.batches)


def test_a_flood_leaves_the_event_loop_its_share(bus, qtbot):
    """Between two slices other events run: a zero timer ticks at least once a slice."""
    ticks: list[int] = []
    ticker = QTimer(bus)
    recorder = Recorder()
    ticker.timeout.connect(lambda: ticks.append(len(recorder.messages)))
    bus.subscribe("", recorder, batches=True)

    def work(_messages: list[Message]) -> None:  # a handler that uses up its slice at once
        deadline = time.monotonic() + BUDGET
        while time.monotonic() < deadline:
            pass

    bus.subscribe("", work, batches=True)
    bus.post(*(FileProgressed(1, sent) for sent in range(20 * CHUNK)))
    ticker.start(0)
    qtbot.waitUntil(lambda: len(recorder.messages) == 20 * CHUNK)
    ticker.stop()
    assert len({seen for seen in ticks if 0 < seen < 20 * CHUNK}) == 19


def test_a_failing_handler_is_reported_and_the_others_still_run(bus, qtbot):
    failures: list[Message] = []
    heard: list[Message] = []

    def broken(_message: Message) -> None:
        raise ValueError("no good")

    bus.subscribe(FileCancelled, broken)
    bus.subscribe(FileCancelled, heard.append)
    bus.subscribe(HandlerFailed, failures.append)
    bus.post(FileCancelled(7))
    qtbot.waitUntil(lambda: bool(failures))
    assert [message.data.job for message in heard] == [7]
    assert failures[0].data.error == "ValueError: no good"
    assert "broken" in failures[0].data.handler


def test_publish_in_the_gui_thread_comes_after_what_was_posted(bus):
    heard: list[int] = []
    bus.subscribe(FileCancelled, lambda message: heard.append(message.data.job))
    bus.post(FileCancelled(1), FileCancelled(2))
    delivery = bus.publish(FileCancelled(3))
    assert heard == [1, 2, 3]
    assert delivery.results == (None,)


def test_publish_from_another_thread_is_post(bus, qtbot):
    threads: list[QThread] = []
    bus.subscribe(FileCancelled, lambda _message: threads.append(QThread.currentThread()))
    thread = threading.Thread(target=lambda: bus.publish(FileCancelled(1)))
    thread.start()
    thread.join()
    assert threads == []
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [bus.thread()]


def test_a_handler_with_its_own_event_loop_gets_no_later_messages_inside(bus, qtbot):
    heard: list[int] = []

    def spin(message: Message) -> None:
        bus.post(FileCancelled(message.data.job + 10))
        for _ in range(50):
            QCoreApplication.processEvents()
        heard.append(message.data.job)

    bus.subscribe(FileCancelled, lambda m: spin(m) if m.data.job < 10 else heard.append(m.data.job))
    bus.post(FileCancelled(1))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard == [1, 11]


def test_close_delivers_the_rest_and_drops_what_comes_later(bus):
    recorder = Recorder()
    bus.subscribe("", recorder, batches=True)
    bus.post(*(FileProgressed(1, sent) for sent in range(1000)))
    bus.close()
    bus.post(FileProgressed(1, 1000))
    QCoreApplication.processEvents()
    assert [m.data.sent for m in recorder.messages] == list(range(1000))


def test_posting_from_a_handler_ends(bus, qtbot):
    """A handler that always posts again gets its turn frame by frame and stops with the bus."""
    heard: list[int] = []

    def again(message: Message) -> None:
        heard.append(message.data.job)
        bus.post(FileCancelled(message.data.job + 1))

    bus.subscribe(FileCancelled, again)
    bus.post(FileCancelled(0))
    qtbot.waitUntil(lambda: len(heard) > 3)
    bus.close()
    count = len(heard)
    QCoreApplication.processEvents()
    assert heard == list(range(count))
