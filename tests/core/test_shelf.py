"""Jobs on the shelf: none is lost or doubled, and they come back in their order."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.station import Attempt, Job, Order, Station, station
from dropline.station.shelf import Shelf

from .test_station import Floor, Stories, until

actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6)),
        st.tuples(st.just("take"), st.integers(1, 8)),
        st.tuples(st.just("pick"), st.integers(0, 60)),
    ),
    max_size=40,
)


@given(actions)
def test_a_shelf_is_a_list(actions: list[tuple[str, int]]) -> None:
    shelf, model = Shelf(), dict[int, float]()
    last = 0
    for number, (what, value) in enumerate(actions):
        if what == "add":
            ids = range(last + 1, last + 1 + value)
            last += value
            shelf.add(reversed(ids), float(number))
            model |= dict.fromkeys(ids, float(number))
        elif what == "take":
            taken = shelf.take(value)
            first = list(model)[: len(taken)]
            assert list(taken) == first
            assert len(taken) >= min(value, len(model))
            for job in first:
                assert model.pop(job) == taken[job]
        else:
            picked = shelf.pick({value, value + 3, 999})
            assert picked == {j: model.pop(j) for j in (value, value + 3) if j in model}
        assert list(shelf) == list(model.items())
        assert len(shelf) == len(model)


class Store:
    """Where jobs are fetched from by their ids, as the journal does."""

    def __init__(self) -> None:
        self.most = 0
        self.asked: list[int] = []
        self.lock = threading.Lock()

    def fetch(self, jobs: Collection[int]) -> Sequence[Job[str]]:
        with self.lock:
            self.asked += jobs
            self.most = max(self.most, len(jobs))
        return [Job(job, f"item {job}", 10) for job in jobs]


def test_only_some_jobs_wait_in_memory_and_all_are_served_in_order() -> None:
    order: list[str] = []

    def behave(item: str, _attempt: Attempt) -> str:
        order.append(item)
        return item

    floor, stories, store = Floor(behave), Stories(), Store()
    made: Station[str, str] = Station(
        "test", floor.make_worker, stories, fetch=store.fetch, in_memory=10
    )
    for first in range(1, 500, 50):
        made.admit([Job(job, f"item {job}", 10) for job in range(first, first + 50)])
    counts = made.counts()
    assert (counts.waiting, counts.bytes_left) == (500, 5000)
    assert len(made._queue) == 10
    made.resize(1)
    assert made.wait_drained(20)
    assert made.close()
    assert order == [f"item {job}" for job in range(1, 501)]
    assert sorted(store.asked) == list(range(11, 501))  # each once
    assert made.counts().bytes_left == 0


def test_jobs_on_the_shelf_can_be_cancelled_held_and_preferred() -> None:
    floor, stories, store = Floor(), Stories(), Store()
    made: Station[str, str] = Station(
        "test", floor.make_worker, stories, fetch=store.fetch, in_memory=2
    )
    made.admit([Job(job, f"item {job}", 10) for job in range(1, 101)])
    made.cancel([50, 51, 1])
    made.hold([60])
    made.prioritise([70], 1)
    assert made.counts().waiting == 97
    made.resize(1)
    until(lambda: made.counts().finished == 96)
    assert stories.of[70][-1] == "finished item 70"
    assert [stories.of[job][-1] for job in (50, 51, 1, 60)] == ["cancelled"] * 3 + ["held"]
    made.cancel()
    assert made.wait_drained(60)
    assert made.close()


def test_the_shelf_is_served_after_all_that_waited_in_memory_is_cancelled() -> None:
    floor, stories, store = Floor(), Stories(), Store()
    made: Station[str, str] = Station(
        "test", floor.make_worker, stories, fetch=store.fetch, in_memory=2
    )
    floor.gate.clear()
    made.resize(2)
    made.admit([Job(job, f"item {job}", 10) for job in range(1, 101)])
    until(lambda: floor.busy == 2)
    made.cancel([job.id for job in made._queue])
    floor.gate.set()
    assert made.wait_drained(60)
    assert made.close()
    counts = made.counts()
    assert counts.waiting == 0
    assert counts.finished + counts.cancelled == 100


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Station[str, str], Stories]]:
    """A station without workers whose 100 jobs are on the shelf but for two, in ten batches."""
    monkeypatch.setattr(station, "FETCHED", 10)
    stories, store = Stories(), Store()
    made: Station[str, str] = Station(
        "test", Floor().make_worker, stories, fetch=store.fetch, in_memory=2
    )
    for first in range(1, 100, 10):
        made.admit([Job(job, f"item {job}", 10) for job in range(first, first + 10)])
    yield made, stories
    assert made.close()


def test_all_on_the_shelf_are_cancelled(full: tuple[Station[str, str], Stories]) -> None:
    """A regression: those beyond the first thousand were sent."""
    made, stories = full
    made.cancel()
    assert (made.counts().waiting, made.counts().cancelled) == (0, 100)
    assert {story[-1] for story in stories.of.values()} == {"cancelled"}
    assert made.wait_drained(0)


def test_all_on_the_shelf_are_held_and_released(full: tuple[Station[str, str], Stories]) -> None:
    made, stories = full
    made.hold()
    assert [stories.of[job][-1] for job in range(1, 101)] == ["held"] * 100
    made.resize(1)
    made.release()
    assert made.wait_drained(60)
    assert made.counts().finished == 100


def test_all_on_the_shelf_are_put_in_another_order(full: tuple[Station[str, str], Stories]) -> None:
    made, _ = full
    made.set_order(Order.SHORTEST)
    assert len(made._queue) == 100


def test_what_a_worker_is_fetching_is_cancelled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "FETCHED", 10)
    stories, store = Stories(), Store()
    begun, go = threading.Event(), threading.Event()

    def fetch(jobs: Collection[int]) -> Sequence[Job[str]]:
        begun.set()
        assert go.wait(60)
        return store.fetch(jobs)

    made: Station[str, str] = Station(
        "test", Floor().make_worker, stories, fetch=fetch, in_memory=2
    )
    for first in range(1, 100, 10):
        made.admit([Job(job, f"item {job}", 10) for job in range(first, first + 10)])
    made.resize(1)
    assert begun.wait(60)
    cancelling = threading.Thread(target=made.cancel)
    cancelling.start()
    made.pause()
    go.set()
    cancelling.join(60)
    assert made.counts().waiting == 0
    assert made.close()
