"""The one crossing between the engine's threads and the window.

Any thread posts; every handler runs in the GUI thread. What is posted waits in one queue and is
delivered at frame rate, in slices short enough that painting and typing go on between them.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from dropline.bus import Delivery, Handler, Router, Subscription, Topic
from dropline.events import Event, Message

#: Seconds from the start of one slice of deliveries to the start of the next.
FRAME = 0.016
#: Seconds of a frame that handlers may have; the rest is for painting and input.
BUDGET = 0.008
#: Messages handed over between two looks at the clock.
CHUNK = 200
#: Seconds that `close` spends at most on what is still waiting.
CLOSE_SECONDS = 1.0


class QtBus(QObject):
    """An `EventBus` whose handlers run in the thread that made it, which has a Qt event loop.

    However much is posted, one wake-up is under way at a time.
    """

    #: A slice of deliveries begins.
    delivering = Signal()
    _woken = Signal()

    def __init__(self, source: str = "dropline", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._router = Router(source, self.post)
        self._lock = threading.Lock()
        self._posted: deque[Message] = deque()
        self._awake = False
        self._delivering = False
        self._closed = False
        self._began = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._frame)
        self._woken.connect(self._wake, Qt.ConnectionType.QueuedConnection)

    def subscribe(self, topic: Topic, handler: Handler, *, batches: bool = False) -> Subscription:
        """Call `handler` in the GUI thread; see `EventBus.subscribe`."""
        return self._router.add(topic, handler, batches)

    def post(self, *events: Event) -> None:
        """See `EventBus.post`."""
        messages = self._router.envelopes(events)
        with self._lock:
            if self._closed or not messages:
                return
            self._posted.extend(messages)
            wake, self._awake = not self._awake, True
        if wake:
            self._woken.emit()

    def publish(self, event: Event) -> Delivery:
        """In the GUI thread: deliver what was posted before, then this, then return.

        From inside a handler this event goes ahead of what was posted before. In any other thread
        handlers cannot run, so there this is `post`, and the delivery is empty.
        """
        message = self._router.envelope(event)
        if QThread.currentThread() is not self.thread():
            self.post(event)
            return Delivery(message, (), ())
        if not self._delivering:
            self._deliver(float("inf"))
        results, errors = self._router.deliver([message])
        return Delivery(message, tuple(results), tuple(errors))

    def close(self) -> None:
        """Deliver what was posted, for a second at most, then stop. Call it in the GUI thread."""
        with self._lock:
            self._closed = True
        self._timer.stop()
        self._deliver(CLOSE_SECONDS)
        self._router.close()

    @Slot()
    def _wake(self) -> None:
        self._deliver_after(self._began + FRAME - time.monotonic())

    @Slot()
    def _frame(self) -> None:
        self.delivering.emit()
        # A handler that runs an event loop of its own gets no later messages in the middle of it.
        if self._delivering or self._deliver(BUDGET):
            left = self._began + FRAME - time.monotonic()
            self._deliver_after(max(left, FRAME - BUDGET))  # after a slow handler too

    def _deliver_after(self, seconds: float) -> None:
        self._timer.start(max(0, round(seconds * 1000)))

    def _deliver(self, seconds: float) -> bool:
        """Deliver for `seconds`, at least one chunk; whether something is left."""
        self._began = time.monotonic()
        self._delivering = True
        try:
            while chunk := self._take():
                self._router.deliver(chunk)
                if time.monotonic() - self._began >= seconds:
                    return True
            return False
        finally:
            self._delivering = False

    def _take(self) -> list[Message]:
        with self._lock:
            chunk = [self._posted.popleft() for _ in range(min(CHUNK, len(self._posted)))]
            self._awake = bool(chunk)  # the next post after the last chunk wakes the bus again
            return chunk
