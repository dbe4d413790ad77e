"""The queue: every order, priority and hold, against a list that is sorted whenever it is asked."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dropline.station import SMALL, Job, Order
from dropline.station.queue import Queue


def job(number: int, size: int = 10, priority: int = 0) -> Job[str]:
    return Job(number, f"item {number}", size, priority=priority)


def filled(*jobs: Job[str], order: Order = Order.FIFO) -> Queue[str]:
    queue: Queue[str] = Queue()
    queue.order = order
    for each in jobs:
        queue.add(each)
    return queue


def served(queue: Queue[str]) -> list[int]:
    """The ids in the order in which they are served, all of them."""
    return [each.id for each in iter(queue.pop, None)]


def test_an_empty_queue() -> None:
    queue = filled()
    assert queue.peek() is queue.pop() is queue.remove(1) is None
    assert not queue.hold(1)
    assert not queue.release(1)
    assert not queue.prioritise(1, 5)
    assert not queue.has_small()
    assert (len(queue), queue.ready, list(queue), 1 in queue) == (0, 0, [], False)
    with pytest.raises(KeyError):
        queue.get(1)


def test_first_come_first_served() -> None:
    assert served(filled(job(3), job(1), job(2))) == [3, 1, 2]


def test_who_is_added_first_goes_before_the_others_of_its_priority() -> None:
    queue = filled(job(1), job(2, priority=1))
    queue.add(job(3), first=True)
    queue.add(job(4), first=True)
    assert served(queue) == [2, 4, 3, 1]


def test_the_shortest_goes_first_and_among_equals_who_came_first() -> None:
    jobs = job(1, 30), job(2, 10), job(3, 20), job(4, 10), job(5, 99, priority=1)
    assert served(filled(*jobs, order=Order.SHORTEST)) == [5, 2, 4, 3, 1]


def test_large_jobs_are_passed_over_where_they_are_not_wanted() -> None:
    queue = filled(job(1, SMALL + 1), job(2, SMALL), job(3, SMALL + 1, priority=1), job(4))
    assert queue.has_small()
    assert [each.id for each in iter(lambda: queue.pop(large=False), None)] == [2, 4]
    assert not queue.has_small()
    assert queue.peek(large=False) is None
    assert served(queue) == [3, 1]


def test_the_order_may_change_in_the_middle() -> None:
    queue = filled(job(1, 30), job(2, 10), job(3, 20), job(4, 5))
    assert queue.pop() is not None
    queue.hold(3)
    queue.order = Order.SHORTEST
    queue.add(job(5, 7))
    queue.release(3)
    assert [each.id for each in (queue.pop(), queue.pop()) if each] == [4, 5]
    queue.order = Order.FIFO
    assert served(queue) == [2, 3]


def test_a_held_job_waits_and_keeps_its_place() -> None:
    queue = filled(job(1), job(2), job(3))
    assert queue.hold(1)
    assert not queue.hold(1)
    assert (len(queue), queue.ready, 1 in queue) == (3, 2, True)
    assert {each.id for each in queue} == {1, 2, 3}
    assert queue.peek() is queue.get(2)
    assert queue.release(1)
    assert not queue.release(1)
    assert served(queue) == [1, 2, 3]


def test_a_held_job_can_be_removed() -> None:
    queue = filled(job(1), job(2))
    held = queue.get(1)
    queue.hold(1)
    assert queue.remove(1) is held
    assert queue.remove(1) is None
    assert served(queue) == [2]


def test_a_job_of_another_priority_goes_behind_those_that_have_it() -> None:
    queue = filled(job(1), job(2, priority=1), job(3), job(4, priority=1))
    assert queue.prioritise(1, 1)
    assert queue.prioritise(2, -1)
    assert served(queue) == [4, 1, 3, 2]


def test_the_priority_that_a_job_has_already_costs_it_no_place() -> None:
    queue = filled(job(1), job(2))
    assert queue.prioritise(1, 0)
    assert served(queue) == [1, 2]


def test_a_priority_given_while_held_counts_after_the_release() -> None:
    queue = filled(job(1, priority=5), job(2, priority=1), job(3))
    queue.hold(1)
    assert queue.prioritise(1, 0)
    queue.release(1)
    assert served(queue) == [2, 3, 1]


class Sorted(RuleBasedStateMachine):
    """A queue and its model: a list in order of place, sorted by what the order looks at."""

    ids = st.integers(1, 12)  # few, so that most are here
    sizes = st.sampled_from([0, 1, 7, SMALL, SMALL + 1, 9 * SMALL])
    priorities = st.integers(-1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.queue: Queue[str] = Queue()
        self.line: list[Job[str]] = []
        self.held: set[int] = set()
        self.last = 0

    def known(self, number: int) -> Job[str] | None:
        return next((each for each in self.line if each.id == number), None)

    def next(self, *, large: bool = True) -> Job[str] | None:
        by_size = self.queue.order is Order.SHORTEST
        ready = [
            each for each in self.line if each.id not in self.held and (large or each.size <= SMALL)
        ]
        ready.sort(key=lambda each: (-each.priority, each.size * by_size))  # stable: then by place
        return ready[0] if ready else None

    @initialize(many=st.lists(st.tuples(sizes, priorities), min_size=4, max_size=10))
    def begin(self, many: list[tuple[int, int]]) -> None:
        for size, priority in many:
            self.add(size, priority, first=False)

    @rule(size=sizes, priority=priorities, first=st.booleans())
    def add(self, size: int, priority: int, first: bool) -> None:
        self.last += 1
        new = job(self.last, size, priority)
        self.queue.add(new, first=first)
        self.line.insert(0 if first else len(self.line), new)

    @rule(large=st.booleans())
    def pop(self, large: bool) -> None:
        expected = self.next(large=large)
        assert self.queue.pop(large=large) is expected
        if expected is not None:
            self.line.remove(expected)

    @rule(first=st.booleans())
    def come_back(self, first: bool) -> None:
        """As a job does that was served and waits again."""
        if (again := self.queue.pop()) is not None:
            self.queue.add(again, first=first)
            self.line.remove(again)
            self.line.insert(0 if first else len(self.line), again)

    @rule(number=ids)
    def remove(self, number: int) -> None:
        expected = self.known(number)
        assert self.queue.remove(number) is expected
        if expected is not None:
            self.line.remove(expected)
            self.held.discard(number)

    @rule(number=ids)
    def hold(self, number: int) -> None:
        ready = self.known(number) is not None and number not in self.held
        assert self.queue.hold(number) == ready
        if ready:
            self.held.add(number)

    @rule(number=ids)
    def release(self, number: int) -> None:
        assert self.queue.release(number) == (number in self.held)
        self.held.discard(number)

    @rule(number=ids, priority=priorities)
    def prioritise(self, number: int, priority: int) -> None:
        here = self.known(number)
        before = here and here.priority
        assert self.queue.prioritise(number, priority) == (here is not None)
        if here is not None:
            assert here.priority == priority
            if before != priority:
                self.line.remove(here)
                self.line.append(here)

    @rule(order=st.sampled_from(Order))
    def change_order(self, order: Order) -> None:
        self.queue.order = order
        assert self.queue.order is order

    @invariant()
    def agrees(self) -> None:
        assert self.queue.peek() is self.next()
        assert self.queue.peek(large=False) is self.next(large=False)
        assert self.queue.has_small() == (self.next(large=False) is not None)
        assert len(self.queue) == len(self.line)
        assert self.queue.ready == len(self.line) - len(self.held)
        assert {each.id for each in self.queue} == {each.id for each in self.line}
        for each in self.line:
            assert each.id in self.queue
            assert self.queue.get(each.id) is each

    def teardown(self) -> None:
        for number in self.held:
            self.queue.release(number)
        self.held.clear()
        while (expected := self.next()) is not None:
            assert self.queue.pop() is expected
            self.line.remove(expected)
        assert len(self.queue) == 0


TestSorted = Sorted.TestCase
TestSorted.settings = settings(max_examples=100, stateful_step_count=30)
