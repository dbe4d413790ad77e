"""What is simulated, and what theory says of it in words."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from dropline.load import Arrivals, Batch, Fixed, Service, expect
from dropline_desktop import format

translate = QCoreApplication.translate


@dataclass(frozen=True)
class Plan:
    """When jobs come, how long they take, and how many workers there are at first."""

    arrivals: Arrivals
    service: Service
    workers: int

    def expectation(self, workers: int) -> str:
        """What theory says with so many workers, as a sentence."""
        if not workers:
            return translate("Simulation", "0 workers: nothing is served.")
        found = expect(self.arrivals, Fixed(0.0), self.service, workers)
        if found.drain is not None:
            expected = format.duration(found.drain.expected)
            between = format.duration_range(found.drain.low, found.drain.high)
            if between != expected:
                expected = f"{expected} ({between})"
            return translate("Simulation", "Theory: the batch takes {}.").format(expected)
        steady = found.steady
        if steady is None or found.arrival_rate is None:
            return translate("Simulation", "Theory has no formula for this.")
        if found.is_unstable:
            return translate(
                "Simulation",
                "Unstable: {0} come and {1} can be served, so the queue grows without end. "
                "{2} workers keep up.",
            ).format(
                format.rate(found.arrival_rate),
                format.rate(workers * found.service_rate),
                format.count(found.enough),
            )
        return translate("Simulation", "Theory ({0}): ρ {1}, L {2}, τ {3}, wait {4}.").format(
            found.model,
            format.percent(steady.utilisation),
            format.number(steady.mean_in_system),
            format.duration(steady.mean_response),
            format.duration(steady.mean_wait),
        )

    def describe(self) -> str:
        """The load, as a sentence."""
        mean = format.duration(self.service.law.mean)
        if isinstance(self.arrivals, Batch):
            return translate("Simulation", "{0} jobs come at once and take {1} on average.").format(
                format.count(self.arrivals.jobs), mean
            )
        return translate("Simulation", "Jobs come at {0} and take {1} on average.").format(
            format.rate(self.arrivals.rate), mean
        )
