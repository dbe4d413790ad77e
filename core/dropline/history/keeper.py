"""Writes down what a station does, second by second, in a thread of its own.

It asks the meter for whole seconds and so never slows the line, and misses nothing when it is late
by up to two minutes. While something happens it writes once a second, else every ten seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from dropline.bus import EventBus, Subscription
from dropline.events import (
    Event,
    Message,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    StationPaused,
    StationResumed,
    TargetDown,
    TargetUp,
    WorkersChanged,
)
from dropline.history.row import Row
from dropline.history.storage import HistoryError
from dropline.history.store import Store
from dropline.meter import Meter
from dropline.meter.tally import to_seconds

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks at the meter.
PERIOD = 1.0
#: Entries come to the meter at most so many seconds late.
LAG = 0.25
#: Idle seconds that are written together.
IDLE_ROWS = 10
#: Rows that wait for a disk that is full or locked; older ones are lost.
WAITING = 3_600
#: Seconds until a disk that could not be written is tried again.
RETRY = 10.0
#: How much the clocks may part before times are told anew.
DRIFT = 0.5
#: What is marked, because the curves change with it.
MARKED: tuple[type[Event], ...] = (
    WorkersChanged,
    StationPaused,
    StationResumed,
    OrderChanged,
    TargetDown,
    TargetUp,
    NetworkDown,
    NetworkUp,
)


class Keeper:
    """Keeps the history of one station, from `start` to `close`."""

    def __init__(
        self,
        store: Store,
        meter: Meter,
        notice: Callable[[str], object],
        *,
        opened: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`notice` gets a sentence when the history was damaged, or cannot be written, once.

        `opened` is called whenever the file has been made ready. Both are called in the keeper's
        thread. `clock` is the meter's, `wall` gives the seconds since 1970.
        """
        self.store = store
        self._meter = meter
        self._notice = notice
        self._opened = opened
        self._clock = clock
        self._wall = wall
        self._zero = wall() - clock()
        self._edge = 0
        self._rows: deque[Row] = deque(maxlen=WAITING)
        self._marks: deque[Message] = deque(maxlen=WAITING)
        self._subscriptions: list[Subscription] = []
        self._open = False
        self._told = False
        self._next_try = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"{store.station} history", daemon=True
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def listen(self, bus: EventBus) -> None:
        """Mark what happens, such as changes of the number of workers."""
        self._subscriptions += [
            bus.subscribe(topic, self._marks.extend, batches=True) for topic in MARKED
        ]

    def close(self) -> None:
        """Write what is left, and end."""
        for subscription in self._subscriptions:
            subscription.cancel()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        self._write()  # nothing yet, but the file is made ready
        while not self._stop.wait(PERIOD):
            self._look()
            if (
                self._marks
                or len(self._rows) >= IDLE_ROWS
                or not all(row.idle for row in self._rows)
            ):
                self._write()
        self._look()
        rest = self._meter.rest(self._edge, self._clock())
        if rest.end.time > rest.start.time:
            self._rows.append(Row.of(rest, self._zero))
        self._next_try = 0.0
        self._write()
        self.store.close()

    def _look(self) -> None:
        """Take the seconds that have ended."""
        now = self._clock()
        zero = self._wall() - now
        if abs(zero - self._zero) > DRIFT:  # the clock was set, or the machine slept
            self._zero = zero
        oldest = self._meter.state(now).oldest_age or 0.0
        for second in self._meter.seconds(self._edge, now - LAG):
            self._edge = second.end.time
            age = max(0.0, oldest - (now - to_seconds(second.end.time)))
            self._rows.append(Row.of(second, self._zero, age))

    def _write(self) -> None:
        if self._clock() < self._next_try:
            return
        rows, marks = _taken(self._rows), _taken(self._marks)
        try:
            if not self._open:
                self.store.open(self._notice)
                self._open = True
                self._opened()
            self.store.append(rows, marks)
        except HistoryError as error:
            _log.warning("%s", error)
            self._rows.extendleft(reversed(rows))
            self._marks.extendleft(reversed(marks))
            self._open = False
            self._next_try = self._clock() + RETRY
            if not self._told:
                self._told = True
                self._notice(str(error))


def _taken(waiting: deque[T]) -> list[T]:
    """What is in it now; others may add to it meanwhile."""
    return [waiting.popleft() for _ in range(len(waiting))]
