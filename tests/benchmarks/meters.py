"""Log entries a second through the meter, and through what predictions rest on, beside a loop that
only keeps and counts them.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from grounds import Grounds
from report import Section, Table, alternate, middle, ratio

from dropline.meter import Entry, Kind, Meter
from dropline.station import Attempt
from dropline.tuning.observed import Observed

ROUNDS = 5
#: Seconds that all rounds may take together.
BUDGET = 25.0
#: Entries that one `observe_all` takes, as many as the walk hands to the line at once.
TOGETHER = 500
WORKERS = 4
PEER = "no meter: append and count"

#: Takes a log, returns the seconds that it took.
Reader = Callable[[Sequence[Entry]], float]


def line(jobs: int) -> list[Entry]:
    """The log of a line with 4 workers, 1,000 arrivals a second and a utilisation of 0.9."""
    numbers = random.Random(jobs)
    entries = [Entry(0.0, Kind.WORKERS, workers=WORKERS)]
    free = [0.0] * WORKERS
    arrived = 0.0
    for job in range(1, jobs + 1):
        arrived += numbers.expovariate(1000.0)
        worker = min(range(WORKERS), key=free.__getitem__)
        started = max(arrived, free[worker])
        free[worker] = started + numbers.expovariate(1000.0 / (0.9 * WORKERS))
        entries.append(Entry(arrived, Kind.ARRIVE, job))
        entries.append(Entry(started, Kind.START, job))
        entries.append(Entry(free[worker], Kind.FINISH, job))
    return sorted(entries, key=lambda entry: entry.t)


def keep_and_count(entries: Sequence[Entry]) -> float:
    """What any program could do: figures would have to be computed from the list later."""
    kept: list[Entry] = []
    counts: Counter[Kind] = Counter()
    began = time.perf_counter()
    for entry in entries:
        kept.append(entry)
        counts[entry.kind] += 1
    return time.perf_counter() - began


def observe(entries: Sequence[Entry]) -> float:
    """`Meter.observe`, one entry at a time."""
    meter = Meter()
    began = time.perf_counter()
    for entry in entries:
        meter.observe(entry)
    return time.perf_counter() - began


def observe_all(entries: Sequence[Entry], *, together: int) -> float:
    """`Meter.observe_all`, some entries at a time."""
    meter = Meter()
    batches = [entries[i : i + together] for i in range(0, len(entries), together)]
    began = time.perf_counter()
    for batch in batches:
        meter.observe_all(batch)
    return time.perf_counter() - began


def watch(entries: Sequence[Entry]) -> float:
    """`Observed`, one entry at a time: what the tuner adds to each."""
    seen = Observed(0.0)
    began = time.perf_counter()
    for entry in entries:
        seen((entry,))
    return time.perf_counter() - began


def stages(entries: Sequence[Entry]) -> float:
    """What it takes to count where the time of each job goes, were each entry a job's attempt."""
    began = time.perf_counter()
    for _ in entries:
        attempt = Attempt(_ignore)
        attempt.reading += time.perf_counter() - began
        for _piece in attempt.handing_over(b""):
            pass
    return time.perf_counter() - began


def _ignore(_size: int) -> None:
    """Take a report of progress."""


READERS: dict[str, Reader] = {
    PEER: keep_and_count,
    "Meter.observe": observe,
    "Meter.observe_all, 1 at once": partial(observe_all, together=1),
    f"Meter.observe_all, {TOGETHER} at once": partial(observe_all, together=TOGETHER),
    "Observed (the tuner's), 1 at once": watch,
    "stages of an attempt, with the attempt": stages,
}


def bench(_grounds: Grounds, *, quick: bool) -> Section:
    """The entries of 50,000 jobs, of 5,000 when quick."""
    entries = line(5_000 if quick else 50_000)
    contenders = {name: partial(_rate, reader, entries) for name, reader in READERS.items()}
    runs = alternate(contenders, ROUNDS, BUDGET)
    figures = {name: [max(rates)] for name, rates in runs.items()}
    table = Table(["reader", "entries/s", "µs an entry", f"× {PEER}"])
    for name, rates in figures.items():
        microseconds = [1e6 / rate for rate in rates]
        table.rows.append([name, middle(rates), middle(microseconds), ratio(rates, figures[PEER])])
    return Section(
        f"The meter: {len(entries):,} log entries",
        f"Best of {ROUNDS} runs in turn over a made log (4 workers, utilisation 0.9; three entries "
        "a job). The meter keeps exact areas, Little's law and percentiles of the last two "
        "hours in bounded memory; its peer keeps every entry and computes nothing.",
        [table],
    )


def _rate(reader: Reader, entries: Sequence[Entry]) -> float:
    return len(entries) / reader(entries)
