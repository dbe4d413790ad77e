"""Where files are sent to, behind one protocol."""

from dropline.targets.receiver import ReceiverTarget
from dropline.targets.target import Receipt, Target, Upload

__all__ = ["Receipt", "ReceiverTarget", "Target", "Upload"]
