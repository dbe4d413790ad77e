"""Handle files that a receiver stores, as one of many workers: through RabbitMQ, Redis or Kafka.

Start as many as you like, on any host that reaches broker, receiver and the database of outcomes;
start one of them with --feed, so that every file stored is handed to the broker. The handler is a
function that takes a path and what is known of the file, and returns what JSON can hold; without
one, the bytes are only verified. Nothing is lost and nothing handled twice when a worker is killed;
a file that fails, or kills its worker, 4 times is given up and named, until --again.

With RabbitMQ or Redis this is a Celery worker. With Kafka it is so many consumers of one group.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dropline.cli import CommandError
from dropline.home import Home

if TYPE_CHECKING:
    from dropline.fleet.handle import Feeder, Handler, Source
    from dropline.fleet.outcomes import Outcomes

KAFKA = "kafka://"
#: Where the files wait when no other name is given: a queue, or a topic of Kafka.
QUEUE = "dropline.handle"

EXAMPLE = """example:
  dropline worker --broker amqp://guest@localhost// --receiver http://127.0.0.1:8765 --feed
  dropline worker --broker amqp://guest@localhost// --receiver http://127.0.0.1:8765 \\
      --handler thumbnails:make --workers 8 --name second
  dropline worker --broker kafka://localhost:9092 --receiver http://127.0.0.1:8765 --feed"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--broker", required=True, metavar="URL", help="RabbitMQ, Redis or kafka://host:port,…"
    )
    parser.add_argument(
        "--receiver",
        required=True,
        metavar="URL",
        help="where the files are; its token in DROPLINE_TOKEN",
    )
    parser.add_argument(
        "--queue",
        default=QUEUE,
        metavar="NAME",
        help="where the files wait, on Kafka a topic; one for each receiver (%(default)s)",
    )
    parser.add_argument("--handler", metavar="MODULE:FUNCTION", help="what is done with a file")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="(%(default)s)")
    parser.add_argument("--name", default=f"dropline{os.getpid()}", help="this worker's name")
    parser.add_argument(
        "--outcomes",
        metavar="URL",
        help="database of what was handled, for all workers one; SQLite in the data folder",
    )
    parser.add_argument(
        "--feed", action="store_true", help="hand the receiver's files to the broker"
    )
    parser.add_argument(
        "--again", action="store_true", help="handle once more what was given up before"
    )
    parser.add_argument(
        "--visible",
        type=int,
        default=600,
        metavar="SECONDS",
        help="Redis: the longest that a task takes; a dead worker's come back then (%(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM; running tasks end first."""
    from dropline.fleet import FleetError
    from dropline.fleet.handle import Source, handler_named, only_verify
    from dropline.fleet.outcomes import Outcomes
    from dropline.intake import Spool

    if options.workers < 1:
        raise CommandError(f"{options.workers} workers: choose 1 or more", 2)
    home = Home.default()
    default = f"sqlite:///{Path(home.root, 'handled.sqlite')}"
    source = Source(options.receiver, os.environ.get("DROPLINE_TOKEN"))
    work = _work_kafka if options.broker.startswith(KAFKA) else _work_celery
    with (
        contextlib.closing(Outcomes(options.outcomes or default)) as outcomes,
        contextlib.closing(Spool(home.fetched)) as fetched,
    ):
        fetched.open()
        fetched.sweep()  # what workers that were killed have left
        tempfile.tempdir = os.fspath(fetched.path)  # also for what handlers put there
        try:
            handler = handler_named(options.handler) if options.handler else only_verify
            return work(options, source, handler, outcomes)
        except FleetError as error:
            raise CommandError(str(error)) from error


def _work_celery(
    options: argparse.Namespace, source: Source, handler: Handler, outcomes: Outcomes
) -> int:
    from dropline.fleet.handle import Feeder, add_task, make_app, send_tasks

    app = make_app(options.broker, options.queue, visible=options.visible)
    add_task(app, source, handler, outcomes)
    worker = app.Worker(
        hostname=f"{options.name}@%h",
        pool_cls="dropline.fleet.pool:TaskPool",
        concurrency=options.workers,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    print(f"Worker {worker.hostname} with {options.workers} threads", flush=True)
    with _feeding(options, Feeder(partial(send_tasks, app), source, outcomes)):
        worker.start()
    return int(worker.exitcode or 0)


def _work_kafka(
    options: argparse.Namespace, source: Source, handler: Handler, outcomes: Outcomes
) -> int:
    """The receiver's `FileStored` events on a topic, and consumers of one group that handle them.

    What was handled is known by the outcomes, so no consumer keeps a file of its own for that.
    """
    from dropline.cli.signals import stop_on_signals
    from dropline.cli.stream import Stream
    from dropline.fleet.handle import Feeder

    brokers = options.broker.removeprefix(KAFKA)
    with (
        stop_on_signals() as stop,
        contextlib.closing(
            Stream(brokers, options.queue, options.name, source, handler, outcomes)
        ) as stream,
        _feeding(options, Feeder(stream.send, source, outcomes)),
    ):
        stream.start(options.workers)
        print(f"Worker {options.name} with {options.workers} consumers", flush=True)
        stop.wait()
    return 0


@contextlib.contextmanager
def _feeding(options: argparse.Namespace, feeder: Feeder) -> Iterator[None]:
    if options.again:
        count = feeder.feed_dead()
        print(f"{count} files that were given up are handled once more", file=sys.stderr)
    if options.feed:
        feeder.start()
    try:
        yield
    finally:
        feeder.close()
