"""`dropline worker`: files that a receiver stores are handled by many, and each is handled once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

import requests

from dropline.fleet.outcomes import Outcomes
from dropline.receiver import Receiver

from .conftest import Broker
from .daemons import Daemon, wait_until

HERE = Path(__file__).parent
FILES = 60


def start_workers(broker: Broker, receiver: str, folder: Path, names: str) -> list[Daemon]:
    """Workers that handle a receiver's files; the first feeds them."""
    folder.mkdir()
    base = [sys.executable, "-m", "dropline_desktop", "worker", "--broker", broker.url]
    base += ["--receiver", receiver, "--outcomes", f"sqlite:///{folder}/outcomes.sqlite"]
    base += ["--handler", "slow_handler:count", "--visible", "15", "--queue", "killed"]
    environment = {"PYTHONPATH": str(HERE), "HANDLER_LOG": str(folder / "runs")}
    made = []
    for name in names:
        more = ["--name", name, *(["--feed"] if name == names[0] else [])]
        made.append(Daemon(name, [*base, *more], folder, environment=environment))
    return made


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    brokers: dict[str, Broker], tmp_path: Path, dropline_home: Path
) -> None:
    receiver = Receiver(tmp_path / "receiver", port=0)
    receiver.start()
    with contextlib.ExitStack() as stack:
        stack.callback(receiver.stop)
        texts = {f"f{i}.txt": f"{i}\n" * i for i in range(FILES)}
        parts = [("file", (name, text)) for name, text in texts.items()]
        requests.post(f"{receiver.url}/upload", files=parts, timeout=30).raise_for_status()
        folders = {name: tmp_path / name for name in brokers}
        fleets = {
            name: start_workers(broker, receiver.url, folders[name], "abc")
            for name, broker in brokers.items()
        }
        for worker in (worker for fleet in fleets.values() for worker in fleet):
            stack.callback(worker.kill)
            worker.begin()
        for name, fleet in fleets.items():
            runs = folders[name] / "runs"
            wait_until(lambda r=runs: r.exists() and len(r.read_text().split()) > 10, "runs")
            fleet[0].kill()  # the one that feeds, perhaps in the middle of it,
            fleet[0].begin()  # and goes on where it was
        for folder in folders.values():
            outcomes = Outcomes(f"sqlite:///{folder}/outcomes.sqlite")
            stack.callback(outcomes.close)
            wait_until(lambda o=outcomes: len(o.all()) == FILES, f"{FILES} outcomes")
            listed = requests.get(f"{receiver.url}/files?limit=1000", timeout=30).json()["files"]
            names = {file["file_id"]: file["name"] for file in listed}
            for outcome in outcomes.all():
                text = texts[names[outcome.file_id]]
                assert outcome.result == {"lines": text.count("\n")}
                assert outcome.sha256 == hashlib.sha256(text.encode()).hexdigest()
            runs = Counter((folder / "runs").read_text().split())
            assert set(runs) == set(names)
            again = sum(runs.values()) - FILES
            assert again <= 2, f"{folder.name}: only what the dead worker's two threads had"
        living = sum(map(len, fleets.values()))
        assert len(os.listdir(dropline_home / "fetched")) == living, "what the dead had is gone"
