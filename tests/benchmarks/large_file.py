"""Megabytes a second for one large file, and the memory that it takes on both sides."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from grounds import Grounds
from report import ROUNDS, Section, Table, alternate, middle, ratio, spread, told
from senders import Run, Sender, curl, python, run

#: Seconds that all rounds may take together.
BUDGET = 300.0
MEMORY = ("sender grew, MiB", "receiver grew")
CPU = ("sender’s CPU, s", "receiver’s")
PEER = "curl -T"
FLOOR = "no network: read, hash, write, fsync"

SENDERS: dict[str, Sender] = {
    "Dropline": python("dropline"),
    PEER: curl(put="/files/by-name/"),
    "curl -F": curl(),
}


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """One file of 4 GiB, 64 MiB when quick."""
    size = 1 << 26 if quick else 1 << 32
    path = grounds.large_file(size)
    runs: dict[str, list[Run]] = {name: [] for name in SENDERS}

    def speed(name: str) -> float:
        runs[name].append(run(grounds, SENDERS[name], [path]))
        return size / 1e6 / runs[name][-1].seconds

    contenders: dict[str, Callable[[], float]] = {name: partial(speed, name) for name in SENDERS}
    contenders[FLOOR] = lambda: size / 1e6 / _copy(grounds, path)
    figures = alternate(contenders, 1 if quick else ROUNDS, BUDGET)
    table = Table(["sender", "MB/s", "least to greatest", "× curl -T", *MEMORY, *CPU])
    for name, speeds in figures.items():
        against = ratio(speeds, figures[PEER])
        taken = _taken(runs[name]) if name in runs else [""] * 4
        table.rows.append([name, middle(speeds), spread(speeds), against, *taken])
    return Section(
        f"One file of {size >> 20:,} MiB",
        f"{told(figures[FLOOR])}, each to a fresh `dropline serve`, which hashes, writes and "
        "syncs the file before it answers; checked afterwards by SHA-256. Dropline hashes "
        "what it sends and compares; curl doesn't. Growth is the most resident memory "
        "beyond that before sending, looked at 100 times a second. The last line is the disk "
        "alone: the same file copied and hashed in one thread.",
        [table],
    )


def _taken(runs: list[Run]) -> list[str]:
    """Memory and CPU of both sides."""
    sides = [run.sender for run in runs], [run.receiver for run in runs]
    grown = [middle([side.growth for side in watched]) for watched in sides]
    return [*grown, *(middle([side.cpu for side in watched]) for watched in sides)]


def _copy(grounds: Grounds, path: Path) -> float:
    """Seconds to do what the receiver does with the bytes."""
    with grounds.fresh() as folder, open(path, "rb") as source:
        began = time.monotonic()
        digest = hashlib.sha256()
        with open(folder / "copy", "wb") as copy:
            while data := source.read(1 << 18):
                digest.update(data)
                copy.write(data)
            copy.flush()
            os.fsync(copy.fileno())
        return time.monotonic() - began
