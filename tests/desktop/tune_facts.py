"""What the tuner may say of a line, made of the formulas: for tests of what shows it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

from dropline.events import Event, Message
from dropline.theory import mmc
from dropline.tuning import (
    Accuracy,
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    Capacity,
    Check,
    Doubt,
    Expected,
    Figure,
    LedgerWritten,
    Measured,
    Prediction,
    ProbeChanged,
    Recommendation,
    Record,
    Share,
)

UNKNOWN = Figure()
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def message(event: Event) -> Message:
    """An event in its envelope."""
    return Message("1", event.type, "test", "", NOW, event)


def about(value: float, by: float = 0.15) -> Figure:
    """A figure with a range of so much on each side."""
    return Figure.of(value * (1 - by), value, value * (1 + by)) if math.isfinite(value) else UNKNOWN


def predict(workers: int, rate: float, pace: float, waiting: int = 0) -> Prediction:
    """M/M/c, with less certainty the nearer it comes to its capacity."""
    steady = mmc(rate, pace, workers)
    capacity = workers * pace
    blur = 0.05 + 0.3 * min(steady.utilisation, 1.0) ** 4
    return Prediction(
        workers=workers,
        stable=steady.utilisation < 1,
        beyond=workers > 8,
        capacity=about(capacity, 0.1),
        utilisation=about(steady.utilisation, 0.1),
        throughput=about(min(rate, capacity), 0.1),
        in_system=about(steady.mean_in_system, blur),
        waiting=about(steady.mean_waiting, blur),
        response=about(steady.mean_response, blur),
        response_p95=about(3 * steady.mean_response, blur),
        wait=about(steady.mean_wait, blur),
        drain=about(waiting / (capacity - rate) if capacity > rate else math.inf, 0.2),
        finish=about(waiting / capacity, 0.2) if waiting else UNKNOWN,
    )


def advise(
    workers: int,
    rate: float,
    pace: float = 2.0,
    *,
    best: int | None,
    verdict: str = "valid",
    waiting: int = 0,
    **others: object,
) -> Advice:
    """The advice on a line of M/M/c workers, with a knee at 8 of them."""
    numbers = sorted({*range(1, 17), workers, best or 1})
    curve = tuple(predict(n, rate, pace, waiting) for n in numbers if n)
    advice = Advice(
        station="send",
        t=1000.0,
        workers=workers,
        in_system=waiting,
        now=next((p for p in curve if p.workers == workers), None),
        curve=curve,
        check=Check(verdict, (), 1.0, 1.0),
        capacity=Capacity(12.0, 9.0, 20.0, 8, 8, (Measured(4, 8.0, 100),)),
        recommendation=Recommendation(best, "keeps_up", 0.6, None, None),
        bottleneck=Bottleneck("target", 0.8, (Share("target", 0.8), Share("source", 0.2))),
    )
    return replace(advice, **others)


EMPTY = Advice(
    *("send", 1000.0, 4, 0, None, (), None, Capacity(None, None, None, None, 0, ())),
    *(Recommendation(None, "nothing_seen"), None),
)


def record(number: int, workers: int, *, response: float | None = None, **others: object) -> Record:
    """A change of c in the ledger, measured if `response` is told."""
    expected = predict(workers, 6.0, 2.0)
    measured = response is not None
    found = Record(
        number=number,
        time="2026-05-04T11:58:00Z",
        by="hand",
        before=4,
        workers=workers,
        verdict="valid",
        state="measured" if measured else "waiting",
        starts=5.0,
        seconds=30.0,
        throughput=Expected(expected.throughput, 5.9 if measured else None),
        in_system=Expected(expected.in_system, 6 * response if response else None),
        response=Expected(expected.response, response),
        drain=Expected(UNKNOWN, None),
    )
    return replace(found, **others)


ACCURACY = Accuracy(checked=2, figures=6, median_error=0.06, inside=0.92)

STATES: dict[str, list[Event]] = {
    "empty": [EMPTY],
    "few": [
        replace(
            advise(4, 2.0, best=2, verdict="doubtful"),
            check=Check("doubtful", (Doubt("few_arrivals", 12.0, 30.0),), None, None),
            capacity=Capacity(None, None, None, None, 1, ()),
        )
    ],
    "steady": [
        *(
            LedgerWritten("send", record(n, c, response=t), ACCURACY)
            for n, c, t in ((1, 5, 0.62), (2, 6, 0.52), (3, 4, 1.1))
        ),
        advise(4, 6.0, best=5),
    ],
    "batch": [advise(4, 0.01, best=8, verdict="batch", waiting=9_000)],
    "unstable": [advise(2, 6.0, best=5)],
    "probe": [advise(4, 6.0, best=5), ProbeChanged("send", True, 3, 5, 4, 5.0, "running")],
    "autopilot": [
        AutopilotChanged("send", True, 2, 24, "asked"),
        AutopilotMoved("send", 4, 6, "keeps_up", 0.6, None),
        AutopilotMoved("send", 6, 5, "keeps_up", 0.6, None),
        advise(5, 6.0, best=5),
    ],
}
