"""A client as small as can be, so that the server is what is measured: HTTP/1.1 on one socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PIECE = os.urandom(1 << 20)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with a body of `size` bytes: `body`, else any bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    size: int
    body: bytes | None = None


class Connection:
    """One kept connection. `send` raises RuntimeError unless the server accepts."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = address.netloc
        self._socket = socket.create_connection((address.hostname or "", address.port or 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, request: Request) -> None:
        """Send it and read the answer."""
        lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {request.size}", "", ""]).encode()
        if request.body is not None:
            self._socket.sendall(head + request.body)
        elif request.size <= len(_PIECE):
            self._socket.sendall(head + _PIECE[: request.size])
        else:
            self._socket.sendall(head)
            for start in range(0, request.size, len(_PIECE)):
                self._socket.sendall(_PIECE[: request.size - start])
        self._read()

    def _read(self) -> None:
        status = self._answers.readline()
        length, chunked = 0, False
        while line := self._answers.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"transfer-encoding":
                chunked = True
        body = self._chunks() if chunked else self._answers.read(length)
        if status.split()[1:2] not in ([b"200"], [b"201"], [b"204"]):
            raise RuntimeError(f"{status.decode()}{body.decode(errors='replace')}")

    def _chunks(self) -> bytes:
        """A body that comes in chunks, without trailers."""
        body = b""
        while length := int(self._answers.readline(), 16):
            body += self._answers.read(length)
            self._answers.readline()
        self._answers.readline()
        return body
