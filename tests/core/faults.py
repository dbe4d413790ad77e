"""A TCP proxy on loopback that does to connections what networks and servers do when they fail.

    proxy = Proxy(receiver.url)
    proxy.meet(Cut("answer", 20), None, Instead(refusal("503 Busy", "Retry-After: 1")))

Every connection that it accepts meets the next thing of its script: a fault, or None for none;
behind the end of the script there are none. A fault names a direction and how many bytes pass
first: it strikes when the next one comes. It knows of HTTP only where an answer ends.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self
from urllib.parse import urlsplit

#: "request": from sender to receiver. "answer": the other way.
Direction = Literal["request", "answer"]

#: The receiver checks the port in `Host`, so the proxy has the same port at another address.
ADDRESS = "127.0.0.2"
_BLOCK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Over(Exception):
    """The connection has had its fault and ends."""


class Fault(Protocol):
    """What a connection meets."""

    @property
    def of(self) -> Direction | Literal["accept"]:
        """The direction whose bytes are counted; "accept": it strikes before there are any."""
        ...

    @property
    def after(self) -> int:
        """How many bytes of that direction pass first."""
        ...

    async def strike(self, link: Link, rest: bytes) -> bytes:
        """Do it; `rest` came and has not passed. Return what passes, or raise `Over`."""
        ...


@dataclass(frozen=True)
class HangUp:
    """Accept the connection and close it, with a reset or in order."""

    reset: bool = False
    of: ClassVar[Literal["accept"]] = "accept"
    after: ClassVar[int] = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        if self.reset:
            link.client.reset()
        raise Over


@dataclass(frozen=True)
class Cut:
    """Reset the connection on both sides."""

    of: Direction
    after: int = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        link.client.reset()
        link.server.reset()
        raise Over


@dataclass(frozen=True)
class Finish:
    """Close one direction in order, as if its sender had no more to say; the other stays open."""

    of: Direction
    after: int = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        source, sink = link.ends(self.of)
        sink.finish()
        await source.drain()
        return b""


@dataclass(frozen=True)
class Delay:
    """Let nothing pass for a while."""

    of: Direction
    after: int = 0
    seconds: float = 0.05

    async def strike(self, link: Link, rest: bytes) -> bytes:
        await asyncio.sleep(self.seconds)
        return rest


@dataclass(frozen=True)
class Stall:
    """Let nothing pass any more, and close nothing."""

    of: Direction
    after: int = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        return await asyncio.Event().wait() and rest


@dataclass(frozen=True)
class Instead:
    """Answer `data` and close: in place of the server, or ("answer") of what it answered."""

    data: bytes
    of: Direction = "request"
    after: int = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        await link.client.write(self.data)
        link.client.finish()
        if self.of == "request":
            await link.client.drain()  # else closing resets, and the answer may be lost
        raise Over


@dataclass(frozen=True)
class Repeat:
    """Give the first answer twice, at once or, `late`, when the next request has begun."""

    late: bool = False
    of: ClassVar[Direction] = "answer"
    after: ClassVar[int] = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        answer = await link.answer(rest)
        if not self.late:
            return answer + answer
        link.asked.clear()
        await link.client.write(answer)
        await link.asked.wait()
        return answer


@dataclass(frozen=True)
class Lie:
    """Change what matches `pattern` in the first answer: each digit becomes another one.

    With `new_only`, answers that call the file known already stay as they are; with `last`, the
    connection ends with the answer.
    """

    pattern: bytes
    new_only: bool = False
    last: bool = False
    of: ClassVar[Direction] = "answer"
    after: ClassVar[int] = 0

    async def strike(self, link: Link, rest: bytes) -> bytes:
        answer = await link.answer(rest)
        if self.new_only and b'"duplicate":true' in answer:
            return answer
        other = bytes.maketrans(b"0123456789", b"1234567891")
        lie = re.sub(self.pattern, lambda found: found[0].translate(other), answer)
        if not self.last:
            return lie
        await link.client.write(lie)
        link.client.finish()
        raise Over


#: Of what a receiver answers: the digest in hexadecimal digits, the size in bytes.
SHA256 = rb'(?<="sha256":")[0-9a-f]+'
SIZE = rb'(?<="size":)\d+'


def refusal(status: str, *headers: str, body: str = "") -> bytes:
    """An answer of this status ("503 Busy"), which says that the connection closes."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", body]).encode()


class Stream:
    """One of the two connections of a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """What came; nothing at the end."""
        return await self._reader.read(_BLOCK)

    async def drain(self) -> None:
        """Read on to the end and forget it."""
        while await self.read():
            pass

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def finish(self) -> None:
        """Say that no more will be written."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:  # TLS knows no half of a connection
            self._writer.close()

    def reset(self) -> None:
        if not self._writer.is_closing():
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close it once all that was written has gone."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.reset()  # in case it is not closed by now
        await self.close()


class Link:
    """A sender's connection and the one to the server that goes with it."""

    def __init__(self, client: Stream, server: Stream) -> None:
        self.client = client
        self.server = server
        #: Set when bytes of a request come, and at their end.
        self.asked = asyncio.Event()

    def ends(self, direction: Direction) -> tuple[Stream, Stream]:
        """Where the bytes of a direction come from, and where they go."""
        return (self.client, self.server)[:: 1 if direction == "request" else -1]

    async def run(self, fault: Fault | None) -> None:
        """Pass everything on, both ways, but for what the fault does."""
        try:
            if fault is not None and fault.of == "accept":
                await fault.strike(self, b"")
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass("request", fault))
                both.create_task(self._pass("answer", fault))
        except* Over:
            self.server.reset()
        except* OSError:
            self.client.reset()
            self.server.reset()
        await self.client.close()
        await self.server.close()

    async def answer(self, begun: bytes) -> bytes:
        """The whole of an answer that has begun."""
        while b"\r\n\r\n" not in begun:
            begun += await self._more()
        head = begun.partition(b"\r\n\r\n")[0]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while len(begun) < len(head) + 4 + int(length[1] if length else 0):
            begun += await self._more()
        return begun

    async def _more(self) -> bytes:
        data = await self.server.read()
        if not data:
            raise Over
        return data

    async def _pass(self, direction: Direction, fault: Fault | None) -> None:
        source, sink = self.ends(direction)
        passed = 0
        while data := await source.read():
            if direction == "request":
                self.asked.set()
            if fault is not None and fault.of == direction and passed + len(data) > fault.after:
                room = fault.after - passed
                await sink.write(data[:room])
                data = await fault.strike(self, data[room:])
                fault = None
            if data:
                await sink.write(data)
            passed += len(data)
        if direction == "request":
            self.asked.set()
        sink.finish()


class Proxy:
    """Listens in a thread of its own, from the first moment until it is closed."""

    def __init__(self, to: str, tls: ssl.SSLContext | None = None) -> None:
        """`to`: the URL of the server behind it. With `tls` the proxy speaks TLS to senders."""
        address = urlsplit(to)
        self._to = (address.hostname or "", address.port or 0)
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://{ADDRESS}:{address.port}"
        #: Connections that were accepted, and faults that these met.
        self.accepted = 0
        self._script: deque[Fault | None] = deque()
        self._links: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty proxy")
        self._thread.start()
        self.listen()

    def meet(self, *faults: Fault | None) -> None:
        """What the next connections meet, in place of what was left of the script."""
        self._script = deque(faults)

    @property
    def left(self) -> int:
        """How much of the script no connection has met yet."""
        return len(self._script)

    def listen(self) -> None:
        """Accept connections (again)."""
        self._do(self._listen())

    def refuse(self) -> None:
        """Accept no more connections; they are refused by the system. Running ones go on."""
        self._do(self._refuse())

    def drop(self) -> None:
        """Reset all connections that are open."""
        self._do(self._drop())

    def close(self) -> None:
        """Refuse, drop, and end the thread."""
        self.refuse()
        self.drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # asyncio's own server leaves a connection unclosed that comes just when it is closed.

    async def _listen(self) -> None:
        self._listener = socket.create_server((ADDRESS, self._to[1]), backlog=128)
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _drop(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        for _ in range(3):  # the last callbacks of connections that got no further than TLS
            await asyncio.sleep(0)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):  # it is gone already
            sock, _ = listener.accept()
            self.accepted += 1
            fault = self._script.popleft() if self._script else None
            link = self._loop.create_task(self._serve(sock, fault))
            self._links.add(link)
            link.add_done_callback(self._links.discard)
            link.add_done_callback(lambda _: sock.close())  # also if it was cancelled at once

    async def _serve(self, sock: socket.socket, fault: Fault | None) -> None:
        with suppress(OSError):  # no TLS, or nobody behind: as if it had been refused
            async with (
                await self._client(sock) as client,
                Stream(*await asyncio.open_connection(*self._to)) as server,
            ):
                await Link(client, server).run(fault)

    async def _client(self, sock: socket.socket) -> Stream:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=self._tls
        )
        return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, self._loop))
