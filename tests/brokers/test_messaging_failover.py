"""The event bus when consumers die by a message, or take very long: nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest
from confluent_kafka import Consumer, TopicPartition

from dropline.events import FileDeleted, Message
from dropline.messaging import CarriedBus, KafkaBus, RabbitBus, rabbitmq

from .conftest import HERE, Broker
from .daemons import Daemon, wait_until
from .test_messaging import make_topics

COUNT = 60
#: The first that a consumer of Kafka polls with a commit due.
POISON = "50"


class Reviving:
    """A process that is started again whenever it has died, as a supervisor does."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.deaths = 0
        self._daemon = Daemon(name, command, folder)
        self._daemon.begin()

    def revive(self) -> None:
        """Start it again if it has died."""
        if self._daemon.ended:
            self.deaths += 1
            self._daemon.begin()

    def kill(self) -> None:
        """End it for good."""
        self._daemon.kill()


@contextlib.contextmanager
def consumers(*commands: list[str], folder: Path) -> Iterator[list[Reviving]]:
    """Consumers that are revived by whoever looks at them."""
    made: list[Reviving] = []
    try:
        for number, command in enumerate(commands):
            made.append(Reviving(f"consumer{number}", command, folder))
        yield made
    finally:
        for each in made:
            each.kill()


def dead_letters(kind: str, url: str, topic: str) -> Iterator[str]:
    """The bodies of the dead letters there are."""
    if kind == "rabbitmq":
        with kombu.Connection(url) as connection:
            queue = kombu.Queue("dropline.dead")(connection.default_channel)
            while (message := queue.get(no_ack=True)) is not None:
                yield str(message.body)
        return
    reader = Consumer({"bootstrap.servers": url, "group.id": topic, "log_level": 0})
    reader.assign([TopicPartition(f"{topic}.dead", number, 0) for number in range(4)])
    while (message := reader.poll(20)) is not None:
        if message.error() is None:
            yield message.value().decode()
            break
    reader.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["rabbitmq", "kafka"])
def test_a_message_that_kills_every_consumer_is_dead_after_some_deliveries(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Those that only waited beside it are handled, once each."""
    broker: Broker = (
        request.getfixturevalue("kafka")
        if kind == "kafka"
        else request.getfixturevalue("brokers")["rabbitmq"]
    )
    group = f"poison-{tmp_path.name}"
    sender: CarriedBus
    if kind == "kafka":
        make_topics(broker.url, group, f"{group}.dead")
        sender = KafkaBus(
            broker.url, source=group, group="none", topic=group, mailbox=tmp_path / "s.sqlite"
        )
    else:
        sender = RabbitBus(broker.url, source=group, group=group, mailbox=tmp_path / "s.sqlite")
        sender.declare()
    sender.post(*(FileDeleted(str(number)) for number in range(COUNT)))
    assert sender.flush(60)
    command = [sys.executable, str(HERE / "poison_consumer.py"), kind, broker.url, group]
    runs = tmp_path / "runs"

    def handled() -> Counter[str]:
        for each in workers:
            each.revive()
        return Counter(runs.read_text().split()) if runs.exists() else Counter()

    with consumers([*command, str(tmp_path), "a", POISON], folder=tmp_path) as workers:
        wait_until(lambda: len(handled()) == COUNT, "all events", seconds=180)
        (dead,) = (each for each in dead_letters(kind, broker.url, group) if group in each)
    counts = Counter(runs.read_text().split())
    assert counts.pop(POISON) in (3, 4)
    assert set(counts.values()) == {1}
    assert f'"file_id": "{POISON}"' in dead
    assert "was handled" in (tmp_path / "consumer0.log").read_text()
    sender.close()


def test_a_slow_handler_keeps_its_message_and_the_others_go_to_others(
    brokers: dict[str, Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ, which gives up who is silent for two heartbeats: a handler of three is none."""
    monkeypatch.setattr(rabbitmq, "HEARTBEAT", 1)
    monkeypatch.setattr(rabbitmq, "PREFETCH", 1)
    url, group = brokers["rabbitmq"].url, f"slow-{tmp_path.name}"
    handled: list[tuple[str, str]] = []
    with contextlib.ExitStack() as stack:

        def bus(name: str) -> RabbitBus:
            made = RabbitBus(
                url,
                source=name,
                group=group,
                mailbox=tmp_path / f"{name}.sqlite",
                handled=tmp_path / "handled.sqlite",
            )
            stack.callback(made.close)
            return made

        def dawdle(message: Message) -> None:
            time.sleep(4)
            handled.append(("slow", message.subject))

        slow, quick = bus("slow"), bus("quick")
        slow.declare()
        slow.subscribe(FileDeleted, dawdle)
        sender = bus("sender")
        sender.post(FileDeleted("first"))
        queue = kombu.Queue(f"dropline.{group}")
        with kombu.Connection(url) as connection:

            def taken() -> bool:
                declared = queue(connection.default_channel).queue_declare(passive=True)
                return declared.message_count == 0 and declared.consumer_count == 1

            assert sender.flush(60)
            wait_until(taken, "the slow consumer's message")
        quick.subscribe(FileDeleted, lambda message: handled.append(("quick", message.subject)))
        sender.post(*(FileDeleted(str(number)) for number in range(COUNT)))
        wait_until(lambda: len(handled) == COUNT + 1, "all events")
        assert ("slow", "first") in handled
        assert Counter(subject for _, subject in handled).most_common(1)[0][1] == 1
        assert slow.duplicates == quick.duplicates == 0
