"""A station in the text format of Prometheus: counters that add up, and the figures of a minute.

Areas are counters too: `rate(dropline_station_in_system_seconds_total)` is L exactly, over whatever
time Prometheus is asked for. Imported when somebody asks: the client takes 40 ms to import.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import attrgetter

from prometheus_client import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dropline.meter import Percentiles, Totals
from dropline.meter.percentiles import bin_value
from dropline.meter.tally import TICKS, to_seconds
from dropline.station.reading import Instruments

#: Upper bounds of the histograms' buckets, in seconds.
BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21_600),
)
_FIGURES = {
    "arrival_rate": "λ, jobs a second that arrived, over the last minute",
    "throughput": "X, jobs a second that finished, over the last minute",
    "service_rate": "μ, attempts a second that one worker ends while it is busy, last minute",
    "mean_in_system": "L, jobs in the station on average over the last minute",
    "mean_waiting": "Lq, jobs that waited on average over the last minute",
    "utilisation": "ρ, share of the workers' time that was used, over the last minute",
    "mean_response": "τ, mean seconds from arrival to finish, over the last minute",
}
_COUNTS = {
    "arrivals": "Jobs that arrived",
    "finished": "Jobs that finished",
    "failed": "Jobs that failed for good",
    "retried": "Attempts that failed in passing",
    "cancelled": "Jobs that were cancelled",
}
#: Name, meaning, and where the value is in `Instruments`.
_STATE = (
    ("waiting", "Jobs that wait now", "reading.waiting"),
    ("oldest_seconds", "Age of the oldest job", "reading.oldest"),
    ("workers_wanted", "Workers asked for", "reading.wanted"),
    ("workers_running", "Workers alive", "reading.running"),
    ("workers_busy", "Workers at work", "reading.busy"),
    ("workers_recommended", "Workers recommended for the goal", "recommended"),
)
_AREAS: dict[str, tuple[str, Callable[[Totals], int]]] = {
    "in_system": ("∫N dt: its rate is L", lambda t: t.in_system_area),
    "waiting": ("∫Nq dt: its rate is Lq", lambda t: t.in_system_area - t.serving_area),
    "busy": ("Worker-seconds at work", lambda t: t.busy_area),
    "capacity": ("Worker-seconds in all; busy ones over these are ρ", lambda t: t.capacity_area),
}
_TIMES = {
    "response": "τ, from arrival to finish; bounds hold to within 1 %",
    "wait": "From arrival to first start; bounds hold to within 1 %",
}
_LABELS = ["station"]
#: Each with its label.
_Named = Sequence[tuple[list[str], Instruments]]


def exposition(stations: Sequence[Instruments]) -> bytes:
    """The page that Prometheus reads. What is not known is left out."""
    return generate_latest(Stations(lambda: stations))


class Stations(Collector):
    """Collects what `stations` gives whenever somebody asks."""

    def __init__(self, stations: Callable[[], Sequence[Instruments]]) -> None:
        self._look = stations

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: a registry that asks would otherwise collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        """As `Collector`."""
        return self._families([([each.reading.station], each) for each in self._look()])

    def _families(self, stations: _Named) -> Iterable[Metric]:
        for name, meaning in _FIGURES.items():
            figure = attrgetter(f"reading.figures.{name}")
            gauge = GaugeMetricFamily(_full(name), meaning, labels=_LABELS)
            yield _filled(gauge, figure, stations)
        for name, meaning, path in _STATE:
            state = attrgetter(path)
            gauge = GaugeMetricFamily(_full(name), meaning, labels=_LABELS)
            yield _filled(gauge, state, stations)
        for name, meaning in _COUNTS.items():
            count = attrgetter(f"totals.{name}")
            counter = CounterMetricFamily(_full(name), meaning, labels=_LABELS)
            yield _filled(counter, count, stations)
        for name, (meaning, area) in _AREAS.items():
            family = CounterMetricFamily(_full(f"{name}_seconds"), meaning, labels=_LABELS)
            for station, each in stations:
                family.add_metric(station, area(each.totals) / TICKS)
            yield family
        for name, meaning in _TIMES.items():
            histogram = HistogramMetricFamily(_full(f"{name}_seconds"), meaning, labels=_LABELS)
            for station, each in stations:
                total = to_seconds(getattr(each.totals, f"{name}_sum"))
                histogram.add_metric(station, _buckets(getattr(each.spread, name)), total)
            yield histogram


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily,
    value: Callable[[Instruments], float | None],
    stations: _Named,
) -> Metric:
    for station, each in stations:
        if (known := value(each)) is not None:
            family.add_metric(station, known)
    return family


def _full(name: str) -> str:
    return f"dropline_station_{name}"


def _buckets(times: Percentiles) -> list[tuple[str, float]]:
    """How many of the times are at most as long as each of `BUCKETS`."""
    zeros, first, counts = times.histogram
    values = [bin_value(first + i) for i in range(len(counts))]
    below = list(accumulate(counts, initial=zeros))
    bounds = [(f"{bound:g}", float(below[bisect_right(values, bound)])) for bound in BUCKETS]
    return [*bounds, ("+Inf", float(below[-1]))]
