"""Where the window sends to: which of several targets is used, and what each of them is."""

from dropline_desktop.destination.button import DestinationButton
from dropline_desktop.destination.dialog import DestinationDialog

__all__ = ["DestinationButton", "DestinationDialog"]
