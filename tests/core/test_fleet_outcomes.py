"""One outcome a file, whoever comes first, and however many begin at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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
