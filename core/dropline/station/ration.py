"""A share of one processor for all workers together, while something else has more use of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Seconds that a worker rests at most at a time: what it served may have begun long before.
LONGEST = 2.0


class Ration:
    """Not in force at first. Safe from any thread."""

    def __init__(
        self, wait: Callable[[threading.Event, float], object] = threading.Event.wait
    ) -> None:
        """`wait` waits for an event, at most so many seconds."""
        self._wait = wait
        self._share = 1.0
        self._over = threading.Event()
        self._over.set()

    @property
    def over(self) -> bool:
        """Whether it is not in force."""
        return self._over.is_set()

    def begin(self, share: float) -> None:
        """Let workers use this share from now on."""
        self._share = share
        self._over.clear()

    def end(self) -> None:
        """Let workers use what there is; those that rest go on at once."""
        self._over.set()

    def rest(self, used: float, workers: int) -> None:
        """For a worker that has used a processor for so many seconds: return once its part of the
        share, one of so many workers', allows for more.
        """
        if not self.over:
            rest = used * (workers / self._share - 1.0)
            self._wait(self._over, min(max(0.0, rest), LONGEST))
