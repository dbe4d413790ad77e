"""The event bus over Kafka: one topic, a consumer group, offsets committed after the handlers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dropline.extras import load
from dropline.messaging.carried import RETRIES, CarriedBus
from dropline.messaging.mailbox import Letter

_log = logging.getLogger(__name__)

TOPIC = "dropline.events"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
#: Seconds before a message is handled again, times the number of the attempt.
BACKOFF = 0.2
#: Seconds between two looks whether to stop.
LOOK = 0.2
#: Seconds that the brokers may take to confirm.
CONFIRM = 10.0
#: Seconds after which a consumer that died without a word is given up.
SESSION = 6.0
#: Messages between two commits while there are more.
COMMIT_EVERY = 50


class KafkaBus(CarriedBus):
    """See `CarriedBus`. The producer is idempotent.

    Events of one source keep their order, and so one consumer of a group gets all of them; unless
    `ordered` is False: then they are spread over the partitions.

    What is no event or was given up goes to the topic `dropline.events.dead`. A handler that takes
    more than 5 minutes (`max.poll.interval.ms`) costs its consumer the partition.
    """

    def __init__(
        self,
        brokers: str,
        *,
        source: str,
        group: str,
        mailbox: Path,
        handled: Path | None = None,
        topic: str = TOPIC,
        replay_from: int | None = None,
        ordered: bool = True,
    ) -> None:
        """`brokers` is host:port, or several, comma-separated. `replay_from` is the offset from
        which each partition is read again; what was handled before is suppressed, so a replay to
        the handlers needs a new group. Raises MissingExtraError without confluent-kafka.
        """
        self._kafka = load("confluent_kafka", "kafka", "a bus over Kafka")
        self._brokers = brokers
        self._topic = topic
        self._replay_from = replay_from
        self._ordered = ordered
        self._producer: Any = None
        # The first offset that came of each partition since it was assigned.
        self._first: dict[int, int] = {}
        super().__init__(source, group, mailbox, handled)

    def declare(self, partitions: int) -> None:
        """Make the topic and that of its dead letters, where the brokers have none: of so many
        partitions, which is the most consumers of a group that can share it.
        """
        client = load("confluent_kafka.admin", "kafka", "a bus over Kafka")
        admin = client.AdminClient({"bootstrap.servers": self._brokers, "log_level": 0})
        names = {self._topic: partitions, f"{self._topic}.dead": 1}
        topics = [client.NewTopic(name, count) for name, count in names.items()]
        for made in admin.create_topics(topics, request_timeout=CONFIRM).values():
            try:
                made.result()
            except self._kafka.KafkaException as error:
                if error.args[0].code() != self._kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise OSError(
                        f"no broker of Kafka makes topics at {self._brokers} "
                        f"({error.args[0].str()}): check host and port"
                    ) from error

    def _make_producer(self) -> Any:
        return self._kafka.Producer(
            {
                "bootstrap.servers": self._brokers,
                "enable.idempotence": True,
                "message.timeout.ms": int(CONFIRM * 1000),
                "linger.ms": 1,
                "log_level": 0,
            }
        )

    def _connect_sender(self) -> None:
        self._producer = self._make_producer()

    def _close_sender(self) -> None:
        if self._producer is not None:
            self._producer.purge()  # what is not confirmed stays in the outbox
        self._producer = None

    def _send(self, letters: Sequence[Letter]) -> list[int]:
        sent: list[int] = []
        problems: list[Any] = []

        def confirm(number: int, error: Any) -> None:
            problems.append(error) if error else sent.append(number)

        for letter in letters:
            self._producer.produce(
                self._topic,
                letter.body.encode(),
                key=(letter.source if self._ordered else str(letter.number)).encode(),
                headers={"content-type": CONTENT_TYPE},
                on_delivery=lambda error, _message, n=letter.number: confirm(n, error),
            )
        while self._producer.flush(LOOK) and not self._stop.is_set():
            pass  # each is confirmed or has failed within CONFIRM
        if problems and not sent:
            raise self._kafka.KafkaException(problems[0])
        return sent

    def _consume(self) -> None:
        consumer = self._kafka.Consumer(
            {
                "bootstrap.servers": self._brokers,
                "group.id": f"dropline.{self.group}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,  # what was polled is not handled yet
                "auto.offset.reset": "earliest",
                "session.timeout.ms": int(SESSION * 1000),
                "log_level": 0,
            }
        )
        consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=lambda *_: self._commit(consumer)
        )
        uncommitted = 0
        try:
            while not self._stop.is_set():
                message = consumer.poll(0 if uncommitted else LOOK)
                if message is None or uncommitted >= COMMIT_EVERY:
                    if uncommitted:
                        self._commit(consumer)
                        uncommitted = 0
                    if message is None:
                        continue
                if message.error() is not None:
                    if message.error().fatal():
                        raise self._kafka.KafkaException(message.error())
                    continue  # such as a topic that is not there yet
                if not self._settle(message):
                    return  # stopped in the middle: it is not committed, and comes again
                with contextlib.suppress(self._kafka.KafkaException):  # it is another's by now
                    consumer.store_offsets(message=message)
                uncommitted += 1
        finally:
            self._commit(consumer)
            consumer.close()

    def _commit(self, consumer: Any) -> None:
        """Commit what was handled. Where that fails, the partition is another's, who gets it again,
        and suppresses it.
        """
        with contextlib.suppress(self._kafka.KafkaException):
            consumer.commit(asynchronous=False)

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self._first.clear()
        if self._replay_from is not None:
            for partition in partitions:
                partition.offset = self._replay_from
            consumer.assign(partitions)

    def _settle(self, message: Any) -> bool:
        """Have a message handled, or dead; False when the bus was closed before."""
        first = self._first.setdefault(message.partition(), message.offset())
        # The brokers don't tell, but only what was not committed can have been delivered before.
        again = message.offset() - first <= COMMIT_EVERY
        for attempt in range(RETRIES + 1):
            if attempt and self._stop.wait(BACKOFF * attempt):
                return False
            try:
                if self._handle(message.value(), again=again and not attempt):
                    return True
            except ValueError:
                break
        producer = self._make_producer()
        producer.produce(f"{self._topic}.dead", message.value(), key=message.key())
        if producer.flush(CONFIRM):
            raise OSError("the brokers take no dead letters")
        self.dead += 1
        return True
