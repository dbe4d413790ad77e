"""Replay a recorded log with other workers: the same arrivals and service times.

Jobs are served first come, first served, or in another --order; a job's service is the sum of its
attempts, and jobs that never finish are left out. Where a worker served several jobs at a time (a
bundle of small files), they share its time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dropline.cli import USAGE_ERROR, CommandError
from dropline.cli.measure import format_figure
from dropline.station import Order

EXAMPLE = """example:
  dropline whatif run.jsonl --workers 8 --json
  dropline whatif run.jsonl --workers 1,2,4,8,16 --order shortest"""

COLUMNS = {
    "workers": "c",
    "mean_wait": "mean wait s",
    "mean_response": "mean τ s",
    "p50_response": "p50 τ s",
    "p95_response": "p95 τ s",
    "p99_response": "p99 τ s",
    "max_waiting": "most waiting",
    "makespan": "makespan s",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("log", type=Path, metavar="LOG", help="recorded log")
    parser.add_argument(
        "--workers",
        type=_counts,
        action="extend",
        required=True,
        metavar="C",
        help="workers; several, such as 1,2,4, give a table",
    )
    parser.add_argument(
        "--order",
        type=Order,
        choices=list(Order),
        default=Order.FIFO,
        help="who goes next: %(choices)s (%(default)s)",
        metavar="ORDER",
    )
    parser.add_argument(
        "--large",
        type=float,
        metavar="SHARE",
        help="as if this share of the files, 0 to 1, were large (over 1 MiB)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"{text}: use whole numbers from 1 on, such as 1,2,4")
    return counts


def run(options: argparse.Namespace) -> int:
    """Replay and print."""
    # Not at the top: it takes numpy, which the help and a wrong use need not wait for.
    from dropline.whatif import Trace, read_trace, simulate

    def figures_of(trace: Trace, workers: int) -> dict[str, float | int | None]:
        return {"workers": workers, **simulate(trace, workers, options.order).as_dict()}

    trace = read_trace(options.log)
    try:
        if options.large is not None:
            trace = trace.mixed(options.large)
        outcomes = [figures_of(trace, workers) for workers in options.workers]
    except ValueError as error:
        raise CommandError(str(error), USAGE_ERROR) from error
    if options.json:
        print(json.dumps(outcomes[0] if len(outcomes) == 1 else outcomes))
        return 0
    table = Table(*COLUMNS.values(), title=f"{len(trace)} jobs, {options.order}")
    for figures in outcomes:
        table.add_row(*(format_figure(figures[key]) for key in COLUMNS))
    Console().print(table)
    return 0
