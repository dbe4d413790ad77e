"""Who is present in a line: whatever comes and goes, as a dictionary would tell it."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.meter.present import LONGEST, Present

#: What happens next: seconds pass, and who arrives or leaves.
steps_of_a_line = st.lists(
    st.one_of(
        # Numbers in a row: how far from the last, how many.
        st.tuples(st.just("numbers"), st.integers(0, 1), st.integers(-30, 5), st.integers(1, 40)),
        st.tuples(
            st.just("names"), st.integers(0, 1), st.lists(st.sampled_from("abcde"), max_size=3)
        ),
        # By their places among those present.
        st.tuples(st.just("leave"), st.lists(st.integers(0, 10_000), max_size=60)),
    ),
    max_size=30,
)


def check(present: Present, plain: dict[int | str, int]) -> None:
    assert present.count == len(plain)
    assert present.oldest() == min(plain.values(), default=None)


@given(steps_of_a_line)
def test_it_is_what_a_dictionary_is(steps: list[Any]) -> None:
    present, plain = Present(), dict[int | str, int]()
    time = last = 0
    for step in steps:
        arriving: list[int | str] = []
        match step:
            case "numbers", passed, offset, size:
                time += passed
                first = last + 1 + offset
                arriving += range(first, first + size)
                last = max(last, first + size - 1)
            case "names", passed, names:
                time += passed
                arriving += names
            case "leave", places:
                for place in places[: len(plain)]:
                    job = list(plain)[place % len(plain)]
                    assert present.remove(job) == plain.pop(job)
                    assert job not in present
        for job in arriving:
            assert (job in present) == (job in plain)
            if job not in plain:
                present.add(job, time)
                plain[job] = time
        check(present, plain)
    assert all(job in present for job in plain)
    for job in list(plain):
        assert present.remove(job) == plain.pop(job)
        check(present, plain)


def test_who_is_not_there_cannot_leave() -> None:
    present = Present()
    for job in (1, 2, 3):
        present.add(job, 7)
    present.remove(2)
    for job in (0, 2, 4, "2", None):
        assert job not in present
        with pytest.raises(KeyError):
            present.remove(job)
    assert present.count == 2


def test_a_waiting_job_takes_less_than_a_byte_and_leaves_nothing() -> None:
    """A drop of 50,000 files in the batches of the walk; they leave in order, but for one."""
    jobs = 50_000
    tracemalloc.start()
    try:
        present = Present()
        before, _ = tracemalloc.get_traced_memory()
        for first in range(1, jobs, 500):
            for job in range(first, first + 500):
                present.add(job, first * 10**12)
        waiting = tracemalloc.get_traced_memory()[0] - before
        for job in range(2, jobs):
            present.remove(job)
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert present.count == 2
    assert waiting <= jobs
    assert left <= 10_000
    assert present.oldest() == 10**12


def test_however_many_come_at_once_a_departure_stays_small() -> None:
    present = Present()
    for job in range(10 * LONGEST):
        present.add(job, 1)
    assert max(sys.getsizeof(run.gone) for run in present._runs) < 200
    for job in reversed(range(10 * LONGEST)):
        assert present.remove(job) == 1
    assert (present.count, present.oldest()) == (0, None)
