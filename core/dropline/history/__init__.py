"""What a line did, in rows of a second and more: on disk for 30 days, or made of a recorded log."""

from dropline.history.keeper import Keeper
from dropline.history.replay import Replay, replay
from dropline.history.row import Row, Summary, join, summary
from dropline.history.storage import HistoryError
from dropline.history.store import Mark, Past, Store

__all__ = [
    "HistoryError",
    "Keeper",
    "Mark",
    "Past",
    "Replay",
    "Row",
    "Store",
    "Summary",
    "join",
    "replay",
    "summary",
]
