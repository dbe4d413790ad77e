"""Python set up for a program with a window: short turns for its threads, garbage in this one only.

A thread that wants the interpreter waits until the one that has it lets go, or for the switch
interval, 5 ms as Python sets it. Almost every call of Qt lets go of it for a moment, so beside
threads that send, one frame waits many times: painting the list beside one busy thread takes 24 ms,
and 5 ms with an interval of 0.5 ms; alone 2 ms. Files a second stayed the same.

Python collects garbage in whatever thread makes the object that is one too many, and in the middle
of whatever that thread does. Widgets among the garbage would be destroyed outside the window's
thread, or while Qt goes through a list of them: both crash. So it is collected from the event loop
of that thread, by a timer, and nowhere else.

A full collection looks at every object there is, and every thread stands still for it: 140 ms with
200,000 messages on their way, against 25 ms for the longest step this way. So what the start has
made is taken out of its sight, and full collections are left to times when the line has been empty
for a while: between two files of a slow arrival it is empty all the time. A line that is never
empty is looked through all the same, but seldom.
"""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QObject, QTimer

from dropline.bus import EventBus
from dropline.events import Message, ReceiverStarted
from dropline.station.reading import Reading

#: Seconds for which a thread may keep the interpreter from others.
SWITCH_INTERVAL = 0.0005
#: Milliseconds between collections among the objects that are new since the last one. While
#: thousands of files a second are sent, those of 100 ms take 10 to 20 ms, all in one step.
COLLECT_EVERY, COLLECT_BUSY = 100, 25
#: So many of these go before a full one while the line is empty, and while it never is: ten seconds
#: and ten minutes.
FULL_AFTER, FULL_AT_LAST = 100, 24_000
#: Seconds for which the line must have been empty before a full collection.
QUIET = 3.0


class Interpreter(QObject):
    """In force from `listen` to `close`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._interval = sys.getswitchinterval()
        self._collecting = gc.isenabled()
        self._collections = 0  # since the last full one
        self._busy_at: float | None = None  # when the line was last not empty; None: it is quiet
        self._timer = QTimer(self, interval=COLLECT_EVERY)
        self._timer.timeout.connect(self._collect)

    def listen(self, bus: EventBus) -> None:
        """Take over; the bus says when the program has started and when the line is empty."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.disable()
        self._timer.start()
        bus.subscribe(ReceiverStarted, self._started)
        bus.subscribe(Reading, self._read)

    def close(self) -> None:
        """Leave all as it was."""
        self._timer.stop()
        sys.setswitchinterval(self._interval)
        if self._collecting:
            gc.enable()
        gc.unfreeze()

    def _started(self, _message: Message) -> None:
        self._collect_all()
        gc.freeze()

    def _read(self, message: Message) -> None:
        reading = message.data
        assert isinstance(reading, Reading)
        if reading.in_system:
            if self._busy_at is None:
                self._timer.setInterval(COLLECT_BUSY)
            self._busy_at = reading.t
        elif self._busy_at is not None and reading.t - self._busy_at >= QUIET:
            self._busy_at = None
            self._timer.setInterval(COLLECT_EVERY)
            self._collect_all()

    def _collect(self) -> None:
        self._collections += 1
        if self._collections > (FULL_AFTER if self._busy_at is None else FULL_AT_LAST):
            self._collect_all()
        else:
            gc.collect(1)

    def _collect_all(self) -> None:
        self._collections = 0
        gc.collect()
