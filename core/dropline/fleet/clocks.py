"""The clocks of other hosts, judged by how old their messages seem when they come."""

from __future__ import annotations

#: Seconds after which the least age seen is forgotten, in two steps: clocks drift, and are set.
MEMORY = 60.0
#: A host's first messages, before which nothing is said of its clock.
ENOUGH = 10
#: The least age in seconds that messages may have from a clock in step: the network's own time.
IN_STEP = 0.05


class Clocks:
    """How far other hosts' clocks are from ours, in seconds.

    A message's age on arrival is its way here plus the difference of the clocks, and the youngest
    of many had hardly any way to come (NTP's minimum filter). One way can't tell a slow network
    from a clock that is behind, so up to `IN_STEP` counts as in step; an age below zero is a clock
    that is ahead for certain.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def note(self, host: str, stamped: float, received: float) -> None:
        """A message of `host` stamped by its clock came at `received` of ours."""
        self._hosts.setdefault(host, _Host()).note(received - stamped, received)

    def behind(self, host: str) -> float:
        """Seconds to add to what the clock of `host` says; 0 while it is in step or unknown."""
        known = self._hosts.get(host)
        if known is None or known.seen < ENOUGH:
            return 0.0
        least = known.least
        return 0.0 if 0.0 <= least <= IN_STEP else least

    def out_of_step(self) -> dict[str, float]:
        """The hosts whose clocks aren't in step, and how far they are behind (below 0: ahead)."""
        return {host: off for host in self._hosts if (off := self.behind(host))}


class _Host:
    """The least age of one host's messages, of this half of the memory and the one before."""

    def __init__(self) -> None:
        self.seen = 0
        self._now = self._before = float("inf")
        self._since = float("-inf")

    def note(self, age: float, at: float) -> None:
        self.seen += 1
        if at - self._since > MEMORY / 2:
            self._before, self._now, self._since = self._now, age, at
        self._now = min(self._now, age)

    @property
    def least(self) -> float:
        return min(self._now, self._before)
