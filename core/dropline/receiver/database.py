"""What the receiver knows of each stored file, and the bytes of small ones, in a database.

One row a file, in any database of SQLAlchemy's.

SQLite in WAL mode with `synchronous=FULL` unless a URL says otherwise: a committed row outlives a
killed process for certain, and a power failure as far as the disk keeps what it was told to sync.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    create_engine,
    event,
    func,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from dropline.receiver.schema import CONTENTS, ERRANDS, FACTS, FILES, NewerError, upgrade
from dropline.sql import tables

#: Seconds to wait for another writer of the database.
BUSY_TIMEOUT = 2.0
#: Pages in SQLite's log until they go into the file: more than by default, for with the content of
#: small files in it a thousand are full after 800 of them, and the pages of the index go each time.
CHECKPOINT = 8000
#: Rows whose names one request searches: what it takes doesn't grow with their number.
SEARCHED = 25_000
#: Most rows named in one statement.
_LOOKUP = 200


class StoredFile(NamedTuple):
    """A row. `stored_at` is UTC, ISO 8601; `sha256` hexadecimal; `size` in bytes.

    `idempotency_key` with `part` is unique: a key of a request covers its parts by number, the
    key of one part or one PUT is the same as that key for part 0.
    """

    file_id: str
    name: str
    size: int
    sha256: str
    media_type: str
    stored_at: str
    idempotency_key: str | None
    part: int


class DatabaseError(Exception):
    """The database cannot be used; the message is a sentence with the remedy."""


class KeyTakenError(Exception):
    """One of the rows has an idempotency key that is in the database already."""


class UncertainError(OSError):
    """The database failed in a way that leaves open whether it committed."""


class Database:
    """The tables of files and contents. Every method may be called from any thread."""

    def __init__(self, url: str | None, folder: Path) -> None:
        """Open `url`, by default a SQLite file in `folder`; brings its tables up to date.

        Raises DatabaseError.
        """
        chosen = url or f"sqlite:///{folder / 'receiver.sqlite'}"
        try:
            self._engine = _engine(chosen)
        except ModuleNotFoundError as error:
            raise DatabaseError(
                f"The database {_shown(chosen)} needs the Python package {error.name!r}. "
                "Install it; for PostgreSQL: pip install 'dropline[postgres]'"
            ) from error
        except ArgumentError as error:
            raise DatabaseError(
                f"The database {_shown(chosen)} cannot be used ({_reason(error)}). Give one as "
                "sqlite:///PATH or postgresql://USER@HOST/NAME."
            ) from error
        try:
            upgrade(self._engine)
            self.last_id()  # a foreign or damaged file often fails only when it is read
        except NewerError as error:
            self._engine.dispose()
            raise DatabaseError(
                f"The database {_shown(chosen)} was written by a newer Dropline. Use that one, or "
                "give another database with --database."
            ) from error
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise DatabaseError(
                f"The database {_shown(chosen)} could not be opened ({_reason(error)}). "
                "Check that it is there, whole and writable, or give another with --database."
            ) from error
        self._add_files = _Insert(FILES, self._engine)
        self._add_contents = _Insert(CONTENTS, self._engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def add(
        self,
        files: Sequence[StoredFile],
        contents: Mapping[str, bytes],
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Commit rows, and by their ids the contents of those that are kept here, all or none.

        `between` is called before each statement of many rows, where there are such. Raises
        KeyTakenError; OSError when nothing was committed, UncertainError when perhaps.
        """
        try:
            with self.transaction() as connection:
                self._add_files(connection, files, between)
                if contents:
                    self._add_contents(connection, list(contents.items()), between)
        except IntegrityError as error:
            raise KeyTakenError from error

    def remove(self, file_id: str) -> bool:
        """Commit the end of a row and its content; whether there was one. Raises as `add`."""
        with self.transaction() as connection:
            for table in (CONTENTS, FACTS, ERRANDS):
                connection.execute(table.delete().where(table.c.file_id == file_id))
            done = connection.execute(FILES.delete().where(FILES.c.file_id == file_id))
            return done.rowcount > 0

    def get(self, file_id: str) -> StoredFile | None:
        """The row of a file."""
        found = self._rows(select(FILES).where(FILES.c.file_id == file_id))
        return next(iter(found), None)

    def content(self, file_id: str) -> bytes | None:
        """The bytes of a file that are kept here."""
        query = select(CONTENTS.c.content).where(CONTENTS.c.file_id == file_id)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def by_keys(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], StoredFile]:
        """The rows that have these idempotency keys (with part numbers). Raises OSError."""
        wanted = list(keys)
        pair = tuple_(FILES.c.idempotency_key, FILES.c.part)
        with _as_oserror():
            return {
                (file.idempotency_key, file.part): file
                for at in range(0, len(wanted), _LOOKUP)
                for file in self._rows(select(FILES).where(pair.in_(wanted[at : at + _LOOKUP])))
                if file.idempotency_key is not None
            }

    def page(
        self, limit: int, after: str | None = None, *, newest_first: bool = False
    ) -> list[StoredFile]:
        """Up to `limit` rows in the order in which they were stored, after the row `after`."""
        return self._rows(_in_order(select(FILES), after, newest_first).limit(limit))

    def search(
        self, q: str, limit: int, after: str | None = None, *, newest_first: bool = False
    ) -> tuple[list[StoredFile], str | None]:
        """Those of the next `SEARCHED` rows that have `q` in the name, up to `limit`.

        ASCII letters in either case. With them comes the id after which to search on; None where
        all rows have been looked at.
        """
        ids = _in_order(select(FILES.c.file_id), after, newest_first)
        with self._engine.connect() as connection:
            end = connection.execute(ids.offset(SEARCHED - 1).limit(1)).scalar()
        query = _in_order(select(FILES), after, newest_first)
        if end is not None:
            query = query.where(FILES.c.file_id >= end if newest_first else FILES.c.file_id <= end)
        query = query.where(FILES.c.name.icontains(q, autoescape=True))
        found = self._rows(query.limit(limit + 1))
        return found[:limit], found[limit - 1].file_id if len(found) > limit else end

    def last_id(self) -> str | None:
        """The greatest file id."""
        with self._engine.connect() as connection:
            newest = select(FILES.c.file_id).order_by(FILES.c.file_id.desc()).limit(1)
            return connection.execute(newest).scalar()

    def contents_without_row(self) -> list[str]:
        """The ids of contents that belong to no file: a foreign hand was at work."""
        query = select(CONTENTS.c.file_id).where(CONTENTS.c.file_id.not_in(select(FILES.c.file_id)))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def count(self) -> int:
        """How many files there are."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(FILES)).scalar_one())

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit at the end; trouble is told as by `add`."""
        try:
            connection = self._engine.connect()
        except DBAPIError as error:
            raise OSError(errno.ECONNREFUSED, _reason(error)) from error
        with _as_oserror(), connection, connection.begin():
            yield connection

    def note(self, file_id: str, facts: str, thumbnail: bytes | None) -> None:
        """Keep what was found out about a file, instead of what was kept before."""
        with self.transaction() as connection:
            connection.execute(FACTS.delete().where(FACTS.c.file_id == file_id))
            if connection.execute(select(FILES.c.part).where(FILES.c.file_id == file_id)).first():
                row = {"file_id": file_id, "facts": facts, "thumbnail": thumbnail}
                connection.execute(FACTS.insert(), row)

    def facts(self, file_id: str) -> tuple[str, bytes | None] | None:
        """What was found out about a file."""
        query = select(FACTS.c.facts, FACTS.c.thumbnail).where(FACTS.c.file_id == file_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.facts, row.thumbnail)

    def _rows(self, query: Select[Any]) -> list[StoredFile]:
        with self._engine.connect() as connection:
            return [StoredFile(*row) for row in connection.execute(query)]


class _Insert:
    """Adds many rows to a table, each a sequence of values in the order of its columns.

    What the values go through is made out once. SQLAlchemy's own `insert` looks anew at every value
    of every row, which took a tenth of all that the receiver does for a small file.
    """

    def __init__(self, table: Table, engine: Engine) -> None:
        dialect = engine.dialect
        statement = table.insert().compile(dialect=dialect)
        self._one = str(statement)
        self._into = self._one.partition(" VALUES ")[0]
        self._by_place = statement.positional  # as with SQLite
        self._names = [column.name for column in table.columns]
        types = [column.type.dialect_impl(dialect) for column in table.columns]
        processors = [kind.bind_processor(dialect) for kind in types]
        self._processors = [(i, p) for i, p in enumerate(processors) if p is not None]

    def __call__(
        self, connection: Connection, rows: Sequence[Sequence[Any]], between: Callable[[], None]
    ) -> None:
        if self._by_place:
            for values, places in tables(rows):
                between()
                bound = tuple(self._bound(values))
                connection.exec_driver_sql(f"{self._into} VALUES {places}", bound)
        else:
            named = [dict(zip(self._names, self._bound([*row]), strict=True)) for row in rows]
            connection.exec_driver_sql(self._one, named)

    def _bound(self, values: list[Any]) -> list[Any]:
        """The values of one or more rows, as the driver takes them."""
        for column, process in self._processors:
            column_of_all = slice(column, None, len(self._names))
            values[column_of_all] = map(process, values[column_of_all])
        return values


def _in_order(query: Select[Any], after: str | None, newest_first: bool) -> Select[Any]:
    """The rows of a query in the order in which they were stored, after the row `after`."""
    file_id = FILES.c.file_id
    if after is not None:
        query = query.where(file_id < after if newest_first else file_id > after)
    return query.order_by(file_id.desc() if newest_first else file_id)


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    file = address.get_backend_name() == "sqlite"
    # As many connections as there are threads that want one at once; a server may have dropped one.
    engine = create_engine(address, max_overflow=-1, pool_pre_ping=not file)
    if file:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT * 1000:.0f}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")


@contextmanager
def _as_oserror() -> Iterator[None]:
    """Say as OSError what the database could not do."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without its extension
        state = getattr(error.orig, "sqlstate", None)
        if code == sqlite3.SQLITE_FULL or state == "53100":  # PostgreSQL's disk_full
            raise OSError(errno.ENOSPC, _reason(error)) from error
        if code == sqlite3.SQLITE_BUSY:
            raise OSError(errno.EBUSY, _reason(error)) from error
        raise UncertainError(errno.EIO, _reason(error)) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _shown(url: str) -> str:
    """The URL without its password."""
    try:
        return repr(make_url(url).render_as_string(hide_password=True))
    except ArgumentError:
        return "given with --database"
