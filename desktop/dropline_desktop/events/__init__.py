"""The event log."""

from dropline_desktop.events.panel import EventLog

__all__ = ["EventLog"]
