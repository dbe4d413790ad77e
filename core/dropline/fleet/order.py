"""Bring what several hosts tell into one order of time before anything is made of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from dropline.fleet.clocks import Clocks

#: Seconds that a message is held back, so that one of another host, stamped before, may come first.
HOLD = 0.5

Event = dict[str, Any]
Step = Callable[[float], None]


class Order:
    """Holds task events and steps of our own until nothing earlier is to be expected.

    Not thread-safe. Times are seconds since the epoch, by our clock.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._heap: list[tuple[float, int, Event | Step]] = []
        self._count = 0
        self._started: dict[str, float] = {}
        self._latest = float("-inf")
        self.pushed = self.late = 0
        """Events that came, and those of them that came after what they should come before."""

    def push(self, event: Event, received: float) -> None:
        """Take a task event of Celery's that came at `received`.

        Its time is put right where more is known than its stamp: by the host's clock; a success by
        the task's own run time, for what the worker does afterwards is not service; and a task that
        was sent to be run later arrives when it is due.
        """
        host = str(event.get("hostname", "")).rpartition("@")[2]
        stamped = float(event["timestamp"])
        self._clocks.note(host, stamped, received)
        t = stamped + self._clocks.behind(host)
        task = event.get("uuid")
        match event["type"]:
            case "task-started":
                self._started[str(task)] = t
            case "task-succeeded":
                started = self._started.pop(str(task), None)
                if started is not None and event.get("runtime") is not None:
                    t = min(t, started + float(event["runtime"]))
            case "task-failed" | "task-retried" | "task-revoked" | "task-rejected":
                self._started.pop(str(task), None)
            case "task-sent" | "task-received" if event.get("eta") and not event.get("retries"):
                t = max(t, _seconds(event["eta"], otherwise=t))
        self.pushed += 1
        self.late += t < self._latest
        self._put(t, event)

    def step(self, t: float, step: Step) -> None:
        """Have `step` called with its time when all that was told before it is done."""
        self._put(t, step)

    def release(self, until: float) -> Iterator[tuple[float, Event | Step]]:
        """All before `until` in order of time, which never goes back from call to call."""
        while self._heap and self._heap[0][0] < until:
            t, _, what = heapq.heappop(self._heap)
            self._latest = max(self._latest, t)
            yield self._latest, what

    def _put(self, t: float, what: Event | Step) -> None:
        # One process's messages come in order, so the number keeps those that are late in it.
        self._count += 1
        heapq.heappush(self._heap, (max(t, self._latest), self._count, what))


def _seconds(eta: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(eta).timestamp()
    except ValueError:
        return otherwise
