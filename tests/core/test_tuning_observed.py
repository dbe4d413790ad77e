"""What an observer of the log keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.meter.log import Entry, Kind
from dropline.meter.tally import Tally, to_ticks
from dropline.tuning.observed import KEPT, Observed


def test_rates_by_busy_workers_are_exact() -> None:
    seen = Observed(0.0)
    seen([Entry(0.0, Kind.WORKERS, workers=2), Entry(1.0, Kind.ARRIVE, 1)])
    seen([Entry(1.0, Kind.ARRIVE, 2), Entry(1.0, Kind.START, 1), Entry(2.0, Kind.START, 2)])
    seen([Entry(4.0, Kind.FINISH, 1), Entry(5.0, Kind.FAIL, 2)])
    shot = seen.snapshot(6.0)
    assert shot.seconds_by_busy == {0: 2.0, 1: 2.0, 2: 2.0}
    assert shot.completions_by_busy == {2: 1, 1: 1}
    assert shot.services == (3.0, 3.0)
    assert shot.gaps == (1.0, 0.0)
    assert shot.watched == 6.0
    assert (shot.in_system, shot.busy, shot.workers) == (0, 0, 2)


def test_a_bundle_is_one_busy_worker_whose_time_its_jobs_share() -> None:
    seen = Observed(0.0)
    seen([Entry(0.0, Kind.ARRIVE, job) for job in range(4)])
    seen([Entry(0.0, Kind.START, job, worker=7) for job in range(4)])
    assert seen.snapshot(1.0).busy == 1
    seen([Entry(2.0, Kind.FINISH, job) for job in range(4)])
    shot = seen.snapshot(2.0)
    assert shot.services == (0.5,) * 4
    assert shot.completions_by_busy == {1: 4}


def test_attempts_of_a_job_add_up_to_its_service_time() -> None:
    seen = Observed(0.0)
    seen([Entry(0.0, Kind.ARRIVE, 1), Entry(0.0, Kind.START, 1), Entry(2.0, Kind.RETRY, 1)])
    assert seen.snapshot(3.0).in_system == 1
    seen([Entry(5.0, Kind.START, 1), Entry(6.0, Kind.FINISH, 1)])
    assert seen.snapshot(6.0).services == (3.0,)


def test_who_was_there_already_is_present_but_no_arrival() -> None:
    seen = Observed(10.0)
    seen([Entry(1.0, Kind.ARRIVE, 1), Entry(12.0, Kind.ARRIVE, 2)])
    shot = seen.snapshot(14.0)
    assert (shot.in_system, shot.gaps, shot.watched) == (2, (2.0,), 4.0)
    assert shot.arrival_rate == 0.25


def test_only_the_latest_are_kept() -> None:
    seen = Observed(0.0)
    for job in range(2 * KEPT):
        t = float(job)
        seen([Entry(t, Kind.ARRIVE, job), Entry(t, Kind.START, job), Entry(t, Kind.FINISH, job)])
    shot = seen.snapshot(2.0 * KEPT)
    assert len(shot.gaps) == len(shot.services) == KEPT
    assert shot.watched == pytest.approx(KEPT + 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 3)), max_size=80))
def test_it_agrees_with_the_meter(steps: list[tuple[int, int, int]]) -> None:
    seen, tally = Observed(0.0), Tally(0)
    present: set[int] = set()
    running: set[int] = set()
    t = 0.0
    for job, what, wait in steps:
        t += wait
        if what == 0 and job not in present:
            kind = Kind.ARRIVE
            present.add(job)
        elif what == 1 and job in present - running:
            kind = Kind.START
            running.add(job)
        elif what == 2 and job in present:
            kind = Kind.CANCEL
            present.discard(job)
            running.discard(job)
        elif what > 2 and job in running:
            kind = Kind.FINISH if what == 3 else Kind.RETRY
            running.discard(job)
            present -= {job} if what == 3 else set()
        else:
            continue
        entry = Entry(t, kind, job, worker=job % 2 if kind is Kind.START else None)
        seen([entry])
        tally.apply(to_ticks(t), entry)
    shot, state, totals = seen.snapshot(t), tally.state(to_ticks(t)), tally.at(to_ticks(t))
    assert (shot.in_system, shot.busy) == (state.in_system, state.busy)
    assert sum(shot.completions_by_busy.values()) == totals.finished
    area = sum(busy * seconds for busy, seconds in shot.seconds_by_busy.items())
    assert area == pytest.approx(totals.busy_area / 2**40)
