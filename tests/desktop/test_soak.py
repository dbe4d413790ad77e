"""A long day, compressed: whatever is changed over and over, nothing becomes more.

The short form of `make bench ARGS="--only soak"`. Counts are bounded; memory and times are not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
EVENTS, RATE = 4_000, 600
#: What may come and go by itself, such as a thread of a pool and the file that it reads.
PLAY = {"QObjects": 10, "timers": 0, "widgets": 2, "threads": 4, "descriptors": 4}
#: What is kept of the last minutes fills up, so many of a type at most; a leak of a chart's parts
#: or of a row for every job is more.
FILLING = 500
#: Of these none may be more.
ONCE = (
    "PySide6.QtCore.QTranslator",
    "dropline.load.line.LoadLine",
    "dropline_desktop.bus.QtBus",
    "dropline_desktop.simulation.page.SimulationPage",
)


@pytest.mark.timeout(400)
def test_nothing_becomes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from soak import growth

    done = subprocess.run(
        [
            *(sys.executable, str(BENCHMARKS / "soak.py")),
            *("--events", str(EVENTS), "--rate", str(RATE)),
        ],
        env=os.environ | {"QT_LOGGING_RULES": "default.warning=false"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["events"] >= EVENTS
    grown = growth(told)
    assert {name: grown[name] for name, most in PLAY.items() if grown[name] > most} == {}
    types = {name: more for name, more in grown.items() if name not in PLAY}
    assert {name: more for name, more in types.items() if more > FILLING} == {}
    before, after = told["before"]["types"], told["after"]["types"]
    assert {name for name in ONCE if after.get(name, 0) > before.get(name, 0)} == set()
