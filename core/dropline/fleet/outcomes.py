"""What became of each file that was to be handled: one outcome a file, whoever handled it.

Or none, and why it was given up.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

_tables = sa.MetaData()
_outcomes = sa.Table(
    "outcomes",
    _tables,
    sa.Column("file_id", sa.String(36), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("worker", sa.String(255), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
)
_begun = sa.Table(
    "begun",
    _tables,
    sa.Column("file_id", sa.String(36), primary_key=True),
    sa.Column("times", sa.Integer, nullable=False),
)
_dead = sa.Table(
    "dead",
    _tables,
    sa.Column("file_id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
)
_fed = sa.Table(
    "fed",
    _tables,
    sa.Column("receiver", sa.String(255), primary_key=True),
    sa.Column("last", sa.String(36), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """That a file was handled."""

    file_id: str
    sha256: str
    """Of the bytes that were handled, hex."""
    result: Any
    """What the handler returned."""
    worker: str
    at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A file that was given up."""

    file_id: str
    name: str
    size: int
    sha256: str
    why: str
    """A sentence."""
    at: str
    """UTC, ISO 8601."""


class Outcomes:
    """The outcomes, in a database that all workers reach; any thread may use it.

    A file's first outcome stays: a task that the broker delivers again, since its worker died or
    took too long, changes nothing.
    """

    def __init__(self, url: str) -> None:
        """`url` is SQLAlchemy's; raises ValueError with a sentence when it is none."""
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
            raise ValueError(f"“{url}” is no database that can be used: {error}") from error
        if self._engine.dialect.name == "sqlite" and self._engine.url.database:
            Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            sa.event.listen(self._engine, "connect", _several_writers)
        for table in _tables.sorted_tables:  # not create_all: many workers may start at once
            with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
                connection.execute(CreateTable(table, if_not_exists=True))

    def get(self, file_id: str) -> Outcome | None:
        """A file's outcome, if it has one."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(_outcomes).where(_outcomes.c.file_id == file_id)
            ).one_or_none()
        return None if row is None else _outcome(row)

    def begin(self, file_id: str) -> int:
        """A file is about to be handled; how many times that is so.

        Kept before, so that it is known of a file that kills who handles it.
        """
        query = sa.select(_begun.c.times).where(_begun.c.file_id == file_id)
        with self._engine.begin() as connection:
            known = _begun.c.file_id == file_id
            again = _begun.update().where(known).values(times=_begun.c.times + 1)
            if not connection.execute(again).rowcount:
                connection.execute(_begun.insert(), {"file_id": file_id, "times": 1})
            times: int = connection.execute(query).scalar_one()
            return times

    def bury(self, dead: Dead) -> None:
        """Keep that a file was given up."""
        with self._engine.begin() as connection:
            connection.execute(_dead.delete().where(_dead.c.file_id == dead.file_id))
            connection.execute(_dead.insert(), asdict(dead))

    def dead(self) -> list[Dead]:
        """The files that were given up, in their order."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_dead).order_by(_dead.c.file_id))
            return [Dead(*row) for row in rows]

    def revive(self, file_id: str) -> None:
        """Forget how often a file was begun; it is among the dead until it has an outcome."""
        with self._engine.begin() as connection:
            connection.execute(_begun.delete().where(_begun.c.file_id == file_id))

    def add(self, file_id: str, sha256: str, result: Any, worker: str) -> bool:
        """Keep a file's outcome; False when it had one, which stays."""
        values = {"file_id": file_id, "sha256": sha256, "result": json.dumps(result)}
        at = datetime.now(UTC).isoformat()
        try:
            with self._engine.begin() as connection:
                connection.execute(_outcomes.insert(), {**values, "worker": worker, "at": at})
                for table in (_begun, _dead):
                    connection.execute(table.delete().where(table.c.file_id == file_id))
        except sa.exc.IntegrityError:
            return False
        return True

    def all(self) -> list[Outcome]:
        """Every outcome, in the order of the files."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_outcomes).order_by(_outcomes.c.file_id))
            return [_outcome(row) for row in rows]

    def fed(self, receiver: str) -> str:
        """The last file of a receiver whose task the broker has taken; empty before the first."""
        with self._engine.connect() as connection:
            query = sa.select(_fed.c.last).where(_fed.c.receiver == receiver)
            return connection.execute(query).scalar() or ""

    def set_fed(self, receiver: str, last: str) -> None:
        """Remember how far a receiver's files have been sent."""
        with self._engine.begin() as connection:
            connection.execute(_fed.delete().where(_fed.c.receiver == receiver))
            connection.execute(_fed.insert(), {"receiver": receiver, "last": last})

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _several_writers(connection: Any, _record: object) -> None:
    """SQLite, written by several processes: a committed row outlives a power failure."""
    for pragma in ("busy_timeout=30000", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()
    patience = time.monotonic() + 30
    while True:  # for the step to WAL SQLite waits for no other that opens the database
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.005)


def _outcome(row: Any) -> Outcome:
    return Outcome(row.file_id, row.sha256, json.loads(row.result), row.worker, row.at)
