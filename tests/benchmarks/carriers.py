"""Events a second through the buses over brokers, beside the client library alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kombu
from confluent_kafka import Consumer, Producer
from grounds import Grounds
from messengers import Broker, kafka, rabbitmq
from report import Section, Table, progress

from dropline.events import FileDeleted, Message
from dropline.messaging import KafkaBus, RabbitBus

#: As ours look on the wire.
EVENT = FileDeleted("0193a5f2-0000-7000-8000-000000000000")
#: Messages given ahead of their acknowledgement, or between two commits; events posted together.
AHEAD, TOGETHER = 50, 100
PATIENCE = 300.0

Step = Callable[[int], None]


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """10,000 events each, 1,000 when quick."""
    count = 1_000 if quick else 10_000
    table = Table(["carrier: guarantee", "events/s sent", "events/s handled"])
    with grounds.fresh() as folder:
        with rabbitmq(folder / "rabbitmq") as broker:
            body = _body()
            for confirmed in (False, True):
                send, handle = _kombu(broker.url, body, confirmed=confirmed)
                sent = "confirmed one by one, acknowledged after" if confirmed else "none"
                _measure(table, "kombu alone", sent, count, send, handle)
            _measure_bus(table, broker, folder, count)
        with kafka(folder / "kafka") as broker:
            for safe in (False, True):
                send, handle = _confluent(broker.url, body, "safe" if safe else "quick", safe=safe)
                sent = "idempotent, committed after" if safe else "none: acks=0, commits by time"
                _measure(table, "confluent-kafka alone", sent, count, send, handle)
            _measure_bus(table, broker, folder, count)
    return Section(
        f"The buses over brokers: {count:,} events",
        "One sender, then one consumer in the same process, one broker, all on one machine. Ours "
        "keep each event in an outbox on disk until the broker has it, and each handled id on "
        "disk, all synced: that is what the difference buys.",
        [table],
    )


def _measure(table: Table, name: str, guarantee: str, count: int, send: Step, handle: Step) -> None:
    rates = []
    for step in (send, handle):
        began = time.perf_counter()
        step(count)
        rates.append(count / (time.perf_counter() - began))
        progress(f"{name}, {guarantee}: {rates[-1]:,.0f}")
    table.rows.append([f"{name}: {guarantee}", *(f"{rate:,.0f}" for rate in rates)])


def _measure_bus(table: Table, broker: Broker, folder: Path, count: int) -> None:
    """Ours: everything is sent before the consumer begins."""
    name = "RabbitBus" if broker.kind == "rabbitmq" else "KafkaBus"
    sender, consumer = (_bus(broker, folder, f"{name}-{end}") for end in ("sender", "consumer"))
    consumer.declare() if isinstance(consumer, RabbitBus) else consumer.declare(4)
    left, all_handled = count, threading.Event()

    def take(_message: Message) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_handled.set()

    def send(count: int) -> None:
        for _ in range(count // TOGETHER):
            sender.post(*(EVENT,) * TOGETHER)
        if not sender.flush(PATIENCE):
            raise RuntimeError(f"{name} did not send within {PATIENCE:g} s")

    def handle(_count: int) -> None:
        consumer.subscribe(FileDeleted, take)
        if not all_handled.wait(PATIENCE):
            raise RuntimeError(f"{name} did not handle within {PATIENCE:g} s")

    _measure(table, name, "outbox, confirmed, handled once, dead letters", count, send, handle)
    sender.close()
    consumer.close()


def _bus(broker: Broker, folder: Path, name: str) -> RabbitBus | KafkaBus:
    mailbox = folder / f"{name}.sqlite"
    if broker.kind == "rabbitmq":
        return RabbitBus(broker.url, source=name, group="bench", mailbox=mailbox)
    return KafkaBus(broker.url, source=name, group="bench", mailbox=mailbox, topic="bench")


def _body() -> str:
    """An event of ours as it is on the wire."""
    from dropline.bus import Router

    return json.dumps(Router("bench", lambda _: None).envelope(EVENT).to_cloudevent())


def _kombu(url: str, body: str, *, confirmed: bool) -> tuple[Step, Step]:
    queue = kombu.Queue(f"alone{int(confirmed)}", durable=True)
    options = {"confirm_publish": confirmed}

    def send(count: int) -> None:
        with kombu.Connection(url, transport_options=options) as connection:
            producer = connection.Producer()
            queue(connection.default_channel).declare()
            for _ in range(count):
                producer.publish(body, routing_key=queue.name, delivery_mode=2)

    def handle(count: int) -> None:
        left = count

        def take(message: Any) -> None:
            nonlocal left
            left -= 1
            if confirmed:
                message.ack()

        with (
            kombu.Connection(url) as connection,
            connection.Consumer(
                [queue], on_message=take, no_ack=not confirmed, prefetch_count=AHEAD
            ),
        ):
            while left:
                connection.drain_events(timeout=PATIENCE)

    return send, handle


def _confluent(brokers: str, body: str, topic: str, *, safe: bool) -> tuple[Step, Step]:
    def send(count: int) -> None:
        producer = Producer(
            {"bootstrap.servers": brokers, "enable.idempotence": safe, "acks": "all" if safe else 0}
        )
        for _ in range(count):
            producer.produce(topic, body.encode())
            producer.poll(0)
        producer.flush(PATIENCE)

    def handle(count: int) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": topic,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": not safe,
                "session.timeout.ms": 6000,
            }
        )
        consumer.subscribe([topic])
        handled = 0
        while handled < count:
            message = consumer.poll(PATIENCE)
            if message is None or message.error() is not None:
                continue
            handled += 1
            if safe and handled % AHEAD == 0:
                consumer.commit(asynchronous=False)
        consumer.close()

    return send, handle
