"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in its own folder."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text


class Postgres:
    """A running server; `database()` makes an empty database in it."""

    def __init__(self, need_program: Callable[[str, str], str]) -> None:
        need_program("pg_ctlcluster", "postgresql")
        versions = Path("/usr/lib/postgresql").iterdir()
        self._bin = max(versions, key=lambda path: float(path.name)) / "bin"
        # not in the tests' folder: a socket's path has 107 bytes at most
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = []
        if os.geteuid() == 0:  # which the server refuses to be
            import pwd

            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._user = ["runuser", "-u", "postgres", "--"]
        self._data = self._folder / "data"
        self._numbers = itertools.count(1)
        self._run("initdb", "-D", self._data, "-U", "dropline", "-A", "trust", "-E", "UTF8", "-N")
        self.start()

    def start(self) -> None:
        """Start it; it is up when this returns."""
        options = f"-k {self._folder} -h '' -c fsync=off -c max_connections=50"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stop it as if it had crashed."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def database(self) -> str:
        """The URL of a new database."""
        name = f"test{next(self._numbers)}"
        engine = create_engine(
            self._url("postgres").replace(":", "+psycopg:", 1), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def close(self) -> None:
        """Stop it and remove everything."""
        self.stop()
        shutil.rmtree(self._folder)

    def _url(self, name: str) -> str:
        return f"postgresql://dropline@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._user, str(self._bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
