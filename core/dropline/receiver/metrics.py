"""`GET /metrics`: the receiver, and the stations beside it, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dropline.receiver.feed import Feed
from dropline.receiver.gate import Gate
from dropline.receiver.problems import Problem
from dropline.receiver.store import Store
from dropline.station import Reading

#: Bounds of the histogram of request durations, in seconds.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """What is counted, in a registry of its own."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        feed: Feed,
        readings: Callable[[], Sequence[Reading]],
    ) -> None:
        """`readings` as for `Feed`."""
        self.registry = CollectorRegistry()
        self._problems = Counter(
            "dropline_problems",
            "Requests and files refused, by type of problem",
            ("type",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "dropline_request_seconds",
            "Time to serve a request, its body included",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._gauge("files", "Files held now", store.files.count)
        self._gauge("uploads_running", "Uploads that run now", lambda: gate.running)
        self._gauge("event_clients", "Clients that listen to /events", lambda: feed.clients)
        self.registry.register(_Totals(store))
        self.registry.register(_Stations(readings))
        ProcessCollector(registry=self.registry)

    def served(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._seconds.labels(method, route, status).observe(seconds)

    def refused(self, problem: Problem) -> None:
        """Count a problem."""
        self._problems.labels(problem.kind.name).inc()

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(f"dropline_{name}", meaning, registry=self.registry).set_function(value)


_FIGURES = {
    "arrival_rate": "λ, files a second that arrived",
    "throughput": "X, files a second that were finished",
    "service_rate": "μ, files a second that one worker can finish",
    "mean_in_system": "L, files in the system on average",
    "mean_waiting": "Lq, files that waited on average",
    "utilisation": "ρ, share of the workers' time that was used",
}


class _Totals(Collector):
    """What the store has counted itself."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        """As `Collector`."""
        store = self._store
        yield CounterMetricFamily("dropline_files_stored", "Files stored", store.stored)
        yield CounterMetricFamily("dropline_bytes_stored", "Their bytes", store.stored_bytes)
        yield CounterMetricFamily("dropline_files_deleted", "Files deleted", store.deleted)


class _Stations(Collector):
    """The stations' figures over their window; what is not known is left out."""

    def __init__(self, readings: Callable[[], Sequence[Reading]]) -> None:
        self._readings = readings

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: a registry that asks would otherwise collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        """As `Collector`."""
        readings = self._readings()
        for name, meaning in _FIGURES.items():
            family = GaugeMetricFamily(f"dropline_station_{name}", meaning, labels=["station"])
            for reading in readings:
                if (value := getattr(reading.figures, name)) is not None:
                    family.add_metric([reading.station], value)
            yield family
        workers = GaugeMetricFamily(
            "dropline_station_workers", "Workers, by state", labels=["station", "state"]
        )
        waiting = GaugeMetricFamily(
            "dropline_station_waiting", "Files that wait now", labels=["station"]
        )
        response = Metric(
            "dropline_station_response_seconds",
            "τ, time from arrival to finish; quantiles over the window, sum and count in all",
            "summary",
        )
        for reading in readings:
            station = {"station": reading.station}
            for state in ("wanted", "running", "busy"):
                workers.add_metric([reading.station, state], getattr(reading, state))
            waiting.add_metric([reading.station], reading.waiting)
            for quantile, seconds in (
                ("0.5", reading.p50),
                ("0.95", reading.p95),
                ("0.99", reading.p99),
            ):
                if seconds is not None:
                    response.add_sample(response.name, station | {"quantile": quantile}, seconds)
            response.add_sample(f"{response.name}_sum", station, reading.responses)
            response.add_sample(f"{response.name}_count", station, reading.finished)
        yield from (workers, waiting, response)
