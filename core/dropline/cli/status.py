"""Show the figures of the running window or sender, over the last minute."""

from __future__ import annotations

import argparse
import json

import requests
from rich.console import Console
from rich.table import Table

from dropline.cli import CommandError
from dropline.cli.measure import format_figure
from dropline.control import Running
from dropline.home import Home

EXAMPLE = """example:
  dropline status --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Ask the running program and print what it answers."""
    home = Home.default()
    try:
        running = Running.find(home)
        status = running.status() if running is not None else None
    except requests.RequestException:  # it is just ending
        status = None
    if status is None:
        raise CommandError(f"nothing runs with the data folder {home.root}: start it with dropline")
    if options.json:
        print(json.dumps(status))
        return 0
    console = Console()
    console.print(f"receiver {status['receiver'] or '–'}, target {status['target']}")
    stations = status["stations"]
    table = Table("figure", *stations)
    for key in next(iter(stations.values())):
        table.add_row(key, *(format_figure(figures[key]) for figures in stations.values()))
    console.print(table)
    return 0
