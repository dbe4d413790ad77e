"""A station: a queue, workers, what they do, and the meter that watches it."""

from dropline.station.limit import MIN_RATE, Limit, parse_rate
from dropline.station.reading import Reading
from dropline.station.retry import Backoff
from dropline.station.sampler import MAX_WINDOW, Sampler
from dropline.station.station import MAX_WORKERS, Hooks, Observer, Station
from dropline.station.work import Aborted, Attempt, Job, PermanentError, TransientError, Worker

__all__ = [
    "MAX_WINDOW",
    "MAX_WORKERS",
    "MIN_RATE",
    "Aborted",
    "Attempt",
    "Backoff",
    "Hooks",
    "Job",
    "Limit",
    "Observer",
    "PermanentError",
    "Reading",
    "Sampler",
    "Station",
    "TransientError",
    "Worker",
    "parse_rate",
]
