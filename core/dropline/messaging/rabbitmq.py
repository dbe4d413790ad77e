"""The event bus over RabbitMQ: a topic exchange, and a quorum queue for each group."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from dropline.extras import load
from dropline.messaging.carried import CarriedBus
from dropline.messaging.mailbox import Letter

EXCHANGE = "dropline.events"
DEAD = "dropline.dead"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
#: Deliveries after which the broker itself gives a message up. It counts one also for those that
#: only waited beside the one that killed their consumer, so it must be well above our own limit.
DELIVERIES = 1000
#: Seconds after twice which broker and consumer give each other up.
HEARTBEAT = 10
#: Messages that the broker gives ahead of their acknowledgement.
PREFETCH = 50
#: Seconds that the broker may take to confirm.
CONFIRM = 10.0
#: Seconds between two looks whether to stop.
LOOK = 0.2


class RabbitBus(CarriedBus):
    """See `CarriedBus`. Events are routed by their type, persistent, and confirmed by the broker.

    What is no event or was given up goes to the queue `dropline.dead`. Handlers may take as long as
    they like, up to the broker's `consumer_timeout` (half an hour).
    """

    def __init__(
        self, url: str, *, source: str, group: str, mailbox: Path, handled: Path | None = None
    ) -> None:
        """The files are as of `CarriedBus`. Raises MissingExtraError without kombu."""
        self._kombu = load("kombu", "amqp", "a bus over RabbitMQ")
        self._url = url
        self._sending: Any = None
        self._tags = itertools.count(1)
        # The numbers of letters on their way, by the broker's tags, and of those it has.
        self._unconfirmed: dict[int, int] = {}
        self._sent: list[int] = []
        self._handlers: ThreadPoolExecutor
        super().__init__(source, group, mailbox, handled)
        exchange = self._kombu.Exchange(EXCHANGE, type="topic", durable=True)
        dead = self._kombu.Exchange(DEAD, type="fanout", durable=True)
        self._exchange = exchange
        self._dead = self._kombu.Queue(DEAD, dead, durable=True)
        self._queue = self._kombu.Queue(
            f"dropline.{group}",
            exchange,
            routing_key="#",
            durable=True,
            queue_arguments={
                "x-queue-type": "quorum",  # it counts deliveries, and limits them
                "x-delivery-limit": DELIVERIES,
                "x-dead-letter-exchange": DEAD,
            },
        )

    def declare(self) -> None:
        """Make exchange and queues, so that events of this group are kept from now on."""
        with self._connect() as connection:
            self._declare(connection.default_channel)

    def _connect(self) -> Any:
        connection = self._kombu.Connection(self._url, connect_timeout=5, heartbeat=HEARTBEAT)
        connection.connect()
        return connection

    def _declare(self, channel: Any) -> None:
        self._dead(channel).declare()
        self._queue(channel).declare()

    def _connect_sender(self) -> None:
        self._close_sender()
        self._sending = self._connect()
        channel = self._sending.default_channel
        self._exchange(channel).declare()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._confirmed)
        self._tags, self._unconfirmed = itertools.count(1), {}

    def _close_sender(self) -> None:
        connection, self._sending = self._sending, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _send(self, letters: Sequence[Letter]) -> list[int]:
        # All of them, then their confirmations: waiting for each took most of the time.
        if self._sending is None:
            raise OSError("no connection to send by")
        self._sent = []
        producer = self._kombu.Producer(self._sending, self._exchange, auto_declare=False)
        try:
            for letter in letters:
                self._unconfirmed[next(self._tags)] = letter.number
                producer.publish(
                    letter.body,
                    routing_key=letter.type,
                    content_type=CONTENT_TYPE,
                    content_encoding="utf-8",
                    delivery_mode=2,
                    timeout=CONFIRM,
                )
            by = time.monotonic() + CONFIRM
            while self._unconfirmed and not self._stop.is_set():
                if time.monotonic() > by:
                    raise TimeoutError("the broker does not confirm")
                with contextlib.suppress(TimeoutError):
                    self._sending.drain_events(timeout=LOOK)
        except Exception:
            self._close_sender()  # what is confirmed from now on can't be told apart
            if not self._sent:
                raise
        return self._sent

    def _confirmed(self, tag: int, multiple: bool) -> None:
        """The broker has a message, or all up to it."""
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        self._sent += [self._unconfirmed.pop(each) for each in tags]

    def _consume(self) -> None:
        with (
            self._connect() as connection,
            ThreadPoolExecutor(1, "bus handlers") as self._handlers,
        ):
            channel = connection.default_channel
            self._declare(channel)
            with self._kombu.Consumer(
                channel,
                [self._queue],
                on_message=self._take_message,
                prefetch_count=PREFETCH,
                auto_declare=False,
            ):
                while not self._stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.drain_events(timeout=LOOK)
                    connection.heartbeat_check()

    def _take_message(self, message: Any) -> None:
        if self._stop.is_set():
            return  # unacknowledged, so it is another's
        again = bool(message.delivery_info.get("redelivered"))
        handling = self._handlers.submit(self._handle, message.body, again=again)
        while not wait((handling,), HEARTBEAT / 2).done:
            # A broker that hears nothing for long would deliver it to another one meanwhile.
            message.channel.connection.send_heartbeat()
        try:
            message.ack() if handling.result() else message.requeue()
        except ValueError:
            self.dead += 1
            message.reject()
