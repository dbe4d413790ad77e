"""Dropline: drop files in, watch the line, tune it."""

__version__ = "1.0.0"
