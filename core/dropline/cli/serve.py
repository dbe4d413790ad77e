"""Run the receiver alone: it stores what is uploaded to it until it is stopped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dropline.cli import CommandError
from dropline.cli.signals import stop_on_signals
from dropline.handlers import Handler, HandlerError, find_handlers
from dropline.home import FolderInUseError, Home
from dropline.receiver import MAX_SMALL, SMALL, Receiver, ReceiverError
from dropline.receiver.check import Check
from dropline.receiver.database import DatabaseError
from dropline.receiver.facts import facts_handler, webhook
from dropline.receiver.guard import is_loopback
from dropline.receiver.handling import WORKERS
from dropline.station import MAX_WORKERS

EXAMPLE = """example:
  dropline serve --port 8765 --data ~/inbox
  curl -F file=@photo.jpg http://127.0.0.1:8765/upload
  dropline serve --data ~/inbox --check"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="port (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where files are stored")
    parser.add_argument("--database", metavar="URL", help="database; SQLite in DIR by default")
    parser.add_argument(
        "--small",
        type=_size,
        default=SMALL,
        metavar="BYTES",
        help="keep files of up to BYTES in the database, others as files of their own "
        "(%(default)s; 0: every file as one of its own)",
    )
    parser.add_argument(
        "--token",
        help="secret that senders need; required beyond loopback, where DROPLINE_TOKEN gives it, "
        "too, without showing it in the list of processes",
    )

    parser.add_argument(
        "--handlers",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="call the functions that FILE marks with @handler for each stored file",
    )
    parser.add_argument(
        "--facts",
        action="store_true",
        help="note of each stored file its type by content, a picture's size and thumbnail",
    )
    parser.add_argument(
        "--webhook",
        action="append",
        default=[],
        metavar="URL",
        help="post each stored file to URL as a CloudEvent",
    )
    parser.add_argument(
        "--handle-workers",
        type=_workers,
        default=WORKERS,
        metavar="N",
        help="threads in which handlers run (%(default)s)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare every stored byte with its digest, tell what is wrong, and end",
    )
    parser.add_argument(
        "--sweep", action="store_true", help="with --check: remove bytes that no row tells of"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, or check what is stored."""
    data = options.data or Home.default().receiver_data
    if options.check:
        return _check(data, options.database, options.sweep)
    if options.sweep:
        raise CommandError("--sweep goes with --check.")
    token = options.token
    if token is None and not is_loopback(options.host):
        token = os.environ.get("DROPLINE_TOKEN")
    receiver = Receiver(
        data,
        host=options.host,
        port=options.port,
        database=options.database,
        token=token,
        small=options.small,
        handlers=_handlers(options),
        handle_workers=options.handle_workers,
    )
    with stop_on_signals() as stop:
        try:
            receiver.start()
            if receiver.note:
                print(receiver.note)
            print(f"Receiver listening at {receiver.url}; files go to {data}", flush=True)
            stop.wait()
        except ReceiverError as error:
            raise CommandError(str(error)) from error
        finally:
            receiver.stop()
    return 0


def _check(data: Path, database: str | None, sweep: bool) -> int:
    """Print what is wrong; 1 when something is."""
    if not data.is_dir():
        raise CommandError(f"{data} is no folder. Name the receiver's with --data.")
    check = Check(data, database)
    try:
        for sentence in check.run(sweep=sweep):
            print(sentence, flush=True)
    except FolderInUseError as error:
        raise CommandError(f"A receiver uses {data}. Stop it, then check again.") from error
    except (DatabaseError, OSError) as error:
        raise CommandError(str(error)) from error
    seen = check.totals
    print(
        f"{seen.whole:,} files of {seen.whole_bytes:,} bytes are whole, {seen.broken:,} are not; "
        f"{seen.orphans:,} have bytes but no row, and {seen.removed:,} of these were removed."
    )
    return 1 if seen.broken or seen.removed < seen.orphans else 0


def _handlers(options: argparse.Namespace) -> list[Handler]:
    try:
        found = find_handlers(options.handlers)
        if options.facts:
            found.append(facts_handler())
    except HandlerError as error:
        raise CommandError(str(error)) from error
    except ModuleNotFoundError as error:
        raise CommandError(
            "--facts needs the Python package Pillow: pip install 'dropline[facts]'"
        ) from error
    return found + [webhook(url) for url in options.webhook]


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"{text}: use 0 to {MAX_WORKERS}")
    return int(text)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_SMALL):
        raise argparse.ArgumentTypeError(f"{text}: use a number of bytes from 0 to {MAX_SMALL}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text}: use 0 to 65535")
    return int(text)
