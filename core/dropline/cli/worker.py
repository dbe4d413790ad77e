"""Handle files that a receiver stores, as one of many workers: a Celery worker.

Start as many as you like, on any host that reaches broker, receiver and the database of outcomes;
start one of them with --feed, so that every file stored becomes a task. The handler is a function
that takes a path and what is known of the file, and returns what JSON can hold; without one, the
bytes are only verified. Nothing is lost and nothing handled twice when a worker is killed; a file
that fails, or kills its worker, 4 times is given up and named, until --again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dropline.cli import CommandError
from dropline.home import Home

EXAMPLE = """example:
  dropline worker --broker amqp://guest@localhost// --receiver http://127.0.0.1:8765 --feed
  dropline worker --broker amqp://guest@localhost// --receiver http://127.0.0.1:8765 \\
      --handler thumbnails:make --workers 8 --name second"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--broker", required=True, metavar="URL", help="RabbitMQ or Redis")
    parser.add_argument(
        "--receiver",
        required=True,
        metavar="URL",
        help="where the files are; its token in DROPLINE_TOKEN",
    )
    parser.add_argument("--handler", metavar="MODULE:FUNCTION", help="what is done with a file")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="(%(default)s)")
    parser.add_argument("--name", default=f"dropline{os.getpid()}", help="this worker's name")
    parser.add_argument(
        "--outcomes",
        metavar="URL",
        help="database of what was handled, for all workers one; SQLite in the data folder",
    )
    parser.add_argument("--feed", action="store_true", help="make tasks of the receiver's files")
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
    from dropline.fleet.handle import (
        Feeder,
        Source,
        add_task,
        handler_named,
        make_app,
        only_verify,
    )
    from dropline.fleet.outcomes import Outcomes

    if options.workers < 1:
        raise CommandError(f"{options.workers} workers: choose 1 or more", 2)
    default = f"sqlite:///{Path(Home.default().root, 'handled.sqlite')}"
    source = Source(options.receiver, os.environ.get("DROPLINE_TOKEN"))
    outcomes = Outcomes(options.outcomes or default)
    try:
        app = make_app(options.broker, visible=options.visible)
        handler = handler_named(options.handler) if options.handler else only_verify
        add_task(app, source, handler, outcomes)
    except FleetError as error:
        raise CommandError(str(error)) from error
    feeder = Feeder(app, source, outcomes)
    if options.again:
        print(f"{feeder.feed_dead()} files that were given up are handled once more", flush=True)
    if options.feed:
        feeder.start()
    worker = app.Worker(
        hostname=f"{options.name}@%h",
        pool_cls="dropline.fleet.pool:TaskPool",
        concurrency=options.workers,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    print(f"Worker {worker.hostname} with {options.workers} threads", flush=True)
    worker.start()
    feeder.close()
    outcomes.close()
    return int(worker.exitcode or 0)
