"""The figures of a line as one row, which a terminal keeps up to date."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.table import Table

from dropline.station import Reading

Show = Callable[[Reading], None]


@contextlib.contextmanager
def live_row(*, quiet: bool, done: str = "sent") -> Iterator[Show | None]:
    """What shows a reading to who looks on; None where nobody does."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with Live(console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as live:
        yield lambda reading: live.update(row(reading, done))


def row(reading: Reading, done: str = "sent") -> Table:
    """A reading; `done` is the word for what is finished."""
    figures = reading.figures
    table = Table(box=None, padding=(0, 2))
    for heading in ("λ /s", "X /s", "μ /s", "ρ", "L", "τ s", "p95 s", done, "failed", "left"):
        table.add_column(heading, justify="right")
    table.add_row(
        number(figures.arrival_rate),
        number(figures.throughput),
        number(figures.service_rate),
        number(figures.utilisation),
        str(reading.in_system),
        number(figures.mean_response),
        number(reading.p95),
        str(reading.finished),
        str(reading.failed),
        _left(reading),
    )
    return table


def number(value: float | None) -> str:
    """A figure in three digits; a dash where it is not known."""
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _left(reading: Reading) -> str:
    """Such as "12 s (10–15)"."""
    text = f"{number(reading.eta)} s"
    if not reading.eta or reading.eta_low is None or reading.eta_high is None:
        return text
    return f"{text} ({number(reading.eta_low)}–{number(reading.eta_high)})"
