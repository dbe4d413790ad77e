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
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from dropline.receiver.feed import Feed
from dropline.receiver.gate import Gate
from dropline.receiver.problems import Problem
from dropline.receiver.store import Store
from dropline.station import Instruments
from dropline.station.metrics import Stations

#: Bounds of the histogram of request durations, in seconds.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """What is counted, in a registry of its own."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        feed: Feed,
        stations: Callable[[], Sequence[Instruments]],
    ) -> None:
        """`stations` gives the figures now of each station that there is."""
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
        self.registry.register(Stations(stations))
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
