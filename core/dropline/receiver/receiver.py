"""The receiver: store, application and server put together, started and ended in order."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dropline.bus import MemoryBus
from dropline.events import ReceiverStarted, ReceiverStopped
from dropline.handlers import Handler
from dropline.home import FolderInUseError
from dropline.receiver.app import create_app
from dropline.receiver.database import DatabaseError
from dropline.receiver.feed import Feed
from dropline.receiver.gate import MAX_UPLOADS, RATE, Gate, Rate
from dropline.receiver.guard import Guard, is_loopback
from dropline.receiver.handling import WORKERS, Handling
from dropline.receiver.metrics import Metrics
from dropline.receiver.server import NoPortError, Server, listen
from dropline.receiver.store import SMALL, Store
from dropline.receiver.unfinished import LIFETIME
from dropline.station import Instruments

#: Requests served besides the uploads, so that lists and health are told while all of those run.
SPARE_THREADS = 16


class ReceiverError(Exception):
    """The receiver cannot start; the message is a sentence with the remedy."""


class Receiver:
    """Takes files over HTTP and keeps them in a data folder; starts once, stops once.

    `bus` carries `FileReceived` (handled by the store), `FileStored`, `ReceiverStarted` and
    `ReceiverStopped`; one that is not given is made, and closed at the end. One receiver to a bus
    and to a data folder. `url`, `note` and `identity` (the data folder's
    id) are set by `start`.
    """

    def __init__(
        self,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8765,
        database: str | None = None,
        token: str | None = None,
        bus: MemoryBus | None = None,
        max_size: int | None = None,
        small: int = SMALL,
        max_uploads: int = MAX_UPLOADS,
        rate: float | None = None,
        stations: Callable[[], Sequence[Instruments]] = tuple,
        handlers: Sequence[Handler] = (),
        handle_workers: int = WORKERS,
        lifetime: float = LIFETIME,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`data` is made when it is missing; `database` is a URL, by default a SQLite file there.

        `port` 0 is any free one. `max_size` is the most bytes one file may have; those of up to
        `small` bytes are kept in the database, the others as files of their own. `max_uploads` run
        at once; `rate` is the requests a second that a client may send, on loopback without limit
        unless it is given. `stations` gives the figures now of the stations beside the receiver,
        for `/events` and `/metrics`; it must not wait. `handlers` are called with each file that is
        stored, by `handle_workers` threads at the start; `handling` is then their station. An
        unfinished upload is kept for `lifetime` seconds after its last byte, by `clock` (POSIX
        seconds). `give_way` is called by the threads that work, between two files, and may keep
        them for a moment.
        """
        self._data = data
        self._host = host
        self._port = port
        self._database = database
        self._token = token
        self._max_size = max_size
        self._small = small
        self._max_uploads = max_uploads
        self._rate = rate
        self._beside = stations
        self._handlers = handlers
        self._handle_workers = handle_workers
        self.handling: Handling | None = None
        self._lifetime = lifetime
        self._give_way = give_way
        self._clock = clock
        self._owns_bus = bus is None
        self.bus = MemoryBus("receiver") if bus is None else bus
        self._started = False
        self._ends = ExitStack()
        self._serve: Callable[[socket.socket, Guard, float | None], Server] | None = None
        self._shared: Server | None = None
        self._sharing = threading.Lock()
        self.url = ""
        self.note = ""
        self.identity = ""

    def start(self) -> None:
        """Listen and serve, in threads of its own. Raises ReceiverError."""
        if not is_loopback(self._host) and not self._token:
            raise ReceiverError(
                f"Others can reach the receiver on {self._host}, so it needs a token: "
                "give one with --token, or listen on 127.0.0.1."
            )
        with ExitStack() as undo:
            listener = undo.enter_context(self._listen(self._host))
            store = self._open_store()
            undo.callback(store.close)
            if self._handlers:
                self.handling = Handling(
                    store, self.bus, self._handlers, workers=self._handle_workers
                )
                undo.callback(self.handling.close)
            feed = Feed(store, self.bus, lambda: [each.reading for each in self._stations()])
            undo.callback(feed.close)
            gate = Gate(self._max_uploads)
            metrics = Metrics(store, gate, feed, self._stations)

            def serve(listener: socket.socket, guard: Guard, rate: float | None) -> Server:
                app = create_app(
                    store,
                    self.bus,
                    guard,
                    self._max_size,
                    gate=gate,
                    rate=Rate(rate) if rate else None,
                    feed=feed,
                    metrics=metrics,
                    handling=self.handling,
                )
                server = Server(listener, app, self._max_uploads + SPARE_THREADS)
                server.start()
                return server

            port = listener.getsockname()[1]
            rate = self._rate or (None if is_loopback(self._host) else RATE)
            server = serve(listener, Guard(self._host, port, self._token), rate)
            undo.callback(server.stop)
            self._serve = serve
            undo.callback(self.unshare)
            self.identity = store.identity
            self._ends = undo.pop_all()
        self._started = True
        self.url = f"http://{_reachable(listener.getsockname()[0])}:{port}"
        if self._port not in (0, port):
            self.note = f"Port {self._port} is taken, so the receiver listens on port {port}."
        self.bus.post(ReceiverStarted(self.url, self.note))

    def stop(self) -> None:
        """End running uploads, store what has come in whole, close port and folder."""
        if self._started:
            self._started = False
            with self._sharing:
                self._serve = None
            self._ends.close()
            self.bus.post(ReceiverStopped(self.url))
        if self._owns_bus:
            self.bus.close()

    def share(self, host: str | None = None) -> str:
        """Let other devices in as well; the address that they open, with a new token in it.

        `host` is an address of this machine, by default the one that its network knows. Raises
        ReceiverError.
        """
        host = host or _network_address()
        with self._sharing:
            if self._serve is None:
                raise ReceiverError("The receiver does not run, so nobody can be let in.")
            if self._shared is not None:
                self._shared.stop()
                self._shared = None
            listener = self._listen(host)
            port = listener.getsockname()[1]
            token = secrets.token_urlsafe(16)
            self._shared = self._serve(listener, Guard(host, port, token), self._rate or RATE)
        return f"http://{_reachable(host)}:{port}/?token={token}"

    def unshare(self) -> None:
        """Let nobody else in any more."""
        with self._sharing:
            if self._shared is not None:
                self._shared.stop()
                self._shared = None

    def _listen(self, host: str) -> socket.socket:
        try:
            return listen(host, self._port)
        except NoPortError as error:
            raise ReceiverError(str(error)) from error

    def _stations(self) -> list[Instruments]:
        """Of the stations beside the receiver, and of its own."""
        handling = self.handling
        return [*self._beside(), *([] if handling is None else [handling.instruments()])]

    def _open_store(self) -> Store:
        try:
            return Store(
                self._data,
                self._database,
                self.bus,
                small=self._small,
                lifetime=self._lifetime,
                give_way=self._give_way,
                clock=self._clock,
            )
        except FolderInUseError as error:
            raise ReceiverError(
                f"Another receiver uses {self._data}. Stop it, or give another folder with --data."
            ) from error
        except DatabaseError as error:
            raise ReceiverError(str(error)) from error
        except OSError as error:
            raise ReceiverError(
                f"The receiver cannot keep files in {self._data} ({error.strerror}). "
                "Make it writable, or give another folder with --data."
            ) from error


def _network_address() -> str:
    """This machine's address in its network; nothing is sent to find it."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # an address that is nobody's (RFC 5737)
            address = str(probe.getsockname()[0])
    except OSError:
        address = "127.0.0.1"
    if is_loopback(address):
        raise ReceiverError(
            "This machine is in no network, so no other device can reach it. Connect it first."
        )
    return address


def _reachable(address: str) -> str:
    """The address as it stands in a URL; for "any address" that of this machine itself."""
    ip = ipaddress.ip_address(address)
    if ip.is_unspecified:
        return "127.0.0.1" if ip.version == 4 else "[::1]"
    return address if ip.version == 4 else f"[{address}]"
