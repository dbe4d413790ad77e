"""The past of a station on disk: rows of 1 s for an hour, of 10 s for a day, of 60 s for 30 days.

Each width is complete by itself: a second that is added goes into its 10 s and its minute too, in
the same transaction. So nothing has to be made up for after a kill.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dropline.events import Event, Message
from dropline.history.row import Row, join
from dropline.history.storage import HistoryError, open_to_read, open_to_write

#: Widths of the rows in seconds, and for how many seconds rows of each are kept.
KEPT = {1: 3_600, 10: 86_400, 60: 30 * 86_400}
WIDEST = max(KEPT)
#: Marks that are kept at most.
MARKS = 10_000


class Mark(NamedTuple):
    """Something that happened at `time`, in the rows' seconds."""

    time: float
    event: Event


class Past(Protocol):
    """Where rows come from: the history on disk, or a recorded log. Any thread may ask."""

    def extent(self) -> tuple[float, float] | None:
        """When the first row begins and the last ends; None when there is none."""

    def rows(self, start: float, end: float, width: float = 0.0) -> Sequence[Row]:
        """The rows of [start, end), oldest first, the first of which may begin before: the finest
        there are of at least `width` seconds, or the widest.
        """

    def marks(self, start: float, end: float) -> Sequence[Mark]:
        """What happened in [start, end), oldest first."""


class Store:
    """Reads and writes the past of one station.

    Every method waits for the disk and may raise HistoryError. One thread writes; any may read, and
    reads nothing where there is no file.
    """

    def __init__(self, path: Path, station: str) -> None:
        self.path = path
        self.station = station
        self._connection: sqlite3.Connection | None = None

    def open(self, notice: Callable[[str], object]) -> None:
        """Get ready to write; a damaged file is set aside, and `notice` gets a sentence."""
        self.close()
        self._connection = open_to_write(self.path, notice)

    def close(self) -> None:
        """Write no more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(self, rows: Sequence[Row], marks: Sequence[Message] = ()) -> None:
        """Add rows of a second, and what happened meanwhile: all or nothing."""
        connection = self._connection
        assert connection is not None, "open it first"
        try:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for width in KEPT:
                    self._add(connection, width, rows)
                connection.executemany(
                    "INSERT INTO marks (station, time, event) VALUES (?, ?, ?)",
                    (
                        (self.station, mark.time.timestamp(), json.dumps(mark.to_cloudevent()))
                        for mark in marks
                    ),
                )
                if rows:
                    self._forget(connection, rows[-1].end)
        except (sqlite3.Error, ValueError) as error:
            raise HistoryError.of(self.path, error) from error

    def extent(self) -> tuple[float, float] | None:
        """See `Past`."""
        row = "SELECT data FROM rows WHERE station = ? AND width = ? ORDER BY start"
        first = self._read(f"{row} LIMIT 1", self.station, WIDEST)
        last = self._read(f"{row} DESC LIMIT 1", self.station, WIDEST)
        if not first or not last:
            return None
        return Row.from_bytes(first[0][0]).start, Row.from_bytes(last[0][0]).end

    def rows(self, start: float, end: float, width: float = 0.0) -> Sequence[Row]:
        """See `Past`. What is too old for fine rows comes in wider ones."""
        extent = self.extent()
        if extent is None:
            return ()
        start, end = max(start, extent[0]), min(end, extent[1])
        pieces: list[list[Row]] = []
        for step, kept in KEPT.items():
            if step >= width or step == WIDEST:
                # At a whole minute, where rows of every width begin.
                oldest = -math.inf if step == WIDEST else (extent[1] - kept) // WIDEST * WIDEST
                if oldest <= start:
                    pieces.append(self._between(step, start // step * step, end))
                    break
                pieces.append(self._between(step, oldest, end))
                end = min(end, oldest)
        return [row for piece in reversed(pieces) for row in piece]

    def marks(self, start: float, end: float) -> Sequence[Mark]:
        """See `Past`. An event that this version does not know is left out."""
        marks = []
        for time, event in self._read(
            "SELECT time, event FROM marks WHERE station = ? AND time >= ? AND time < ?"
            " ORDER BY time, id",
            self.station,
            start,
            end,
        ):
            try:
                marks.append(Mark(time, Message.from_cloudevent(json.loads(event)).data))
            except ValueError:
                continue
        return marks

    def _add(self, connection: sqlite3.Connection, width: int, rows: Iterable[Row]) -> None:
        """Put rows into those of a width, joined with what is there already."""

        def place(row: Row) -> int:
            """In milliseconds: of a wide row the multiple of its width at or before."""
            step = 1 if width == 1 else 1000 * width
            return math.floor(row.start * 1000) // step * step

        for start, together in groupby(rows, place):
            key = (self.station, width, start)
            found = connection.execute(
                "SELECT data FROM rows WHERE station = ? AND width = ? AND start = ?", key
            ).fetchone()
            row = join([*([Row.from_bytes(found[0])] if found else []), *together])
            connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)",
                               (*key, row.to_bytes()))  # fmt: skip

    def _forget(self, connection: sqlite3.Connection, now: float) -> None:
        for width, kept in KEPT.items():
            connection.execute(
                "DELETE FROM rows WHERE station = ? AND width = ? AND start < ?",
                (self.station, width, round(1000 * (now - kept - WIDEST))),
            )
        connection.execute(
            "DELETE FROM marks WHERE time < ? OR id <= (SELECT max(id) FROM marks) - ?",
            (now - KEPT[WIDEST], MARKS),
        )

    def _between(self, width: int, start: float, end: float) -> list[Row]:
        found = self._read(
            "SELECT data FROM rows WHERE station = ? AND width = ? AND start >= ? AND start < ?"
            " ORDER BY start",
            self.station,
            width,
            math.floor(start * 1000),
            math.ceil(end * 1000),
        )
        return [Row.from_bytes(data) for (data,) in found]

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        if not self.path.is_file():
            return []
        try:
            with closing(open_to_read(self.path)) as connection:
                if connection.execute("PRAGMA user_version").fetchone() == (0,):
                    return []  # it is just being made
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise HistoryError.of(self.path, error) from error
