"""The rows of the list, column by column, so that a million of them stay small and quick.

What every row has lies in arrays; what only a few have (an attempt that runs, a reason) lies in
dictionaries by row.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import numpy as np

from dropline.events import (
    FileCancelled,
    FileFailed,
    FileHeld,
    FilePrioritised,
    FileProgressed,
    FileQueued,
    FileRefused,
    FileReleased,
    FileRetried,
    FileSkipped,
    FileStarted,
    FileUploaded,
    Message,
    Proof,
)
from dropline_desktop.transfers.names import Names
from dropline_desktop.transfers.places import Places

#: Numbers of rows.
Numbers = np.ndarray[Any, np.dtype[np.int32]]


class State(IntEnum):
    """What has become of a file."""

    WAITING = 0
    SENDING = 1
    RETRYING = 2
    SENT = 3
    DUPLICATE = 4
    FAILED = 5
    CANCELLED = 6
    REFUSED = 7
    HELD = 8
    SKIPPED = 9


#: The proofs by their number in a row.
PROOFS = tuple(Proof)
#: A file in one of these states takes its turn sooner or later, and can be held.
ACTIVE = frozenset({State.WAITING, State.SENDING, State.RETRYING})
#: A file in one of these states can be cancelled.
UNFINISHED = ACTIVE | {State.HELD}
#: A file in one of these states is at the target, and can be sent again.
THERE = frozenset({State.SENT, State.DUPLICATE, State.SKIPPED})


@dataclass(slots=True)
class Progress:
    """A running attempt: when it began, and the bytes sent when that was last told."""

    began: datetime
    told: datetime
    sent: int = 0

    @property
    def speed(self) -> float | None:
        """Bytes a second since the attempt began; None before the first progress."""
        seconds = (self.told - self.began).total_seconds()
        return self.sent / seconds if seconds > 0 and self.sent else None


class Rows:
    """What is known of each file, built from the events about it. Rows are numbered from 0."""

    def __init__(self) -> None:
        self.names = Names()
        self.reasons: dict[int, str] = {}
        self.progress: dict[int, Progress] = {}
        self.due: dict[int, datetime] = {}
        #: The rows that go before the others.
        self.first: set[int] = set()
        self.counts = [0] * len(State)
        self._states = array("B")
        self._attempts = array("H")
        self._sizes = array("q")
        self._seconds = array("f")
        self._proofs = array("B")
        self._jobs = array("q")  # 0 for what was refused
        self._places = Places()

    def __len__(self) -> int:
        return len(self._states)

    def state(self, row: int) -> State:
        """What has become of the file."""
        return State(self._states[row])

    def name(self, row: int) -> str:
        """The name under which the file is sent, with "/" between its parts."""
        return self.names.name(row)

    def path(self, row: int) -> str:
        """Where the file lies."""
        return self.names.path(row)

    def size(self, row: int) -> int:
        """The file's size in bytes; -1 for what was refused."""
        return self._sizes[row]

    def attempts(self, row: int) -> int:
        """How many times it was tried."""
        return self._attempts[row]

    def proof(self, row: int) -> Proof:
        """How far the target confirmed a file that was sent."""
        return PROOFS[self._proofs[row]]

    def name_of(self, job: int) -> str:
        """The name of a job's file; "" when there is no such job."""
        row = self._places.get(job)
        return "" if row is None else self.name(row)

    def speed(self, row: int) -> float | None:
        """Bytes a second of the attempt that runs, or of the one that succeeded."""
        if row in self.progress:
            return self.progress[row].speed
        seconds = self._seconds[row]
        return self._sizes[row] / seconds if seconds > 0 else None

    def states(self, rows: Numbers | slice) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The states of some rows."""
        return np.frombuffer(self._states, dtype=np.uint8)[rows]

    def jobs(self, rows: Numbers | slice, states: frozenset[State]) -> list[int]:
        """The ids of the jobs among `rows` that are in one of `states`."""
        wanted = np.isin(self.states(rows), list(states))
        jobs: list[int] = np.frombuffer(self._jobs, dtype=np.int64)[rows][wanted].tolist()
        return jobs

    def states_among(self, rows: Numbers | slice) -> set[State]:
        """The states that `rows` are in."""
        counts = np.bincount(self.states(rows))
        return {State(number) for number in np.flatnonzero(counts).tolist()}

    def apply(self, message: Message) -> int | None:
        """Take in an event; the row that it changed or added, None when it is about no row."""
        event = message.data
        match event:
            case FileQueued():
                return self._enter(event, State.WAITING)
            case FileRefused():
                return self._add(0, event.path, event.path, -1, State.REFUSED, event.reason)
            case FileProgressed():
                row = self._places.get(event.job)
                if row is not None and row in self.progress:
                    progress = self.progress[row]
                    progress.sent, progress.told = event.sent, message.time
                return row
            case FileStarted():
                return self._become(event.job, State.SENDING, message.time, event.attempt)
            case FileUploaded():
                state = State.DUPLICATE if event.duplicate else State.SENT
                row = self._become(event.job, state, message.time)
                if row is not None:
                    self._sizes[row] = event.size
                    self._seconds[row] = event.seconds
                    self._proofs[row] = PROOFS.index(Proof(event.proof))
                return row
            case FileRetried():
                row = self._become(event.job, State.RETRYING, message.time, reason=event.reason)
                if row is not None:
                    self.due[row] = message.time + timedelta(seconds=event.delay)
                return row
            case FileFailed():
                return self._become(event.job, State.FAILED, message.time, reason=event.reason)
            case FileCancelled():
                return self._become(event.job, State.CANCELLED, message.time)
            case FileHeld():
                return self._turn(event.job, ACTIVE, State.HELD)
            case FileReleased():
                return self._turn(event.job, frozenset({State.HELD}), State.WAITING)
            case FileSkipped():
                return self._enter(event, State.SKIPPED)
            case FilePrioritised():
                return self._prioritised(event)
        return None

    def _enter(self, event: FileQueued | FileSkipped, state: State) -> int:
        row = self._places.get(event.job)
        if row is not None:  # a file that is in the list already
            self._attempts[row] = 0
            self._sizes[row] = event.size
            self._seconds[row] = 0.0
            self.first.discard(row)
            self._set(row, state)
            return row
        row = self._add(event.job, event.name, event.path, event.size, state)
        self._places[event.job] = row
        return row

    def _prioritised(self, event: FilePrioritised) -> int | None:
        row = self._places.get(event.job)
        if row is not None:
            (self.first.add if event.priority > 0 else self.first.discard)(row)
        return row

    def _add(
        self, job: int, name: str, path: str, size: int, state: State, reason: str = ""
    ) -> int:
        row = len(self)
        self.names.append(name, path)
        self._states.append(state)
        self._attempts.append(0)
        self._sizes.append(size)
        self._seconds.append(0.0)
        self._proofs.append(0)
        self._jobs.append(job)
        self.counts[state] += 1
        if reason:
            self.reasons[row] = reason
        return row

    def _become(
        self, job: int, state: State, now: datetime, attempt: int = 0, reason: str = ""
    ) -> int | None:
        row = self._places.get(job)
        if row is None:
            return None
        if attempt:
            self._attempts[row] = min(attempt, 0xFFFF)
        self._set(row, state)
        if state is State.SENDING:
            self.progress[row] = Progress(now, now)
        if reason:
            self.reasons[row] = reason
        return row

    def _turn(self, job: int, before: frozenset[State], state: State) -> int | None:
        """Enter a state from certain ones; from others the file has gone on meanwhile."""
        row = self._places.get(job)
        if row is not None and self.state(row) in before:
            self._set(row, state)
        return row

    def _set(self, row: int, state: State) -> None:
        """Enter a state, and forget what belonged to the one before."""
        self.counts[self._states[row]] -= 1
        self.counts[state] += 1
        self._states[row] = state
        self.progress.pop(row, None)
        self.due.pop(row, None)
        self.reasons.pop(row, None)
