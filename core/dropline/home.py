"""Where Dropline keeps its things, how processes keep out of each other's folders there, and the
run file by which programs find a running one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import platformdirs


def write_private(path: Path, content: str) -> None:
    """Write a file of mode 0600 in one step: readers see the old content or the new, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> Path:
    """Rename a damaged SQLite file, and what belongs to it, to a dated name, and return that.

    Raises OSError.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    return aside


class FolderInUseError(Exception):
    """Another process, or another part of this one, has the folder."""


class FolderLock:
    """A folder held for oneself, by a lock that the system drops when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises FolderInUseError, OSError."""
        path = folder / "lock"
        self._file: IO[bytes] = open(path, "ab")  # noqa: SIM115 - held until release
        try:
            _lock(self._file.fileno())
            if not os.path.samestat(os.fstat(self._file.fileno()), os.stat(path)):
                raise FileNotFoundError(path)  # who had it has removed it meanwhile
        except OSError as error:
            self._file.close()
            raise FolderInUseError(str(folder)) from error

    def release(self) -> None:
        """Give the folder back."""
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder: `DROPLINE_HOME`, or the platform's place for application data."""

    root: Path

    @classmethod
    def default(cls) -> Home:
        """The folder that the environment asks for."""
        chosen = os.environ.get("DROPLINE_HOME")
        root = Path(chosen) if chosen else platformdirs.user_data_path("dropline", appauthor=False)
        return cls(root.absolute())

    @property
    def receiver_data(self) -> Path:
        """Files and database of the embedded receiver."""
        return self.root / "receiver"

    @property
    def spool(self) -> Path:
        """Sources held because their own folder is a temporary one."""
        return self.root / "spool"

    @property
    def fetched(self) -> Path:
        """Files that workers of a fleet have fetched and are handling."""
        return self.root / "fetched"

    @property
    def journal(self) -> Path:
        """What is to be sent and what was."""
        return self.root / "journal.sqlite"

    @property
    def history(self) -> Path:
        """What the window's line did in the last 30 days."""
        return self.root / "history.sqlite"

    @property
    def ledger(self) -> Path:
        """What was predicted for changes of the number of workers, and what came."""
        return self.root / "ledger.jsonl"

    @property
    def logs(self) -> Path:
        """Recorded logs and the program's own log."""
        return self.root / "logs"

    @property
    def run_file(self) -> Path:
        """What a running window or sender tells about itself."""
        return self.root / "run.json"

    def installation(self) -> str:
        """An id made once for this data folder; part of every idempotency key."""
        path = self.root / "installation"
        if not path.exists():
            mine = path.with_name(f".installation.{uuid.uuid4().hex}")
            write_private(mine, uuid.uuid4().hex)
            try:
                os.link(mine, path)  # unlike a rename, this replaces none made in the meantime
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                write_private(path, mine.read_text("utf-8"))
            finally:
                mine.unlink()
        return path.read_text("utf-8").strip()

    def write_run(self, values: Mapping[str, Any]) -> None:
        """Tell others about the running program; `values` holds at least its pid."""
        write_private(self.run_file, json.dumps(values))

    def read_run(self) -> dict[str, Any] | None:
        """What the run file says; None when there is none or it is not ours to read."""
        try:
            values = json.loads(self.run_file.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return values if isinstance(values, dict) else None

    def clear_run(self) -> None:
        """Remove the run file if it is this process's."""
        values = self.read_run()
        if values is not None and values.get("pid") == os.getpid():
            self.run_file.unlink(missing_ok=True)
