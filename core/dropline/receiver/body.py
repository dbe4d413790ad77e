"""The body of an HTTP/1.1 request, read as it arrives (RFC 9112 §6–7).

cheroot's own readers hold a whole chunk in memory, take a body that ends early for a whole one,
and let a client send one byte a minute for ever; these do not.
"""

from __future__ import annotations

import io
import re
import socket
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from dropline.receiver.problems import CUT_SHORT, MALFORMED, Problem

#: A request must not make the server wait longer than this many seconds in all …
GRACE = 20.0
#: … unless this many bytes/s arrive on average (both figures are Apache's mod_reqtimeout's).
LEAST_RATE = 500.0

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
#: Longest line of the chunked framing, and most trailer lines, in what is read of them.
_LINE = 4096
_TRAILERS = 32


class Wire(socket.SocketIO):
    """The bytes that one client sends, with an eye on the clock and on the server's end."""

    def __init__(self, sock: socket.socket, stopping: Callable[[], bool]) -> None:
        super().__init__(sock, "rb")
        self._socket = sock
        self._stopping = stopping
        self.is_cut_off = False
        #: Whether the client, or the server, has come to its end: no more will be read.
        self.ended = False
        self.begin()

    def begin(self) -> None:
        """A new request begins: count and time it afresh."""
        self._received = 0
        self._waited = 0.0

    def cut_off(self) -> None:
        """Read nothing more, even what has come already; whoever reads now comes to the end.

        For another thread to call. The client can still be answered.
        """
        self.is_cut_off = True
        with suppress(OSError):  # it is closed
            self._socket.shutdown(socket.SHUT_RD)

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what has come; TimeoutError when the client is too slow, b"" when it is over."""
        if self._stopping() or self.is_cut_off:
            self.ended = True
            return 0
        began = time.monotonic()
        count = super().readinto(buffer)
        self._waited += time.monotonic() - began
        self._received += count or 0
        self.ended = count == 0
        if self._waited > GRACE and self._received < LEAST_RATE * self._waited:
            raise TimeoutError("timed out")
        return count


class Source(Protocol):
    """What a body is read from: cheroot's buffered reader of a connection."""

    def read1(self, size: int, /) -> bytes:
        """Up to `size` bytes, waiting only for the first; empty when the client is gone."""
        ...

    def readline(self, size: int, /) -> bytes:
        """Up to a line end or `size` bytes."""
        ...


class Body(io.RawIOBase):
    """A request's body. `finished` once it is read to its end.

    `proceed` is called before the first read: it tells a client that asked (Expect:
    100-continue) to go on, which a request that is refused by its headers never gets to.
    """

    def __init__(self, source: Source, proceed: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._source = source
        self._proceed = proceed
        self._broken = False
        self.finished = False

    @abstractmethod
    def _take(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end, having set `finished`."""

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, soon; empty at the end. Raises Problem when the body is broken."""
        if size < 0:
            return self.readall()
        if self.finished or size == 0:
            return b""
        if self._proceed is not None:
            self._proceed()
            self._proceed = None
        try:
            return self._take(size)
        except (Problem, OSError):
            self._broken = True
            raise

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def skip(self, most: int) -> bool:
        """Read on to the end if that is within `most` bytes; whether it was reached.

        A client that still waits to be told to send is not told.
        """
        if self._broken or self._proceed is not None:
            return False
        while not self.finished and most > 0:
            most -= len(self.read(most))
        return self.finished

    def _some(self, size: int) -> bytes:
        if data := self._source.read1(size):
            return data
        raise Problem(CUT_SHORT, "The connection ended before the whole request had arrived.")


class SizedBody(Body):
    """A body of the length that the headers gave."""

    def __init__(
        self, source: Source, length: int, proceed: Callable[[], None] | None = None
    ) -> None:
        super().__init__(source, proceed)
        self._left = length
        self.finished = length == 0

    def _take(self, size: int) -> bytes:
        data = self._some(min(size, self._left))
        self._left -= len(data)
        self.finished = self._left == 0
        return data


class ChunkedBody(Body):
    """A body in the chunked transfer coding; extensions and trailers are dropped."""

    _left = 0

    def _take(self, size: int) -> bytes:
        if self._left == 0:
            self._left = self._next_chunk()
            if self._left == 0:
                self.finished = True
                return b""
        data = self._some(min(size, self._left))
        self._left -= len(data)
        if self._left == 0 and self._line() != b"\r\n":
            raise _malformed()
        return data

    def _next_chunk(self) -> int:
        match = _CHUNK_SIZE.fullmatch(self._line())
        if match is None:
            raise _malformed()
        if size := int(match[1], 16):
            return size
        for _ in range(_TRAILERS):
            if self._line() == b"\r\n":
                return 0
        raise _malformed()

    def _line(self) -> bytes:
        line = self._source.readline(_LINE)
        if line.endswith(b"\n"):
            return line
        raise _malformed()


def _malformed() -> Problem:
    return Problem(MALFORMED, "The chunked body is malformed; nothing of it was stored.")
