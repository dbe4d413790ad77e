"""`GET /events`: server-sent events, which tell every listening client what is stored or deleted.

One thread writes to all clients; a thread of the server serves only the head of the answer and
then hands the socket over. An event is in CloudEvents' JSON form.

The id of `FileStored` is the file's own. As ids ascend in the order of storing, the rows of the
database are the history: a client that comes back with `Last-Event-ID`, also after a restart, is
read the rows that follow, a page at a time, until it has caught up. This thread alone reads pages
and passes on what the bus tells, and the bus tells of a row after its commit: what a page does not
hold comes by the bus, and what comes by both is known by its id.

Deletions and figures have no id and are not told again: whoever shows a list should read it anew
when its connection broke.
"""

from __future__ import annotations

import contextlib
import json
import logging
import selectors
import socket
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from sqlalchemy.exc import SQLAlchemyError

from dropline.bus import EventBus, Subscription
from dropline.events import Event, FileDeleted, FileStored, Message
from dropline.receiver.store import Store, stored_event
from dropline.station import Reading

_log = logging.getLogger(__name__)

#: Clients at once.
MAX_CLIENTS = 1000
#: Seconds between two comments that keep proxies from closing a silent connection.
HEARTBEAT = 15.0
#: A client that takes nothing for so many seconds is cut, …
PATIENCE = 30.0
#: … and one for which so many bytes wait. It comes back with Last-Event-ID.
MAX_BEHIND = 1024 * 1024
#: Rows read at a time for a client that was away.
PAGE = 200
#: Seconds between two figures of a station.
PERIOD = 1.0
#: Milliseconds after which a browser connects again.
RETRY = 2000

#: The id before all others.
_FIRST = str(uuid.UUID(int=0))
_WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(eq=False, slots=True)
class _Client:
    """A listener; `after` is the id of the last file it was told of, None before the first look."""

    sock: socket.socket
    close: Callable[[], None]
    after: str | None
    figures: bool
    caught_up: bool = False
    behind: int = 0
    pending: deque[memoryview] = field(default_factory=deque)
    served: float = field(default_factory=time.monotonic)


class Feed:
    """The clients of `/events` and the thread that writes to them."""

    def __init__(
        self, store: Store, bus: EventBus, readings: Callable[[], Sequence[Reading]]
    ) -> None:
        """`readings` gives the figures now of each station that there is; it must not wait."""
        self._store = store
        self._readings = readings
        self._source = f"urn:uuid:{store.identity}"
        self._incoming: SimpleQueue[_Client | Sequence[Message]] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        self._clients: set[_Client] = set()
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        for end in (self._wakes, self._waker):
            end.setblocking(False)
        self._selector.register(self._wakes, selectors.EVENT_READ, None)
        self._bus = bus
        self._subscriptions: list[Subscription] = []
        self._thread = threading.Thread(target=self._run, name="receiver events", daemon=True)
        self._thread.start()

    @property
    def clients(self) -> int:
        """How many listen."""
        return self._count

    def add(
        self, sock: socket.socket, close: Callable[[], None], after: str | None, figures: bool
    ) -> None:
        """Write to a client from now on, and `close` it in the end.

        `after` is its Last-Event-ID, None for what happens from now on; `figures` says whether it
        wants a `Reading` of each station every second. For any thread.
        """
        with self._lock:
            if not self._count:  # what nobody hears costs nothing; earlier rows are looked up
                self._subscriptions = [
                    self._bus.subscribe(kind, self._hear, batches=True)
                    for kind in (FileStored, FileDeleted)
                ]
            self._count += 1
        self._incoming.put(_Client(sock, close, after, figures))
        self._wake()

    def close(self) -> None:
        """Cut every client and end the thread."""
        self._closing = True
        self._wake()
        self._thread.join()
        self._take_in()
        for client in list(self._clients):
            self._cut(client)
        self._selector.close()
        self._wakes.close()
        self._waker.close()

    def _hear(self, messages: Sequence[Message]) -> None:
        self._incoming.put(messages)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # then it is about to wake, or has ended
            self._waker.send(b"\0")

    # --- in the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        now = time.monotonic()
        heartbeat, figures = now + HEARTBEAT, now + PERIOD
        while not self._closing:
            due = min(heartbeat, figures) if self._clients else None
            for key, events in self._selector.select(due and max(0.0, due - time.monotonic())):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._wakes.recv(4096)
                elif events & selectors.EVENT_READ and self._has_left(key.data):
                    self._cut(key.data)
                elif events & selectors.EVENT_WRITE:
                    self._serve(key.data)
            self._take_in()
            now = time.monotonic()
            if now >= heartbeat:
                heartbeat = now + HEARTBEAT
                self._beat(now)
            if now >= figures:
                figures = now + PERIOD
                self._tell_figures()

    def _take_in(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                came = self._incoming.get_nowait()
                if isinstance(came, _Client):
                    self._welcome(came)
                else:
                    self._tell(came)

    def _welcome(self, client: _Client) -> None:
        self._clients.add(client)
        try:
            client.sock.setblocking(False)
            self._selector.register(client.sock, selectors.EVENT_READ, client)
            head = f"retry: {RETRY}\n"
            if client.after is None:
                client.after = self._store.files.last_id() or _FIRST
                client.caught_up = True
                head += f"id: {client.after}\n"  # where to go on, should it break before any news
        except (OSError, ValueError, SQLAlchemyError):  # ValueError: it has left already
            self._cut(client)
        else:
            self._push(client, head.encode() + b"\n")

    def _tell(self, messages: Sequence[Message]) -> None:
        """Pass on what the bus told; who has not caught up finds it in the database."""
        news = [self._news(message) for message in messages]
        together = b"".join(frame for _, frame in news)
        for client in list(self._clients):
            after = client.after or _FIRST
            if client.caught_up and all(after < file_id for file_id, _ in news if file_id):
                mine = together  # the usual case: the same bytes for all
            else:
                mine = b"".join(
                    frame
                    for file_id, frame in news
                    if file_id is None or (client.caught_up and after < file_id)
                )
            if client.caught_up:
                client.after = max(after, *(file_id or _FIRST for file_id, _ in news))
            self._push(client, mine)

    def _news(self, message: Message) -> tuple[str | None, bytes]:
        event = message.data
        if isinstance(event, FileStored):
            return event.file_id, self._stored(event)
        return None, self._frame(event, f"{event.subject}/deleted", message.time)

    def _catch_up(self, client: _Client) -> None:
        """Tell a page of what the client missed."""
        try:
            rows = self._store.files.page(PAGE, client.after)
        except SQLAlchemyError:
            _log.exception("a client of /events could not be told what it missed")
            self._cut(client)
            return
        client.caught_up = len(rows) < PAGE
        if rows:
            client.after = rows[-1].file_id
            self._push(client, b"".join(self._stored(stored_event(row)) for row in rows))
        else:
            self._write(client)  # nothing, only not to be asked again

    def _tell_figures(self) -> None:
        # who is behind misses some: old figures are of no use
        listening = [client for client in self._clients if client.figures and not client.pending]
        if not listening:
            return
        now = datetime.now(UTC)
        frames = [self._frame(read, str(uuid.uuid4()), now) for read in self._readings()]
        for client in listening:
            self._push(client, b"".join(frames))

    def _stored(self, event: FileStored) -> bytes:
        frame = self._frame(event, event.file_id, datetime.fromisoformat(event.stored_at))
        return f"id: {event.file_id}\n".encode() + frame

    def _frame(self, event: Event, event_id: str, when: datetime) -> bytes:
        message = Message(event_id, event.type, self._source, event.subject, when, event)
        told = json.dumps(message.to_cloudevent(), ensure_ascii=False, allow_nan=False)
        return f"data: {told}\n\n".encode("utf-8", "replace")

    # --- one client -------------------------------------------------------------------------

    def _push(self, client: _Client, data: bytes) -> None:
        if not data:
            return
        if not client.pending:
            client.served = time.monotonic()
        elif client.behind + len(data) > MAX_BEHIND:
            self._cut(client)
            return
        client.pending.append(memoryview(data))
        client.behind += len(data)
        self._write(client)

    def _write(self, client: _Client) -> None:
        """Write what goes without waiting, and read on for one that was away."""
        if client not in self._clients:
            return
        try:
            while client.pending:
                sent = client.sock.send(client.pending[0])
                client.served = time.monotonic()
                client.behind -= sent
                client.pending[0] = client.pending[0][sent:]
                if not client.pending[0]:
                    client.pending.popleft()
        except _WAITS:
            pass
        except OSError:
            self._cut(client)
            return
        waits = client.pending or not client.caught_up
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
        self._selector.modify(client.sock, events, client)

    def _serve(self, client: _Client) -> None:
        """The client can take more."""
        if client.pending:
            self._write(client)
        elif not client.caught_up:
            self._catch_up(client)

    def _has_left(self, client: _Client) -> bool:
        try:
            return not client.sock.recv(4096)
        except _WAITS:
            return False
        except OSError:
            return True

    def _beat(self, now: float) -> None:
        """Show the silent ones that the connection lives, and cut who takes nothing."""
        for client in list(self._clients):
            if not client.pending:
                self._push(client, b":\n\n")
            elif now - client.served > PATIENCE:
                self._cut(client)

    def _cut(self, client: _Client) -> None:
        if client not in self._clients:
            return
        self._clients.discard(client)
        with self._lock:
            self._count -= 1
            if not self._count:
                for subscription in self._subscriptions:
                    subscription.cancel()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.sock)
        client.pending.clear()
        with contextlib.suppress(OSError):
            client.close()
