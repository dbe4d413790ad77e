"""The receiver: takes files over HTTP, keeps their bytes on disk and a row each in a database."""

from dropline.receiver.receiver import Receiver, ReceiverError

__all__ = ["Receiver", "ReceiverError"]
