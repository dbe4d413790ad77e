"""The receiver's application without a server, for tests that ask it a great deal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from dropline.bus import MemoryBus
from dropline.receiver.app import create_app
from dropline.receiver.feed import Feed
from dropline.receiver.gate import Gate
from dropline.receiver.guard import Guard
from dropline.receiver.metrics import Metrics
from dropline.receiver.store import Store


@contextmanager
def application(data: Path) -> Iterator[Flask]:
    """The application over a store in `data`, as on http://localhost."""
    bus = MemoryBus("test")
    store = Store(data, None, bus)
    feed, gate = Feed(store, bus, tuple), Gate()
    guard, metrics = Guard("127.0.0.1", 80, None), Metrics(store, gate, feed, tuple)
    try:
        yield create_app(store, bus, guard, 1000, gate=gate, rate=None, feed=feed, metrics=metrics)
    finally:
        feed.close()
        store.close()
        bus.close()
