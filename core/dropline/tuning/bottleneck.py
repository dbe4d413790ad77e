"""What limits the line: where its workers' time goes, and whether more of them would help."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dropline.meter import Totals, figures
from dropline.station import Spent
from dropline.tuning.advice import Bottleneck, Share, Stage

#: Seconds that shares are taken over.
OVER = 15.0
#: Seconds of workers' time that say something.
LEAST = 0.5
#: Of one processor: the interpreter runs one thread at a time, so this program then is the limit.
PROCESSOR = 0.85
#: The utilisation that a line must have to be limited by anything.
BUSY = 0.7
#: One worker more must bring this share of what a whole one would, to be worth it.
WORTH = 0.5


class _Seen(NamedTuple):
    time: float
    processor: float
    spent: Spent
    totals: Totals

    def is_idle_until(self, later: _Seen) -> bool:
        return later.totals.busy_area == self.totals.busy_area


class Finder:
    """Finds the bottleneck from totals that are shown to it now and then."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque()

    def look(
        self, now: float, processor: float, spent: Spent, totals: Totals, gain: float | None
    ) -> Bottleneck | None:
        """The bottleneck; None while too little was seen.

        `processor` is this program's time on the processor in seconds, `spent` what workers have
        spent and `totals` what the meter counted, all since the start; `gain` is how much of a
        whole worker's rate one more would bring, None if that is not known.
        """
        seen = self._seen
        seen.append(_Seen(now, processor, spent, totals))
        # The time before the work began says nothing of what limits it.
        while len(seen) > 2 and (now - seen[1].time >= OVER or seen[0].is_idle_until(seen[1])):
            seen.popleft()
        first = seen[0]
        elapsed = now - first.time
        attempts, reading, sending, limited = (
            b - a for a, b in zip(first.spent, spent, strict=True)
        )
        if attempts < LEAST or elapsed <= 0:
            return None
        # What is not spent here is spent waiting: for the answer, or for the interpreter.
        known = {Stage.SOURCE: reading, Stage.NETWORK: sending, Stage.LIMIT: limited}
        shares = {stage: max(0.0, min(1.0, s / attempts)) for stage, s in known.items()}
        shares[Stage.TARGET] = max(0.0, 1 - sum(shares.values()))
        processors = (processor - first.processor) / elapsed
        utilisation = figures(first.totals, totals).utilisation or 0.0
        stage = max(shares, key=shares.__getitem__)
        share = shares[stage]
        if utilisation < BUSY:
            stage, share = Stage.NONE, utilisation
        elif processors >= PROCESSOR:
            stage, share = Stage.SENDER, min(1.0, processors)
        elif gain is not None and gain >= WORTH and stage is not Stage.LIMIT:
            stage, share = Stage.WORKERS, utilisation
        return Bottleneck(stage, share, tuple(Share(s, share) for s, share in shares.items()))
