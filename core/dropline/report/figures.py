"""The figures that a report shows, each with its definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dropline.report import text
from dropline.report.text import Translate


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table."""

    key: str
    symbol: str
    name: str
    definition: str
    text: Callable[[float | None], str]


def figures(translate: Translate) -> tuple[Figure, ...]:
    """All of them, in the order of the table."""
    return (
        Figure(
            "arrivals",
            "",
            translate("Report", "arrivals"),
            translate("Report", "Files that joined the line. A retry is no new arrival."),
            text.number,
        ),
        Figure(
            "finished",
            "",
            translate("Report", "finished"),
            translate("Report", "Files that were sent and verified."),
            text.number,
        ),
        Figure(
            "failed",
            "",
            translate("Report", "failed"),
            translate("Report", "Files that could not be sent."),
            text.number,
        ),
        Figure(
            "retried",
            "",
            translate("Report", "retried"),
            translate("Report", "Attempts that failed in passing and were made again."),
            text.number,
        ),
        Figure(
            "cancelled",
            "",
            translate("Report", "cancelled"),
            translate("Report", "Files that were taken out of the line."),
            text.number,
        ),
        Figure(
            "arrival_rate",
            "λ",
            translate("Report", "arrival rate"),
            translate("Report", "Arrivals divided by the time."),
            text.rate,
        ),
        Figure(
            "throughput",
            "X",
            translate("Report", "throughput"),
            translate("Report", "Files finished divided by the time."),
            text.rate,
        ),
        Figure(
            "service_rate",
            "μ",
            translate("Report", "service rate"),
            translate(
                "Report",
                "Attempts that ended divided by the time that workers were busy: "
                "the pace of one worker while it works.",
            ),
            text.rate,
        ),
        Figure(
            "utilisation",
            "ρ",
            translate("Report", "utilisation"),
            translate(
                "Report",
                "The time that workers were busy divided by the time that they were there.",
            ),
            text.percent,
        ),
        Figure(
            "mean_workers",
            "c",
            translate("Report", "workers"),
            translate("Report", "How many there were, on average."),
            text.number,
        ),
        Figure(
            "mean_in_system",
            "L",
            translate("Report", "in the line"),
            translate(
                "Report",
                "How many files were in the line, waiting or being sent, on average over the time.",
            ),
            text.number,
        ),
        Figure(
            "mean_waiting",
            "Lq",
            translate("Report", "waiting"),
            translate(
                "Report",
                "How many of them waited, those that were to be tried again "
                "included, on average over the time.",
            ),
            text.number,
        ),
        Figure(
            "mean_response",
            "τ",
            translate("Report", "response time, mean"),
            translate("Report", "From joining the line to finished, over the files that finished."),
            text.duration,
        ),
        Figure(
            "p50",
            "τ",
            translate("Report", "response time, p50"),
            translate("Report", "Half of the files took at most this long."),
            text.duration,
        ),
        Figure(
            "p95",
            "τ",
            translate("Report", "response time, p95"),
            translate("Report", "95 of 100 files took at most this long."),
            text.duration,
        ),
        Figure(
            "p99",
            "τ",
            translate("Report", "response time, p99"),
            translate("Report", "99 of 100 files took at most this long."),
            text.duration,
        ),
        Figure(
            "mean_wait",
            "Wq",
            translate("Report", "wait, mean"),
            translate(
                "Report", "From joining the line to the first start, over the files that finished."
            ),
            text.duration,
        ),
    )
