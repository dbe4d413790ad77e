"""Lanes: which of a fleet's workers serves which task, one lane a slot of a process."""

from __future__ import annotations

import heapq


class Lanes:
    """Numbers for workers that don't say their own: each process of a fleet has slots.

    A task takes the lowest free slot of its process, so as many lanes are used as tasks ran at
    once. A lane keeps its number for good, so that a chart keeps its row.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._free: dict[str, list[int]] = {}
        self._used: dict[str, int] = {}
        self.names: list[str] = []
        """The name of each lane, such as `celery@host · 2`, by its number."""

    def take(self, process: str) -> tuple[str, int]:
        """The lowest free slot of a process."""
        free = self._free.setdefault(process, [])
        if free:
            return process, heapq.heappop(free)
        slot = self._used.get(process, 0)
        self._used[process] = slot + 1
        self._numbers[process, slot] = len(self.names)
        self.names.append(f"{process} · {slot + 1}")
        return process, slot

    def give(self, lane: tuple[str, int]) -> None:
        """Let a slot be free again."""
        process, slot = lane
        heapq.heappush(self._free[process], slot)

    def number(self, lane: tuple[str, int]) -> int:
        """The number of a lane, from 0 on, over all processes."""
        return self._numbers[lane]
