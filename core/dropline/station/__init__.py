"""A station: a queue, workers, what they do, and the meter that watches it."""

from dropline.station.breaker import Breaker
from dropline.station.counts import Counts
from dropline.station.hooks import Hooks
from dropline.station.limit import MIN_RATE, Limit, parse_rate
from dropline.station.queue import SMALL, Order
from dropline.station.reading import Instruments, Reading
from dropline.station.retry import Backoff
from dropline.station.sampler import MAX_WINDOW, Sampler
from dropline.station.station import MAX_WORKERS, Observer, Station
from dropline.station.work import (
    Aborted,
    Attempt,
    BundleWorker,
    Job,
    PermanentError,
    Room,
    Spent,
    TransientError,
    Unreached,
    Worker,
)

__all__ = [
    "MAX_WINDOW",
    "MAX_WORKERS",
    "MIN_RATE",
    "SMALL",
    "Aborted",
    "Attempt",
    "Backoff",
    "Breaker",
    "BundleWorker",
    "Counts",
    "Hooks",
    "Instruments",
    "Job",
    "Limit",
    "Observer",
    "Order",
    "PermanentError",
    "Reading",
    "Room",
    "Sampler",
    "Spent",
    "Station",
    "TransientError",
    "Unreached",
    "Worker",
    "parse_rate",
]
