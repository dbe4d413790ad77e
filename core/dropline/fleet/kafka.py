"""A consumer group on a topic of Kafka: its lag, partition by partition."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dropline.extras import load
from dropline.fleet.quality import Doubt
from dropline.fleet.remote import FleetError
from dropline.fleet.samples import Sample

#: Seconds that a broker may take to answer.
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Partition:
    """One part of a topic, which one consumer of the group reads at most."""

    number: int
    end: int
    """The offset that the next message gets."""
    committed: int
    """The offset of the next message that the group wants; the first there is before any commit."""

    @property
    def lag(self) -> int:
        """Messages that the group has not done."""
        return max(0, self.end - self.committed)


class KafkaGroup:
    """Looks at the offsets of a group; it joins nothing and commits nothing. For one thread."""

    def __init__(self, brokers: str, group: str, topic: str) -> None:
        """`brokers` is host:port, or several, comma-separated.

        Raises MissingExtraError without confluent-kafka.
        """
        self._kafka = load("confluent_kafka", "kafka", "a topic of Kafka")
        self._admin = load("confluent_kafka.admin", "kafka", "a topic of Kafka")
        self.brokers, self.group, self.topic = brokers, group, topic
        self._settings = {"bootstrap.servers": brokers, "log_level": 0, "socket.timeout.ms": 10000}
        own = {"group.id": group, "enable.auto.commit": False}
        self._consumer = self._kafka.Consumer({**self._settings, **own})
        self._group_told = True
        self.partitions: list[Partition] = []
        """As they were at the last look."""
        self.consumers: int | None = None
        """Members of the group; None where the broker doesn't tell."""

    def close(self) -> None:
        """Let go of the brokers."""
        self._consumer.close()

    def look(self) -> Sample:
        """The group now. Raises FleetError when there is no such topic or no broker answers."""
        try:
            self.partitions = self._offsets()
        except self._kafka.KafkaException as error:
            why = error.args[0].str()
            raise FleetError(
                f"no broker of Kafka answers at {self.brokers} ({why}): check host and port"
            ) from error
        self.consumers = self._members()
        lag = sum(partition.lag for partition in self.partitions)
        behind = sum(partition.lag > 0 for partition in self.partitions)
        busy = behind if self.consumers is None else min(behind, self.consumers)
        return Sample(
            time.monotonic(),
            waiting=max(0, lag - busy),
            present=lag,
            busy=busy,
            workers=self.consumers,
            arrived=sum(partition.end for partition in self.partitions),
            finished=sum(partition.committed for partition in self.partitions),
            returned=None,
        )

    @property
    def skew(self) -> float | None:
        """The largest lag of a partition in units of the mean one: 1 is even; None without lag."""
        lags = [partition.lag for partition in self.partitions]
        return max(lags) * len(lags) / sum(lags) if sum(lags) else None

    def doubts(self) -> list[Doubt]:
        """Why the figures are what they are, and what is wrong with the group."""
        notes = ["consumers commit now and then, so lag is a little more than what waits"]
        count = len(self.partitions)
        if self.consumers is None:
            notes.append("the broker does not tell the group's members")
        elif self.consumers > count:
            notes.append(
                f"{self.consumers} consumers share {count} partitions: more consumers than "
                "partitions are useless; add partitions, or end some"
            )
        elif not self.consumers and any(partition.lag for partition in self.partitions):
            notes.append("nobody consumes: start a consumer of this group")
        if any(partition.committed > partition.end for partition in self.partitions):
            notes.append("the broker's end offsets are below what is committed: lag is not known")
        return [Doubt((), note) for note in notes]

    def _offsets(self) -> list[Partition]:
        topics = self._consumer.list_topics(self.topic, timeout=TIMEOUT).topics
        known = topics[self.topic]
        if known.error is not None or not known.partitions:
            raise FleetError(f"the brokers have no topic “{self.topic}”: check its name")
        numbers = sorted(known.partitions)
        asked = [self._kafka.TopicPartition(self.topic, number) for number in numbers]
        found = []
        for place in self._consumer.committed(asked, timeout=TIMEOUT):
            low, high = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT, cached=False)
            committed = place.offset if place.offset >= 0 else low
            found.append(Partition(place.partition, high, committed))
        return found

    def _members(self) -> int | None:
        if not self._group_told:
            return None
        try:
            admin = self._admin.AdminClient(self._settings)
            asked = admin.describe_consumer_groups([self.group], request_timeout=TIMEOUT)
            return len(asked[self.group].result(timeout=TIMEOUT).members)
        except (self._kafka.KafkaException, TimeoutError):
            self._group_told = False
            return None
