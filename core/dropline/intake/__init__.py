"""Intake: from dropped paths to the files to send."""

from dropline.intake.hold import Hold
from dropline.intake.spool import Spool
from dropline.intake.walk import Batch, Found, Refused, Root, walk

__all__ = ["Batch", "Found", "Hold", "Refused", "Root", "Spool", "walk"]
