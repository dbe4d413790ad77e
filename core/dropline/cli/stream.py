"""A receiver's files through Kafka: told on a topic, handled by the consumers of one group."""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

from dropline.events import FileStored, Message
from dropline.fleet.handle import AwayError, File, Handler, Source, handle
from dropline.fleet.outcomes import Outcomes
from dropline.messaging import KafkaBus

GROUP = "handle"
#: Partitions of a topic that is made here: the most consumers that can share it.
PARTITIONS = 64
#: Seconds between two tries while the receiver is away, and for the brokers to take files.
AGAIN_AFTER, TAKEN_WITHIN = 1.0, 30.0


class Stream:
    """`send` tells of files; `start` handles those that are told of."""

    def __init__(
        self,
        brokers: str,
        topic: str,
        name: str,
        source: Source,
        handler: Handler,
        outcomes: Outcomes,
    ) -> None:
        """Raises MissingExtraError without confluent-kafka, OSError when no broker answers."""
        self._brokers = brokers
        self._topic = topic
        self._name = name
        self._source = source
        self._handler = handler
        self._outcomes = outcomes
        self._stop = threading.Event()
        # The receiver's list is the outbox, and the outcomes are what is known: nothing to keep.
        self._folder = tempfile.TemporaryDirectory(prefix="dropline-")
        self._buses: list[KafkaBus] = []
        self._out = self._bus("out")
        self._out.declare(PARTITIONS)

    def send(self, files: list[File]) -> None:
        """Tell the consumers of files; raises OSError unless the brokers have taken that."""
        now = datetime.now(UTC).isoformat()
        self._out.post(*(FileStored(f.file_id, f.name, f.size, f.sha256, "", now) for f in files))
        if not self._out.flush(TAKEN_WITHIN):
            raise OSError(f"the brokers at {self._brokers} take no files")

    def start(self, workers: int) -> None:
        """Begin to handle, with so many consumers."""
        for number in range(workers):
            self._bus(str(number)).subscribe(FileStored, self._take)

    def close(self) -> None:
        """Stop, once what runs has ended."""
        self._stop.set()
        for bus in self._buses:
            bus.close()
        self._folder.cleanup()

    def _bus(self, name: str) -> KafkaBus:
        made = KafkaBus(
            self._brokers,
            source=f"{self._name}/{name}",
            group=GROUP,
            mailbox=Path(self._folder.name, f"{name}.sqlite"),
            topic=self._topic,
            ordered=False,
        )
        self._buses.append(made)
        return made

    def _take(self, message: Message) -> None:
        stored = message.data
        assert isinstance(stored, FileStored)
        file = File(stored.file_id, stored.name, stored.size, stored.sha256)
        while True:
            try:
                handle(file, self._source, self._handler, self._outcomes, self._name)
                return
            except AwayError:
                if self._stop.wait(AGAIN_AFTER):
                    raise
