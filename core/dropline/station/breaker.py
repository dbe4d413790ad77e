"""The circuit breaker of a target: down → one probe at a time → up again.

While the target is up (*closed*), attempts run. After `THRESHOLD` failures of the target in a row,
or as soon as it names a time to wait, the breaker *opens*: no attempt is made until its pause is
over, then a single one, the *probe*. If that fails the pause doubles, with jitter, up to a cap; any
answer closes the breaker (M. Nygard, "Release It!", 2nd ed., 2018, ch. 5).
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: Failures in a row that open it.
THRESHOLD = 3
#: The first and the longest pause before a probe, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class Breaker:
    """Whether an attempt may be made now. Not thread-safe; times in monotonic seconds."""

    def __init__(
        self,
        first: float = FIRST_PAUSE,
        longest: float = LONGEST_PAUSE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`first` and `longest` pause in seconds; `jitter` gives numbers in [0, 1)."""
        self.first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0
        self._prober: int | None = None
        #: Since when the target fails; None while it answers.
        self.failing_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the target counts as down."""
        return self._pause > 0.0

    def wait(self, now: float) -> float:
        """Seconds until an attempt may be made: 0 for now; infinity while a probe is under way."""
        if not self.is_open:
            return 0.0
        return float("inf") if self._prober is not None else max(0.0, self._until - now)

    def next_try(self, now: float) -> float | None:
        """Seconds until a target that is down may be tried; 0 also while it is being tried.

        None while it counts as up.
        """
        if not self.is_open:
            return None
        return 0.0 if self._prober is not None else max(0.0, self._until - now)

    def begin(self, worker: int) -> None:
        """A worker, which makes one attempt at a time, begins one: the probe, if this is open."""
        if self.is_open:
            self._prober = worker

    def withdraw(self, worker: int) -> None:
        """The worker's attempt ended without telling anything about the target."""
        if worker == self._prober:
            self._prober = None

    def probe_now(self) -> None:
        """Something changed (the network, say): do not wait for the end of the pause."""
        self._until = 0.0

    def succeeded(self) -> bool:
        """The target answered; whether it counted as down until now."""
        was_open, self._pause = self.is_open, 0.0
        self._failures = 0
        self._prober = None
        self._until = 0.0
        self.failing_since = None
        return was_open

    def failed(self, worker: int, now: float, retry_after: float | None) -> bool:
        """The worker's attempt found the target down; whether it counts so from now on only."""
        was_open, was_probe = self.is_open, worker == self._prober
        self._failures += 1
        self.withdraw(worker)
        if self.failing_since is None:
            self.failing_since = now
        if self._failures < THRESHOLD and retry_after is None and not was_open:
            return False
        if was_probe:
            self._pause = min(self._longest, 2 * self._pause)
        elif not was_open:
            self._pause = self.first
        elif retry_after is None:
            return False  # an attempt that began before it opened
        # Half of it for certain, so that probes do not crowd; half by chance, so that many senders
        # do not come back at once.
        wait = self._pause * (1 + self._jitter()) / 2
        self._until = max(self._until, now + (wait if retry_after is None else retry_after + wait))
        return not was_open
