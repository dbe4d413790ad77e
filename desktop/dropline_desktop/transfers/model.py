"""The table model: what the events say about each file, as the view shows it.

The model lists the rows that a `Search` finds, or all. Some ten times a second the view is told, in
one step each, which rows joined, which changed and which no longer fit the search.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from dropline.events import Message, Proof
from dropline_desktop import format
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable
from dropline_desktop.transfers.rows import Numbers, Rows, State
from dropline_desktop.transfers.search import Search

Index = QModelIndex | QPersistentModelIndex

#: Seconds from an event to its showing: quick enough to be read, and painted a tenth as often.
REFRESH = 0.08
#: A list so long that telling takes its time is told so many times that time apart.
EASE = 8
#: Seconds of a frame that the search may take.
BUDGET = 0.006
#: Beyond so many separate pieces it is quicker to lay out the list anew than to change it.
PIECES = 50
_ROOT = QModelIndex()
_NONE = (1 << 62, -1)


class Column(IntEnum):
    """The columns, from the left."""

    STATE = 0
    NAME = 1
    SIZE = 2
    ATTEMPT = 3
    SPEED = 4
    RESULT = 5


class TransfersModel(QAbstractTableModel):
    """The transfers, one row a file."""

    #: The number of files by state changed.
    counted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows = Rows()
        self._search = Search(self.rows, frozenset(), "")
        self._length = 0
        self._shown: array[int] | None = None  # ascending; None: every row
        self._looked = 0  # rows before this one are shown if they fit, but for those touched since
        self._touched: set[int] = set()
        self._changed = _NONE
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.timeout.connect(self._go_on)
        self._pause = REFRESH
        self._due = 0.0

    # --- what happens -----------------------------------------------------------------------

    def take(self, messages: Sequence[Message]) -> None:
        """Take in a batch of events; the view is told soon, see `flush`."""
        known = len(self.rows)
        touched = {row for row in map(self.rows.apply, messages) if row is not None}
        changed = [row for row in touched if row < known]
        if changed:
            self._search.again(changed)
            if self._shown is not None:
                self._touched.update(changed)
            self._changed = min(self._changed[0], *changed), max(self._changed[1], *changed)
        if touched and not self._refresh.isActive():
            self._refresh.start(round(self._pause * 1000))

    def flush(self) -> None:
        """Tell the view what joined, what changed and what the search has found so far."""
        began = time.monotonic()
        if self._shown is None:
            self._append(len(self.rows))
        else:
            self._fit(self._shown)
        self._announce(*self._changed)
        self._changed = _NONE
        self.counted.emit()
        now = time.monotonic()
        self._pause = max(REFRESH, EASE * (now - began))
        self._due = now + self._pause

    def look_for(self, states: frozenset[State], text: str) -> None:
        """Show the files in these states (all when empty) whose name or reason holds the text."""
        self._search = Search(self.rows, states, text)
        self._search.advance(BUDGET)
        self.beginResetModel()
        if self._search.is_trivial:
            self._shown = None
            self._length = len(self.rows)
        else:
            self._looked = self._search.done
            fitting = self._search.fits(slice(self._looked))
            self._shown = _array(np.flatnonzero(fitting).astype(np.int32))
        self.endResetModel()
        self._touched.clear()
        self._changed = _NONE
        self._refresh.start(0)

    def row(self, shown: int) -> int:
        """The row that stands at a place in the list."""
        return shown if self._shown is None else self._shown[shown]

    def jobs(self, first: int, last: int, states: frozenset[State]) -> list[int]:
        """The jobs at these places in the list (both included) that are in one of the states."""
        return self.rows.jobs(self._rows_at(first, last), states)

    def states(self, first: int, last: int) -> set[State]:
        """The states of the files at these places in the list (both included)."""
        return self.rows.states_among(self._rows_at(first, last))

    def _rows_at(self, first: int, last: int) -> Numbers | slice:
        if self._shown is None:
            return slice(first, last + 1)
        return np.array(self._shown[first : last + 1], dtype=np.int32)

    # --- for the view -----------------------------------------------------------------------

    def rowCount(self, parent: Index = _ROOT) -> int:
        if parent.isValid():
            return 0
        return self._length if self._shown is None else len(self._shown)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self._heading(Column(section))
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return self.alignment(Column(section))
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        column = Column(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.text(self.row(index.row()), column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(self.row(index.row()))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self.alignment(column)
        return None

    def text(self, row: int, column: Column) -> str:
        """What stands in a cell."""
        rows = self.rows
        match column:
            case Column.STATE:
                return self._state(row)
            case Column.NAME:
                return printable(rows.name(row))
            case Column.SIZE:
                return format.size(rows.size(row)) if rows.size(row) >= 0 else ""
            case Column.ATTEMPT:
                return format.count(rows.attempts(row)) if rows.attempts(row) else ""
            case Column.SPEED:
                speed = rows.speed(row)
                return format.size_rate(speed) if speed else ""
            case Column.RESULT:
                return self._result(row)

    @staticmethod
    def alignment(column: Column) -> Qt.AlignmentFlag:
        """On which side of its column a cell's text stands."""
        numeric = column in (Column.SIZE, Column.ATTEMPT, Column.SPEED)
        side = Qt.AlignmentFlag.AlignRight if numeric else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter

    def _heading(self, column: Column) -> str:
        return {
            Column.STATE: self.tr("State"),
            Column.NAME: self.tr("Name"),
            Column.SIZE: self.tr("Size"),
            Column.ATTEMPT: self.tr("Attempt"),
            Column.SPEED: self.tr("Speed"),
            Column.RESULT: self.tr("Result"),
        }[column]

    def _state(self, row: int) -> str:
        match self.rows.state(row):
            case State.WAITING:
                return self.tr("Waiting")
            case State.SENDING:
                share = self.share(row)
                return (
                    self.tr("Sending {}").format(format.percent(share))
                    if share
                    else self.tr("Sending")
                )
            case State.RETRYING:
                left = (self.rows.due[row] - datetime.now(UTC)).total_seconds()
                wait = format.duration(float(max(0, math.ceil(left))))
                return self.tr("Retry in {}").format(wait)
            case State.HELD:
                return self.tr("Held")
            case State.SENT | State.DUPLICATE | State.SKIPPED:
                return self.tr("Sent")
            case State.FAILED:
                return self.tr("Failed")
            case State.CANCELLED:
                return self.tr("Cancelled")
            case State.REFUSED:
                return self.tr("Refused")

    def _result(self, row: int) -> str:
        match self.rows.state(row):
            case State.SENT:
                return self._confirmed(self.rows.proof(row))
            case State.DUPLICATE:
                return self.tr("Verified: was there already")
            case State.SKIPPED:
                return self.tr("Unchanged: sent there before")
            case State.HELD:
                return self.tr("Until you resume it")
            case State.WAITING if row in self.rows.first:
                return self.tr("Goes before the others")
        # The row names the file already; in a narrow column the rest of the sentence counts.
        reason = spoken(self.rows.reasons.get(row, ""))
        rest = reason.removeprefix(f"“{self.rows.path(row)}”").lstrip()
        return printable(reason if rest == reason else rest[:1].upper() + rest[1:])

    def _confirmed(self, proof: Proof) -> str:
        match proof:
            case Proof.DIGEST:
                return self.tr("Verified")
            case Proof.SIZE:
                return self.tr("Sent: size checked")
            case Proof.NONE:
                return self.tr("Sent: not verified by the server")

    def reason(self, row: int) -> str:
        """Why a file was not sent, or not yet; empty where there is nothing to say."""
        return printable(spoken(self.rows.reasons.get(row, "")))

    def _tip(self, row: int) -> str:
        outcome = self.reason(row) or self._result(row)
        lines = [printable(self.rows.path(row)), self._state(row), outcome]
        return "\n".join(filter(None, lines))

    def share(self, row: int) -> float | None:
        """How much of a running attempt is sent, from 0 to 1; None when none runs."""
        progress, size = self.rows.progress.get(row), self.rows.size(row)
        return min(1.0, progress.sent / size) if progress is not None and size > 0 else None

    # --- what the view is told --------------------------------------------------------------

    def _append(self, length: int) -> None:
        if length > self._length:
            self.beginInsertRows(_ROOT, self._length, length - 1)
            self._length = length
            self.endInsertRows()

    def _go_on(self) -> None:
        """Search on, or tell the view when that is due or the search is at its end."""
        more = self._search.done < len(self.rows)
        if more and time.monotonic() < self._due:
            self._search.advance(BUDGET)
        else:
            self.flush()
        if more:
            self._refresh.start(0)

    def _announce(self, first: int, last: int) -> None:
        """Tell which rows changed, as one range of places in the list."""
        if self._shown is not None:
            first = bisect_left(self._shown, first)
            last = bisect_right(self._shown, last) - 1
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))

    def _fit(self, shown: array[int]) -> None:
        """Show what fits now of the rows that were touched or found since the last time."""
        rows = np.array(sorted(row for row in self._touched if row < self._looked), dtype=np.int32)
        self._touched.clear()
        if len(rows):
            shown = self._shown = self._changes(shown, rows)
        looked, self._looked = self._looked, self._search.done
        found = np.flatnonzero(self._search.fits(slice(looked, self._looked))) + looked
        if len(found):
            self.beginInsertRows(_ROOT, len(shown), len(shown) + len(found) - 1)
            shown.frombytes(found.astype(np.int32).tobytes())
            self.endInsertRows()

    def _changes(self, shown: array[int], rows: Numbers) -> array[int]:
        """Let rows join and leave what is shown; the array that shows it."""
        fitting = self._search.fits(rows)
        before = np.frombuffer(shown, dtype=np.int32) if shown else rows[:0]
        places = np.searchsorted(before, rows)
        listed = places < len(before)
        listed[listed] = before[places[listed]] == rows[listed]
        del before  # which keeps the array from growing
        gone = places[listed & ~fitting]
        come = rows[fitting & ~listed]
        to = places[fitting & ~listed]
        to += np.arange(len(to)) - np.searchsorted(gone, to)
        leaving, joining = _pieces(gone), _pieces(to)
        if len(leaving) + len(joining) > PIECES:
            kept = np.delete(np.array(shown, dtype=np.int32), gone)
            self.beginResetModel()
            shown = self._shown = _array(np.insert(kept, to - np.arange(len(to)), come))
            self.endResetModel()
            return shown
        for first, last in reversed(leaving.tolist()):
            self.beginRemoveRows(_ROOT, first, last)
            del shown[first : last + 1]
            self.endRemoveRows()
        for first, last in joining.tolist():
            self.beginInsertRows(_ROOT, first, last)
            shown[first:first], come = _array(come[: last + 1 - first]), come[last + 1 - first :]
            self.endInsertRows()
        return shown


def _array(rows: Numbers) -> array[int]:
    """Numbers of rows as an array, in which pieces are put and deleted where they are."""
    return array("i", rows.tobytes())


def _pieces(places: np.ndarray[Any, np.dtype[np.intp]]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Rising places as pieces without a gap: a pair a piece, first and last included."""
    cuts = np.flatnonzero(np.diff(places) > 1)
    firsts = places[np.concatenate(([0], cuts + 1))] if len(places) else places
    lasts = places[np.concatenate((cuts, [-1]))] if len(places) else places
    return np.column_stack((firsts, lasts))
