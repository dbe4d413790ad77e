"""Send files and folders without a window, by the same line that the window drives.

Ends with 0 when every file is sent and as far verified as the target allows (a receiver does it
wholly), with 1 when some were not (they are listed), with 2 when it was called wrongly. With
--watch it goes on until it is stopped, and tells of each file as it happens.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape

from dropline.bus import MemoryBus
from dropline.cli import USAGE_ERROR, CommandError, destination
from dropline.cli.live import live_row, row
from dropline.cli.signals import Stop, stop_on_signals
from dropline.control import (
    STATUS_WINDOW,
    ControlServer,
    Running,
    line_metrics,
    line_status,
    station_status,
)
from dropline.events import (
    FileFailed,
    FileQueued,
    FileRefused,
    FileSkipped,
    FileUploaded,
    FolderLost,
    FolderReturned,
    FolderWatched,
    JournalTroubled,
    Message,
    Proof,
)
from dropline.home import Home
from dropline.line import Line
from dropline.station import MAX_WORKERS, Reading, parse_rate

EXAMPLE = """example:
  dropline send ~/photos notes.txt --to http://127.0.0.1:8765 --workers 8 --limit 5M
  dropline send --watch ~/outbox
  dropline send ~/photos --to webdav+https://cloud.example.org/dav --user ada"""

STOPPED = "Not sent: the sender was stopped. Send it again."
PROOFS = {
    Proof.DIGEST: "sent and verified",
    Proof.SIZE: "sent, of which the server confirmed the size",
    Proof.NONE: "sent, but not verified by the server",
}
DEFAULT_RECEIVER = "http://127.0.0.1:8765"
#: Seconds that files wait for a receiver that is down.
PATIENCE = 20.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file or folder to send")
    parser.add_argument(
        "--watch",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folder to send what is in it and what comes, until stopped",
    )
    parser.add_argument(
        "--to",
        metavar="URL",
        help="receiver, by default the running window's, or the local one; or another target: "
        "webdav+https://…, tus+https://…, multipart+https://…, s3://bucket/prefix",
    )
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="workers (%(default)s)")
    parser.add_argument(
        "--again", action="store_true", help="send also what is unchanged since it was sent there"
    )
    parser.add_argument(
        "--limit",
        metavar="RATE",
        help="send at most RATE bytes a second, such as 800K or 5M, all workers together",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    destination.configure(parser)


@dataclass
class Tally:
    """Files that were sent, their bytes, and how many of them were there already."""

    files: int = 0
    size: int = 0
    again: int = 0

    def __bool__(self) -> bool:
        return self.files > 0

    def count(self, uploaded: FileUploaded) -> None:
        """Add a file."""
        self.files += 1
        self.size += uploaded.size
        self.again += uploaded.duplicate


@dataclass
class Outcome:
    """What became of each file."""

    left: dict[int, str] = field(default_factory=dict)
    sent: list[tuple[str, FileUploaded]] = field(default_factory=list)
    skipped: list[FileSkipped] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=lambda: {p: Tally() for p in PROOFS})

    def hear(self, messages: list[Message]) -> None:
        """Take in a batch of messages."""
        for message in messages:
            match message.data:
                case FileQueued(job=job, path=path):
                    self.left[job] = path
                case FileUploaded(job=job) as uploaded:
                    self.tallies[uploaded.proof].count(uploaded)
                    self.on_sent(self.left.pop(job), uploaded)
                case FileSkipped() as skipped:
                    self.on_skipped(skipped)
                case FileFailed(job=job, reason=reason):
                    self.on_problem(self.left.pop(job), reason)
                case FileRefused(path=path, reason=reason):
                    self.on_problem(path, reason)

    def on_sent(self, path: str, uploaded: FileUploaded) -> None:
        """Keep that a file is verified at the receiver."""
        self.sent.append((path, uploaded))

    def on_skipped(self, skipped: FileSkipped) -> None:
        """Keep that a file was sent there before."""
        self.skipped.append(skipped)

    def on_problem(self, path: str, reason: str) -> None:
        """Keep that something cannot be sent."""
        self.problems.append((path, reason))


class Told(Outcome):
    """The same, told as it happens and not kept, so that a sender may watch for months."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def on_sent(self, path: str, uploaded: FileUploaded) -> None:
        """Print it."""
        if self._as_json:
            print(json.dumps(_sent_as_json(path, uploaded)), flush=True)
        else:
            how = PROOFS[Proof(uploaded.proof)].capitalize()
            print(f"{how}: {_printable(path)}, {uploaded.size} bytes", flush=True)

    def on_skipped(self, skipped: FileSkipped) -> None:
        """Say nothing: that is how it is each time a folder is watched again."""

    def on_problem(self, path: str, reason: str) -> None:
        """Print it."""
        if self._as_json:
            print(json.dumps(_problem_as_json(path, reason)), flush=True)
        else:
            _print_error(reason)

    def hear_of_folders(self, messages: list[Message]) -> None:
        """Print what a person must know of the folders."""
        for message in messages:
            match message.data:
                case FolderWatched(folder=folder, note=note):
                    _print_aside(" ".join(filter(None, (f"Watching {folder}.", note))))
                case FolderLost(reason=reason):
                    _print_error(reason)
                case FolderReturned(folder=folder):
                    _print_aside(f"Watching {folder} again.")


def run(options: argparse.Namespace) -> int:
    """Send, show how it goes, and tell what became of each file."""
    if not 1 <= options.workers <= MAX_WORKERS:
        raise CommandError(f"--workers {options.workers}: use 1 to {MAX_WORKERS}", USAGE_ERROR)
    if not options.paths and not options.watch:
        raise CommandError("name a PATH to send, or a folder to --watch", USAGE_ERROR)
    if "" in options.paths:
        raise CommandError("a PATH is empty: name a file or folder", USAGE_ERROR)
    for folder in options.watch:
        if not os.path.isdir(folder):
            raise CommandError(f"--watch {folder}: name a folder that is there", USAGE_ERROR)
    try:
        limit = None if options.limit is None else parse_rate(options.limit)
    except ValueError as error:
        raise CommandError(f"--limit: {error}", USAGE_ERROR) from error
    home = Home.default()
    running = Running.find(home)
    url = options.to or (running and running.run.get("receiver")) or DEFAULT_RECEIVER
    try:
        target = destination.open_for(options, url, home.installation())
    except ValueError as error:
        raise CommandError(f"--to: {error}", USAGE_ERROR) from error
    except OSError as error:
        raise CommandError(
            f"the data folder {home.root} cannot be used ({error.strerror}): "
            "set DROPLINE_HOME to one that can be written"
        ) from error
    bus = MemoryBus("dropline/send")
    outcome: Outcome
    if options.watch:
        outcome = told = Told(as_json=options.json)
        bus.subscribe("dropline.folder.", told.hear_of_folders, batches=True)
    else:
        outcome = Outcome()
    bus.subscribe("dropline.file.", outcome.hear, batches=True)
    bus.subscribe(JournalTroubled, _warn)
    line = Line(target, bus, home=home, workers=options.workers, patience=PATIENCE)
    control = ControlServer(
        home, status=lambda: line_status(line, None), metrics=lambda: line_metrics(line)
    )
    with stop_on_signals() as stop:
        try:
            if running is None:  # else the window's run file stays as it is
                control.start(receiver=None, target=target.url)
            line.limit(limit)
            line.start()
            if options.paths:
                line.drop([os.path.abspath(path) for path in options.paths], again=options.again)
            for folder in options.watch:
                _watch(line, folder)
            _look_on(line, stop, until_drained=not options.watch, quiet=options.json)
            reading = line.read(STATUS_WINDOW)
        finally:
            control.close()
            line.close()
            bus.close()
    _report(outcome, reading, as_json=options.json)
    if stop.is_set():
        return 128 + stop.signal
    return 1 if outcome.problems or outcome.left else 0


def _watch(line: Line, folder: str) -> None:
    try:
        line.watch(folder)
    except ValueError as error:
        raise CommandError(f"--watch: {error}", USAGE_ERROR) from error


def _look_on(line: Line, stop: Stop, *, until_drained: bool, quiet: bool) -> None:
    """Wait for the end of the line, or the signal, showing the figures where a person looks on."""
    with live_row(quiet=quiet) as show:
        while not stop.is_set():
            if show is not None:
                show(line.read(10.0))
            if not until_drained:
                stop.wait(None if show is None else 0.1)
                continue
            walked = not line.scanning
            if line.station.wait_drained(0.1) and walked:
                break
            if line.scanning:
                stop.wait(0.02)


def _report(outcome: Outcome, reading: Reading, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(outcome, reading)))
        return
    console = Console(soft_wrap=True)
    for _, reason in outcome.problems:
        _print_error(reason)
    for proof, how in PROOFS.items():
        tally = outcome.tallies[proof]
        if not tally.files and (proof != Proof.DIGEST or any(outcome.tallies.values())):
            continue
        known = f" ({tally.again} of them were there already)" if tally.again else ""
        console.print(f"{_files(tally.files)} {how}, {tally.size} bytes{known}.")
    if outcome.skipped:
        console.print(
            f"{_files(len(outcome.skipped))} unchanged since sent there earlier, so not sent again "
            "(--again sends them)."
        )
    if outcome.problems:
        console.print(f"{_files(len(outcome.problems))} not sent; the reasons stand above.")
    if outcome.left:
        console.print(f"{_files(len(outcome.left))} left when it was stopped: send again.")
    console.print(row(reading))


def _warn(message: Message) -> None:
    assert isinstance(message.data, JournalTroubled)
    _print_error(f"dropline send: {message.data.reason}")


def _print_error(text: str) -> None:
    _print_aside(text, "red")


def _print_aside(text: str, style: str = "") -> None:
    Console(stderr=True, soft_wrap=True).print(escape(_printable(text)), style=style)


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _as_json(outcome: Outcome, reading: Reading) -> dict[str, Any]:
    problems = [*outcome.problems, *((path, STOPPED) for path in outcome.left.values())]
    return {
        "sent": [_sent_as_json(path, uploaded) for path, uploaded in outcome.sent],
        "skipped": [_skipped_as_json(skipped) for skipped in outcome.skipped],
        "failed": [_problem_as_json(path, reason) for path, reason in problems],
        "station": station_status(reading),
    }


def _sent_as_json(path: str, uploaded: FileUploaded) -> dict[str, Any]:
    return {
        "path": _printable(path),
        "file_id": uploaded.file_id,
        "size": uploaded.size,
        "sha256": uploaded.sha256,
        "duplicate": uploaded.duplicate,
        "proof": uploaded.proof,
    }


def _skipped_as_json(skipped: FileSkipped) -> dict[str, Any]:
    return {
        "path": _printable(skipped.path),
        "file_id": skipped.file_id,
        "size": skipped.size,
        "sha256": skipped.sha256,
    }


def _problem_as_json(path: str, reason: str) -> dict[str, str]:
    return {"path": _printable(path), "reason": _printable(reason)}


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
