"""Intake: from dropped paths and watched folders to the files to send."""

from dropline.intake.folder import IsSent, Pace
from dropline.intake.hold import Hold
from dropline.intake.spool import Spool
from dropline.intake.walk import Batch, Found, Refused, Root, find, walk
from dropline.intake.watch import Watcher

__all__ = [
    "Batch",
    "Found",
    "Hold",
    "IsSent",
    "Pace",
    "Refused",
    "Root",
    "Spool",
    "Watcher",
    "find",
    "walk",
]
