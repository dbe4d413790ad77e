"""The guided probe: 1, 2, 4, 8, … workers for a few seconds each, so that the knee shows.

What it measures goes where all measurements go: the rates by busy workers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Seconds of a step that may pass without enough work for all its workers before it ends.
EMPTY_AFTER = 2.0
#: Steps last no longer than so many times what was asked for, if too few jobs are done in that.
STRETCH = 4.0
#: Jobs that a step's rate needs, and for each worker.
JOBS, JOBS_EACH = 20, 2
#: What a step may be asked to last.
LEAST_SECONDS, MOST_SECONDS = 1.0, 120.0


@dataclass(frozen=True, slots=True)
class Step:
    """Where a probe is: `workers` wanted now, and `why` it ended if it is over."""

    number: int
    workers: int
    why: str

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.why == "running"


class Probe:
    """One run of it, from `start` to its end, at which it goes back to `before` workers."""

    def __init__(self, before: int, most: int, seconds: float, now: float) -> None:
        """`seconds` each for 1, 2, 4, … up to `most`. Raises ValueError for what is no probe."""
        if most < 2:
            raise ValueError(f"a probe of up to {most} workers: choose at least 2")
        if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
            raise ValueError(
                f"a probe of {seconds} seconds a step: "
                f"choose {LEAST_SECONDS:.0f} to {MOST_SECONDS:.0f}"
            )
        self.before, self.seconds = before, seconds
        doubled = [2**k for k in range(math.ceil(math.log2(most)))]
        self.plan = (*doubled, most)
        self._at = 0
        self._began = now
        self._done: int | None = None
        self._busy = now

    @property
    def step(self) -> Step:
        """The step that runs."""
        return Step(self._at + 1, self.plan[self._at], "running")

    def look(self, now: float, in_system: int, finished: int) -> Step | None:
        """The next step, or the end, if it is time; `finished` jobs so far in all."""
        workers = self.plan[self._at]
        if in_system >= workers:
            self._busy = now
        elif now - self._busy >= EMPTY_AFTER:
            return self.end("empty")
        if self._done is None:
            self._done = finished
        elapsed, done = now - self._began, finished - self._done
        enough = done >= max(JOBS, JOBS_EACH * workers) or elapsed >= STRETCH * self.seconds
        if elapsed < self.seconds or not enough:
            return None
        if self._at + 1 == len(self.plan):
            return self.end("done")
        self._at += 1
        self._began, self._done, self._busy = now, finished, now
        return self.step

    def end(self, why: str) -> Step:
        """It is over, with the workers from before."""
        return Step(self._at + 1, self.before, why)
