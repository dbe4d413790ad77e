"""The history's file: SQLite, its version and its soundness.

WAL with `synchronous=NORMAL`: what is committed outlives a killed program at any instant, and a
power failure takes the last moments back but never damages the file.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from dropline.home import set_aside

_log = logging.getLogger(__name__)

#: Seconds to wait for another process that writes.
BUSY_TIMEOUT = 5.0
#: "DrpH": tells the history from other SQLite files.
APPLICATION_ID = 0x44727048
VERSION = 1
SCHEMA = f"""
    CREATE TABLE rows (
        station TEXT NOT NULL,
        width INTEGER NOT NULL,  -- seconds
        start INTEGER NOT NULL,  -- milliseconds since 1970; of a wide row a multiple of its width
        data BLOB NOT NULL,
        PRIMARY KEY (station, width, start)
    );
    CREATE TABLE marks (
        id INTEGER PRIMARY KEY,
        station TEXT NOT NULL,
        time REAL NOT NULL,  -- seconds since 1970
        event TEXT NOT NULL  -- CloudEvents, as JSON
    );
    CREATE INDEX marks_by_time ON marks (station, time);
    PRAGMA application_id={APPLICATION_ID};
    PRAGMA user_version={VERSION};
"""
#: Beside these, no error tells of a file that is damaged.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class HistoryError(OSError):
    """The history cannot be read or written; the message is a sentence with the remedy."""

    @classmethod
    def of(cls, path: Path, error: Exception) -> HistoryError:
        """What an error at the file means."""
        return cls(
            f"The history {path} cannot be used ({error}): make room or make it writable, "
            "or set DROPLINE_HOME to another folder."
        )


def open_to_write(path: Path, notice: Callable[[str], object]) -> sqlite3.Connection:
    """A connection to the history at `path`, which is made when there is none.

    A damaged file is set aside under a dated name, and `notice` gets a sentence that says so.
    Raises HistoryError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _open_sound(path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _DAMAGE:
                raise
            _log.exception("the history is damaged")
            aside = set_aside(path)
            connection = _open_sound(path)
            notice(
                f"The history was damaged ({error}). It was set aside as {aside}, and a new one "
                "has begun: the charts no longer show what was before. What is sent does not "
                "depend on it."
            )
            return connection
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, HistoryError):
            raise
        raise HistoryError.of(path, error) from error


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing. Raises sqlite3.Error, also where there is no file."""
    # Not mode=ro: that fails for the moment in which the writer makes or removes the WAL's files.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", timeout=BUSY_TIMEOUT, uri=True
    )
    connection.execute("PRAGMA query_only=1")
    return connection


def _open_sound(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise HistoryError(
                f"The history {path} was written by a newer Dropline: update this one, "
                "or set DROPLINE_HOME to another folder."
            )
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if not version:
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT")
        for table in ("rows", "marks"):
            connection.execute(f"SELECT * FROM {table} LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection
