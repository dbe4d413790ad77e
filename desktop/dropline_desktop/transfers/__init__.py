"""The list of transfers: one row a file, good for a million of them."""

from dropline_desktop.transfers.panel import TransfersPanel

__all__ = ["TransfersPanel"]
