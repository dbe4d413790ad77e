"""The autopilot: it sets the number of workers that is recommended, slowly enough not to swing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dropline.tuning.advice import Recommendation, Why

#: Seconds that more, and fewer, workers must have been recommended before it moves.
UP_AFTER, DOWN_AFTER = 3.0, 30.0
#: Seconds from one move to the next; after a move in the other direction so many times as many, at
#: most the longest.
DWELL, LONGER, LONGEST = 10.0, 2.0, 320.0
#: Seconds without a turn after which it counts no more.
CALM = 600.0
#: One move makes the workers no more than so many times as many.
LEAP = 2
#: Fewer by no more than this share are not worth a move.
WORTH = 0.1
#: What nothing is known by, or no work is there for.
_NO_GUIDE = (Why.NOTHING_SEEN, Why.IDLE)


@dataclass(frozen=True, slots=True)
class Move:
    """Another number of workers, and why."""

    before: int
    workers: int
    because: Recommendation


class Autopilot:
    """Decides when to move, between `least` and `most` workers; off until it is turned on."""

    def __init__(self) -> None:
        self.on = False
        self.least, self.most = 1, 16
        self._wanted = 0  # −1 fewer, 1 more
        self._since = 0.0
        self._moved = -math.inf
        self._direction = 0
        self._turned = -math.inf
        self._dwell = DWELL

    def engage(self, least: int, most: int) -> None:
        """Turn it on. Raises ValueError for bounds that leave no number of workers."""
        if not 1 <= least <= most:
            raise ValueError(f"{least} to {most} workers: choose at least 1, and no less at most")
        self.on, self.least, self.most = True, least, most
        self._wanted, self._direction = 0, 0
        self._moved, self._dwell = -math.inf, DWELL

    def disengage(self) -> None:
        """Turn it off."""
        self.on = False

    def decide(self, recommended: Recommendation, workers: int, now: float) -> Move | None:
        """The move to make now, if one is due."""
        if not self.on or recommended.workers is None or recommended.why in _NO_GUIDE:
            self._wanted = 0
            return None
        goal = min(self.most, max(self.least, recommended.workers))
        outside = not self.least <= workers <= self.most
        wanted = (goal > workers) - (goal < workers)
        if wanted < 0 and not outside and workers - goal <= WORTH * workers:
            wanted = 0
        if wanted != self._wanted:
            self._wanted, self._since = wanted, now
        if not wanted:
            return None
        patience = 0.0 if outside else UP_AFTER if wanted > 0 else DOWN_AFTER
        if now - self._since < patience or now - self._moved < self._dwell_for(wanted, now):
            return None
        if wanted > 0 and not outside:
            goal = min(goal, max(LEAP * workers, workers + 1))
        self._note(wanted, now)
        return Move(workers, goal, recommended)

    def _dwell_for(self, wanted: int, now: float) -> float:
        if now - self._turned > CALM:
            self._dwell = DWELL
        turns = self._direction and wanted != self._direction
        return min(LONGEST, self._dwell * LONGER) if turns else DWELL

    def _note(self, wanted: int, now: float) -> None:
        if self._direction and wanted != self._direction:
            self._dwell = min(LONGEST, self._dwell * LONGER)
            self._turned = now
        self._direction, self._moved, self._since = wanted, now, now
