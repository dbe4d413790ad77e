"""What runs like one give by chance: the same laws drawn again and again, without waiting.

A short run differs from theory even where theory holds. How far tells a look at many such runs,
each through the same first come, first served workers (`whatif`), from empty and as long.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from dropline.load.arrivals import Batch
from dropline.load.line import Load
from dropline.load.target import Service
from dropline.theory import Range
from dropline.whatif import Outcome, Trace, simulate

#: Runs, fewer where they are long; so many jobs in all of them, which takes about a second.
RUNS, FEWEST, JOBS = 200, 20, 300_000
#: Nine runs in ten lie between these shares.
SHARES = (0.05, 0.5, 0.95)


def replicate(
    load: Load, service: Service, workers: int, skipped: float, *, seed: int = 0
) -> dict[str, Range]:
    """By the name of a figure, between what 90 % of such runs lie, and their median.

    `skipped` is the share of the run, from its start, that was left out of its figures. Empty
    where workers hold each other up, which is not replayed, and where a run is too long to be.
    """
    if service.slowness(2) > 1:
        return {}
    seen: dict[str, list[float]] = {}
    runs, run = RUNS, 0
    while run < runs:
        one = replace(load, seed=hash((seed, run)))
        arrivals = list(islice(one.times(), JOBS // FEWEST + 1))
        if not arrivals or len(arrivals) > JOBS // FEWEST:
            return {}
        runs = max(FEWEST, min(RUNS, JOBS // len(arrivals)))
        source = random.Random(f"{one.seed} service")
        sizes = random.Random(f"{one.seed} sizes")
        services = [service.seconds(source, round(load.sizes.draw(sizes))) for _ in arrivals]
        outcome = simulate(Trace(np.array(arrivals), np.array(services)), workers)
        for name, value in _figures(outcome, _end(load, outcome), skipped, workers).items():
            seen.setdefault(name, []).append(value)
        run += 1
    return {
        name: Range(*map(float, np.quantile(values, SHARES)))
        for name, values in seen.items()
        if len(values) == runs
    }


def _end(load: Load, outcome: Outcome) -> float:
    """Until when the figures of a run are taken."""
    if isinstance(load.arrivals, Batch):
        return float(outcome.ends.max())
    return float(outcome.arrivals[-1]) if load.seconds is None else load.seconds


def _figures(outcome: Outcome, end: float, skipped: float, workers: int) -> dict[str, float]:
    """Those of `meter.Figures` over the last part of a run; those that are undefined are left out.

    A job that leaves takes its whole response time along, as there.
    """
    start = end * skipped
    seconds = end - start

    def area(since: NDArray[np.float64], until: NDArray[np.float64]) -> float:
        within = np.minimum(until, end) - np.maximum(since, start)
        return float(within.clip(0.0).sum())

    if not seconds > 0:
        return {}
    done = (outcome.ends >= start) & (outcome.ends < end)
    came = (outcome.arrivals >= start) & (outcome.arrivals < end)
    busy = area(outcome.starts, outcome.ends)
    figures = {
        "arrival_rate": int(came.sum()) / seconds,
        "throughput": int(done.sum()) / seconds,
        "utilisation": busy / (workers * seconds),
        "mean_in_system": area(outcome.arrivals, outcome.ends) / seconds,
        "mean_waiting": area(outcome.arrivals, outcome.starts) / seconds,
    }
    if done.any():
        figures |= {
            "service_rate": int(done.sum()) / busy,
            "mean_response": float(outcome.responses[done].mean()),
            "mean_wait": float(outcome.waits[done].mean()),
            "response_p95": float(np.quantile(outcome.responses[done], 0.95)),
        }
    return figures
