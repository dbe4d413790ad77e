"""The receiver's tables, and how the database of an earlier version comes to have them.

A change of a table is a new step in `migrations/versions`, and its number here. A new database has
what stands here at once; a test compares it with what the steps make.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    inspect,
    select,
)

#: The last step in `migrations/versions`.
HEAD = "0002"

METADATA = MetaData()
FILES = Table(
    "files",
    METADATA,
    Column("file_id", Uuid(as_uuid=False), primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("stored_at", String(32), nullable=False),
    Column("idempotency_key", String(255)),
    Column("part", Integer, nullable=False),
    UniqueConstraint("idempotency_key", "part"),
)
#: Apart from the rows, which so stay narrow: lists and lookups read none of it.
CONTENTS = Table(
    "contents",
    METADATA,
    Column("file_id", Uuid(as_uuid=False), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
#: What a handler has to do with a file. Without an `error` it is yet to be done, with one it is a
#: dead letter; what is done has no row.
ERRANDS = Table(
    "errands",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("handler", Text, nullable=False),
    Column("file_id", Uuid(as_uuid=False), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("failed_at", String(32)),
)
#: The last file of which each handler's errand was noted.
MARKS = Table(
    "marks",
    METADATA,
    Column("handler", Text, primary_key=True),
    Column("file_id", Uuid(as_uuid=False), nullable=False),
)
#: What handlers found out about a file: JSON, and a PNG.
FACTS = Table(
    "facts",
    METADATA,
    Column("file_id", Uuid(as_uuid=False), primary_key=True),
    Column("facts", Text, nullable=False),
    Column("thumbnail", LargeBinary),
)
#: Where Alembic notes the last step that was taken.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class NewerError(Exception):
    """The database has had steps that this version does not know."""


def upgrade(engine: Engine) -> None:
    """Take the steps that are missing, all or none. Raises NewerError, SQLAlchemyError."""
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # whose driver would begin with the first row only
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if inspect(connection).has_table(FILES.name):
            _take_steps(connection)
        else:  # as most begin: without an import of 0.1 s and 16 MiB
            METADATA.create_all(connection)
            _VERSION.create(connection)
            connection.execute(_VERSION.insert(), {"version_num": HEAD})


def _take_steps(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    steps = Config()
    steps.set_main_option("script_location", "dropline.receiver:migrations")
    steps.attributes["connection"] = connection
    try:
        command.upgrade(steps, "head")
    except CommandError as error:
        raise NewerError from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()
