"""Dropline: drop files in, watch the line, tune it."""

__version__ = "0.1.0"
