"""A consumer of events whose handler kills its process by one of them, and dawdles if it is told.

poison_consumer.py (rabbitmq|kafka) URL GROUP FOLDER NAME POISON [SECONDS]
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from dropline.events import FileDeleted, Message
from dropline.messaging import CarriedBus, KafkaBus, RabbitBus, kafka


def main(kind: str, url: str, group: str, folder: str, name: str, poison: str, *more: str) -> None:
    """Handle events until this is killed, and keep a log of those done."""
    pause = float(more[0]) if more else 0.0
    files = {"mailbox": Path(folder, f"{name}.sqlite"), "handled": Path(folder, "handled.sqlite")}
    bus: CarriedBus
    if kind == "kafka":
        kafka.SESSION = 1.5  # the dead are many here
        bus = KafkaBus(url, source=name, group=group, topic=group, **files)
    else:
        bus = RabbitBus(url, source=name, group=group, **files)

    def handle(message: Message) -> None:
        assert isinstance(message.data, FileDeleted)
        with Path(folder, "runs").open("a") as log:
            log.write(f"{message.data.file_id}\n")
        if message.data.file_id == poison:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause)

    bus.subscribe(FileDeleted, handle)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
