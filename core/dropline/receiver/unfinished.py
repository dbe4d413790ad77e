"""Uploads that come in pieces: what is there of each, kept on disk until it is whole or too old.

    tus/<id>.json   what is known of an upload (a `Record`), always replaced in one step
    tus/<id>        the bytes so far; missing while there are none, and once they are stored

How many bytes there are is what the file system says, so nothing has to agree with anything when
the process is killed. They are hashed as they come; what an earlier process took is read again.
One request at a time has an upload: the next one cuts the running one off, because a client that
asks again has usually lost the connection on which the server still waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from dropline.home import write_private
from dropline.receiver.database import StoredFile
from dropline.receiver.problems import GONE, LOCKED, NOT_FOUND, Problem

#: Seconds that an upload is kept after its last byte.
LIFETIME = 24 * 3600.0
#: How often in that time the old ones are looked for.
SWEEPS = 24
#: Seconds to wait for the request that has an upload, after it was cut off.
PATIENCE = 10.0

_ID = re.compile(r"[0-9a-f]{32}")
_BLOCK = 256 * 1024


@dataclass(slots=True)
class Record:
    """What is known of an upload besides its bytes.

    `length` in bytes, None when it will be told later. `metadata` as it was sent. `partial`: only a
    part for a later upload, which names its parts' ids in `parts`. `key` is the idempotency key for
    the stored file. Bytes from offset `unchecked` on count only once they have been compared with
    their checksum. A stored upload has its `file_id`, the file's `sha256` (hexadecimal), and
    whether another upload had made it.
    """

    length: int | None
    metadata: str
    key: str
    partial: bool = False
    parts: list[str] = field(default_factory=list)
    unchecked: int | None = None
    file_id: str = ""
    sha256: str = ""
    duplicate: bool = False


class _Hash:
    """The SHA-256 of the first `size` bytes of an upload."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()

    def copy(self) -> _Hash:
        made = _Hash()
        made.size, made.sha256 = self.size, self.sha256.copy()
        return made


class Upload:
    """One upload, in the hands of one request. Methods that write raise OSError.

    `offset` is the number of its bytes.
    """

    def __init__(self, upload_id: str, record: Record, path: Path, lifetime: float) -> None:
        self.upload_id = upload_id
        self.record = record
        self.path = path
        self._note = path.with_name(f"{path.name}.json")
        self._lifetime = lifetime
        self._file: IO[bytes] | None = None
        self._hash = _Hash()
        self.offset = self._size()

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes are there."""
        return self.offset == self.record.length

    @property
    def expires(self) -> float:
        """When it is forgotten, unless more bytes come, in POSIX seconds."""
        return _last_change(self.path, self._note) + self._lifetime

    def save(self) -> None:
        """Write the record down."""
        write_private(self._note, json.dumps(asdict(self.record)))

    def append(self, data: bytes) -> None:
        """Add bytes; when the disk takes only some of them, those count."""
        self._catch_up()
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        left = memoryview(data)
        while left:
            count = self._file.write(left)
            self._hash.sha256.update(left[:count])
            self._hash.size += count
            self.offset += count
            left = left[count:]

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is added inside stays only if the block ends well, a kill being no such end."""
        self._catch_up()
        before = self._hash.copy()
        self.record.unchecked = self.offset
        self.save()
        try:
            yield
        except BaseException:
            self._cut_back(before.size)
            self._hash = before
            raise
        finally:
            self.record.unchecked = None
            self.save()

    def read(self) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        if self.offset:
            with self.path.open("rb") as file:
                yield from iter(lambda: file.read(_BLOCK), b"")

    def seal(self) -> str:
        """See all bytes onto the disk; their SHA-256 in hexadecimal."""
        with self.path.open("ab") as file:  # makes the file of an empty upload
            os.fsync(file.fileno())
        self._catch_up()
        return self._hash.sha256.hexdigest()

    def finish(self, file_id: str, sha256: str, *, duplicate: bool) -> None:
        """It is a stored file now: keep the record alone."""
        self.record.file_id, self.record.sha256 = file_id, sha256
        self.record.duplicate = duplicate
        self.offset = self.record.length or 0
        self.save()
        self._drop_bytes()

    def start_over(self) -> None:
        """Throw the bytes away and write the record down.

        A new file then, for the old one may be that of a stored file, by another name.
        """
        self._drop_bytes()
        self.offset = 0
        self._hash = _Hash()
        self.save()

    def remove(self) -> None:
        """Forget it."""
        self._note.unlink(missing_ok=True)
        self._drop_bytes()

    def restore(self, known: _Hash | None) -> None:
        """Take up the hash that an earlier request got to; drop bytes that were never checked."""
        self._hash = known or self._hash
        if self.record.unchecked is not None:
            self._cut_back(self.record.unchecked)
            self.record.unchecked = None
            self.save()

    def close(self) -> _Hash | None:
        """Close the file; the hash so far, when there is a use for it."""
        if self._file is not None:
            self._file.close()
        return self._hash if self._hash.size and self.path.exists() else None

    def _size(self) -> int:
        if self.record.file_id:
            return self.record.length or 0
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _catch_up(self) -> None:
        if self._hash.size != self.offset:
            with self.path.open("rb") as file:
                self._hash.sha256 = hashlib.file_digest(file, "sha256")
            self._hash.size = self.offset

    def _cut_back(self, size: int) -> None:
        if self.offset > size:
            os.truncate(self.path, size)
            self.offset = size

    def _drop_bytes(self) -> None:
        self.path.unlink(missing_ok=True)


def own_key(upload_id: str) -> str:
    """The idempotency key of an upload that was given none."""
    return f"tus/{upload_id}"


class Unfinished:
    """The uploads of a folder, which a thread of its own sweeps."""

    def __init__(
        self, folder: Path, lifetime: float = LIFETIME, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the folder, made when it is missing, and remove what is old. Raises OSError.

        `lifetime` is in seconds and positive; `clock` gives the time in POSIX seconds.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lifetime = lifetime
        self._clock = clock
        self._changed = threading.Condition()
        self._holders: dict[str, Callable[[], None]] = {}
        self._hashes: dict[str, _Hash] = {}
        self._tidy()
        self._closed = threading.Event()
        self._sweeper = threading.Thread(
            target=self._sweep_on, name="receiver sweeper", daemon=True
        )
        self._sweeper.start()

    def close(self) -> None:
        """End the sweeping."""
        self._closed.set()
        self._sweeper.join()

    def settle(
        self, by_keys: Callable[[Iterable[tuple[str, int]]], Mapping[tuple[str, int], StoredFile]]
    ) -> None:
        """Note what a killed process had stored and not noted; `by_keys` finds the rows.

        Raises OSError.
        """
        records = {note.stem: self._load(note.stem) for note in self._folder.glob("*.json")}
        keys = {(r.key, 0): i for i, r in records.items() if r and not r.file_id and not r.partial}
        for key, file in by_keys(keys).items():
            with suppress(Problem), self.take(keys[key]) as upload:  # a problem: it has expired
                upload.record.length = file.size
                duplicate = upload.record.key != own_key(upload.upload_id)
                upload.finish(file.file_id, file.sha256, duplicate=duplicate)
                for part in upload.record.parts:
                    with suppress(Problem), self.take(part) as joined:
                        joined.remove()

    @contextmanager
    def take(self, upload_id: str, new: Record | None = None) -> Iterator[Upload]:
        """Have an upload to oneself; one that does not exist is made if a record is given.

        Raises Problem when there is none (any more), or when whoever has it does not let go; and
        OSError.
        """
        if not _ID.fullmatch(upload_id):
            raise _unknown(upload_id)
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(upload_id), PATIENCE):
                raise Problem(
                    LOCKED,
                    "Another request is busy with this upload. Ask again in a moment.",
                    {"Retry-After": "2"},
                )
            self._holders[upload_id] = _nothing
        try:
            upload = self._open(upload_id, new)
            try:
                yield upload
            finally:
                if (known := upload.close()) is not None:
                    self._hashes[upload_id] = known
        finally:
            with self._changed:
                del self._holders[upload_id]
                self._changed.notify_all()

    @contextmanager
    def interruptible(self, upload: Upload, cut_off: Callable[[], None]) -> Iterator[None]:
        """Inside, whoever else wants the upload calls `cut_off`, from another thread."""
        self._hold(upload.upload_id, cut_off)
        try:
            yield
        finally:
            self._hold(upload.upload_id, _nothing)

    def _hold(self, upload_id: str, cut_off: Callable[[], None]) -> None:
        with self._changed:
            self._holders[upload_id] = cut_off
            self._changed.notify_all()  # who waits already has not seen it

    def _is_free(self, upload_id: str) -> bool:
        """Whether nobody has the upload; whoever has it is asked to let go."""
        holder = self._holders.get(upload_id)
        if holder is not None:
            holder()
        return holder is None

    def _open(self, upload_id: str, new: Record | None) -> Upload:
        known = self._hashes.pop(upload_id, None)
        record = self._load(upload_id)
        if record is not None:
            upload = self._upload(upload_id, record)
            if upload.expires > self._clock():
                upload.restore(known)
                return upload
            upload.remove()
        if new is not None:
            upload = self._upload(upload_id, new)
            upload.start_over()
            return upload
        if record is None:
            raise _unknown(upload_id)
        raise Problem(GONE, "This upload has expired. Start it again with a POST to /tus/.")

    def _upload(self, upload_id: str, record: Record) -> Upload:
        return Upload(upload_id, record, self._folder / upload_id, self._lifetime)

    def _load(self, upload_id: str) -> Record | None:
        """What was written down; None if nothing, or nothing that we wrote."""
        try:
            return Record(**json.loads((self._folder / f"{upload_id}.json").read_text("utf-8")))
        except (FileNotFoundError, TypeError, ValueError):
            return None

    def _tidy(self) -> None:
        """Remove what a killed process left: bytes that are stored or have no record, and
        half-written records."""
        names = set(os.listdir(self._folder))
        for name in names:
            upload_id = name.removesuffix(".json")
            is_ours = _ID.fullmatch(upload_id) and f"{upload_id}.json" in names
            record = self._load(upload_id) if is_ours and name == upload_id else None
            if not is_ours or (record is not None and record.file_id):
                (self._folder / name).unlink()
        self._sweep()

    def _sweep(self) -> None:
        """Remove what has expired."""
        for note in self._folder.glob("*.json"):
            with suppress(Problem, OSError):  # gone, as it should be; or the next time
                if _last_change(note.with_suffix(""), note) + self._lifetime <= self._clock():
                    with self.take(note.stem):
                        pass

    def _sweep_on(self) -> None:
        while not self._closed.wait(self._lifetime / SWEEPS):
            self._sweep()


def _nothing() -> None:
    pass


def _last_change(*paths: Path) -> float:
    """When one of the files was last written, in POSIX seconds."""
    times = [0.0]
    for path in paths:
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)


def _unknown(upload_id: str) -> Problem:
    return Problem(
        NOT_FOUND,
        f"There is no upload {upload_id!r} (any more). Start it again with a POST to /tus/.",
    )
