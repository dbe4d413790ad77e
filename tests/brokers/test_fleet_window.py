"""The window on a Celery fleet: it shows what the fleet does, and changes its size."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from celery import Celery

from .conftest import Broker, StartWorker

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6")

from dropline.fleet import CeleryFleet, celery
from dropline_desktop.fleet import FleetWindow
from dropline_desktop.theme import Mode, Theme


def test_the_window_shows_and_tunes_a_fleet(
    qtbot,
    qapp,
    workers: StartWorker,
    brokers: dict[str, Broker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, soon in (("SIZES_EVERY", 0.5), ("HELD_EVERY", 1.0), ("MISSES", 2)):
        monkeypatch.setattr(celery, name, soon)
    broker = brokers["redis"]
    window = FleetWindow(
        Theme(qapp, Mode.LIGHT), lambda record: CeleryFleet(broker.url, record=record)
    )
    qtbot.addWidget(window)
    window.start()
    assert window.windowTitle().startswith("Dropline")
    tuner = window.instruments.tuner
    qtbot.waitUntil(lambda: tuner.spin.value() == 6, timeout=60_000)
    app = Celery(broker=broker.url, set_as_current=False)
    app.conf.task_send_sent_event = True
    for _ in range(30):
        app.send_task("plain.work", (str(tmp_path), 0.1), task_id=uuid.uuid4().hex)
    finished = lambda: window.sampler.read(60).finished  # noqa: E731
    qtbot.waitUntil(lambda: finished() == 30, timeout=60_000)
    qtbot.waitUntil(lambda: "exact" in window.note.text(), timeout=60_000)
    # One process has fewer workers than it may have: said, and shown again as it is.
    tuner.spin.setValue(1)
    qtbot.waitUntil(lambda: "4 at least" in window.note.text(), timeout=60_000)
    qtbot.waitUntil(lambda: tuner.spin.value() == 6, timeout=60_000)
    tuner.spin.setValue(7)
    read = lambda: window.sampler.read(1)  # noqa: E731
    qtbot.waitUntil(lambda: read().wanted == read().running == 7, timeout=60_000)
    tuner.spin.setValue(6)
    qtbot.waitUntil(lambda: read().wanted == read().running == 6, timeout=60_000)
    listed = lambda: [  # noqa: E731
        window.log.model.sentence_at(row) for row in range(window.log.model.rowCount())
    ]
    assert "Workers: 6 → 7" in listed()
    # A worker that hangs is an event, and so is its return.
    hung = workers.made["prefork-redis"]
    hung.freeze()
    try:
        told = lambda what: any(what in each for each in listed())  # noqa: E731
        qtbot.waitUntil(lambda: told("prefork-redis@test does not answer"), timeout=60_000)
    finally:
        hung.thaw()
    qtbot.waitUntil(lambda: told("prefork-redis@test answers again"), timeout=60_000)
    with qtbot.waitSignal(window.finished, timeout=60_000):
        window.close()
