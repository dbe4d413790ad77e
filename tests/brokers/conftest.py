"""Real brokers and real Celery workers, for all tests here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import daemons
from .daemons import Daemon, running

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Broker:
    """One that runs, and where."""

    url: str
    daemon: Daemon
    management: str | None = None
    """The address of RabbitMQ's management interface."""


#: A worker of the plain application: `workers(broker, "-P", "threads", name="w")`, started and not
#: waited for, killed when the stack is closed.
StartWorker = Callable[..., Daemon]


def starter(folder: Path, stack: contextlib.ExitStack) -> StartWorker:
    """What starts Celery workers that keep their logs in `folder`."""

    def start(broker: Broker, *options: str, name: str) -> Daemon:
        command = [sys.executable, "-m", "celery", "-A", "plain_app", "worker", "-l", "INFO"]
        log = folder / f"{name}.log"
        made = Daemon(
            name,
            [*command, "-n", f"{name}@test", *options],
            folder,
            environment={"PLAIN_BROKER": broker.url, "PYTHONPATH": str(HERE)},
            ready=lambda: f"{name}@test ready." in log.read_text(),
        )
        stack.callback(made.kill)
        made.begin()
        return made

    return start


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers for one test."""
    with contextlib.ExitStack() as stack:
        yield starter(tmp_path, stack)


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
                f"amqp://guest:guest@127.0.0.1:{node.port}//",
                node,
                f"http://127.0.0.1:{management}",
            ),
            "redis": Broker(f"redis://127.0.0.1:{redis.port}/0", redis),
        }


@pytest.fixture(scope="session")
def fleets(
    brokers: dict[str, Broker], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Broker]]:
    """Behind each broker two workers of the plain application, one of threads, one of processes.

    All send events. Behind `quiet`, another database of Redis, is one that sends none.
    """
    redis = brokers["redis"]
    quiet = Broker(redis.url.removesuffix("0") + "1", redis.daemon)
    with contextlib.ExitStack() as stack:
        start = starter(tmp_path_factory.mktemp("workers"), stack)
        made = [
            start(broker, "-E", "-P", pool, "-c", "2", name=f"{pool}-{name}")
            for name, broker in brokers.items()
            for pool in ("threads", "prefork")
        ]
        made.append(start(quiet, "-P", "threads", "-c", "2", name="quiet"))
        for each in made:
            each.wait()
        yield {**brokers, "quiet": quiet}
