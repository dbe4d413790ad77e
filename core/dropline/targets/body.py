"""A request body that is read as it is sent: memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dropline.station import Attempt
from dropline.targets.http import BLOCK


class Readable(Protocol):
    """What a body's content offers."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Body:
    """`size` bytes of content between a head and a tail, of known length.

    Reports each block to the attempt, and breaks off when that was told to stop.
    """

    def __init__(
        self,
        content: Readable,
        size: int,
        attempt: Attempt,
        *,
        head: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        self._content = content
        self._left = size
        self._attempt = attempt
        self._tail = tail
        self._length = len(head) + size + len(tail)
        self._pieces = self._read_on(head)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        # requests takes a body for a stream if it has __iter__; urllib3 then calls read.
        return self._pieces

    def read(self, _size: int = -1) -> bytes:
        """The next piece; none at the end."""
        return next(self._pieces, b"")

    def _read_on(self, head: bytes) -> Iterator[bytes]:
        piece = head  # leaves together with the first bytes of the file
        while self._left:
            data = self._content.read(self._attempt.allow(min(BLOCK, self._left)))
            self._left -= len(data)
            self._attempt.progressed(len(data))
            piece += data
            if self._left:
                yield from self._attempt.handing_over(piece)
                piece = b""
        self._attempt.check()
        if piece + self._tail:
            yield from self._attempt.handing_over(piece + self._tail)
