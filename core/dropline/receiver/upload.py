"""From the parts of a request to stored files.

A small file is kept in memory, any other goes into a temporary file as it arrives, and many at a
time onto the disk. Once the whole
request is in, every file that came through is published on the bus as `FileReceived`, and the
storing handler's answers are awaited. A file that fails does not fail the others; a request that is
malformed or ends early stores nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from dropline.bus import EventBus
from dropline.events import FileReceived
from dropline.receiver.multipart import Part
from dropline.receiver.problems import (
    DIGEST,
    MALFORMED,
    NO_FILE,
    TOO_LARGE,
    FileProblem,
    Problem,
    storage_problem,
)
from dropline.receiver.spool import Spool
from dropline.receiver.store import Store
from dropline.receiver.writer import Kept, Pending
from dropline.value import value

#: Files, and bytes, that wait for the disk at most before they are synced.
SYNC_FILES, SYNC_BYTES = 64, 64 * 1024 * 1024
#: Bytes of small files that one request may have in memory; further ones go to the disk.
MAX_IN_MEMORY = 4 * 1024 * 1024
#: Most bytes in all of the fields that hold no file.
MAX_FIELDS = 64 * 1024
#: Most characters of a name: a path of 4,096 bytes has no more.
MAX_NAME = 4096
#: Of a file that failed, this many bytes are read to get at the next one; a longer rest ends it.
MAX_SKIP = 16 * 1024 * 1024

_SHA256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/]{43}=):\s*(?:;|,|$)")
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}(?:\s*;[ -~]*)?")


@value
class Outcome:
    """What became of one file of a request."""

    name: str
    result: Kept | FileProblem

    def to_dict(self) -> dict[str, Any]:
        """The file's entry in an answer: its record, or its error in the form of a problem."""
        if isinstance(self.result, FileProblem):
            return {"name": self.name, "error": self.result.to_dict()}
        file = self.result.file
        return {
            "file_id": file.file_id,
            "name": file.name,
            "size": file.size,
            "sha256": file.sha256,
            "duplicate": self.result.duplicate,
        }


class Upload:
    """The files of one request; used with `with`, at whose end nothing temporary is left."""

    def __init__(
        self, store: Store, bus: EventBus, *, key: str | None, max_size: int | None
    ) -> None:
        """`key` is the request's Idempotency-Key, `max_size` the most bytes a file may have."""
        self._store = store
        self._bus = bus
        self._key = key
        self._max_size = max_size
        self._spools = ExitStack()
        self._taken: list[tuple[str, FileReceived | FileProblem]] = []
        self._unsynced: list[tuple[int, Spool]] = []
        self._unsynced_bytes = 0
        self._room = MAX_IN_MEMORY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spools.close()

    def take_form(self, parts: Iterable[Part]) -> None:
        """Receive the parts named `file`.

        Those behind a long file that was refused are not read. Raises Problem when the request as
        a whole is no good.
        """
        room = MAX_FIELDS
        for part in parts:
            if part.field != "file":
                room = _skip(part, room)
                if room < 0:
                    raise Problem(TOO_LARGE, "Send files in parts named `file`, and little else.")
            elif part.filename or any(part):  # else it is a browser's empty file input
                taken = self.take(part.filename or "", part.headers, part)
                if not taken and _skip(part, MAX_SKIP) < 0:
                    return
        if not self._taken:
            raise Problem(
                NO_FILE,
                "The request has no part named `file`. With curl: curl -F file=@PATH URL/upload",
            )

    def take(self, name: str, headers: Mapping[str, str], chunks: Iterable[bytes]) -> bool:
        """Receive a file; False when it was refused, which does not concern the others.

        What `chunks` raises is the request's own trouble and passes through.
        """
        self._store.give_way()
        try:
            self._taken.append((name, self._receive(name, headers, chunks)))
        except FileProblem as problem:
            self._taken.append((name, problem))
            return False
        if len(self._unsynced) >= SYNC_FILES or self._unsynced_bytes >= SYNC_BYTES:
            self._sync()
        return True

    def _sync(self) -> None:
        """See onto the disk what was received; a file that cannot be is refused."""
        for number, spool in self._unsynced:
            try:
                spool.finish()
            except OSError as error:
                spool.discard()
                name = self._taken[number][0]
                self._taken[number] = name, storage_problem(error, repr(name))
        self._unsynced.clear()
        self._unsynced_bytes = 0

    def store(self) -> list[Outcome]:
        """Store what was received; the outcome of each file in the order they came."""
        self._sync()
        self._spools.pop_all()  # from here on the temporary files are the storing handler's
        self._store.give_way()
        waiting = [
            (name, publish(self._bus, taken) if isinstance(taken, FileReceived) else taken)
            for name, taken in self._taken
        ]
        outcomes = [Outcome(name, _result(result)) for name, result in waiting]
        self._store.give_way()
        return outcomes

    def _receive(
        self, name: str, headers: Mapping[str, str], chunks: Iterable[bytes]
    ) -> FileReceived:
        if not name:
            raise FileProblem(
                NO_FILE, "A part named `file` has no file name. With curl: curl -F file=@PATH"
            )
        name = checked_name(name)
        announced = _announced(name, headers)
        part_key = headers.get("Idempotency-Key")
        key = checked_key(name, part_key or self._key)
        try:
            spool = self._spools.enter_context(self._store.spool(self._room))
        except OSError as error:
            raise storage_problem(error, repr(name)) from error
        try:
            for data in chunks:
                if self._max_size is not None and spool.size + len(data) > self._max_size:
                    raise FileProblem(
                        TOO_LARGE,
                        f"{name!r} is larger than the {self._max_size:,} bytes that this receiver "
                        "takes. Send a smaller file, or have its limit raised.",
                    )
                try:
                    self._store.check_room()
                    spool.write(data)
                except OSError as error:
                    raise storage_problem(error, repr(name)) from error
            spool.flush()
            digest = spool.sha256()
            if announced is not None and announced != digest:
                raise FileProblem(
                    DIGEST,
                    f"The {spool.size:,} bytes of {name!r} that arrived do not have the SHA-256 "
                    "in its Content-Digest. Send it again.",
                )
        except FileProblem:
            spool.discard()
            raise
        content = spool.content
        if content is None:
            self._unsynced.append((len(self._taken), spool))
            self._unsynced_bytes += spool.size
        else:
            self._room -= spool.size
        return FileReceived(
            temporary=spool.path,
            name=name,
            size=spool.size,
            sha256=digest.hex(),
            media_type=media_type(headers.get("Content-Type", "")),
            announced=announced is not None,
            idempotency_key=key,
            part=0 if part_key else len(self._taken),
            content=content,
        )


def publish(bus: EventBus, event: FileReceived) -> Pending:
    """Tell of a received file; the storing handler's answer."""
    results = bus.publish(event).results
    return next(result for result in results if isinstance(result, Pending))


def _skip(chunks: Iterable[bytes], room: int) -> int:
    """Read on to the end, if it is within `room` bytes; what is left of them, or less than 0."""
    for data in chunks:
        room -= len(data)
        if room < 0:
            break
    return room


def _announced(name: str, headers: Mapping[str, str]) -> bytes | None:
    """The SHA-256 in a Content-Digest (RFC 9530), other algorithms being left alone."""
    value = headers.get("Content-Digest", "")
    if "sha-256" not in value:
        return None
    match = _SHA256.search(value)
    if match is None:
        raise FileProblem(
            MALFORMED,
            f"The Content-Digest of {name!r} is malformed. Send sha-256=:BASE64: or leave it out.",
        )
    return base64.b64decode(match[1])


def checked_name(name: str) -> str:
    """The name of a file. Raises FileProblem when it is too long."""
    if len(name) > MAX_NAME:
        raise FileProblem(
            TOO_LARGE,
            f"The name {name[:40] + '…'!r} is longer than {MAX_NAME:,} characters. Shorten it.",
        )
    return name


def checked_key(name: str, key: str | None) -> str | None:
    """The Idempotency-Key of a file, if it has one. Raises FileProblem when it is malformed."""
    if key is not None and not _KEY.fullmatch(key):
        raise FileProblem(
            MALFORMED,
            f"The Idempotency-Key of {name!r} must be 1 to 255 printable ASCII characters.",
        )
    return key


def media_type(value: str) -> str:
    """The type as sent, if it has the form of one."""
    fits = len(value) <= 255 and _MEDIA_TYPE.fullmatch(value)
    return value if fits else "application/octet-stream"


def _result(result: FileProblem | Pending) -> Kept | FileProblem:
    if isinstance(result, FileProblem):
        return result
    try:
        return result.result()
    except FileProblem as problem:
        return problem
