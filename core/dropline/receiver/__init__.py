"""The receiver: takes files over HTTP, and keeps their bytes and a row each in a database."""

from dropline.receiver.receiver import Receiver, ReceiverError
from dropline.receiver.store import MAX_SMALL, SMALL

__all__ = ["MAX_SMALL", "SMALL", "Receiver", "ReceiverError"]
