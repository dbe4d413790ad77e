"""Measuring a line: its log, the live meter, and the figures of any window of either."""

from dropline.meter.log import Entry, Kind, LogError, Recorder, read_log
from dropline.meter.measure import measure
from dropline.meter.meter import Meter
from dropline.meter.percentiles import RELATIVE_ERROR, Percentiles
from dropline.meter.tally import State, Totals
from dropline.meter.window import Figures, LittlesLaw, Window, figures, littles_law

__all__ = [
    "RELATIVE_ERROR",
    "Entry",
    "Figures",
    "Kind",
    "LittlesLaw",
    "LogError",
    "Meter",
    "Percentiles",
    "Recorder",
    "State",
    "Totals",
    "Window",
    "figures",
    "littles_law",
    "measure",
    "read_log",
]
