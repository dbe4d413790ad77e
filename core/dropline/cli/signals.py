"""SIGINT and SIGTERM as an event to wait for."""

from __future__ import annotations

import contextlib
import queue
import signal
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Set when the user asks the program to stop; `signal` is then the number of the signal.

    Not a `threading.Event`: the thread that a signal interrupts may hold its lock, and would wait
    for itself. `SimpleQueue.put` may be called anywhere.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        """Whether a signal came."""
        return self.signal != 0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a signal, up to `timeout` seconds; whether one came."""
        if not self.is_set():
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=timeout)
        return self.is_set()

    def set(self, number: int, _frame: FrameType | None = None) -> None:
        """The handler of the signals."""
        self.signal = number
        self._wake.put(None)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Set a `Stop` on SIGINT or SIGTERM instead of ending the process."""
    stop = Stop()
    before = {number: signal.signal(number, stop.set) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
