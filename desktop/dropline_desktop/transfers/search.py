"""Which rows to show: by state, and by what is typed into the search field.

States are looked up in one go. Names are searched slice by slice, so that a million of them never
hold up the window; what is typed next starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from dropline_desktop.spoken import spoken
from dropline_desktop.transfers.names import SLASH
from dropline_desktop.transfers.rows import Numbers, Rows, State

Mask = np.ndarray[Any, np.dtype[np.bool_]]
#: Rows searched between two looks at the clock.
SLICE = 2000


class Search:
    """The rows in certain states whose name or reason holds a text, however it is capitalised."""

    def __init__(self, rows: Rows, states: frozenset[State], text: str) -> None:
        """Every state is wanted when `states` is empty; an empty text is in every name."""
        self._rows = rows
        self._wanted = states or frozenset(State)
        self._text = text.casefold()
        self._found: Mask = np.zeros(1024, dtype=np.bool_)
        self._done = 0

    @property
    def done(self) -> int:
        """How many rows were looked at, from the first on."""
        return self._done if self._text else len(self._rows)

    @property
    def is_trivial(self) -> bool:
        """Whether every row is wanted."""
        return not self._text and self._wanted == frozenset(State)

    def advance(self, seconds: float) -> None:
        """Search on for about this long."""
        if not self._text:
            return
        deadline = time.monotonic() + seconds
        while self._done < len(self._rows):
            end = min(self._done + SLICE, len(self._rows))
            self._grow(end)
            self._found[self._done : end] = self._matching(self._done, end)
            self._done = end
            if time.monotonic() >= deadline:
                break

    def again(self, rows: Iterable[int]) -> None:
        """Look at these rows once more: their reasons changed."""
        if self._text:
            for row in rows:
                if row < self._done:
                    self._found[row] = self._matches(row)

    def fits(self, rows: Numbers | slice) -> Mask:
        """Which of these rows are to be shown; all of them were looked at."""
        states = self._rows.states(rows)
        # A state at a time, which for a million rows is ten times as quick as a table of them.
        mask: Mask = np.logical_or.reduce([states == state for state in self._wanted])
        return mask & self._found[rows] if self._text else mask

    def _matching(self, first: int, last: int) -> Mask:
        """Which rows from `first` to before `last` match.

        As `_matches` says, but without putting each name together, which takes most of the time:
        folders are looked through once, and all leaves in one go.
        """
        rows = self._rows
        before, after = self._text.rpartition(SLASH)[::2]
        leaves = rows.names.leaves(first, last).casefold()
        folders, which = rows.names.folders(first, last)
        folders = [folder.casefold() for folder in folders]
        matching: Mask = np.array([self._text in folder for folder in folders])[which]
        if after in leaves:
            each = leaves.split(SLASH)[:-1]
            if SLASH in self._text:  # its last slash is the folder's, or it lies in the folder
                ends = np.array([folder.endswith(before + SLASH) for folder in folders])[which]
                matching |= ends & [leaf.startswith(after) for leaf in each]
            else:
                matching |= [after in leaf for leaf in each]
        if rows.reasons:
            matching |= [self._in_reason(row) for row in range(first, last)]
        return matching

    def _matches(self, row: int) -> bool:
        return self._text in self._rows.name(row).casefold() or self._in_reason(row)

    def _in_reason(self, row: int) -> bool:
        reason = self._rows.reasons.get(row, "")
        # Names and figures are in core's own words, too; to say it anew takes ten times as long.
        if self._text.isascii():
            return self._text in reason.casefold()
        return self._text in spoken(reason).casefold()

    def _grow(self, size: int) -> None:
        if size > len(self._found):
            self._found = np.resize(self._found, max(size, 2 * len(self._found)))
