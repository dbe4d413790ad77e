"""How right the predictions are: what the ledger said before each change of c, and what came.

Five scenarios run in virtual time by discrete events, thousands of jobs a second; in the sixth real
files go to a real receiver. Each figure is one that the window's ledger would show.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from grounds import Grounds, receiver
from report import Section, Table, progress

from dropline.bus import MemoryBus
from dropline.intake import Spool
from dropline.load import Exponential, Files, Fixed, Load, LoadLine, LogNormal, Poisson, Service
from dropline.targets import ReceiverTarget
from dropline.tuning import Accuracy, By, LedgerWritten, Progress, Record
from dropline.tuning.ledger import accuracy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core"))
from virtual_line import Tuned, VirtualLine

#: Runs of each scenario, each with other numbers; each begins with so many seconds of watching.
RUNS, QUICK_RUNS, WATCHED = 8, 2, 300.0
#: Changes of the number of workers in a run.
CHANGES = 5
#: Virtual seconds between two looks of the tuner.
LOOK = 8.0
#: No prediction of a run takes longer than this to measure.
LONGEST = 4000.0
#: Files a second that really go, their mean size, and the changes of c meanwhile.
RATE, SIZE, REAL_CHANGES = 40.0, 16384.0, 12

Scenario = Callable[[int], list[Record]]


def settled(service: Service, rate: float, choices: Sequence[int]) -> Scenario:
    """Poisson arrivals; c goes from one of the choices to another."""

    def run(seed: int) -> list[Record]:
        chance = random.Random(seed)
        tuned = _tuned(service, Poisson(rate).times(chance), chance)
        tuned.resize(chance.choice(choices), By.START)
        tuned.run(WATCHED, LOOK)
        for _ in range(CHANGES):
            tuned.resize(chance.choice([n for n in choices if n != tuned.line.workers]))
            _until_measured(tuned)
        return tuned.tuner.ledger.records()

    return run


def batch(service: Service, jobs: int, choices: Sequence[int]) -> Scenario:
    """A drop, and a change of c while it drains; time and again."""

    def run(seed: int) -> list[Record]:
        chance = random.Random(seed)
        records: list[Record] = []
        for _ in range(CHANGES):
            tuned = _tuned(service, iter(()), chance)
            tuned.resize(chance.choice(choices), By.START)
            tuned.line.feed(jobs)
            tuned.run(chance.uniform(0.05, 0.4) * jobs / tuned.line.workers, LOOK)
            tuned.resize(chance.choice([n for n in choices if n != tuned.line.workers]))
            _until_measured(tuned)
            records += tuned.tuner.ledger.records()
        return records

    return run


def uploads(grounds: Grounds, changes: int) -> list[Record]:
    """Real files of log-normal sizes, by chance, to a receiver in a process of its own."""
    chance, records, complete = random.Random(0), [], threading.Event()
    bus = MemoryBus()

    def written(message: object) -> None:
        record = message.data.record  # type: ignore[attr-defined]
        if record.state != Progress.WAITING:
            records.append(record)
            complete.set()

    bus.subscribe(LedgerWritten, written)
    with grounds.fresh() as folder, receiver(folder / "received") as server:
        spool = Spool(folder / "spool")
        spool.open()
        line = LoadLine(
            Load(Poisson(RATE), sizes=LogNormal(SIZE, 1.0)),
            ReceiverTarget(server.url, installation="accuracy"),
            bus,
            items=Files(spool),
            workers=2,
        )
        with contextlib.closing(line):
            line.tuner.start()
            line.start()
            complete.wait(20.0)
            now = 2
            for number in range(changes):
                now = chance.choice([n for n in (1, 2, 3, 4, 6, 8) if n != now])
                complete.clear()
                line.resize(now)
                complete.wait(60.0)
                progress(f"uploads: change {number + 1} of {changes}")
        bus.close()
    return records


SCENARIOS: dict[str, Scenario] = {
    "Poisson arrivals, exponential service": settled(Service(Exponential(1.0)), 3.2, (4, 5, 6, 8)),
    "Poisson arrivals, equal service": settled(Service(Fixed(1.0)), 3.2, (4, 5, 6, 8)),
    "Poisson arrivals, log-normal service (cs² = 4)": settled(
        Service(LogNormal(1.0, 4.0)), 3.2, (4, 5, 6, 8)
    ),
    "A drop of 2,000, log-normal service (cs² = 1)": batch(
        Service(LogNormal(1.0, 1.0)), 2000, (2, 4, 8, 16)
    ),
    "A contended target (α = 0.05, β = 0.005)": settled(
        Service(Exponential(1.0), contention=0.05, coherency=0.005), 2.6, (4, 5, 6, 8)
    ),
}


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """Eight runs of each scenario in virtual time, and a dozen changes of c of real uploads."""
    runs = QUICK_RUNS if quick else RUNS
    table = Table(["scenario", "changes of c", "figures", "median error", "inside the 90 % range"])
    for name, scenario in SCENARIOS.items():
        records = [record for seed in range(runs) for record in scenario(seed)]
        table.rows.append(_row(name, accuracy(records)))
        progress(" | ".join(table.rows[-1]))
    real = uploads(grounds, 3 if quick else REAL_CHANGES)
    table.rows.append(_row("Real uploads to a real receiver", accuracy(real)))
    return Section(
        "The predictions: the ledger's accuracy",
        "Each change of the number of workers writes predicted throughput, files present, response "
        "and drain time, with 90 % ranges, into the ledger, and what was measured once the line "
        "had settled. Errors are those of single windows, whose means waver by themselves.",
        [table],
    )


def _tuned(service: Service, arrivals: Iterator[float], chance: random.Random) -> Tuned:
    line = VirtualLine(
        arrivals,
        lambda: service.law.draw(chance),
        speed=lambda busy: 1 / service.slowness(busy),
    )
    return Tuned(line)


def _until_measured(tuned: Tuned) -> None:
    end = tuned.line.now + LONGEST
    while tuned.line.now < end:
        tuned.run(LOOK, LOOK)
        records = tuned.tuner.ledger.records()
        if records and records[-1].state != Progress.WAITING:
            return


def _row(name: str, found: Accuracy) -> list[str]:
    error = "–" if found.median_error is None else f"{found.median_error:.1%}"
    inside = "–" if found.inside is None else f"{found.inside:.0%}"
    return [name, f"{found.checked}", f"{found.figures}", error, inside]
