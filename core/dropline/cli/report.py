"""Write a report of a recorded log, or of what the window's line did, as one HTML file.

Two logs are compared. Without a log, the report is of the last hours in the window's history.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dropline.cli import USAGE_ERROR, CommandError

if TYPE_CHECKING:
    from dropline.report import Run

EXAMPLE = """example:
  dropline report run.jsonl -o report.html
  dropline report before.jsonl after.jsonl -o compared.html
  dropline report --hours 8 -o today.html"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="recorded log, or two")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="HTML")
    parser.add_argument("--start", type=float, metavar="A", help="seconds of the log (its start)")
    parser.add_argument("--end", type=float, metavar="B", help="seconds of the log (its end)")
    parser.add_argument(
        "--hours", type=float, default=24.0, help="of the history, without a log (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Read, and write the report."""
    # Not at the top: it takes numpy, which the help and a wrong use need not wait for.
    from dropline.report import page

    if len(options.logs) > 2:
        raise CommandError("give one log, or two to compare", USAGE_ERROR)
    if not options.hours > 0:
        raise CommandError(f"--hours {options.hours:g}: use more than 0", USAGE_ERROR)
    runs = list(_logs(options)) if options.logs else [_history(options.hours)]
    options.output.write_text(page(runs), encoding="utf-8")
    print(options.output)
    return 0


def _logs(options: argparse.Namespace) -> Iterator[Run]:
    from dropline.history import replay
    from dropline.report import Run

    for path in options.logs:
        past = replay(path)
        extent = past.extent()
        if extent is None:
            raise CommandError(f"{path} is empty: record a log first")
        start = extent[0] if options.start is None else options.start
        end = extent[1] if options.end is None else options.end
        if not start < end:
            raise CommandError(
                f"the report must end after its start: {end:g} s is not after {start:g} s",
                USAGE_ERROR,
            )
        yield Run(path.name, past, start, end, wall=False)


def _history(hours: float) -> Run:
    from dropline.announcer import STATION
    from dropline.history import Store
    from dropline.home import Home
    from dropline.report import Run

    home = Home.default()
    past = Store(home.history, STATION)
    extent = past.extent()
    if extent is None:
        raise CommandError(
            f"there is no history in {home.root} yet: start the window with dropline, or give a log"
        )
    start = max(extent[0], extent[1] - 3600 * hours)
    return Run("history", past, start, extent[1], wall=True)
