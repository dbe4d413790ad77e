"""The journal's file: SQLite, its version, its soundness, and what is saved of a damaged one.

WAL with `synchronous=NORMAL`: what is committed outlives a killed program at any instant. A power
failure may take the last moments back but never damages the file, and what it takes back costs
nothing but time: files that were sent then are offered once more under the same idempotency key.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from dropline.home import set_aside

_log = logging.getLogger(__name__)

#: Seconds to wait for another process that writes.
BUSY_TIMEOUT = 10.0
#: "DrpL": tells the journal from other SQLite files.
APPLICATION_ID = 0x4472704C
#: Rows that are read at a time from a damaged file; one by one where that fails.
STRIDE = 500

_REHASH = "UPDATE jobs SET hash = row_hash(CAST(path AS BLOB), CAST(name AS BLOB))"
#: How each version is made of the one before; the file's user_version counts them.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE targets (
        id INTEGER PRIMARY KEY,
        url TEXT NOT NULL,
        identity TEXT UNIQUE  -- what the target calls itself, NULL while that is not known
    );
    CREATE TABLE runs (  -- programs that had the journal open
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        started REAL NOT NULL  -- seconds since 1970
    );
    CREATE TABLE drops (  -- whose walk has not ended
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        target INTEGER NOT NULL,
        roots TEXT NOT NULL  -- JSON: pairs of path and source, as written by os.fsencode
    );
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        target INTEGER NOT NULL,
        hash INTEGER NOT NULL,  -- `row_hash` of path and name, in version 1 another
        path BLOB NOT NULL,
        source BLOB,  -- where it is read, if not at its path
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content TEXT NOT NULL DEFAULT '',
        resume TEXT NOT NULL DEFAULT '',
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        priority INTEGER NOT NULL DEFAULT 0,
        held INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '',
        file_id TEXT NOT NULL DEFAULT '',
        sha256 TEXT NOT NULL DEFAULT '',
        ended REAL  -- seconds since 1970
    );
    CREATE INDEX jobs_by_path ON jobs (target, hash);
    CREATE INDEX jobs_unfinished ON jobs (id) WHERE state <> 1;
    """,
    _REHASH,
)
#: The tables, in the order in which they are saved from a damaged file.
TABLES = ("targets", "runs", "drops", "jobs")


_SEPARATOR = os.fsencode(os.sep)


def row_hash(path: bytes, name: bytes) -> int:
    """By which a row is found.

    Files of one folder are neighbours in its index, so that a folder that is taken in changes few
    pages: without that, a million files write gigabytes.
    """
    folder, _, _ = path.rpartition(_SEPARATOR)
    return crc32(folder) - (1 << 31) << 32 | crc32(name, crc32(path))


class JournalError(OSError):
    """The journal cannot be read or written; the message is a sentence with the remedy."""


def open_in_memory() -> sqlite3.Connection:
    """A connection to a journal that is forgotten when it is closed."""
    return _open_sound(Path(":memory:"))


def open_journal(path: Path, notice: Callable[[str], object]) -> sqlite3.Connection:
    """A connection to the journal at `path`, made or brought up to date when it has to be.

    A damaged file is set aside under a dated name, what can be read of it is kept, and `notice`
    gets a sentence that says so. Raises JournalError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _open_sound(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
                raise
            return _replace(path, error, notice)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, JournalError):
            raise
        raise _unusable(path, error) from error


def join_journal(path: Path) -> sqlite3.Connection:
    """Another connection to a journal that is open already. Raises JournalError."""
    try:
        connection = _connect(path)
        connection.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    return connection


def _unusable(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"The journal {path} cannot be used ({error}): make room or make it writable, "
        "or set DROPLINE_HOME to another folder."
    )


def _open_sound(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise JournalError(
                f"The journal {path} was written by a newer Dropline: update this one, "
                "or set DROPLINE_HOME to another folder."
            )
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        _migrate(connection)
        for table in TABLES:
            connection.execute(f"SELECT * FROM {table} LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


def _migrate(connection: sqlite3.Connection) -> None:
    connection.create_function("row_hash", 2, row_hash, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")  # one process at a time
    with connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def _replace(
    path: Path, error: sqlite3.Error, notice: Callable[[str], object]
) -> sqlite3.Connection:
    """Set the file aside and begin a new one with what can be read of it."""
    _log.error("the journal is damaged", exc_info=error)
    aside = set_aside(path)
    connection = _open_sound(path)
    kept = 0
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(aside)) as damaged:
        for table in TABLES:
            kept = _copy(table, damaged, connection)
    connection.execute(_REHASH)
    notice(
        f"The journal was damaged ({error}). It was set aside as {aside}, and {kept} files that "
        "could be read of it were kept. Drop again what is missing; nothing is stored twice."
    )
    return connection


def _copy(table: str, damaged: sqlite3.Connection, sound: sqlite3.Connection) -> int:
    columns = [row[1] for row in sound.execute(f"PRAGMA table_info({table})")]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    kept = 0
    for rows in _readable(damaged, f"SELECT {names} FROM {table}", table):
        for row in rows:
            with contextlib.suppress(sqlite3.Error):  # not what the table may hold
                sound.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
                kept += 1
    return kept


def _readable(
    connection: sqlite3.Connection, query: str, table: str
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows of a table in a damaged file, page by page and around what is broken."""
    try:
        last = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0
    except sqlite3.Error:
        return
    first = 1
    stride = STRIDE
    while first <= last:
        try:
            yield connection.execute(
                f"{query} WHERE id BETWEEN ? AND ?", (first, first + stride - 1)
            ).fetchall()
        except sqlite3.Error:
            if stride > 1:
                stride = 1
                continue
        first += stride
        if first % STRIDE == 1:
            stride = STRIDE
