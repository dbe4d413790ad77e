"""The figures that a report shows, each with its definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dropline.report import text


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table."""

    key: str
    symbol: str
    name: str
    definition: str
    text: Callable[[float | None], str]


FIGURES = (
    Figure("arrivals", "", "arrivals", "Files that joined the line. A retry is no new arrival.",
           text.number),
    Figure("finished", "", "finished", "Files that were sent and verified.", text.number),
    Figure("failed", "", "failed", "Files that could not be sent.", text.number),
    Figure("retried", "", "retried", "Attempts that failed in passing and were made again.",
           text.number),
    Figure("cancelled", "", "cancelled", "Files that were taken out of the line.", text.number),
    Figure("arrival_rate", "λ", "arrival rate", "Arrivals divided by the time.", text.rate),
    Figure("throughput", "X", "throughput", "Files finished divided by the time.", text.rate),
    Figure("service_rate", "μ", "service rate", "Attempts that ended divided by the time that "
           "workers were busy: the pace of one worker while it works.", text.rate),
    Figure("utilisation", "ρ", "utilisation", "The time that workers were busy divided by the "
           "time that they were there.", text.percent),
    Figure("mean_workers", "c", "workers", "How many there were, on average.", text.number),
    Figure("mean_in_system", "L", "in the line", "How many files were in the line, waiting or "
           "being sent, on average over the time.", text.number),
    Figure("mean_waiting", "Lq", "waiting", "How many of them waited, those that were to be tried "
           "again included, on average over the time.", text.number),
    Figure("mean_response", "τ", "response time, mean", "From joining the line to finished, over "
           "the files that finished.", text.duration),
    Figure("p50", "τ", "response time, p50", "Half of the files took at most this long.",
           text.duration),
    Figure("p95", "τ", "response time, p95", "95 of 100 files took at most this long.",
           text.duration),
    Figure("p99", "τ", "response time, p99", "99 of 100 files took at most this long.",
           text.duration),
    Figure("mean_wait", "Wq", "wait, mean", "From joining the line to the first start, over the "
           "files that finished.", text.duration),
)  # fmt: skip
