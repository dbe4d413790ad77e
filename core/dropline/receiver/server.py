"""The HTTP server in the process: cheroot, with what a server of uploads needs besides.

Added here: a body that neither lies in memory nor passes for whole when it was cut (see `body`);
an answer that comes before the end of a body reaches its client (lingering close); threads serve
requests, never idle connections; errors below the application are problems (RFC 9457) as well;
a prompt end.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from cheroot import server as cheroot
from cheroot import wsgi
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.workers.threadpool import ThreadPool
from werkzeug.wsgi import FileWrapper

from dropline.receiver.body import Body, ChunkedBody, SizedBody, Wire
from dropline.receiver.guard import is_loopback
from dropline.receiver.problems import CUT_SHORT, MEDIA_TYPE, Problem

_log = logging.getLogger(__name__)

#: Threads at the start; there are more as they are needed.
THREADS = 32
#: A client may be silent for this many seconds, within a request and between two.
TIMEOUT = 30
#: Most bytes of a request's line and headers: room for two names in their longest form.
MAX_HEADERS = 64 * 1024
#: A rest of a body up to this many bytes is read to keep the connection …
MAX_SKIP = 64 * 1024
#: … a longer one is thrown away for so many seconds, and so many of silence (nginx's figures), so
#: that the client gets to read the answer instead of seeing its connection reset.
LINGER, LINGER_SILENCE = 30.0, 5.0
#: Connections at once, or half of what the system lets this process open where that is less; …
MAX_CONNECTIONS = 4096
#: … and of one client: all workers of a sender of ours, and fewer than there are threads. Programs
#: of this machine have no such bound.
MAX_OF_A_CLIENT = 256
#: Seconds in which running requests may still end when the server stops.
SHUTDOWN = 0.3
#: Ports tried after the one that was asked for, before the system may choose.
NEXT_PORTS = 9

_BUFFER = 64 * 1024
#: SO_LINGER: on, 0 seconds.
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class _Reader(StreamReader):
    """cheroot's reader of a connection, on top of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        super(StreamReader, self).__init__(wire, _BUFFER)
        self.bytes_read = 0


_EXPECTS = b"Dropline-Expects-100"


class _Headers(cheroot.HeaderReader):
    """Keeps `Expect: 100-continue` from cheroot, which would answer it before anybody looks."""

    def __call__(self, rfile: Any, hdict: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = super().__call__(rfile, hdict)
        if headers.pop(b"Expect", b"").lower() == b"100-continue":
            headers[_EXPECTS] = b"1"
        return headers


class _Request(cheroot.HTTPRequest):
    """A request whose body is a `Body`."""

    header_reader = _Headers()

    def parse_request(self) -> None:
        self.conn.wire.begin()
        super().parse_request()

    def read_request_headers(self) -> bool:
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length", b"0")
        if not length.isdigit():
            self.simple_response("400 Bad Request", "The Content-Length is no whole number.")
            return False
        if self.chunked_read and b"Content-Length" in self.inheaders:
            self.close_connection = True  # RFC 9112 §6.3: this may be smuggling
        return True

    def respond(self) -> None:
        proceed = self._proceed if _EXPECTS in self.inheaders else None
        if self.chunked_read:
            body: Body = ChunkedBody(self.conn.rfile, proceed)
        else:
            length = int(self.inheaders.get(b"Content-Length", 0))
            body = SizedBody(self.conn.rfile, length, proceed)
        self.rfile = body
        self.conn.unread = True
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        self.conn.unread = not body.finished

    def send_headers(self) -> None:
        if self.conn.taker is not None:
            self.response_protocol = "HTTP/1.0"  # the body ends with the connection: no chunks
        try:
            finished = self.rfile.skip(MAX_SKIP)
        except (Problem, OSError):
            finished = False
        if not finished or self.conn.wire.is_cut_off:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer for the server itself, and close the connection."""
        code, _, title = str(status).partition(" ")
        problem = {"type": "about:blank", "title": title, "status": int(code)}
        problem |= {"detail": msg or title}
        if self.conn.wire.ended:  # cheroot takes a head that was cut for a malformed one
            problem = Problem(CUT_SHORT, "The connection broke. Send the request again.").to_dict()
            status = f"{CUT_SHORT.status} {CUT_SHORT.title}"
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.close_connection = True
        self.conn.unread = True
        with suppress(OSError):
            self.conn.wfile.write(head.encode("latin-1") + body)

    def _proceed(self) -> None:
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


#: Takes a connection over: its socket, and what closes it. In the environment of a request stands
#: `dropline.hand_over`, which is called with one; no thread of the server is held from then on.
Taker = Callable[[socket.socket, Callable[[], None]], None]


class _Connection(cheroot.HTTPConnection):
    """A connection that lets its client read the answer before it closes."""

    RequestHandlerClass = _Request
    wire: Wire
    unread = False
    #: The client's address while the connection counts.
    counted: str | None = None
    #: Who goes on with the answer when its head is sent; see `Taker`.
    taker: Taker | None = None

    def __init__(self, server: Server, sock: socket.socket, _makefile: object = None) -> None:
        super().__init__(server, sock, self._file)

    def _file(self, sock: socket.socket, mode: str, size: int) -> StreamReader | StreamWriter:
        if "w" in mode:
            return StreamWriter(sock, mode, size)
        self.wire = Wire(sock, self.server.stopping.is_set)
        return _Reader(self.wire)

    def hand_over(self, taker: Taker) -> None:
        """Have `taker` write the body, when the head is sent."""
        self.taker = taker

    def communicate(self) -> bool:
        return bool(super().communicate()) or self.taker is not None  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if self.unread and not self._linger():
            # Reset: a client that is blocked in sending would not notice the end for minutes.
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        super().close()
        self.server.let_out(self)

    def _linger(self) -> bool:
        """Let the client read the answer to a request that it still sends; whether it is done."""
        end = time.monotonic() + LINGER
        scratch = bytearray(_BUFFER)
        try:
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(LINGER_SILENCE)
            while time.monotonic() < end and not self.server.stopping.is_set():
                if not self.socket.recv_into(scratch):
                    return True
        except OSError:
            pass
        return False


class _Gateway(wsgi.Gateway_10):
    """The environment of a request, exact where cheroot's is not."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ["wsgi.input_terminated"] = True
        environ["wsgi.file_wrapper"] = _file_wrapper
        environ["dropline.wire"] = self.req.conn.wire
        environ["dropline.hand_over"] = self.req.conn.hand_over
        path = self.req.uri.partition(b"?")[0]
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")  # cheroot leaves %2F
        return environ


def _file_wrapper(file: IO[bytes], _size: int = 0) -> FileWrapper:
    return FileWrapper(file, _BUFFER)


class _Threads(ThreadPool):
    """Threads as they are needed, whose last request can be ended, whichever way its bytes go."""

    # cheroot's own, which its types leave out
    _threads: list[threading.Thread]
    _queue: queue.Queue[Any]
    _spawn_worker: Callable[[], threading.Thread]

    def __init__(self, server: Server, most: int) -> None:
        super().__init__(server, min=min(THREADS, most), max=most)
        self._growing = threading.Lock()

    def put(self, obj: _Connection) -> None:
        super().put(obj)
        with self._growing:
            if (
                len(self._threads) < self.max
                and self._queue.qsize() > self.idle
                and not self.server.stopping.is_set()
            ):
                self._threads.append(self._spawn_worker())

    def stop(self, timeout: float = SHUTDOWN) -> None:
        with self._growing:  # from here on nobody adds one
            pass
        super().stop(timeout)  # type: ignore[arg-type]

    @staticmethod
    def _force_close(conn: _Connection | None) -> None:
        if conn is not None:
            with suppress(OSError):
                conn.socket.shutdown(socket.SHUT_RDWR)


class Server(wsgi.Server):
    """Serves an application on a listening socket until it is stopped."""

    _connections: Any  # cheroot's manager of those that wait
    ConnectionClass = _Connection
    max_request_header_size = MAX_HEADERS
    keep_alive_conn_limit = None  # type: ignore[assignment]

    def __init__(self, listener: socket.socket, app: Callable[..., Any], threads: int) -> None:
        """`threads`: the most requests served at once."""
        super().__init__(
            listener.getsockname()[:2],
            app,
            server_name="Dropline",
            timeout=TIMEOUT,
            request_queue_size=128,
            shutdown_timeout=SHUTDOWN,  # type: ignore[arg-type]  # seconds, added to a time
        )
        self.gateway = _Gateway
        self.requests = _Threads(self, threads)
        self.stopping = threading.Event()
        self._listener = listener
        self._counting = threading.Lock()
        self._by_client: Counter[str] = Counter()
        self._most = _most_connections()
        self._thread = threading.Thread(target=self.serve, name="receiver accept", daemon=True)

    def start(self) -> None:
        """Serve in threads of its own."""
        self.prepare()
        self._thread.start()

    def stop(self) -> None:
        """End running requests within a moment, close every connection, leave no thread."""
        self.stopping.set()
        # cheroot's accepting thread looks for its end twice a second unless something comes in
        self._connections._stop_requested = True
        with suppress(OSError):
            socket.create_connection(self.bind_addr, timeout=1.0).close()
        super().stop()
        self._thread.join()
        # cheroot keeps every server's figures for ever
        logging.statistics.pop(f"Cheroot HTTPServer {id(self)}", None)  # type: ignore[attr-defined]

    def bind(self, *_address: Any) -> socket.socket:
        """Use the socket that listens already."""
        self.socket = self._listener
        return self._listener

    def serve(self) -> None:
        """Accept until stopped. cheroot's own makes a thread for connections it turns away."""
        while self.ready:
            try:
                self._connections.run(self.expiration_interval)
            except Exception:  # noqa: BLE001 - whatever it is, others want to be served
                _log.exception("the accepting thread goes on after an error")

    def process_conn(self, conn: _Connection) -> None:
        """Give a thread to a connection that has something to say; a new one waits till then."""
        if conn.last_used is None:
            if self._let_in(conn):
                self.put_conn(conn)
            else:
                conn.close()
        else:
            super().process_conn(conn)

    def _let_in(self, conn: _Connection) -> bool:
        client = str(conn.remote_addr)
        with self._counting:
            if self._by_client.total() >= self._most:
                return False
            if self._by_client[client] >= MAX_OF_A_CLIENT and not is_loopback(client):
                return False
            self._by_client[client] += 1
            conn.counted = client
        return True

    def let_out(self, conn: _Connection) -> None:
        """Count a connection no longer."""
        with self._counting:
            if conn.counted is not None:
                self._by_client[conn.counted] -= 1
                if not self._by_client[conn.counted]:
                    del self._by_client[conn.counted]
                conn.counted = None

    def put_conn(self, conn: _Connection) -> None:
        """Wait for the connection's next request, or let it go to who takes it over."""
        if conn.taker is not None:
            conn.taker(conn.socket, conn.close)
            return
        try:
            super().put_conn(conn)
        except (AttributeError, KeyError, OSError, RuntimeError, ValueError):
            if self.ready:
                raise
            conn.close()  # the server stopped meanwhile

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Write to the log instead of to stderr."""
        _log.log(level, "%s", msg, exc_info=traceback)


def _most_connections() -> int:
    if os.name == "nt":
        return MAX_CONNECTIONS
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if allowed < 0 else min(MAX_CONNECTIONS, allowed // 2)


class NoPortError(Exception):
    """The address cannot be listened on; the message is a sentence with the remedy."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the port, or where it is taken on one of the next, or on any."""
    candidates = [*range(port, min(port + NEXT_PORTS, 65535) + 1), 0] if port else [0]
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        for candidate in candidates:
            with suppress(_PortTaken):
                return _listen(host, candidate, family)
    except OSError as error:
        raise NoPortError(
            f"The receiver cannot listen on {host} port {port} ({error.strerror}). "
            "Choose another --host or --port."
        ) from error
    raise NoPortError(f"No port of {host} is free. Close programs that listen, then try again.")


class _PortTaken(Exception):
    """The port is in use."""


def _listen(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _PortTaken from error
        raise
    # Connections inherit it. Without it an answer's second packet waits 40 ms for the first's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listener
