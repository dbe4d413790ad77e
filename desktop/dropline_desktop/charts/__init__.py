"""The live charts."""

from dropline_desktop.charts.marks import MarkKind, mark_of
from dropline_desktop.charts.panel import Charts

__all__ = ["Charts", "MarkKind", "mark_of"]
