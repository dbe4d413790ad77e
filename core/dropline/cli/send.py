"""Send files and folders without a window, by the same line that the window drives.

Ends with 0 when every file is verified at the receiver, with 1 when some were not (they are
listed), with 2 when it was called wrongly.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from dropline.bus import MemoryBus
from dropline.cli import USAGE_ERROR, CommandError
from dropline.cli.signals import Stop, stop_on_signals
from dropline.control import STATUS_WINDOW, ControlServer, Running, line_status, station_status
from dropline.events import FileFailed, FileQueued, FileRefused, FileUploaded, Message
from dropline.home import Home
from dropline.line import Line
from dropline.station import MAX_WORKERS, Reading, parse_rate
from dropline.targets import ReceiverTarget

EXAMPLE = """example:
  dropline send ~/photos notes.txt --to http://127.0.0.1:8765 --workers 8 --limit 5M"""

STOPPED = "Not sent: the sender was stopped. Send it again."
DEFAULT_RECEIVER = "http://127.0.0.1:8765"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or folder to send")
    parser.add_argument(
        "--to", metavar="URL", help="receiver; by default the running window's, or the local one"
    )
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="workers (%(default)s)")
    parser.add_argument(
        "--limit",
        metavar="RATE",
        help="send at most RATE bytes a second, such as 800K or 5M, all workers together",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


@dataclass
class Outcome:
    """What became of each file."""

    queued: dict[int, str] = field(default_factory=dict)
    sent: dict[int, FileUploaded] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    refused: list[FileRefused] = field(default_factory=list)

    def hear(self, messages: list[Message]) -> None:
        """Take in a batch of messages."""
        for message in messages:
            match message.data:
                case FileQueued(job=job, path=path):
                    self.queued[job] = path
                case FileUploaded(job=job) as uploaded:
                    self.sent[job] = uploaded
                case FileFailed(job=job, reason=reason):
                    self.failed[job] = reason
                case FileRefused() as refused:
                    self.refused.append(refused)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Path and reason of everything that cannot be sent."""
        failed = [(self.queued[job], reason) for job, reason in self.failed.items()]
        return [(item.path, item.reason) for item in self.refused] + failed

    @property
    def unsent(self) -> list[str]:
        """The paths of what was still in the line when the sender was stopped."""
        return [
            path
            for job, path in self.queued.items()
            if job not in self.sent and job not in self.failed
        ]


def run(options: argparse.Namespace) -> int:
    """Send, show how it goes, and tell what became of each file."""
    if not 1 <= options.workers <= MAX_WORKERS:
        raise CommandError(f"--workers {options.workers}: use 1 to {MAX_WORKERS}", USAGE_ERROR)
    if "" in options.paths:
        raise CommandError("a PATH is empty: name a file or folder", USAGE_ERROR)
    try:
        limit = None if options.limit is None else parse_rate(options.limit)
    except ValueError as error:
        raise CommandError(f"--limit: {error}", USAGE_ERROR) from error
    home = Home.default()
    running = Running.find(home)
    url = options.to or (running and running.run.get("receiver")) or DEFAULT_RECEIVER
    try:
        target = ReceiverTarget(url, installation=home.installation())
    except ValueError as error:
        raise CommandError(f"--to: {error}", USAGE_ERROR) from error
    except OSError as error:
        raise CommandError(
            f"the data folder {home.root} cannot be used ({error.strerror}): "
            "set DROPLINE_HOME to one that can be written"
        ) from error
    bus = MemoryBus("dropline/send")
    outcome = Outcome()
    bus.subscribe("dropline.file.", outcome.hear, batches=True)
    line = Line(target, bus, home=home, workers=options.workers)
    control = ControlServer(home, status=lambda: line_status(line, None))
    with stop_on_signals() as stop:
        try:
            if running is None:  # else the window's run file stays as it is
                control.start(receiver=None, target=url)
            line.limit(limit)
            line.start()
            line.drop([os.path.abspath(path) for path in options.paths])
            _watch(line, stop, quiet=options.json)
            reading = line.read(STATUS_WINDOW)
        finally:
            control.close()
            line.close()
            bus.close()
    _report(outcome, reading, as_json=options.json)
    if stop.is_set():
        return 128 + stop.signal
    return 1 if outcome.problems or outcome.unsent else 0


def _watch(line: Line, stop: Stop, *, quiet: bool) -> None:
    """Wait for the end of the line, showing the figures where a person looks on."""
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        live = None
        if console.is_terminal and not quiet:
            live = stack.enter_context(Live(console=console, transient=True))
        while not stop.is_set():
            walked = not line.scanning
            if line.station.wait_drained(0.1) and walked:
                break
            if live is not None:
                live.update(_table(line.read(10.0)))
            if line.scanning:
                stop.wait(0.02)


def _table(reading: Reading) -> Table:
    figures = reading.figures
    table = Table(box=None, padding=(0, 2))
    for heading in ("λ /s", "X /s", "μ /s", "ρ", "L", "τ s", "p95 s", "sent", "failed", "left"):
        table.add_column(heading, justify="right")
    table.add_row(
        _number(figures.arrival_rate),
        _number(figures.throughput),
        _number(figures.service_rate),
        _number(figures.utilisation),
        str(reading.in_system),
        _number(figures.mean_response),
        _number(reading.p95),
        str(reading.finished),
        str(reading.failed),
        _left(reading),
    )
    return table


def _left(reading: Reading) -> str:
    """Such as "12 s (10–15)"."""
    text = f"{_number(reading.eta)} s"
    if not reading.eta or reading.eta_low is None or reading.eta_high is None:
        return text
    return f"{text} ({_number(reading.eta_low)}–{_number(reading.eta_high)})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _report(outcome: Outcome, reading: Reading, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(outcome, reading)))
        return
    console = Console(soft_wrap=True)
    for _, reason in outcome.problems:
        Console(stderr=True, soft_wrap=True).print(escape(_printable(reason)), style="red")
    size = sum(item.size for item in outcome.sent.values())
    again = sum(item.duplicate for item in outcome.sent.values())
    known = f" ({again} of them were there already)" if again else ""
    console.print(f"{_files(len(outcome.sent))} sent and verified, {size} bytes{known}.")
    if outcome.problems:
        console.print(f"{_files(len(outcome.problems))} not sent; the reasons stand above.")
    if outcome.unsent:
        console.print(f"{_files(len(outcome.unsent))} left when it was stopped: send again.")
    console.print(_table(reading))


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _as_json(outcome: Outcome, reading: Reading) -> dict[str, Any]:
    return {
        "sent": [
            {
                "path": _printable(outcome.queued[job]),
                "file_id": item.file_id,
                "size": item.size,
                "sha256": item.sha256,
                "duplicate": item.duplicate,
            }
            for job, item in outcome.sent.items()
        ],
        "failed": [
            {"path": _printable(path), "reason": _printable(reason)}
            for path, reason in [*outcome.problems, *((path, STOPPED) for path in outcome.unsent)]
        ],
        "station": station_status(reading),
    }


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
