"""How many workers a goal needs, in M/M/c."""

from __future__ import annotations

import math

from dropline.theory.load import MOST, check_positive, check_rates, spare
from dropline.theory.steady import waits
from dropline.theory.tails import Tails, check_share

#: A chance to wait below which one worker more changes no figure.
_NEVER = 1e-300


def workers_to_keep_up(arrival_rate: float, service_rate: float) -> int:
    """The fewest workers with ρ < 1: ⌊λ/μ⌋ + 1. 10 ten-minute jobs a minute need 101."""
    check_rates(arrival_rate, service_rate)
    load = arrival_rate / service_rate
    if load >= MOST:
        raise ValueError(f"the offered load is {load:.6g} erlangs: below {MOST:,} can be reckoned")
    workers = math.floor(load) + 1
    return workers if spare(arrival_rate, service_rate, workers) > 0 else workers + 1


def workers_for_wait(
    arrival_rate: float, service_rate: float, goal: float, percentile: float | None = None
) -> int | None:
    """The fewest workers with a wait of at most `goal` seconds: its mean, or a percentile (0.95).

    None where the goal is finer than any number of workers could show in a float.
    """
    return _fewest(arrival_rate, service_rate, goal, percentile, response=False)


def workers_for_response(
    arrival_rate: float, service_rate: float, goal: float, percentile: float | None = None
) -> int | None:
    """The fewest workers with a response of at most `goal` seconds: its mean, or a percentile.

    None where no number is enough, for the service alone takes as long.
    """
    return _fewest(arrival_rate, service_rate, goal, percentile, response=True)


def _fewest(
    arrival_rate: float,
    service_rate: float,
    goal: float,
    percentile: float | None,
    *,
    response: bool,
) -> int | None:
    check_positive("the goal", goal)
    if percentile is not None:
        check_share(percentile)
    fewest = workers_to_keep_up(arrival_rate, service_rate)
    if response and arrival_rate and goal <= _alone(service_rate, percentile):
        return None
    load = arrival_rate / service_rate
    blocked = 1.0
    for workers in range(1, MOST + 1):
        blocked = load * blocked / (workers + load * blocked)
        if workers < fewest:
            continue
        left = spare(arrival_rate, service_rate, workers)
        p_wait = waits(blocked, load, left / service_rate)
        line = Tails(service_rate, left, p_wait)
        if percentile is None:
            time = p_wait / left + (1 / service_rate if response else 0.0)
        elif response:
            time = line.response_percentile(percentile)
        else:
            time = line.wait_percentile(percentile)
        if time <= goal:
            return workers
        if p_wait < _NEVER:
            return None
    return None


def _alone(service_rate: float, percentile: float | None) -> float:
    """The response of a job that never waits: its mean, or a percentile."""
    return (1.0 if percentile is None else -math.log1p(-percentile)) / service_rate
