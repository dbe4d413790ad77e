"""The journal: what is to be sent and what was, on disk before anybody is told."""

from dropline.journal.journal import Admission, Drop, Journal, Record, State
from dropline.journal.storage import JournalError

__all__ = ["Admission", "Drop", "Journal", "JournalError", "Record", "State"]
