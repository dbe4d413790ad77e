"""The size of a fleet that knows nothing of us: changed, verified, kept after a restart, undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from dropline.fleet import CeleryFleet

from .conftest import Broker, StartWorker
from .daemons import wait_until


@pytest.fixture
def fleet(workers: StartWorker, brokers: dict[str, Broker]) -> Iterator[CeleryFleet]:
    """One worker of our threads, one of processes, one of Celery's threads, with 2 each."""
    fleet = CeleryFleet(brokers["redis"].url)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


def sizes(fleet: CeleryFleet) -> dict[str, int]:
    return {each.name.split("-")[0]: each.workers for each in fleet.snapshot().members}


def test_the_size_is_real_kept_and_undone(
    fleet: CeleryFleet, brokers: dict[str, Broker], workers: StartWorker, tmp_path: Path
) -> None:
    few = {"custom": 2, "prefork": 2, "threads": 2}
    many = {"custom": 5, "prefork": 5, "threads": 2}
    assert sizes(fleet) == few
    fleet.resize(12)
    # Celery's own threads say that they can't, and the others take their share.
    wait_until(lambda: sizes(fleet) == many, "12 workers")
    fixed = next(each for each in fleet.snapshot().members if each.fixed)
    assert fixed.name == "threads-redis@test"
    assert fixed.refusal == "its pool can't change its size"
    # A worker that starts anew is given the size that was asked for.
    old = workers.made["custom-redis"]
    old.kill()
    old.start()
    wait_until(lambda: sizes(fleet) == many, "the size after a restart")
    # They all work.
    gate = tmp_path / "gate"
    app = Celery(broker=brokers["redis"].url, set_as_current=False)
    app.conf.task_send_sent_event = True
    for _ in range(100):  # more than all of them prefetch
        app.send_task("plain.hold", (str(gate),))
    wait_until(lambda: fleet.snapshot().running == 12, "12 tasks that run")
    with pytest.raises(ValueError, match="4 at least, one a process"):
        fleet.resize(3)
    # Fewer: our threads obey at once, running tasks end in their own time; prefork waits for them.
    assert fleet.undo()
    wait_until(lambda: sizes(fleet)["custom"] == 2, "2 threads")
    wait_until(lambda: any("busy" in m.refusal for m in fleet.snapshot().members), "a refusal")
    assert fleet.snapshot().running == 12
    gate.touch()
    wait_until(lambda: sizes(fleet) == few, "6 workers")
    assert fleet.snapshot().wanted == 6
    assert not fleet.undo()
