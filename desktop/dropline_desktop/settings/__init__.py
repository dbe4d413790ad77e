"""What can be set: kept in one file, asked for in one dialog, handed on as JSON."""

from dropline_desktop.settings.store import Settings

__all__ = ["Settings"]
