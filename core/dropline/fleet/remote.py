"""Talking to a Celery fleet of which only the broker's URL is known; the only room with Celery."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from dropline.extras import load
from dropline.fleet.order import Event

#: Seconds to wait for answers when it isn't known who will answer.
ANSWER_WITHIN = 1.0
#: A listener looks this often, in seconds, whether it should end.
LOOK = 0.2
#: Seconds that our queue of events keeps what we are too busy to read; Celery's own are 5.
KEPT = 300.0
#: Who may talk to the broker at the same time, besides the listener.
CONNECTIONS = 4


class FleetError(Exception):
    """A fleet can't be watched or tuned; the text is a sentence with the remedy."""


class Remote:
    """A Celery fleet, seen through its broker. Any thread may ask; one may listen.

    Its methods raise FleetError when the broker doesn't answer.
    """

    def __init__(self, url: str) -> None:
        """Raises FleetError when `url` is none, MissingExtraError without Celery."""
        celery = load("celery", "celery", "a Celery fleet")
        self._kombu = load("kombu", "celery", "a Celery fleet")
        self._app = celery.Celery("dropline", broker=url, set_as_current=False, fixups=[])
        self._app.conf.update(event_queue_ttl=KEPT, event_queue_expires=KEPT)
        self._stop = threading.Event()
        try:
            connection = self._app.connection_for_read()
            self.url: str = connection.as_uri()
            """The broker's URL without its password."""
            kinds = connection.connection_errors
            self._errors = (OSError, self._kombu.exceptions.KombuError, *kinds)
        except (KeyError, ValueError, ImportError) as error:
            raise FleetError(f"“{url}” is no broker's URL that Celery knows: {error}") from error
        # Our own, for Celery's pools belong to all of the process that talk to this broker.
        self._pool = connection.Pool(limit=CONNECTIONS)
        self._app.control.mailbox.producer_pool = None

    def check(self) -> None:
        """Raises FleetError unless the broker answers."""
        with self._connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=5)

    def close(self) -> None:
        """Let go of the broker."""
        self._stop.set()
        self._pool.force_close_all()
        self._app.close()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection from the pool; what goes wrong with it is a FleetError."""
        try:
            with self._pool.acquire(block=True) as connection:
                yield connection
        except self._errors as error:
            say = f"no broker answers at {self.url} ({error})"
            raise FleetError(f"{say}: check the URL, and that the broker runs") from error

    # ------------------------------------------------------------------ asking

    def ask(
        self,
        command: str,
        workers: Collection[str] | None = None,
        *,
        within: float = ANSWER_WITHIN,
        **arguments: Any,
    ) -> dict[str, Any]:
        """What workers answer to one of Celery's remote controls, by the worker's name.

        With `workers` it takes milliseconds when all of them answer; None asks everybody and waits.
        A worker that refuses answers `{"error": sentence}`.
        """
        if workers is not None and not workers:
            return {}
        with self._connection() as connection:
            answers = self._app.control.broadcast(
                command,
                arguments=arguments,
                destination=None if workers is None else list(workers),
                connection=connection,
                reply=True,
                timeout=within,
            )
        return {name: answer for each in answers or () for name, answer in each.items()}

    # ------------------------------------------------------------------ queues

    def ready(self, queues: Iterable[str]) -> dict[str, int]:
        """How many tasks wait in each queue, those that workers have prefetched not counted."""
        counts = {}
        with self._connection() as connection:
            for queue in queues:
                with connection.channel() as channel:
                    try:
                        counts[queue] = channel.queue_declare(queue, passive=True).message_count
                    except channel.connection.client.channel_errors:
                        counts[queue] = 0  # it is made when somebody first uses it
        return counts

    # ------------------------------------------------------------------ listening

    def listen(
        self, take: Callable[[Event], None], ready: Callable[[], None], cut: Callable[[], None]
    ) -> None:
        """Hand every event to `take` until `close`; `ready` when events come, `cut` when no more.

        A lost connection is made again. What was told meanwhile is lost.
        """
        while not self._stop.is_set():
            try:
                with self._app.connection_for_read() as connection:
                    connection.ensure_connection(
                        max_retries=1, interval_start=LOOK, timeout=ANSWER_WITHIN
                    )
                    self._receive(connection, take, ready)
            except self._errors:
                cut()
                self._stop.wait(LOOK)

    def _receive(
        self, connection: Any, take: Callable[[Event], None], ready: Callable[[], None]
    ) -> None:
        queue = self._app.events.Receiver(connection).queue

        def each(body: Event | list[Event], _message: object) -> None:
            for event in body if isinstance(body, list) else [body]:
                take(event)

        # Not the receiver's own loop: it moves time stamps by the hosts' time zones.
        with connection.Consumer([queue], callbacks=[each], no_ack=True, accept=["json"]):
            ready()
            while not self._stop.is_set():
                try:
                    connection.drain_events(timeout=LOOK)
                except TimeoutError:
                    connection.heartbeat_check()
