"""Readings of a line that is idle, and of one at work."""

from __future__ import annotations

from dataclasses import replace

from dropline.meter import Figures, LittlesLaw
from dropline.station.reading import Reading

IDLE = Reading(
    station="send",
    t=0.0,
    paused=False,
    wanted=4,
    running=4,
    busy=0,
    waiting=0,
    in_system=0,
    finished=0,
    failed=0,
    cancelled=0,
    oldest=None,
    bytes_rate=None,
    eta=None,
    eta_low=None,
    eta_high=None,
    window=10.0,
    figures=Figures(
        start=0.0,
        end=10.0,
        arrivals=0,
        finished=0,
        failed=0,
        retried=0,
        cancelled=0,
        arrival_rate=0.0,
        throughput=0.0,
        service_rate=None,
        mean_in_system=0.0,
        mean_waiting=0.0,
        mean_busy=0.0,
        mean_workers=4.0,
        utilisation=0.0,
        mean_response=None,
        mean_wait=None,
    ),
    p50=None,
    p95=None,
    p99=None,
    little=LittlesLaw(0.0, 0.0, 0.0, 0.0, True),
    responses=0.0,
    next_try=None,
)


def busy(t: float, arrival_rate: float = 8.0) -> Reading:
    """A line at work."""
    figures = replace(
        IDLE.figures,
        arrival_rate=arrival_rate,
        throughput=6.0,
        service_rate=2.0,
        utilisation=0.75,
        mean_response=0.4,
    )
    return replace(
        IDLE, t=t, busy=3, waiting=5, in_system=8, oldest=1.5, p50=0.3, p95=0.9, p99=1.2,
        figures=figures,
    )  # fmt: skip
