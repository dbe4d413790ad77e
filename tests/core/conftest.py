"""What the core's tests share: waiting, a bus and what it carried, a receiver, a line."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.admission import HERE
from dropline.bus import MemoryBus
from dropline.events import Event, Message
from dropline.home import Home
from dropline.line import Line
from dropline.receiver import Receiver
from dropline.station import Backoff, Breaker
from dropline.targets import ReceiverTarget
from dropline.targets.http import Timeouts

from .postgres import Postgres

Until = Callable[..., None]


@pytest.fixture
def until() -> Until:
    """`until(condition)`: wait until it is true; fail when it isn't within some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.002)

    return wait


class Heard:
    """Everything that a bus carried, in order."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.messages: list[Message] = []
        bus.subscribe("", self.messages.extend, batches=True)

    def of(self, *kinds: type[Event]) -> list[Event]:
        """The events of these classes so far."""
        return [message.data for message in self.messages if isinstance(message.data, kinds)]


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    """A bus, closed after the test."""
    made = MemoryBus("dropline/test")
    yield made
    made.close()


class Stored:
    """What a running receiver holds, as its own HTTP interface tells."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def files(self) -> list[dict[str, Any]]:
        """The records of all files."""
        files: list[dict[str, Any]] = []
        after = ""
        with requests.Session() as session:
            while True:
                answer = session.get(
                    f"{self.receiver.url}/files", params={"limit": 1000, "after": after}
                ).json()
                files += answer["files"]
                if answer["next"] is None:
                    return files
                after = answer["next"]

    def digests(self) -> dict[str, str]:
        """The SHA-256 of the bytes that it hands out for each name; names must differ."""
        files = self.files()
        assert len({file["name"] for file in files}) == len(files)
        with requests.Session() as session:
            return {file["name"]: self._digest(session, file["file_id"]) for file in files}

    def clear(self) -> None:
        """Delete all files."""
        with requests.Session() as session:
            for file in self.files():
                session.delete(f"{self.receiver.url}/files/{file['file_id']}").raise_for_status()

    def _digest(self, session: requests.Session, file_id: str) -> str:
        answer = session.get(f"{self.receiver.url}/files/{file_id}")
        assert answer.status_code == 200
        return sha256(answer.content).hexdigest()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A running receiver."""
    made = Receiver(tmp_path / "received", port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def stored(receiver: Receiver) -> Stored:
    """What the receiver holds."""
    return Stored(receiver)


@pytest.fixture
def stored_by() -> Callable[[Receiver], Stored]:
    """`stored_by(receiver)`: what another one holds."""
    return Stored


class Appender(threading.Thread):
    """Writes to the end of a file until it is told to rest."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="appender")
        self._path = path
        self._resting = threading.Event()

    def run(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            while not self._resting.wait(0.0005):
                file.write(b"more")

    def rest(self) -> None:
        self._resting.set()
        self.join()


@pytest.fixture
def appender() -> Iterator[Callable[[Path], Appender]]:
    """`appender(path)`: one that writes to that file from now on, at most until the test's end."""
    made: list[Appender] = []

    def begin(path: Path) -> Appender:
        made.append(Appender(path))
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.rest()


@dataclass(frozen=True)
class Request:
    """What a rogue server was asked."""

    method: str
    path: str
    body: bytes


class Rogue:
    """A server on loopback that answers each request as it is told; it notes what it was asked."""

    def __init__(self, answer: Callable[[Rogue, socket.socket, Request], None]) -> None:
        self.requests: list[Request] = []
        self.stop = threading.Event()
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads = [threading.Thread(target=self._accept, name="rogue")]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                connection.settimeout(5.0)
                thread = threading.Thread(target=self._serve, args=(connection,), name="rogue")
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as file:
            while (line := file.readline().decode("latin-1")) and not self.stop.is_set():
                length = 0
                while (header := file.readline()) not in {b"\r\n", b""}:
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                method, path, *_ = [*line.split(), "", ""]
                self.requests.append(Request(method, path, file.read(length)))
                self._answer(self, connection, self.requests[-1])


@pytest.fixture
def rogue() -> Iterator[Callable[..., Rogue]]:
    """`rogue(answer)`: a running one. `answer` is the bytes of every answer, or a function."""
    made: list[Rogue] = []

    def make(answer: bytes | Callable[[Rogue, socket.socket, Request], None]) -> Rogue:
        if isinstance(answer, bytes):
            data = answer
            made.append(Rogue(lambda _rogue, connection, _request: connection.sendall(data)))
        else:
            made.append(Rogue(answer))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def heard(bus: MemoryBus) -> Heard:
    """What the bus carried."""
    return Heard(bus)


@pytest.fixture
def make_line(bus: MemoryBus, dropline_home: Path) -> Iterator[Callable[..., Line]]:
    """`make_line(url)`: a line that has started, retries soon and is closed after the test.

    It waits `patience` seconds for a target that is down, and `pause` before it is tried again.
    """
    lines: list[Line] = []

    def make(
        url: str,
        workers: int = 4,
        home: Path = dropline_home,
        patience: float = 1.0,
        backoff: Backoff | None = None,
        timeouts: Timeouts = (5.0, 5.0),
        pause: float = 0.02,
        walk_here: int = HERE,
    ) -> Line:
        target = ReceiverTarget(url, installation=Home(home).installation(), timeouts=timeouts)
        lines.append(
            Line(
                target,
                bus,
                home=Home(home),
                workers=workers,
                patience=patience,
                backoff=backoff or Backoff(base=0.02),
                breaker=Breaker(first=pause, longest=10 * pause),
                walk_here=walk_here,
            )
        )
        lines[-1].start()
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], Path]]:
    """Call it to go on as a user who may not read everything; returns a folder of that user's.

    Root reads whatever it likes, so where the tests run as root they go on as nobody.
    """
    folder = Path(tempfile.mkdtemp(prefix="dropline-test-"))
    nobody = 65534

    def drop() -> Path:
        if os.geteuid() == 0:
            os.chown(folder, nobody, nobody)
            os.seteuid(nobody)
        return folder

    user = os.geteuid()
    yield drop
    os.seteuid(user)
    shutil.rmtree(folder)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is not temporary, on another file system than `tmp_path`."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="dropline-test-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """`small_disk(size)`: a file system of that many bytes, where one may be mounted (as root)."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=64", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a tmpfs cannot be mounted here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="session")
def postgres(need_program: Callable[[str, str], str]) -> Iterator[Postgres]:
    """A PostgreSQL server."""
    made = Postgres(need_program)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database.sqlite'}"
    url: str = request.getfixturevalue("postgres").database()
    return url
