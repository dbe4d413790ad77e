"""Read a file once: hash it, count it, and never let a changed file pass for a whole one."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from types import TracebackType
from typing import Self

from dropline import hashing
from dropline.station import Attempt, PermanentError, TransientError
from dropline.targets.target import Upload

#: Bytes of a small file read at a time.
BLOCK = 1 << 20
# O_NONBLOCK: a named pipe put in the file's place must not hold the worker.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
#: A file that was written to this many seconds ago may be written to again without a new
#: modification time: file systems take it from a clock that ticks every few milliseconds.
TICK = 0.02


class Source:
    """An open source file: `read` hands out exactly the bytes that it held when it was opened.

    The size and time that the file has now replace those of the walk in the `Upload`, so that the
    idempotency key is of what is sent. Use as a context manager.
    """

    def __init__(self, upload: Upload, attempt: Attempt) -> None:
        """Open the file. Raises `PermanentError` with a sentence if it cannot be read.

        The attempt is told how long opening and reading take.
        """
        began = time.perf_counter()
        self._upload = upload
        self._attempt = attempt
        #: The SHA-256 of what was read so far.
        self.hash = hashlib.sha256()
        try:
            self._file = os.open(upload.source, _FLAGS)
        except OSError as error:
            raise PermanentError(_why(upload, error), at_source=True) from error
        status = self._status()
        if not stat.S_ISREG(status.st_mode):
            os.close(self._file)
            raise PermanentError(
                f"“{upload.path}” is no longer a file: drop it again.", at_source=True
            )
        age = time.time() - status.st_mtime
        if 0.0 <= age < TICK:
            time.sleep(TICK - age)
            status = self._status()
        self._seen = (status.st_size, status.st_mtime_ns)
        upload.size, upload.mtime_ns = self._seen
        self._left = status.st_size
        attempt.reading += time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end.

        Raises `TransientError` when the file turns out to have changed since it was opened, at
        the latest with its last byte: what was sent so far must then not be completed.
        """
        began = time.perf_counter()
        try:
            data = os.read(self._file, min(size, self._left))
        except OSError as error:
            raise PermanentError(_why(self._upload, error), at_source=True) from error
        self._left -= len(data)
        hashing.add(data, self.hash)
        self._attempt.reading += time.perf_counter() - began
        if (self._left == 0 or not data) and not self._unchanged():
            raise TransientError(
                f"“{self._upload.path}” changed while it was read: "
                "it is sent again whole once it rests.",
                at_source=True,
            )
        return data

    def read_all(self) -> bytes:
        """The whole content, for a small file. Raises as `read`."""
        data = self.read(BLOCK)
        while self._left:
            data += self.read(BLOCK)
        return data

    def read_exactly(self, size: int) -> bytes:
        """`size` bytes, which must be there still; raises as `read` does."""
        data = bytearray()
        while len(data) < size:
            data += self.read(size - len(data))
        return bytes(data)

    def skip(self, size: int, attempt: Attempt) -> None:
        """Read over what the target has already, for the digest of the whole."""
        while size:
            attempt.check()
            data = self.read(min(BLOCK, size))
            size -= len(data)
            attempt.progressed(len(data))

    def _status(self) -> os.stat_result:
        return os.fstat(self._file)

    def _unchanged(self) -> bool:
        status = self._status()
        return self._left == 0 and (status.st_size, status.st_mtime_ns) == self._seen


def _why(upload: Upload, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"“{upload.path}” may not be read: give yourself permission to, then retry."
    if isinstance(error, FileNotFoundError):
        return f"“{upload.path}” is not there any more: put it back, then retry."
    return (
        f"“{upload.path}” cannot be read ({error.strerror or error}): check its disk, then retry."
    )
