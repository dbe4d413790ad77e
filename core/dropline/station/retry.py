"""When a job whose attempt failed in passing is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter.

    The delay before attempt n+1 is uniform on [0, min(cap, base·2ⁿ⁻¹)] seconds, which spreads the
    retries of many jobs best (M. Brooker, "Exponential Backoff And Jitter", 2015).
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0

    def delay(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after attempt number `attempt` failed; None: give up."""
        if attempt >= self.attempts:
            return None
        jitter = random.uniform(0.0, min(self.cap, self.base * 2.0 ** (attempt - 1)))
        return jitter if retry_after is None else retry_after + jitter
