"""Steering a fleet: the size that is wanted, what each worker shall have of it, and telling it."""

from __future__ import annotations

import threading
import time

from dropline.fleet.members import Member
from dropline.fleet.sizes import POOL_REMEDY, Asks, can_not, least, plan, resize

#: Seconds before a worker is told its size again: prefork forks and ends processes, some of them
#: every 5 s only, and until then counts those of before.
AGAIN_AFTER = 6.0


class Steering:
    """The size that is wanted of the members of a fleet. `lock` guards them, and is not kept while
    workers are told; all but `apply` are called with it held.
    """

    def __init__(self, members: dict[str, Member], lock: threading.Lock) -> None:
        self.wanted: int | None = None
        """None while nobody asked."""
        self._members = members
        self._lock = lock
        self._before: list[dict[str, int]] = []
        self._plan: dict[str, int] = {}

    def resize(self, workers: int) -> None:
        """Want this many in all; raises ValueError with a sentence when that can't be."""
        sizes, fixed = self._sizes()
        if not sizes:
            raise ValueError("no worker answers, so there is none to tune: start one")
        if workers < (fewest := least(sizes, fixed)):
            raise ValueError(
                f"{workers} workers: this fleet has {fewest} at least, one a process; "
                "stop a process to have fewer"
            )
        if len(fixed) == len(sizes) and workers != sum(sizes.values()):
            raise ValueError(f"{', '.join(fixed)} can't change its size: {POOL_REMEDY}")
        self._before.append(sizes)
        self.wanted, self._plan = workers, {}

    def undo(self) -> bool:
        """Want of each what it had before the last `resize`; False without one."""
        if not self._before:
            return False
        self._plan = self._before.pop()
        self.wanted = sum({**self._sizes()[0], **self._plan}.values())
        return True

    def apply(self, remote: Asks) -> bool:
        """Tell workers that have another size than they shall; whether one was told."""
        with self._lock:
            if self.wanted is None:
                return False
            sizes, fixed = self._sizes()
            planned = {**sizes, **self._plan} if self._plan else plan(self.wanted, sizes, fixed)
            members = [member for name, member in self._members.items() if name not in fixed]
        told = False
        for member in members:
            now, wanted = sizes[member.name], planned[member.name]
            if time.monotonic() < member.next_try:
                if member.refusal:
                    continue
                now = member.told_size
            if now == wanted:
                continue
            member.told_size, member.next_try = wanted, time.monotonic() + AGAIN_AFTER
            refusal = resize(remote, member.name, now, wanted, autoscaled=member.autoscaled)
            with self._lock:
                member.fixed = can_not(refusal)
                member.refusal = refusal or ""
            told = True
        return told

    def _sizes(self) -> tuple[dict[str, int], set[str]]:
        sizes = {name: member.workers for name, member in self._members.items()}
        return sizes, {name for name, member in self._members.items() if member.fixed}
