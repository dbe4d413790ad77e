"""`dropline attach` on a queue of RabbitMQ and on a topic of Kafka."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from dropline.cli.attach import watch_group, watch_queue
from dropline.fleet import FleetError
from dropline.fleet.amqp import AmqpQueue
from dropline.fleet.kafka import KafkaGroup
from ports import free_port

from .conftest import Broker
from .daemons import wait_until


@contextlib.contextmanager
def traffic(url: str, queue: str) -> Iterator[threading.Event]:
    """20 messages a second are put into a queue, and taken out as soon as `go` is set."""
    end, go = threading.Event(), threading.Event()

    def publish() -> None:
        with kombu.Connection(url) as connection, connection.SimpleQueue(queue) as out:
            while not end.wait(0.05):
                out.put("x")

    def consume() -> None:
        with kombu.Connection(url) as connection, connection.SimpleQueue(queue) as source:
            while not end.is_set():
                if not go.wait(0.05):
                    continue
                try:
                    source.get(timeout=0.2).ack()
                except source.Empty:
                    continue

    threads = [threading.Thread(target=target) for target in (publish, consume)]
    for thread in threads:
        thread.start()
    try:
        yield go
    finally:
        end.set()
        for thread in threads:
            thread.join()


def counted(queue: AmqpQueue) -> bool:
    """Whether there is such a queue, and the broker has counted for as long as its rates are of."""
    with contextlib.suppress(FleetError):
        look = queue.look()
        return min(look.arriving or 0, look.leaving or 0) > 10
    return False


def test_a_queue_of_rabbitmq_is_watched_with_and_without_its_management(
    brokers: dict[str, Broker],
) -> None:
    broker = brokers["rabbitmq"]
    none = AmqpQueue(broker.url, "none", broker.management)
    with pytest.raises(FleetError, match="has no queue “none”: check its name"):
        none.look()
    none.close()
    queue = AmqpQueue(broker.url, "orders", broker.management)
    bare = AmqpQueue(broker.url, "orders", None)
    with traffic(broker.url, "orders") as go:
        go.set()
        wait_until(lambda: counted(queue), "statistics")
        report = watch_queue(queue, 2, threading.Event())
        little = watch_queue(bare, 0.5, threading.Event())
    queue.close()
    bare.close()
    assert 5 < report["arrival_rate"] < 40  # 20, as far as the machine keeps up
    assert report["throughput"] == pytest.approx(report["arrival_rate"], rel=0.5)
    assert set(report["quality"].values()) == {"approximate"}
    assert report["mean_waiting"] is not None
    assert little["arrival_rate"] is None
    assert little["mean_waiting"] is not None
    assert "rabbitmq_management" in little["notes"][0]


def test_a_broker_that_is_not_there_is_one_sentence() -> None:
    url = f"amqp://guest:secret@127.0.0.1:{free_port()}//"
    with pytest.raises(FleetError, match=r"no broker answers at amqp://guest:[*]+@") as caught:
        AmqpQueue(url, "q").look()
    assert "secret" not in str(caught.value)


@pytest.fixture
def mock_cluster() -> tuple[Producer, str]:
    """librdkafka's own brokers: unlike the other here, they tell true end offsets."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    return producer, f"{broker.host}:{broker.port}"


def test_the_lag_of_a_group_is_told_partition_by_partition(
    mock_cluster: tuple[Producer, str],
) -> None:
    producer, address = mock_cluster
    producer.list_topics("orders", timeout=10)  # makes it, with 4 partitions
    settings: dict[str, Any] = {"bootstrap.servers": address, "group.id": "billing"}
    reader = Consumer({**settings, "enable.auto.commit": False, "log_level": 0})
    group = KafkaGroup(address, "billing", "orders")
    for number, count in enumerate((10, 20, 30, 100)):
        for _ in range(count):
            producer.produce("orders", b"x", partition=number)
    producer.flush(10)
    group.look()
    assert [partition.lag for partition in group.partitions] == [10, 20, 30, 100]
    assert group.skew == pytest.approx(2.5)
    end = threading.Event()

    def work() -> None:
        """Ten messages of partition 3 are done each tenth of a second, and one arrives."""
        done = 0
        while not end.wait(0.1):
            done += 10
            reader.commit(offsets=[TopicPartition("orders", 3, min(done, 100))], asynchronous=False)
            producer.produce("orders", b"x", partition=0)
            producer.flush(10)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.3)  # so that there is a rate
    report = watch_group(group, 0.4, threading.Event())
    end.set()
    worker.join()
    reader.close()
    group.close()
    parts = {part["partition"]: part for part in report["partitions"]}
    assert parts[3]["throughput"] > 0
    assert parts[3]["time_to_clear"] is not None
    assert parts[0]["time_to_clear"] is None  # it grows
    assert report["time_to_clear"] is None
    assert report["lag"] == sum(part["lag"] for part in parts.values())
    assert report["finished"] == pytest.approx(report["throughput"] * report["seconds"])


def test_a_topic_or_a_broker_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(FleetError, match="check host and port"):
        KafkaGroup(f"127.0.0.1:{free_port()}", "g", "t").look()
