"""The event bus over real brokers: nothing is lost, and each event is handled once."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from dropline.events import FileDeleted, HandlerFailed, Message
from dropline.messaging import CarriedBus, KafkaBus, RabbitBus

from .conftest import Broker
from .daemons import wait_until

COUNT = 300
OpenBus = Callable[[str, str], CarriedBus]


@pytest.fixture(params=["rabbitmq", "kafka"])
def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenBus]:
    """`open_bus(group, name)`: a bus on one of the brokers, closed in the end."""
    with contextlib.ExitStack() as stack:
        if request.param == "kafka":
            kafka: Broker = request.getfixturevalue("kafka")
            topic = f"events-{tmp_path.name}"
            make_topics(kafka.url, topic, f"{topic}.dead")
        else:
            rabbit: Broker = request.getfixturevalue("brokers")["rabbitmq"]

        def bus(group: str, name: str) -> CarriedBus:
            made: CarriedBus
            own = f"{tmp_path.name}.{group}"
            names = {"source": name, "mailbox": tmp_path / f"{name}.sqlite"}
            if request.param == "kafka":
                made = KafkaBus(kafka.url, group=own, topic=topic, **names)  # type: ignore[arg-type]
            else:
                made = RabbitBus(rabbit.url, group=own, **names)  # type: ignore[arg-type]
                made.declare()
            stack.callback(made.close)
            return made

        yield bus


def make_topics(brokers: str, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": brokers})
    for made in admin.create_topics([NewTopic(name, 4, 1) for name in names]).values():
        made.result(10)


class Heard:
    """A handler that remembers, and fails for the ids it is told to."""

    def __init__(self, *fails: str) -> None:
        self.ids: list[str] = []
        self.calls: Counter[str] = Counter()
        self._fails = fails
        self._lock = threading.Lock()

    def __call__(self, message: Message) -> None:
        assert isinstance(message.data, FileDeleted)
        with self._lock:
            self.calls[message.data.file_id] += 1
            if message.data.file_id in self._fails:
                raise ValueError("as it was asked to")
            self.ids.append(message.data.file_id)


def test_each_group_handles_every_event_once_and_its_members_share_them(
    open_bus: OpenBus,
) -> None:
    first, second, other = Heard(), Heard(), Heard()
    open_bus("store", "a").subscribe(FileDeleted, first)
    open_bus("store", "b").subscribe(FileDeleted, second)
    open_bus("audit", "c").subscribe(FileDeleted, other)
    sender = open_bus("sender", "s")
    everything = {str(number) for number in range(COUNT)}
    sender.post(*(FileDeleted(str(number)) for number in range(COUNT // 2)))
    for number in range(COUNT // 2, COUNT):
        sender.publish(FileDeleted(str(number)))
    assert sender.flush(30)
    wait_until(lambda: len(first.ids) + len(second.ids) >= COUNT, "events of one group")
    wait_until(lambda: len(other.ids) >= COUNT, "events of the other")
    assert Counter(first.ids + second.ids) == Counter(everything)
    assert Counter(other.ids) == Counter(everything)


def test_an_event_whose_handler_always_fails_ends_among_the_dead(open_bus: OpenBus) -> None:
    heard, told = Heard("bad"), []
    bus = open_bus("store", "a")
    bus.subscribe(FileDeleted, heard)
    bus.subscribe(HandlerFailed, told.append)
    bus.post(FileDeleted("good"), FileDeleted("bad"), FileDeleted("fine"))
    wait_until(lambda: bus.dead, "dead letter")
    wait_until(lambda: len(heard.ids) == 2, "the others")
    assert heard.calls["bad"] == 4
    assert len(told) >= 4
    assert sorted(heard.ids) == ["fine", "good"]


def test_a_message_that_comes_again_is_suppressed_and_foreign_ones_are_read(
    brokers: dict[str, Broker], tmp_path: Path
) -> None:
    """A program by others sends CloudEvents, one of them twice, and something that is none."""
    url = brokers["rabbitmq"].url
    with contextlib.closing(
        RabbitBus(url, source="a", group=tmp_path.name, mailbox=tmp_path / "a.sqlite")
    ) as bus:
        heard = Heard()
        bus.declare()
        bus.subscribe(FileDeleted, heard)
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": "1",
            "type": FileDeleted.type,
            "source": "/others",
            "time": "2026-01-01T00:00:00Z",
            "data": {"file_id": "f"},
        }
        # Confirmed, or a busy broker may lose what its queue has not yet when the channel closes.
        confirmed = kombu.Connection(url, transport_options={"confirm_publish": True})
        with confirmed as connection, connection.channel() as channel:
            producer = kombu.Producer(channel, kombu.Exchange("dropline.events", type="topic"))
            for body in (event, event, "none", {**event, "id": "2"}):
                producer.publish(json.dumps(body), routing_key="x", content_type="text/plain")
        wait_until(lambda: len(heard.ids) == 2, "both events")
        wait_until(lambda: bus.duplicates == 1, "suppressed duplicate")
        wait_until(lambda: bus.dead == 1, "dead letter")


def test_what_is_posted_while_the_broker_is_away_comes_when_it_is_back(
    kafka: Broker, tmp_path: Path
) -> None:
    """Kafka: this one keeps nothing over a restart, so it is away from the start."""
    kafka.daemon.kill()
    sender = KafkaBus(
        kafka.url, source="s", group="none", topic="late", mailbox=tmp_path / "s.sqlite"
    )
    sender.post(*(FileDeleted(str(number)) for number in range(COUNT)))
    assert not sender.flush(0.2)
    sender.close()  # the program ends, too
    kafka.daemon.start()
    make_topics(kafka.url, "late")
    sender = KafkaBus(
        kafka.url, source="s2", group="none", topic="late", mailbox=tmp_path / "s.sqlite"
    )
    receiver = KafkaBus(
        kafka.url, source="r", group="late", topic="late", mailbox=tmp_path / "r.sqlite"
    )
    heard = Heard()
    receiver.subscribe(FileDeleted, heard)
    sender.post(FileDeleted("last"))
    wait_until(lambda: len(heard.ids) == COUNT + 1, "all events")
    assert Counter(heard.ids) == Counter([*map(str, range(COUNT)), "last"])
    sender.close()
    receiver.close()
    again = KafkaBus(
        kafka.url,
        source="again",
        group="replay",
        topic="late",
        mailbox=tmp_path / "again.sqlite",
        replay_from=0,
    )
    replayed = Heard()
    again.subscribe(FileDeleted, replayed)
    wait_until(lambda: len(replayed.ids) == COUNT + 1, "replay")
    again.close()
