"""Workers that are slow, cut off, hang or are killed by a file: told, and nothing is lost."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from dropline.fleet import CeleryFleet, celery, troubles
from dropline.fleet.outcomes import Outcomes
from dropline.receiver import Receiver

from .conftest import HERE, Broker
from .daemons import PATIENCE, Daemon, wait_until
from .hosts import FarHost, far_host, forwarded

TOKEN = "t" * 32
#: What a worker does with a file that it does not like is in `rough_handler`.
HANDLER = ["--handler", "rough_handler:handle"]


class Fleet:
    """`dropline worker`s behind one broker, a receiver that they handle the files of, and what is
    told of them.
    """

    def __init__(
        self, broker: Broker, folder: Path, stack: contextlib.ExitStack, host: str = "127.0.0.1"
    ) -> None:
        self.broker = broker
        self.folder = folder
        self.told: list[str] = []
        self.workers: dict[str, Daemon] = {}
        self._stack = stack
        self.receiver = Receiver(folder / "receiver", host=host, port=0, token=TOKEN)
        self.receiver.start()
        stack.callback(self.receiver.stop)
        self.outcomes = Outcomes(f"sqlite:///{folder}/outcomes.sqlite")
        stack.callback(self.outcomes.close)
        self.fleet = CeleryFleet(broker.url)

    def watch(self, workers: int) -> None:
        """Begin to watch, once there are so many workers."""
        self.fleet.start()
        self._stack.callback(self.fleet.close)
        wait_until(lambda: len(self.fleet.snapshot().members) == workers, f"{workers} workers")

    def start(
        self,
        name: str,
        *options: str,
        url: str | None = None,
        at: Callable[..., list[str]] = lambda *command: list(command),
        seconds: float = 0.0,
    ) -> Daemon:
        """Start a worker; `at` makes a command one of another host."""
        command = [sys.executable, "-m", "dropline_desktop", "worker", "--name", name, *HANDLER]
        # Two seconds of silence part worker and broker, so that the tests are short.
        command += ["--broker", f"{url or self.broker.url}?heartbeat=1"]
        command += ["--receiver", self.receiver.url]
        command += ["--outcomes", f"sqlite:///{self.folder}/outcomes.sqlite", *options]
        made = self.workers[name] = Daemon(
            name,
            at(*command),
            self.folder,
            environment={
                "PYTHONPATH": str(HERE),
                "DROPLINE_TOKEN": TOKEN,
                "HANDLER_LOG": str(self.folder / "runs"),
                "HANDLER_GATE": str(self.folder / "gate"),
                "HANDLER_SECONDS": str(seconds),
            },
        )
        self._stack.callback(made.kill)
        made.begin()
        return made

    def store(self, *names: str) -> None:
        """Have files of as many lines as their names have letters stored."""
        parts = [("file", (name, "\n" * len(name))) for name in names]
        head = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.receiver.url}/upload"
        requests.post(url, files=parts, headers=head, timeout=30).raise_for_status()

    def says(self, *words: str) -> bool:
        """Whether something was told that has all these words; the dead are started again."""
        for worker in self.workers.values():
            if worker.ended:
                worker.begin()
        self.told += [each.what for each in self.fleet.events()]
        return any(all(word in each for word in words) for each in self.told)

    def hear(self, *words: str, seconds: float = PATIENCE) -> None:
        """Wait until something is told that has all these words."""
        try:
            wait_until(lambda: self.says(*words), f"word of {words}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError("\n".join([f"{error}, but", *self.told])) from None

    def handled(self, count: int) -> bool:
        """Whether so many files were handled."""
        self.says()
        outcomes = self.outcomes.all()
        return len(outcomes) == count

    def runs(self) -> Counter[str]:
        """How often which file was handed to the handler."""
        return Counter((self.folder / "runs").read_text().split())


@pytest.fixture
def open_fleet(
    brokers: dict[str, Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Fleet]]:
    """`open_fleet(host)`: a fleet behind RabbitMQ, in a virtual host of its own."""
    monkeypatch.setattr(celery, "SIZES_EVERY", 0.5)
    monkeypatch.setattr(celery, "HELD_EVERY", 1.0)
    monkeypatch.setattr(celery, "MISSES", 2)
    monkeypatch.setattr(troubles, "LONG_AFTER", 1.5)
    rabbit = brokers["rabbitmq"]
    vhost = tmp_path.name
    admin = f"{rabbit.management}/api"
    guest = ("guest", "guest")
    requests.put(f"{admin}/vhosts/{vhost}", auth=guest, timeout=30).raise_for_status()
    with contextlib.ExitStack() as stack:
        stack.callback(requests.delete, f"{admin}/vhosts/{vhost}", auth=guest, timeout=30)
        url = f"{rabbit.url.removesuffix('/')}{vhost}"
        own = Broker("rabbitmq", url, rabbit.daemon, rabbit.management)
        yield lambda host="127.0.0.1": Fleet(own, tmp_path, stack, host)


@pytest.mark.timeout(600)
def test_a_worker_on_another_host_is_slow_and_then_cut_off(
    need_program: Callable[[str, str], str], open_fleet: Callable[..., Fleet]
) -> None:
    names = [f"f{number}.txt" for number in range(80)]
    with far_host(need_program("ip", "iproute2")) as far:
        fleet = open_fleet(far.address)
        port = int(fleet.broker.url.rpartition(":")[2].split("/")[0])
        with forwarded(far.address, port) as there:
            _cut_off(
                fleet,
                far,
                fleet.broker.url.replace(f"127.0.0.1:{port}", f"{far.address}:{there}"),
                names,
            )
    assert set(fleet.runs()) == set(names)


def _cut_off(fleet: Fleet, far: FarHost, url: str, names: list[str]) -> None:
    fleet.start("near", "--feed", "--workers", "1", seconds=0.1)
    fleet.start("far", "--workers", "6", url=url, at=far.command, seconds=2)
    fleet.watch(2)
    fleet.store(*names)
    fleet.hear("far@", "for a task, the others")
    far.cut()
    fleet.hear("far@", "does not answer")
    wait_until(lambda: fleet.handled(len(names)), "every file")
    far.mend()
    fleet.hear("far@", "answers again")
    names.append("afterwards.txt")
    fleet.store(names[-1])
    wait_until(lambda: fleet.handled(len(names)), "the file of afterwards")


@pytest.mark.timeout(600)
def test_a_file_that_kills_its_workers_and_a_worker_that_hangs(
    open_fleet: Callable[..., Fleet],
) -> None:
    fleet = open_fleet()
    names = [f"f{number}.txt" for number in range(30)]
    fleet.start("a", "--feed", "--workers", "1")
    fleet.start("b", "--workers", "1")
    fleet.watch(2)
    fleet.store(*names[:10], "poison.txt", *names[10:])
    wait_until(lambda: fleet.handled(len(names)), "every other file", seconds=120)
    wait_until(
        lambda: fleet.handled(30) and fleet.outcomes.dead(), "a file that is given up", seconds=120
    )
    (dead,) = fleet.outcomes.dead()
    assert dead.name == "poison.txt"
    assert "its worker died each time" in dead.why
    assert fleet.runs()["poison.txt"] == 4
    # What a worker tells just before it is killed may be killed with it: then this is not told.
    if fleet.says("Task dropline.handle", "times and never done"):
        fleet.hear("begun again and again, is done or given up")
    # What dying workers had to tell died with them: enough is known of those that stay up.
    more = [f"m{number}.txt" for number in range(30)]
    fleet.store(*more)
    names += more
    wait_until(lambda: fleet.handled(len(names)), "the files of afterwards", seconds=120)
    fleet.store("long.txt")
    # Five times as long as the longest of the others, which a busy machine may have kept.
    fleet.hear("has run for", "task_time_limit", seconds=240)
    (fleet.folder / "gate").touch()
    fleet.hear("does not run any more")
    wait_until(lambda: len(fleet.fleet.snapshot().members) == 2, "both workers")
    fleet.told.clear()
    fleet.workers["b"].freeze()
    fleet.hear("b@", "does not answer")
    fleet.store("meanwhile.txt")
    wait_until(lambda: fleet.handled(len(names) + 2), "a file for the other worker")
    fleet.workers["b"].thaw()
    fleet.hear("b@", "answers again")
