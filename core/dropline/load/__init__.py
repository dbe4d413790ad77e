"""A load by laws: arrivals, sizes and service times, on a real station."""

from dropline.load.arrivals import Arrivals, Batch, Even, Poisson, Ramp, Recorded
from dropline.load.expected import Expected, expect
from dropline.load.items import Files, Items, Names
from dropline.load.laws import Exponential, Fixed, Law, Listed, LogNormal, scv
from dropline.load.line import STATION, Load, LoadLine
from dropline.load.target import Service, SimulatedTarget

__all__ = [
    "STATION",
    "Arrivals",
    "Batch",
    "Even",
    "Expected",
    "Exponential",
    "Files",
    "Fixed",
    "Items",
    "Law",
    "Listed",
    "Load",
    "LoadLine",
    "LogNormal",
    "Names",
    "Poisson",
    "Ramp",
    "Recorded",
    "Service",
    "SimulatedTarget",
    "expect",
    "scv",
]
