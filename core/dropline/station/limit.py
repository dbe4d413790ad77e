"""A limit on the bytes a second that all workers of a station send together: a token bucket.

The bucket fills at the rate and holds `BURST` seconds of it at most, so over any T seconds no more
than rate·(T + `BURST`) bytes get through. Who wants to send waits in a line, first come, first
served, for a *share*: `SHARE` seconds of the rate, or as much as was asked for if that is less.
Shares that small keep every connection moving, however many wait: a whole block each would leave
them silent for so long at a low rate that the other side gives up.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable

#: Seconds of the rate that may go at once after a pause.
BURST = 0.25
#: Seconds of the rate that one waiter gets at its turn.
SHARE = 0.05
#: The lowest rate in bytes a second. Below, receivers take a connection's pace for an attack.
MIN_RATE = 10_000
#: The shortest sleep in seconds: a shorter one is lost in the rounding of the clock.
_NAP = 0.001

_RATE = re.compile(r"(?P<number>\d+(?:[.,]\d*)?)\s*(?P<unit>[kmg]?)(?:b(?:ytes)?)?(?:/s)?", re.I)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


class Limit:
    """How many bytes a second may be sent, all waiters together. Safe from any thread."""

    def __init__(
        self,
        bytes_per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
    ) -> None:
        """None is no limit. Raises ValueError for a rate below `MIN_RATE`.

        `wait` waits for a condition, at most so many seconds of `clock`.
        """
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._turns: deque[threading.Condition] = deque()
        self._rate: float | None = None
        self._level = 0.0  # bytes that may go now
        self._filled = 0.0  # when that was so
        self.rate = bytes_per_second

    @property
    def rate(self) -> float | None:
        """Bytes a second, or None; a new one takes effect at once. Setting raises ValueError."""
        return self._rate

    @rate.setter
    def rate(self, bytes_per_second: float | None) -> None:
        if bytes_per_second is not None:
            _check(bytes_per_second)
        with self._lock:
            self._fill()  # at the old rate until now
            self._rate = bytes_per_second
            self._fill()  # no more than the new burst
            self._wake_first()

    def take(self, most: int, stopped: Callable[[], bool] = lambda: False) -> int:
        """Wait until bytes may go; return how many, from 1 to `most`: less than all is usual.

        0 means that `stopped` became true; call `wake` then, as nobody looks at it meanwhile.
        """
        if self._rate is None:
            return most
        with self._lock:
            turn = threading.Condition(self._lock)
            self._turns.append(turn)
            try:
                while not stopped():
                    wait = self._wait_for(most) if self._turns[0] is turn else None
                    if wait == 0:
                        return self._pour(most)
                    self._wait(turn, wait)
                return 0
            finally:
                self._turns.remove(turn)
                self._wake_first()

    def wake(self) -> None:
        """Let everybody who waits look again whether they were stopped."""
        with self._lock:
            for turn in self._turns:
                turn.notify()

    # --- lock held ----------------------------------------------------------------------------

    def _wake_first(self) -> None:
        if self._turns:
            self._turns[0].notify()

    def _fill(self) -> None:
        now = self._clock()
        if self._rate is None:
            self._level = 0.0
        else:
            gained = (now - self._filled) * self._rate
            self._level = min(self._level + gained, self._rate * BURST)
        self._filled = now

    def _wait_for(self, most: int) -> float:
        """Seconds until the first in the line has its share."""
        self._fill()
        if self._rate is None:
            return 0.0
        missing = min(most, self._rate * SHARE) - self._level
        return max(missing / self._rate, _NAP) if missing > 0 else 0.0

    def _pour(self, most: int) -> int:
        if self._rate is None:
            return most
        poured = min(most, int(self._level))
        self._level -= poured
        return poured


def parse_rate(text: str) -> float:
    """Bytes a second from "5M", "1.5 MB/s" or "800k"; K, M and G are thousands (decimal).

    Raises ValueError with a sentence, also for what is no rate of a `Limit`.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"“{text}” is no rate: write bytes a second, such as 800K, 5M or 1.5G")
    rate = float(match["number"].replace(",", ".")) * _UNITS[match["unit"].lower()]
    _check(rate)
    return rate


def _check(rate: float) -> None:
    if not MIN_RATE <= rate < math.inf:
        raise ValueError(f"a limit of {rate:g} bytes a second cannot be kept: use 10K or more")
