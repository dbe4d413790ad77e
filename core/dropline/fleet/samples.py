"""Figures from looks at a queue at intervals, where nobody tells of the single jobs.

Between two looks a level is taken to move in a straight line. Counts are the broker's own, so what
came and went is exact as of its statistics; how long it took is by Little's law, for a settled
line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dropline.fleet.quality import APPROXIMATE, KEYS

#: Consumers are too slow when so many times as many messages come as go, and the queue grows.
GROWS = 1.1


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; None is unknown. Counts are cumulative."""

    t: float
    """Seconds, by any clock."""
    waiting: float | None
    present: float | None
    """Waiting and with consumers."""
    busy: float | None
    """Consumers that have something."""
    workers: int | None
    """Consumers."""
    arrived: int | None
    finished: int | None
    returned: int | None
    """Given back to be delivered again."""
    arriving: float | None = None
    leaving: float | None = None
    """Rates as the broker tells them, a second; where it tells none they are taken from counts."""


def figures(samples: Sequence[Sample]) -> dict[str, float | int | None]:
    """The keys of `Figures` from the first look to the last; needs two."""
    first, last = samples[0], samples[-1]
    seconds = last.t - first.t
    arrivals = _change(first.arrived, last.arrived)
    finished = _change(first.finished, last.finished)
    retried = _change(first.returned, last.returned)
    in_system = _mean([(s.t, s.present) for s in samples])
    waiting = _mean([(s.t, s.waiting) for s in samples])
    busy = _mean([(s.t, s.busy) for s in samples])
    workers = _mean([(s.t, s.workers) for s in samples])
    arriving = _mean([(s.t, s.arriving) for s in samples])
    leaving = _mean([(s.t, s.leaving) for s in samples])
    throughput = _ratio(finished, seconds) if leaving is None else leaving
    return {
        "arrivals": arrivals,
        "finished": finished,
        "failed": None,
        "retried": retried,
        "cancelled": None,
        "arrival_rate": _ratio(arrivals, seconds) if arriving is None else arriving,
        "throughput": throughput,
        "service_rate": _ratio(throughput, busy),
        "mean_in_system": in_system,
        "mean_waiting": waiting,
        "mean_busy": busy,
        "mean_workers": workers,
        "utilisation": _ratio(busy, workers),
        "mean_response": _ratio(in_system, throughput),
        "mean_wait": _ratio(waiting, throughput),
    }


def troubles(samples: Sequence[Sample]) -> list[str]:
    """What is wrong with the consumers from the first look to the last, with the remedy."""
    first, last = samples[0], samples[-1]
    told = figures(samples)
    arriving, leaving, finished = (told[k] for k in ("arrival_rate", "throughput", "finished"))
    wrong = []
    if first.present and last.present and last.busy and finished == 0 and not leaving:
        wrong.append(
            f"consumers have done none of {last.present:.0f} messages in this time: one hangs, or "
            "fails; see its log, and restart it"
        )
    elif (
        arriving and leaving and arriving > GROWS * leaving
        and (last.waiting or 0) > (first.waiting or 0)
    ):  # fmt: skip
        wrong.append(
            f"consumers are too slow: {arriving:.3g} messages a second come and {leaving:.3g} go; "
            "add consumers, or make them quicker"
        )
    if returned := _change(first.returned, last.returned):
        wrong.append(
            f"messages were given back and delivered again ({returned}): a consumer fails, or dies "
            "by them; give the queue an x-delivery-limit and a dead-letter exchange"
        )
    return wrong


def time_to_clear(waiting: float, arriving: float | None, leaving: float | None) -> float | None:
    """Seconds until nobody waits if both rates stay: N / (X − λ); None when it never comes to that
    or a rate is unknown.
    """
    if not waiting:
        return 0.0
    if arriving is None or leaving is None or leaving <= arriving:
        return None
    return waiting / (leaving - arriving)


def all_approximate() -> dict[str, str]:
    """What `quality` says of figures that come from looks."""
    return dict.fromkeys(KEYS, APPROXIMATE)


def _change(a: int | None, b: int | None) -> int | None:
    # Counts that fell are those of a broker that began anew.
    return None if a is None or b is None or b < a else b - a


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b


def _mean(points: Sequence[tuple[float, float | None]]) -> float | None:
    """The mean over time of what was seen; None when it was unknown at some look."""
    area = 0.0
    for (t, a), (u, b) in pairwise(points):
        if a is None or b is None:
            return None
        area += (a + b) / 2 * (u - t)
    return _ratio(area, points[-1][0] - points[0][0])
