"""A simulated load in the window: a dialog to choose it, a page that shows it, a line behind."""

from dropline_desktop.simulation.simulation import Simulation

__all__ = ["Simulation"]
