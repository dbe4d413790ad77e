"""Compute the figures of a recorded log over a window: λ, throughput, μ, L, utilisation, τ …

The log is JSON Lines; the window holds the entries with A ≤ t < B.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dropline.meter import measure

EXAMPLE = """example:
  dropline measure run.jsonl --start 0 --end 60 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("log", type=Path, metavar="LOG", help="recorded log")
    parser.add_argument("--start", type=float, required=True, metavar="A", help="seconds")
    parser.add_argument("--end", type=float, required=True, metavar="B", help="seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")


def format_figure(value: float | None) -> str:
    """A figure for people: a dash when it is undefined, six digits when it is no count."""
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    figures = measure(options.log, options.start, options.end)
    if options.json:
        print(json.dumps(figures))
        return 0
    table = Table("figure", "value")
    for key, value in figures.items():
        table.add_row(key, format_figure(value))
    Console().print(table)
    return 0
