"""kill -9 of the sender, the receiver or both, at any instant: every file is stored exactly once.

    DROPLINE_TORTURE=200 make test ARGS=tests/core/test_torture.py

plays so many rounds instead of the few that go with every run of the tests. A game of some rounds
begins with new files; each round ends with a kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests

from .test_receiver_store import assert_sound

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")

ROUNDS = int(os.environ.get("DROPLINE_TORTURE", "16"))
ROUNDS_OF_A_GAME = 8
SMALL_FILES = 400
LARGE_FILES = (3 << 20, 24 << 20)
#: A round's length in seconds, drawn anew each time: from before the first file to after the last.
LONGEST = 1.2

#: The sender: drops once, and whenever it is started again goes on with what the journal says.
SENDER = """
import sys
from pathlib import Path
from dropline.bus import MemoryBus
from dropline.events import FileQueued
from dropline.home import Home
from dropline.line import Line
from dropline.station import Backoff, Breaker
from dropline.targets import ReceiverTarget

url, folder, home = sys.argv[1], sys.argv[2], Home(Path(sys.argv[3]))
dropped = home.root / "dropped"  # the drop was taken, as the first queued file shows
bus = MemoryBus()
bus.subscribe(FileQueued, lambda message: dropped.touch())
target = ReceiverTarget(url, installation=home.installation(), timeouts=(2.0, 5.0))
line = Line(target, bus, home=home, role="torture", workers=3, backoff=Backoff(base=0.02),
            breaker=Breaker(first=0.02, longest=0.2))
line.start()
if not dropped.exists():
    line.drop([folder])
print("started", flush=True)
for word in sys.stdin:  # "end": when everything is through
    while line.scanning or not line.station.wait_drained(0.1):
        pass
    break
print(line.station.counts().failed, flush=True)
line.close()
bus.close()
"""


class Program:
    """A program that is started, killed and started again."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.process: subprocess.Popen[str] | None = None
        self._started = ""

    def start(self) -> None:
        """Start it unless it runs."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self._started = ""

    def started(self) -> str:
        """The first line that it prints, however long ago."""
        self._started = self._started or self.line()
        return self._started

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self._over()

    def end(self) -> None:
        """Let it end by itself."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self._over()

    def _over(self) -> None:
        assert self.process is not None
        self.process.communicate(timeout=30)
        self.process = None


def make_files(folder: Path) -> dict[str, str]:
    """Many small files and some that take a while; name → SHA-256."""
    random_bytes = random.Random(1).randbytes
    digests: dict[str, str] = {}
    sizes = [number * 37 % 9000 for number in range(SMALL_FILES)] + list(LARGE_FILES)
    for number, size in enumerate(sizes):
        name = f"{folder.name}/{number % 7}/{number}"
        path = folder.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = random_bytes(size)
        path.write_bytes(data)
        digests[name] = sha256(data).hexdigest()
    return digests


def listed(url: str) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = []
    with requests.Session() as session:
        while True:
            after = files[-1]["file_id"] if files else ""
            page = session.get(f"{url}/files", params={"limit": 1000, "after": after}).json()
            files += page["files"]
            if page["next"] is None:
                return files


def serve(port: int, data: Path) -> list[str]:
    command = [sys.executable, "-m", "dropline_desktop", "serve"]
    return [*command, "--port", str(port), "--data", str(data)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("game", range(ROUNDS // ROUNDS_OF_A_GAME))
def test_nothing_is_lost_and_nothing_is_stored_twice(
    tmp_path: Path, other_disk: Path, game: int
) -> None:
    chance = random.Random(game)
    folder = other_disk / "files"  # not in a temporary folder, so that nothing is held
    expected = make_files(folder)
    data = tmp_path / "received"
    receiver = Program(serve(0, data))
    receiver.start()
    url = receiver.started().split()[3].rstrip(";")
    receiver.command = serve(int(url.rsplit(":", 1)[1]), data)
    sender = Program([sys.executable, "-c", SENDER, url, str(folder), str(tmp_path / "home")])
    kills = {"sender": 0, "receiver": 0}
    try:
        for _ in range(ROUNDS_OF_A_GAME):
            receiver.start()
            sender.start()
            victims = chance.choice([[sender], [receiver], [sender, receiver]])
            assert sender.process is not None
            try:
                sender.process.wait(chance.uniform(0.0, LONGEST))
            except subprocess.TimeoutExpired:
                for victim in victims:
                    kills["sender" if victim is sender else "receiver"] += 1
                    victim.kill()
        receiver.start()
        assert receiver.started().split()[3].rstrip(";") == url
        sender.start()
        assert sender.started() == "started"
        assert sender.process is not None
        assert sender.process.stdin is not None
        sender.process.stdin.write("end\n")
        sender.process.stdin.flush()
        assert sender.line() == "0"
        sender.end()
        files = listed(url)
        names = [file["name"] for file in files]
        assert sorted(names) == sorted(expected), "lost or doubled"
        assert {file["name"]: file["sha256"] for file in files} == expected
        assert_sound(data, files)
    finally:
        for program in (sender, receiver):
            program.end()
    print(json.dumps({"game": game, "kills": kills, "files": len(expected)}))
