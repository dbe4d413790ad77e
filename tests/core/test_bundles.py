"""How many files go into one request: growth, halving and giving up, with a clock of the test's."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.targets import bundles as module
from dropline.targets.bundles import (
    FIRST_FILES,
    GIVE_UP,
    GROWTH,
    MOST_BYTES,
    MOST_FILES,
    SECONDS,
    SLOW,
    Bundles,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_bundle() -> None:
    assert Bundles().room() == (FIRST_FILES, MOST_BYTES)


def test_quick_bundles_grow_to_the_most() -> None:
    bundles = Bundles()
    sizes = []
    for _ in range(6):
        files = bundles.room().items
        sizes.append(files)
        bundles.went(files, files * 1e-6)
    assert sizes[:3] == [FIRST_FILES, GROWTH * FIRST_FILES, GROWTH**2 * FIRST_FILES]
    assert sizes[-1] == MOST_FILES


def test_a_bundle_that_takes_no_time_at_all_grows_it_too() -> None:
    bundles = Bundles()
    bundles.went(FIRST_FILES, 0.0)
    assert bundles.room().items == GROWTH * FIRST_FILES


def test_a_bundle_is_to_take_so_many_seconds() -> None:
    bundles = Bundles()
    bundles.went(32, 2 * SECONDS)
    assert bundles.room().items == 16
    bundles.went(16, SECONDS)
    assert bundles.room().items == 16
    bundles.went(16, SECONDS / 1.5)
    assert bundles.room().items == 24
    bundles.went(24, 1000.0)
    assert bundles.room().items == 1
    bundles.went(1, 1e-3)
    assert bundles.room().items == GROWTH


@pytest.mark.parametrize("files", [1, 2, FIRST_FILES - 1])
def test_a_small_bundle_that_went_quickly_says_nothing_of_larger_ones(files: int) -> None:
    bundles = Bundles()
    bundles.went(files, 1e-6)
    assert bundles.room().items == FIRST_FILES


def test_a_small_bundle_does_not_leave_less_than_fits_by_its_own_pace() -> None:
    bundles = Bundles()
    bundles.went(1, SECONDS / 20)
    assert bundles.room().items == 20


def test_a_bundle_that_breaks_off_halves_it_down_to_one() -> None:
    bundles = Bundles()
    for files in (16, 8, 4, 2, 1, 1):
        bundles.broke()
        assert bundles.room().items == files


def test_a_target_that_takes_none_is_offered_one_again_after_a_while() -> None:
    clock = Clock()
    bundles = Bundles(clock)
    bundles.went(FIRST_FILES, 1e-6)
    bundles.refused()
    clock.now += GIVE_UP - 1
    assert bundles.room().items == 1
    clock.now += 1
    assert bundles.room().items == FIRST_FILES
    bundles.refused()
    assert bundles.room().items == 1


@given(
    st.lists(
        st.sampled_from(["broke", "refused", "wait"])
        | st.tuples(st.integers(1, 2 * MOST_FILES), st.just(0.0) | st.floats(1e-9, 100))
    )
)
def test_there_is_always_room_for_one_and_never_for_too_many(steps: list[object]) -> None:
    clock = Clock()
    bundles = Bundles(clock)
    for step in steps:
        before = bundles.room().items
        match step:
            case (int(files), float(seconds)):
                bundles.went(files, seconds)
                assert bundles.room().items <= max(before, GROWTH * before)
            case "wait":
                clock.now += GIVE_UP / 2
            case str(name):
                getattr(bundles, name)()
                assert bundles.room().items <= before
        assert 1 <= bundles.room().items <= MOST_FILES
        assert bundles.room().size == MOST_BYTES


class Other:
    """Another worker, which takes its turn and ends it."""

    def __init__(self, bundles: Bundles) -> None:
        self.done = threading.Event()
        self._bundles = bundles
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._bundles.turn():
            pass
        self.done.set()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody goes on before it is his turn."""
    monkeypatch.setattr(module, "TURN", 60.0)


def test_workers_make_their_bundles_in_turn(patient: None) -> None:
    bundles = Bundles(Clock())
    with bundles.turn() as turn:
        turn.next_file()
        other = Other(bundles)
        assert not other.done.is_set()
    assert other.done.wait(60.0)


def test_a_slow_file_ends_the_turn(patient: None) -> None:
    clock = Clock()
    bundles = Bundles(clock)
    with bundles.turn() as turn:
        other = Other(bundles)
        clock.now += SLOW / 2
        turn.next_file()
        clock.now += SLOW * 2
        turn.next_file()
        assert other.done.wait(60.0)
        turn.next_file()  # one that has no turn any more ends none
    with bundles.turn():
        pass


def test_a_worker_that_hangs_at_a_file_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 0.001)
    bundles = Bundles()
    with bundles.turn():
        other = Other(bundles)
        assert other.done.wait(60.0)
    with bundles.turn():  # which was given back once
        pass
