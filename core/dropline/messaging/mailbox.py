"""What a process must not forget of its messages: those to be sent, and those it has handled."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

#: How long, in seconds, and how many handled messages are known again.
REMEMBERED = 7 * 86_400.0
_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, type TEXT, source TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS handled (key TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handled_at ON handled (at);
CREATE TABLE IF NOT EXISTS begun (key TEXT PRIMARY KEY, times INTEGER) WITHOUT ROWID;
"""


class Letter(NamedTuple):
    """A message that waits to be sent."""

    number: int
    type: str
    source: str
    body: str
    """The CloudEvent, in JSON."""


class Mailbox:
    """Outbox and handled ids, in one SQLite file; any thread may use it.

    An outbox is one process's. Handled ids may be shared by the processes of a group.

    A committed row outlives the program, and a power failure.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path, timeout=30, check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)
        self._database.execute("DELETE FROM handled WHERE at < ?", (time.time() - REMEMBERED,))

    def put(self, letters: Iterable[tuple[str, str, str]]) -> None:
        """Keep messages (type, source, body) until `sent`, all or none."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            query = "INSERT INTO outbox (type, source, body) VALUES (?, ?, ?)"
            self._database.executemany(query, letters)

    def unsent(self, limit: int) -> list[Letter]:
        """The oldest messages that are to be sent."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM outbox ORDER BY number LIMIT ?", (limit,))
            return [Letter(*row) for row in rows]

    def sent(self, numbers: Sequence[int]) -> None:
        """The broker has these messages."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            query = "DELETE FROM outbox WHERE number = ?"
            self._database.executemany(query, [(number,) for number in numbers])

    def handled(self, key: str) -> bool:
        """Whether a message was handled before."""
        with self._lock:
            query = "SELECT 1 FROM handled WHERE key = ?"
            return self._database.execute(query, (key,)).fetchone() is not None

    def begin(self, key: str) -> int:
        """A message that was delivered before is about to be handled; how many times that is so.

        Kept before, so that it is known of a message that kills who handles it.
        """
        with self._lock:
            query = (
                "INSERT INTO begun VALUES (?, 1) "
                "ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
            )
            times: int = self._database.execute(query, (key,)).fetchone()[0]
            return times

    def note_handled(self, key: str) -> None:
        """A message has been handled."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            query = "INSERT OR IGNORE INTO handled VALUES (?, ?)"
            self._database.execute(query, (key, time.time()))
            self._database.execute("DELETE FROM begun WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
