"""What a change of the order did to τ, measured: the mean before it and the mean since.

*Before*: the files finished in the last `BEFORE` seconds before the change, or since the change
before that, where it is more recent. *Since*: those finished from the change on. A mean is known
once `ENOUGH` files count in it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dropline.station import Reading

#: Seconds before the change that count.
BEFORE = 60.0
#: Files from which on a mean is shown.
ENOUGH = 20


class _Sum(NamedTuple):
    t: float
    finished: int
    responses: float


class Effect:
    """Give it the readings and the changes, on the same clock."""

    def __init__(self) -> None:
        self._sums: deque[_Sum] = deque()
        self._change: _Sum | None = None
        #: The mean response time before the last change, in seconds; None while not known.
        self.before: float | None = None

    @property
    def since(self) -> float | None:
        """The mean response time since the last change, in seconds; None while not known."""
        return _mean(self._change, self._sums[-1]) if self._change and self._sums else None

    def add_reading(self, reading: Reading) -> None:
        """Take in a reading."""
        self._sums.append(_Sum(reading.t, reading.finished, reading.responses))
        while len(self._sums) > 1 and self._sums[1].t <= reading.t - BEFORE:
            self._sums.popleft()

    def changed(self, t: float) -> None:
        """The order changed at `t`."""
        while len(self._sums) > 1 and self._sums[-1].t > t:  # it was told late
            self._sums.pop()
        if self._sums:
            self._change = self._sums[-1]
            self.before = _mean(self._sums[0], self._change)
            self._sums = deque([self._change])


def _mean(first: _Sum, last: _Sum) -> float | None:
    finished = last.finished - first.finished
    return (last.responses - first.responses) / finished if finished >= ENOUGH else None
