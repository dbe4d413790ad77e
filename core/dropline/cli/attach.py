"""Watch workers that know nothing of Dropline, and tell their figures.

Celery: from its task events and the broker's counts. Each figure is exact or approximate, and notes
say why, with the remedy: workers must send events (celery worker -E, or --enable-events here), and
publishers task_send_sent_event = True.
"""

from __future__ import annotations

import argparse
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from dropline.cli import CommandError
from dropline.cli.measure import format_figure
from dropline.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from dropline.fleet import CeleryFleet

#: Seconds to wait for the tasks to leave that came before the watch, whose times aren't whole.
SETTLE = 2.0

EXAMPLE = """example:
  dropline attach --celery amqp://guest@localhost// --seconds 60 --json"""


class Waits(Protocol):
    """A `Stop`, or an event of threading."""

    def wait(self, timeout: float, /) -> bool:
        """Wait at most `timeout` seconds; whether it was set."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--celery", required=True, metavar="URL", help="broker of the Celery workers"
    )
    parser.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="Q",
        help="queue to count besides those that workers serve; may be repeated",
    )
    parser.add_argument(
        "--enable-events",
        action="store_true",
        help="switch on task events of workers that have them off, while this runs",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=10.0, metavar="N", help="how long (%(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Watch, then print."""
    from dropline.fleet import CeleryFleet, FleetError

    try:
        fleet = CeleryFleet(
            options.celery, queues=options.queue, enable_events=options.enable_events
        )
        try:
            fleet.start()
            with stop_on_signals() as stop:
                report = watch(fleet, options.seconds, stop)
        finally:
            fleet.close()
    except FleetError as error:
        raise CommandError(str(error)) from error
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print_table(report)
    return 0


def watch(fleet: CeleryFleet, seconds: float, stop: Waits) -> dict[str, Any]:
    """The figures of the next `seconds`, or of those until `stop`."""
    from dropline.fleet import qualities

    settled_by = fleet.now() + SETTLE
    while not fleet.settled() and fleet.now() < settled_by and not stop.wait(0.1):
        pass
    first = fleet.mark(fleet.now())
    stop.wait(max(0.0, first.t + seconds - fleet.now()))
    last = fleet.mark(min(fleet.now(), first.t + seconds))
    figures, little, doubts = fleet.figures(first, last)
    now = fleet.snapshot()
    return {
        "start": _iso(first.t + fleet.epoch),
        "end": _iso(last.t + fleet.epoch),
        "seconds": last.t - first.t,
        **figures.as_dict(),
        "mean_service": _difference(figures.mean_response, figures.mean_wait),
        "littles_law_error": little.error,
        "quality": qualities(doubts),
        "notes": [doubt.why for doubt in doubts],
        "ready": now.ready,
        "reserved": now.reserved,
        "running": now.running,
        "queues": now.queues,
        "workers": [
            {
                "name": member.name,
                "pool": member.pool,
                "workers": member.workers,
                "queues": list(member.queues),
                "events": not member.silent,
            }
            for member in now.members
        ],
    }


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "quality")
    quality = report["quality"]
    for key, value in report.items():
        if value is None or isinstance(value, int | float):
            table.add_row(key, format_figure(value), quality.get(key, ""))
    console = Console()
    console.print(table)
    for note in report["notes"]:
        console.print(f"• {note}", soft_wrap=True)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _iso(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: use a number of seconds above 0")
    return seconds
