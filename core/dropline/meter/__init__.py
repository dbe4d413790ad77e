"""Measuring a line: its log, the live meter, and the figures of any window of either."""

from dropline.meter.fit import Range, ServiceFit, ServiceTime, time_left
from dropline.meter.log import Entry, Kind, LogError, Recorder, read_log
from dropline.meter.measure import measure
from dropline.meter.meter import Meter
from dropline.meter.percentiles import RELATIVE_ERROR, Percentiles
from dropline.meter.tally import State, Totals
from dropline.meter.window import Figures, LittlesLaw, Window, change, figures, littles_law

__all__ = [
    "RELATIVE_ERROR",
    "Entry",
    "Figures",
    "Kind",
    "LittlesLaw",
    "LogError",
    "Meter",
    "Percentiles",
    "Range",
    "Recorder",
    "ServiceFit",
    "ServiceTime",
    "State",
    "Totals",
    "Window",
    "change",
    "figures",
    "littles_law",
    "measure",
    "read_log",
    "time_left",
]
