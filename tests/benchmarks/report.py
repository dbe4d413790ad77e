"""What a benchmark hands back, and how it is written down."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

#: Runs of each contender; they take turns, so that a busy minute of the machine hits them all.
ROUNDS = 3


@dataclass(slots=True)
class Table:
    """Figures side by side. The last `numbers` columns are set to the right."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def to_markdown(self) -> str:
        """The table as Markdown, legible as it stands."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return "\n".join(_line(line, widths) for line in [self.columns, rule, *self.rows])


@dataclass(slots=True)
class Section:
    """One benchmark's result: what was done, the figures, and what to know about them."""

    title: str
    about: str
    parts: Sequence[Table | str]

    def to_markdown(self, seconds: float) -> str:
        """The section, `seconds` being how long it took to measure."""
        parts = [part if isinstance(part, str) else part.to_markdown() for part in self.parts]
        took = f"Measured in {seconds:.0f} s."
        return "\n\n".join([f"## {self.title}", f"{self.about} {took}", *parts])


def alternate(
    contenders: Mapping[str, Callable[[], float]], rounds: int, budget: float
) -> dict[str, list[float]]:
    """Run the contenders in turn, `rounds` times, or fewer when `budget` seconds would not do.

    Every contender runs equally often, at least once. Returns what each run gave.
    """
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    began = time.monotonic()
    for number in range(1, rounds + 1):
        for name, contender in contenders.items():
            figures[name].append(contender())
            progress(f"{name}, run {number}: {figures[name][-1]:,.4g}")
        spent = time.monotonic() - began
        if spent * (number + 1) / number > budget:
            break
    return figures


def progress(text: str) -> None:
    """Tell who waits at the terminal what goes on; standard output holds the result alone."""
    print(f"  {text}", file=sys.stderr, flush=True)


def middle(figures: Sequence[float]) -> str:
    """The median, with up to three digits or all of those before the point."""
    median = statistics.median(figures)
    return f"{median:,.0f}" if median >= 100 else f"{median:.3g}"


def spread(figures: Sequence[float]) -> str:
    """The least and the greatest."""
    return f"{min(figures):,.0f} to {max(figures):,.0f}"


def told(figures: Sequence[float]) -> str:
    """How many runs a figure rests on."""
    return f"Median of {len(figures)} runs in turn" if len(figures) > 1 else "One run"


def ratio(figures: Sequence[float], peer: Sequence[float]) -> str:
    """How many times the peer's median."""
    return f"{statistics.median(figures) / statistics.median(peer):.2f}"


def machine(folder: Path) -> str:
    """The machine, in a line or two; `folder` is where the benchmarks keep their files."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {psutil.cpu_count()} cores "
        f"({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; files and databases on {file_system(folder)}. "
        f"Load average at the start {load:.1f}: what else ran shares the cores, "
        "so take ratios more seriously than figures."
    )


def file_system(folder: Path) -> str:
    """The type of file system that holds the folder."""
    holders = [
        part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)
    ]
    if not holders:
        return "an unknown file system"
    return max(holders, key=lambda part: len(part.mountpoint)).fstype or "an unknown file system"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(padded)} |"
