"""The size of a fleet: how it is shared out, and a pool of threads that changes while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.fleet.pool import TaskPool
from dropline.fleet.sizes import can_not, least, plan, resize

SIZES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 20), min_size=1)


@given(SIZES, st.integers(0, 100), st.data())
def test_a_fleet_has_the_size_that_is_wanted_or_the_nearest_it_can(
    sizes: dict[str, int], wanted: int, data: st.DataObject
) -> None:
    fixed = data.draw(st.sets(st.sampled_from(sorted(sizes))))
    planned = plan(wanted, sizes, fixed)
    assert set(planned) == set(sizes)
    assert all(planned[name] == sizes[name] for name in fixed)
    free = [planned[name] for name in sizes if name not in fixed]
    assert all(size >= 1 for size in free)
    if free and wanted >= least(sizes, fixed):
        assert sum(planned.values()) == wanted
        assert max(free) - min(free) <= 1
    assert plan(wanted, planned, fixed) == planned  # applied again it changes nothing


class Worker:
    """Answers remote controls as Celery's prefork does while `busy` processes work."""

    def __init__(self, size: int, busy: int) -> None:
        self.size = size
        self.busy = busy

    def ask(
        self,
        command: str,
        workers: Collection[str] | None = None,
        *,
        within: float = 1.0,
        **arguments: Any,
    ) -> dict[str, Any]:
        if command == "pool_grow":
            self.size += arguments["n"]
        elif self.size - 1 < self.busy:
            return {"w": {"error": "Can't shrink pool. All processes busy!"}}
        else:
            self.size -= arguments["n"]
        return {"w": {"ok": "pool will"}}


def test_a_busy_worker_shrinks_as_far_as_it_can_and_says_so() -> None:
    worker = Worker(6, busy=4)
    assert resize(worker, "w", 6, 2, autoscaled=False) == "Can't shrink pool. All processes busy!"
    assert worker.size == 4
    worker.busy = 0
    assert resize(worker, "w", 4, 2, autoscaled=False) is None
    assert worker.size == 2
    assert resize(worker, "other", 2, 3, autoscaled=False) == "other does not answer"


def test_a_pool_without_sizes_is_known_by_its_answer() -> None:
    assert can_not("'TaskPool' object has no attribute 'grow'")
    assert not can_not("Can't shrink pool. All processes busy!")
    assert not can_not(None)


@pytest.fixture
def pool() -> Iterator[TaskPool]:
    made = TaskPool(2)
    made.start()
    yield made
    made.stop()


class Gate:
    """A task that runs until it is let go."""

    def __init__(self) -> None:
        self.running = self.most = self.done = 0
        self._go = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self._go.acquire()
        with self._lock:
            self.running -= 1
            self.done += 1

    def let(self, count: int) -> None:
        self._go.release(count)


def hand(pool: TaskPool, task: Callable[[], None], count: int) -> None:
    for _ in range(count):
        pool.apply_async(task, callback=lambda _result: None)


def test_the_pool_grows_at_once_and_shrinks_without_an_interruption(
    pool: TaskPool, until: Callable[..., None]
) -> None:
    gate = Gate()
    hand(pool, gate, 12)
    until(lambda: gate.running == 2)
    pool.grow(4)
    until(lambda: gate.running == 6)
    pool.shrink(4)
    assert gate.running == 6  # they end in their own time,
    assert pool.info["max-concurrency"] == 2
    gate.let(4)
    until(lambda: gate.done == 4)
    until(lambda: pool.info["threads"] == 2)
    assert gate.running == 2  # and none takes their place
    gate.most = 0
    gate.let(8)
    until(lambda: gate.done == 12)
    assert gate.most <= 2


def test_the_pool_keeps_a_thread(pool: TaskPool) -> None:
    with pytest.raises(ValueError, match="2 threads can't become 0: keep one"):
        pool.shrink(2)
    assert pool.num_processes == 2


def test_a_task_that_raises_anything_costs_no_thread(
    pool: TaskPool, until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def bad() -> None:
        raise RuntimeError("as it was asked to")

    hand(pool, bad, 4)
    gate = Gate()
    hand(pool, gate, 2)
    until(lambda: gate.running == 2)
    gate.let(2)
    until(lambda: gate.done == 2)
    assert "as it was asked to" in caplog.text
