"""Many numbers in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence


def compact(numbers: Iterable[int]) -> Sequence[int]:
    """The numbers, ascending and each once: their bounds where they follow each other, as the ids
    of a folder's files do, else eight bytes each."""
    every = sorted(set(numbers))
    if every and every[-1] - every[0] == len(every) - 1:
        return range(every[0], every[-1] + 1)
    return array("q", every)
