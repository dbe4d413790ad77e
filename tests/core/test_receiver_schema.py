"""The database's tables: the steps make what the code expects, on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from dropline.receiver import Receiver
from dropline.receiver.database import Database, DatabaseError
from dropline.receiver.schema import CONTENTS, FACTS, FILES, HEAD, METADATA

from .postgres import Postgres


def engine_of(url: str):  # type: ignore[no-untyped-def]
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def test_the_steps_make_the_tables(database: str, tmp_path: Path) -> None:
    """From the first tables on, as a new database has them all at once."""
    engine = engine_of(database)
    METADATA.create_all(engine, tables=[FILES])
    for _ in range(2):
        Database(database, tmp_path).close()
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, METADATA) == []
            assert context.get_current_revision() == HEAD == newest_step()
        with engine.begin() as connection:
            METADATA.drop_all(connection)
            connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()


def newest_step() -> str | None:
    steps = Config()
    steps.set_main_option("script_location", "dropline.receiver:migrations")
    return ScriptDirectory.from_config(steps).get_current_head()


def test_steps_that_break_off_leave_nothing(database: str, tmp_path: Path) -> None:
    engine = engine_of(database)
    METADATA.create_all(engine, tables=[FILES, FACTS])  # the last step cannot make its tables
    with pytest.raises(DatabaseError, match="could not be opened"):
        Database(database, tmp_path)
    assert set(inspect(engine).get_table_names()) == {"files", "facts"}
    engine.dispose()


def test_a_database_from_before_the_steps_keeps_its_rows(database: str, tmp_path: Path) -> None:
    engine = engine_of(database)
    METADATA.create_all(engine, tables=[FILES, CONTENTS])  # as they were then
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO files VALUES ('01a212baae447fe687ee3f7867d2041b', 'a', 1, 'x', 'a/b',"
                " '2026-01-01', NULL, 0)"
            )
        )
    opened = Database(database, tmp_path)
    assert [file.name for file in opened.page(10)] == ["a"]
    opened.close()
    engine.dispose()


def test_a_newer_database_is_left_alone(database: str, tmp_path: Path) -> None:
    Database(database, tmp_path).close()
    engine = engine_of(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="newer Dropline"):
        Database(database, tmp_path)


def test_a_database_that_goes_and_comes_back(tmp_path: Path, postgres: Postgres) -> None:
    receiver = Receiver(tmp_path, port=0, database=postgres.database(), small=0)
    receiver.start()
    try:
        assert requests.put(f"{receiver.url}/files/by-name/a", data=b"a").status_code == 201
        postgres.stop()
        for _ in range(2):
            answer = requests.put(f"{receiver.url}/files/by-name/b", data=b"b")
            assert answer.status_code == 503
            assert "database does not answer" in answer.json()["detail"]
        assert requests.get(f"{receiver.url}/files").status_code == 503
        assert requests.get(f"{receiver.url}/healthz").status_code == 503
        postgres.start()
        assert requests.put(f"{receiver.url}/files/by-name/c", data=b"c").status_code == 201
        names = [file["name"] for file in requests.get(f"{receiver.url}/files").json()["files"]]
        assert names == ["a", "c"]
        assert list((tmp_path / "transit").iterdir()) == []  # what was refused is not left there
    finally:
        receiver.stop()
