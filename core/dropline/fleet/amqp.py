"""One queue of an AMQP broker, by what the broker says of it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from dropline.extras import load
from dropline.fleet.quality import Doubt
from dropline.fleet.remote import FleetError
from dropline.fleet.samples import Sample

#: Where RabbitMQ's management interface listens unless told otherwise.
MANAGEMENT_PORT = 15672
#: Seconds that it may take to answer.
TIMEOUT = 3.0


class AmqpQueue:
    """Looks at a queue; changes nothing, consumes nothing. For one thread.

    A passive declare tells how many messages are ready and how many consumers there are; RabbitMQ's
    management interface, where it is, also what came, what was acknowledged, and what consumers
    hold.
    """

    def __init__(self, url: str, queue: str, management: str | None = None) -> None:
        """`management` is the interface's address; by default the usual port of the same host.

        Raises FleetError when `url` is none, MissingExtraError without kombu.
        """
        kombu = load("kombu", "amqp", "a queue of AMQP")
        try:
            self._connection = kombu.Connection(url, connect_timeout=5, heartbeat=0)
            kinds = self._connection.connection_errors
            self._broken = (OSError, kombu.exceptions.KombuError, *kinds)
            self._refused = self._connection.channel_errors
        except (KeyError, ValueError, ImportError) as error:
            raise FleetError(f"“{url}” is no broker's URL: {error}") from error
        self.queue = queue
        parts = urlsplit(url)
        host = management or f"http://{parts.hostname or 'localhost'}:{MANAGEMENT_PORT}"
        vhost = quote(self._connection.virtual_host or "/", safe="")
        self._address = f"{host.rstrip('/')}/api/queues/{vhost}/{quote(queue, safe='')}"
        self._asked = management is not None
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (
            self._connection.userid or "guest",
            self._connection.password or "guest",
        )
        self._managed = True
        self.in_consumers: int | None = None
        """Messages that consumers hold, running or prefetched, at the last look."""

    def close(self) -> None:
        """Let go of the broker."""
        self._connection.release()
        self._session.close()

    def look(self) -> Sample:
        """The queue now. Raises FleetError when there is no such queue or the broker is away."""
        ready, consumers = self._declare()
        told = self._ask()
        if told is None:
            self.in_consumers = None
            return Sample(time.monotonic(), ready, None, None, consumers, None, None, None)
        counts = told.get("message_stats") or {}
        held = self.in_consumers = int(told.get("messages_unacknowledged", 0))
        # What is delivered without acknowledgement is done when it is delivered.
        done = ("ack", "deliver_no_ack", "get_no_ack")
        return Sample(
            time.monotonic(),
            waiting=ready,
            present=ready + held,
            busy=min(held, consumers),
            workers=consumers,
            arrived=int(counts.get("publish", 0)),
            finished=sum(int(counts.get(kind, 0)) for kind in done),
            returned=int(counts.get("redeliver", 0)),
            # Its counts move every 5 s only, its rates are of just such a step.
            arriving=_rate(counts, "publish"),
            leaving=sum(_rate(counts, kind) for kind in done),
        )

    def doubts(self) -> list[Doubt]:
        """Why the figures are what they are."""
        if not self._managed:
            return [
                Doubt(
                    (),
                    "without RabbitMQ's management interface only the length of the queue is known:"
                    " rabbitmq-plugins enable rabbitmq_management, or name it by --management URL",
                )
            ]
        return [
            Doubt((), "the broker's statistics are up to 5 s behind; times are by Little's law")
        ]

    def _declare(self) -> tuple[int, int]:
        try:
            with self._connection.channel() as channel:
                answer = channel.queue_declare(self.queue, passive=True)
        except self._refused as error:
            raise FleetError(f"the broker has no queue “{self.queue}”: check its name") from error
        except self._broken as error:
            self._connection.collect()  # the next look connects anew
            shown = self._connection.as_uri()
            raise FleetError(f"no broker answers at {shown} ({error}): check the URL") from error
        return int(answer.message_count), int(answer.consumer_count)

    def _ask(self) -> dict[str, Any] | None:
        """What the management interface says; None where there is none."""
        if not self._managed:
            return None
        try:
            answer = self._session.get(self._address, timeout=TIMEOUT)
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            if self._asked:
                raise FleetError(f"RabbitMQ's management does not answer ({error})") from error
            self._managed = False
            return None
        return told


def _rate(counts: dict[str, Any], kind: str) -> float:
    return float(counts.get(f"{kind}_details", {}).get("rate", 0.0))
