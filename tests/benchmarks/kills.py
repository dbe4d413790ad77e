"""100,000 events while consumers are killed again and again and the broker once: lost, doubled?

As a program it is one of the consumers: kills.py KIND URL FOLDER NAME.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from grounds import Grounds
from messengers import Broker, kafka, rabbitmq
from report import Section, Table, progress

from dropline.events import FileDeleted, Message
from dropline.messaging import CarriedBus, KafkaBus, RabbitBus

CONSUMERS, KILLS = 3, 12
#: The group, and Kafka's topic.
GROUP = "kills"
#: Events posted together.
TOGETHER = 500
#: Seconds between two notes of how many duplicates were suppressed, and for all to be handled.
NOTED_EVERY, PATIENCE = 0.05, 1800.0


def open_bus(kind: str, url: str, folder: Path, name: str, *, group: str = GROUP) -> CarriedBus:
    """A bus with an outbox of its own; what was handled all consumers know."""
    files = {"mailbox": folder / f"{name}.sqlite", "handled": folder / "handled.sqlite"}
    if kind == "kafka":
        return KafkaBus(url, source=name, group=group, topic=GROUP, ordered=False, **files)
    return RabbitBus(url, source=name, group=group, **files)


def consume(kind: str, url: str, folder: Path, name: str) -> None:
    """Handle events, and keep a log of each, until this is killed."""
    log = os.open(folder / f"{name}.{os.getpid()}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    bus = open_bus(kind, url, folder, name)

    def handle(message: Message) -> None:
        assert isinstance(message.data, FileDeleted)
        os.write(log, f"{message.data.file_id}\n".encode())

    bus.subscribe(FileDeleted, handle)
    noted, duplicates = 0, folder / f"{name}.{os.getpid()}.duplicates"
    while True:
        if bus.duplicates != noted:
            noted = bus.duplicates
            duplicates.write_text(str(noted))
        time.sleep(NOTED_EVERY)


class Consumers:
    """Processes; a random one is killed and started again at each `kill`."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._command = [sys.executable, __file__, broker.kind, broker.url, str(folder)]
        self._folder = folder
        self._made = [self._start(number) for number in range(CONSUMERS)]
        self._chance = random.Random(7)

    def kill(self) -> None:
        """Kill one by SIGKILL."""
        number = self._chance.randrange(CONSUMERS)
        self._made[number].kill()
        self._made[number].wait()
        self._made[number] = self._start(number)

    def close(self) -> None:
        """End them all."""
        for each in self._made:
            each.kill()
            each.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"consumer{number}.txt").open("ab") as log:
            return subprocess.Popen([*self._command, f"consumer{number}"], stderr=log)


def handled(folder: Path) -> int:
    """How many times handlers ran so far, by the size of their logs."""
    width = len(f"{0:08d}\n")
    return sum(path.stat().st_size for path in folder.glob("*.log")) // width


def run(broker: Broker, folder: Path, count: int, *, restart: bool) -> list[str]:
    """One row of the table."""
    folder.mkdir()
    sender = open_bus(broker.kind, broker.url, folder, "sender", group=f"{GROUP}-sender")
    if isinstance(sender, KafkaBus):
        sender.declare(12)
    else:
        first = open_bus(broker.kind, broker.url, folder, "first")
        assert isinstance(first, RabbitBus)
        first.declare()
        first.close()
    consumers = Consumers(broker, folder)
    began = time.monotonic()

    def post() -> None:
        for start in range(0, count, TOGETHER):
            sender.post(*(FileDeleted(f"{n:08d}") for n in range(start, start + TOGETHER)))

    posting = threading.Thread(target=post)
    posting.start()
    try:
        for number in range(KILLS):
            _wait(lambda n=number: handled(folder) >= count * (n + 1) / (KILLS + 2), broker.kind)
            consumers.kill()
            progress(f"{broker.kind}: {handled(folder):,} handled, one killed")
            if restart and number == KILLS // 2:
                broker.daemon.kill()
                broker.daemon.start()
                progress("broker killed and started again")
        posting.join()
        _wait(lambda: len(_runs(folder)) == count, broker.kind, pause=2)
        seconds = time.monotonic() - began
    finally:
        consumers.close()
        sender.close()
    runs = _runs(folder)
    doubled = sum(runs.values()) - len(runs)
    suppressed = sum(int(path.read_text() or 0) for path in folder.glob("*.duplicates"))
    return [
        broker.kind,
        f"{count:,}",
        str(KILLS),
        "1" if restart else "–",
        str(count - len(runs)),
        str(doubled),
        f"{suppressed:,}",
        f"{count / seconds:,.0f}",
    ]


def _runs(folder: Path) -> Counter[str]:
    return Counter(line for path in folder.glob("*.log") for line in path.read_text().split())


def _wait(met: Callable[[], bool], what: str, pause: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        if time.monotonic() > deadline:
            progress(f"{what}: not all were handled within {PATIENCE:g} s")
            return
        time.sleep(pause)


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """100,000 events a broker, 5,000 when quick."""
    count = 5_000 if quick else 100_000
    table = Table(
        ["broker", "events", "consumers killed", "broker killed", "lost", "handled twice",
         "suppressed", "events/s"]
    )  # fmt: skip
    with grounds.fresh() as folder:
        with rabbitmq(folder / "rabbitmq") as broker:
            table.rows.append(run(broker, folder / "first", count, restart=True))
        with kafka(folder / "kafka") as broker:
            table.rows.append(run(broker, folder / "second", count, restart=False))
    return Section(
        f"{count:,} events through kills",
        f"One sender with its outbox, {CONSUMERS} consumer processes of one group that share what "
        f"they know as handled; a random one is killed by SIGKILL {KILLS} times and started again. "
        "Suppressed are messages that came again after they had been handled, as far as those "
        "killed had noted them; handled twice are those whose consumer was killed between handler "
        "and note, for no bus can know of them. The broker that speaks Kafka’s protocol keeps "
        "nothing on disk, so it is not killed.",
        [table],
    )


if __name__ == "__main__":
    kind, url, folder, name = sys.argv[1:]
    consume(kind, url, Path(folder), name)
