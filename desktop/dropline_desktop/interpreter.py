"""Python set up for a program with a window: short turns for its threads, few full collections.

A thread that wants the interpreter waits until the one that has it lets go, or for the switch
interval, 5 ms as Python sets it. Almost every call of Qt lets go of it for a moment, so beside
threads that send, one frame waits many times: painting the list beside one busy thread takes 24 ms,
and 5 ms with an interval of 0.5 ms; alone 2 ms. Files a second stayed the same.

A full collection of garbage looks at every object there is, and every thread stands still for it:
140 ms with 200,000 messages on their way, against 25 ms for the longest step this way. So what the
start has made is taken out of its sight, and full collections are left to times when the line has
been empty for a while: between two files of a slow arrival it is empty all the time.
"""

from __future__ import annotations

import gc
import sys

from dropline.bus import EventBus
from dropline.events import Message, ReceiverStarted
from dropline.station.reading import Reading

#: Seconds for which a thread may keep the interpreter from others.
SWITCH_INTERVAL = 0.0005
#: So many collections of the middle generation go before a full one, instead of 10: some ten
#: million objects, so that a line that is never empty is looked through now and then all the same.
FULL_AFTER = 1000
#: Seconds for which the line must have been empty before a full collection.
QUIET = 3.0


class Interpreter:
    """In force from `listen` to `close`."""

    def __init__(self) -> None:
        self._threshold = gc.get_threshold()
        self._interval = sys.getswitchinterval()
        self._busy_at: float | None = None  # since the last full collection

    def listen(self, bus: EventBus) -> None:
        """Take over; the bus says when the program has started and when the line is empty."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        young, middle, _ = self._threshold
        gc.set_threshold(young, middle, FULL_AFTER)
        bus.subscribe(ReceiverStarted, self._started)
        bus.subscribe(Reading, self._read)

    def close(self) -> None:
        """Leave all as it was."""
        sys.setswitchinterval(self._interval)
        gc.set_threshold(*self._threshold)
        gc.unfreeze()

    def _started(self, _message: Message) -> None:
        gc.collect()
        gc.freeze()

    def _read(self, message: Message) -> None:
        reading = message.data
        assert isinstance(reading, Reading)
        if reading.in_system:
            self._busy_at = reading.t
        elif self._busy_at is not None and reading.t - self._busy_at >= QUIET:
            self._busy_at = None
            gc.collect()
