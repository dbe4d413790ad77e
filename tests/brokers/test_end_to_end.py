"""From the drop in the window to the results of many workers, with deaths on the way.

DROPLINE_FILES=2000 make test ARGS="tests/brokers/test_end_to_end.py --timeout=900"
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from .conftest import HERE, Broker
from .daemons import Daemon

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6")

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from dropline.fleet import CeleryFleet, FleetError
from dropline.fleet.amqp import AmqpQueue
from dropline.fleet.outcomes import Outcomes
from dropline.home import Home
from dropline_desktop.app import Application
from dropline_desktop.dropped import to_url

FILES = int(os.environ.get("DROPLINE_FILES", "200"))
#: Where the files wait; other tests share the brokers.
QUEUE = "end-to-end"
#: Workers, and the files that each handles at once.
NAMES, THREADS = "abc", 2
Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def wait(qtbot) -> Wait:
    """Let the window go on until something is so."""
    patience = 60_000 + 200 * FILES
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=patience)


@pytest.fixture
def window(qapp, wait: Wait, dropline_home: Path) -> Iterator[Application]:
    """The program with its window and its receiver."""
    app = Application(qapp, Home(dropline_home), port=0)
    ended: list[bool] = []
    app.finished.connect(lambda: ended.append(True))
    app.start()
    wait((dropline_home / "run.json").exists)
    yield app
    app.shutdown()
    wait(lambda: ended)
    app.window.deleteLater()
    app.deleteLater()


def drop(app: Application, folder: Path) -> None:
    """Drop a folder on the window, as the window system does."""
    mime, window = QMimeData(), app.window
    mime.setUrls([to_url(os.fspath(folder))])
    place, action = window.rect().center(), Qt.DropAction.CopyAction
    held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(place, action, mime, *held))
    QApplication.sendEvent(window, QDropEvent(place.toPointF(), action, mime, *held))


def looked(queue: AmqpQueue) -> bool:
    """Whether the broker tells of a queue again."""
    try:
        return queue.look().waiting is not None
    except FleetError:
        return False


class Handling:
    """Three workers that handle what a receiver stores; the first hands it on to the broker."""

    def __init__(self, kind: str, url: str, receiver: str, folder: Path, stack: ExitStack) -> None:
        folder.mkdir()
        self._kind = kind
        self._runs = folder / "runs"
        self._outcomes = Outcomes(f"sqlite:///{folder}/outcomes.sqlite")
        stack.callback(self._outcomes.close)
        base = [sys.executable, "-m", "dropline_desktop", "worker", "--broker", url]
        base += ["--receiver", receiver, "--outcomes", f"sqlite:///{folder}/outcomes.sqlite"]
        base += ["--handler", "rough_handler:handle", "--workers", str(THREADS), "--queue", QUEUE]
        environment = {
            "PYTHONPATH": str(HERE),
            "HANDLER_LOG": str(self._runs),
            "HANDLER_SECONDS": "0.02",
        }
        self.workers: list[Daemon] = []
        for name in NAMES:
            more = ["--name", name, *(["--feed"] if name == NAMES[0] else [])]
            worker = Daemon(name, [*base, *more], folder, environment=environment)
            stack.callback(worker.kill)
            worker.begin()
            self.workers.append(worker)

    @property
    def up(self) -> bool:
        """Whether all workers have begun."""
        return all("Worker" in worker.log.read_text() for worker in self.workers)

    @property
    def handled(self) -> int:
        """How many files have an outcome."""
        return len(self._outcomes.all())

    def check(self, listed: dict[str, str], texts: dict[str, str]) -> None:
        """Each file has the one result that is right; almost none was begun twice."""
        results = self._outcomes.all()
        assert {each.file_id for each in results} == set(listed)
        for outcome in results:
            text = texts[listed[outcome.file_id]]
            assert outcome.result == {"lines": text.count("\n")}
            assert outcome.sha256 == hashlib.sha256(text.encode()).hexdigest()
        runs = Counter(self._runs.read_text().split())
        assert {Path(name).name for name in runs} == set(texts)
        # Only what ran when its worker died, or lost its broker before it was done.
        again = sum(runs.values()) - FILES
        shares = Counter(each.worker.partition("@")[0] for each in results)
        print(f"{self._kind}: {FILES} files, {len(results)} results by {dict(shares)}, +{again}")
        assert again <= THREADS * (1 + len(NAMES))


def store_of(receiver: str) -> dict[str, str]:
    """The names of all files that a receiver has, by their ids."""
    listed: dict[str, str] = {}
    after: str | None = ""
    while after is not None:
        query = {"limit": "1000", "after": after}
        page = requests.get(f"{receiver}/files", params=query, timeout=30).json()
        listed |= {file["file_id"]: Path(file["name"]).name for file in page["files"]}
        after = page["next"]
    return listed


@pytest.mark.timeout(300 + FILES)
def test_what_is_dropped_is_handled_by_many_though_one_and_the_broker_die(
    brokers: dict[str, Broker], kafka: Broker, window: Application, wait: Wait, tmp_path: Path
) -> None:
    """Through RabbitMQ and, at the same time, through Kafka: three workers each.

    The broker that speaks Kafka's protocol keeps nothing on disk, so of that only a worker dies;
    `test_messaging` shows what a client does while it is away.
    """
    rabbit = brokers["rabbitmq"]
    home = Path(os.environ["DROPLINE_HOME"])
    receiver = json.loads((home / "run.json").read_text())["receiver"]
    folder = tmp_path / "dropped"
    folder.mkdir()
    chance = random.Random(7)
    texts = {f"f{n}.txt": f"{n}\n" * chance.randrange(1, 4000) for n in range(FILES)}
    for name, text in texts.items():
        (folder / name).write_text(text)
    with ExitStack() as stack:
        handlings = [
            Handling(kind, url, receiver, tmp_path / kind, stack)
            for kind, url in (("rabbitmq", rabbit.url), ("kafka", f"kafka://{kafka.url}"))
        ]
        queue = AmqpQueue(rabbit.url, QUEUE, rabbit.management)
        stack.callback(queue.close)
        fleet = CeleryFleet(rabbit.url)
        fleet.start()
        stack.callback(fleet.close)
        wait(lambda: all(each.up for each in handlings))
        drop(window, folder)
        for each in handlings:
            wait(lambda each=each: each.handled > FILES // 4)
            each.workers[0].kill()
            each.workers[0].begin()
        wait(lambda: handlings[0].handled > FILES // 2)
        queue.look()
        rabbit.daemon.kill()
        rabbit.daemon.begin()
        wait(rabbit.daemon.serves)
        wait(lambda: looked(queue))
        for each in handlings:
            wait(lambda each=each: each.handled == FILES)
        told: list[str] = []

        def news() -> str:
            told.extend(each.what for each in fleet.events())
            return " ".join(told)

        wait(lambda: "The broker at" in news() and "answers again" in news())
        listed = store_of(receiver)
        assert sorted(listed.values()) == sorted(texts)
        for each in handlings:
            each.check(listed, texts)
