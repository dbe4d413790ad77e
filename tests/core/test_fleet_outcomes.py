"""One outcome a file, whoever comes first, and however many begin at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.fleet.handle import (
    TRIES,
    AwayError,
    File,
    GivenUpError,
    Source,
    WrongBytesError,
    handle,
    only_verify,
)
from dropline.fleet.outcomes import Outcomes


def test_workers_that_start_at_once_share_one_new_database(tmp_path: Path) -> None:
    for number in range(5):
        url = f"sqlite:///{tmp_path}/{number}/outcomes.sqlite"
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(Outcomes, [url] * 8))
        kept = [
            outcomes.add("f", "0" * 64, {"by": place}, "w") for place, outcomes in enumerate(made)
        ]
        assert kept == [True, *[False] * 7]
        assert made[7].all()[0].result == {"by": 0}
        for outcomes in made:
            outcomes.close()


def test_how_far_files_were_sent_is_remembered(tmp_path: Path) -> None:
    outcomes = Outcomes(f"sqlite:///{tmp_path}/outcomes.sqlite")
    assert outcomes.fed("http://r") == ""
    outcomes.set_fed("http://r", "1")
    outcomes.set_fed("http://r", "2")
    assert outcomes.fed("http://r") == "2"
    assert outcomes.get("none") is None
    outcomes.close()


def test_what_is_no_database_is_said_so() -> None:
    with pytest.raises(ValueError, match=r"“nonsense” is no database that can be used"):
        Outcomes("nonsense")


@pytest.fixture
def outcomes(tmp_path: Path) -> Iterator[Outcomes]:
    made = Outcomes(f"sqlite:///{tmp_path}/outcomes.sqlite")
    yield made
    made.close()


class Served(Source):
    """A receiver's file, without a receiver."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("http://r", None)
        self._error = error

    def fetch(self, file: File, path: Path) -> bool:
        if self._error is not None:
            raise self._error
        path.write_text("x")
        return True


FILE = File("f", "f.txt", 1, "0" * 64)


def fail(path: Path, file: File) -> Any:
    raise KeyError("as it was asked to")


@pytest.mark.parametrize("served", [Served(), Served(WrongBytesError("wrong"))])
def test_a_file_that_always_fails_is_given_up_and_may_be_handled_again(
    served: Served, outcomes: Outcomes
) -> None:
    for _ in range(TRIES - 1):
        with pytest.raises((KeyError, WrongBytesError)):
            handle(FILE, served, fail, outcomes, "w")
    assert outcomes.dead() == []
    with pytest.raises(GivenUpError, match=r"f.txt \(f\) was handled 4 times .*--again"):
        handle(FILE, served, fail, outcomes, "w")
    (dead,) = outcomes.dead()
    assert (dead.file_id, dead.name) == ("f", "f.txt")
    assert "at last" in dead.why
    outcomes.revive("f")
    assert handle(FILE, Served(), only_verify, outcomes, "w") == "handled"
    assert outcomes.dead() == []


def test_a_file_that_kills_its_worker_is_given_up_before_it_does_once_more(
    outcomes: Outcomes,
) -> None:
    def die(path: Path, file: File) -> Any:
        raise SystemExit

    for _ in range(TRIES):
        with pytest.raises(SystemExit):
            handle(FILE, Served(), die, outcomes, "w")
    with pytest.raises(GivenUpError, match="its worker died each time"):
        handle(FILE, Served(), die, outcomes, "w")
    assert "died" in outcomes.dead()[0].why


def test_a_receiver_that_is_away_costs_a_file_no_try(outcomes: Outcomes) -> None:
    away = Served(requests.ConnectionError("away"))
    for _ in range(3 * TRIES):
        with pytest.raises(AwayError):
            handle(FILE, away, only_verify, outcomes, "w")
    assert handle(FILE, Served(), only_verify, outcomes, "w") == "handled"
