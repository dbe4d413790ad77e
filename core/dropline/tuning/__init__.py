"""How many workers: what the running line shows of itself, and what it would do with others.

`dropline.tuning.predict`, which needs NumPy, is loaded by the tuner when it is used.
"""

from dropline.tuning.advice import (
    Accuracy,
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    By,
    Capacity,
    Check,
    Doubt,
    Expected,
    Figure,
    Goal,
    GoalKind,
    LedgerWritten,
    Measured,
    Prediction,
    ProbeChanged,
    Progress,
    Recommendation,
    Record,
    Share,
    Stage,
    Why,
)
from dropline.tuning.ledger import Ledger
from dropline.tuning.tuner import Tuner

__all__ = [
    "Accuracy",
    "Advice",
    "AutopilotChanged",
    "AutopilotMoved",
    "Bottleneck",
    "By",
    "Capacity",
    "Check",
    "Doubt",
    "Expected",
    "Figure",
    "Goal",
    "GoalKind",
    "Ledger",
    "LedgerWritten",
    "Measured",
    "Prediction",
    "ProbeChanged",
    "Progress",
    "Recommendation",
    "Record",
    "Share",
    "Stage",
    "Tuner",
    "Why",
]
