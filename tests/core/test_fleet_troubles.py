"""What goes wrong in a fleet is told once, with the remedy, and again when it is over."""

from __future__ import annotations

from typing import Any

from dropline.events import FleetRecovered, FleetTroubled
from dropline.fleet.tasks import Tasks
from dropline.fleet.troubles import (
    ENOUGH,
    HOARDED_AFTER,
    LONG_AFTER,
    RESTARTED_WITHIN,
    RESTARTS,
    Troubles,
)


def tell(tasks: Tasks, t: float, kind: str, task: str, process: str = "a@h", **more: Any) -> None:
    tasks.event(
        t, {"type": f"task-{kind}", "uuid": task, "hostname": process, "name": "app.f", **more}
    )


def served(seconds: float = 0.1, process: str = "a@h", count: int = ENOUGH) -> Tasks:
    """Books in which so many tasks were done."""
    tasks = Tasks()
    tasks.begin(0, 0)
    serve(tasks, seconds, process, count)
    return tasks


def serve(tasks: Tasks, seconds: float, process: str, count: int) -> None:
    for number in range(count):
        name = f"{process}{number}{len(tasks.served)}"
        for kind, t in (("sent", 0.0), ("received", 0.0), ("started", 1.0)):
            tell(tasks, t, kind, name, process)
        tell(tasks, 1 + seconds, "succeeded", name, process)


def looked(troubles: Troubles, t: float, tasks: Tasks, workers: int = 1) -> list[str]:
    troubles.look(t, tasks, workers)
    return [each.what for each in troubles.take()]


def test_a_trouble_is_told_once_and_once_that_it_is_over() -> None:
    troubles = Troubles()
    for _ in range(2):
        troubles.begin("away", "broker", "gone", after="back")
    for _ in range(2):
        troubles.end("away", "broker")
    assert troubles.take() == [FleetTroubled("broker", "gone"), FleetRecovered("broker", "back")]
    assert troubles.take() == []


def test_a_task_that_runs_far_longer_than_others_is_named() -> None:
    tasks, troubles = served(), Troubles()
    tell(tasks, 2, "started", "x")
    assert looked(troubles, 2 + LONG_AFTER, tasks) == []
    (told,) = looked(troubles, 3 + LONG_AFTER, tasks)
    assert told.startswith("Task app.f x has run for 11 s at a@h, where the last 20 took 0.1 s")
    assert "task_time_limit" in told
    assert looked(troubles, 9 + LONG_AFTER, tasks) == []
    tell(tasks, 20, "succeeded", "x")
    assert looked(troubles, 21, tasks) == ["Task app.f x does not run any more"]


def test_where_all_tasks_are_long_none_is_too_long() -> None:
    tasks, troubles = served(60), Troubles()
    tell(tasks, 70, "started", "x")
    assert looked(troubles, 270, tasks) == []


def test_a_task_begun_again_and_again_is_named() -> None:
    tasks, troubles = Tasks(), Troubles()
    tasks.begin(0, 0)
    for number in range(3):
        assert looked(troubles, number, tasks) == []
        tell(tasks, number, "started", "x", f"w{number}@h")
        tasks.gone(number + 0.5, f"w{number}@h")
    (told,) = looked(troubles, 3, tasks)
    assert told.startswith("Task app.f x was begun 3 times and never done, the last time at w2@h")
    tell(tasks, 4, "started", "x")
    tell(tasks, 5, "failed", "x")
    assert looked(troubles, 6, tasks) == [
        "Task app.f x, begun again and again, is done or given up"
    ]


def test_a_worker_much_slower_than_the_others_is_named_until_it_keeps_up() -> None:
    tasks, troubles = served(0.1), Troubles()
    serve(tasks, 1, "slow@h", 6)
    (told,) = looked(troubles, 3, tasks)
    assert told.startswith("slow@h takes 1 s for a task, the others 0.1 s")
    serve(tasks, 0.1, "slow@h", 80)
    assert looked(troubles, 4, tasks) == ["slow@h keeps up with the others again"]


def test_prefetched_tasks_beside_idle_workers_are_told() -> None:
    tasks, troubles = Tasks(), Troubles()
    tasks.begin(0, 0)
    for name in "xyz":
        tell(tasks, 1, "sent", name)
        tell(tasks, 1, "received", name)
    tell(tasks, 1, "started", "x")
    assert looked(troubles, 2, tasks, workers=3) == []
    (told,) = looked(troubles, 2 + HOARDED_AFTER, tasks, workers=3)
    assert told.startswith("Busy workers have prefetched 2 tasks and 2 others are idle")
    tell(tasks, 9, "started", "y", "b@h")
    tell(tasks, 9, "started", "z", "b@h")
    (over,) = looked(troubles, 10, tasks, workers=3)
    assert "any more" in over


def test_a_worker_that_is_started_again_and_again_is_named_until_it_stays_up() -> None:
    troubles = Troubles()
    for t in range(RESTARTS):
        troubles.seen(t, "a@h", t)
    assert troubles.take() == []
    for t in (4, 5):
        troubles.seen(t, "a@h", RESTARTS)
    (told,) = troubles.take()
    assert told.what.startswith("a@h was started anew 3 times within 5 minutes")
    troubles.seen(6 + RESTARTED_WITHIN, "a@h", RESTARTS)
    assert [each.what for each in troubles.take()] == ["a@h stays up"]
