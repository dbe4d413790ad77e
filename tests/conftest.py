"""What every test gets: a data folder of its own, and a guard against threads that outlive it."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType

import keyring
import pytest
from hypothesis import settings
from keyring.backend import KeyringBackend

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent.parent
THREADS_END_WITHIN = 20.0

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("dropline", deadline=None)
# For fuzzing at length: see tests/core/test_receiver_fuzz.py.
settings.register_profile("million", deadline=None, database=None, max_examples=62_000)
settings.load_profile("dropline")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run tests beside one another, but a `quiet` one alone: it compares times."""
    if "PYTEST_XDIST_WORKER" not in os.environ or fcntl is None:
        return (yield)
    quiet = item.get_closest_marker("quiet") is not None
    folder = Path(item.config.rootpath, ".pytest_cache")
    folder.mkdir(exist_ok=True)
    # Who comes later stands behind the door, so that a quiet one's turn comes.
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if quiet else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        return (yield)


@pytest.fixture(autouse=True)
def no_thread_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that starts a thread, daemon or not, which does not end with it."""
    started: list[tuple[threading.Thread, str]] = []
    start = threading.Thread.start

    def noted_start(thread: threading.Thread) -> None:
        started.append((thread, _caller_in_project()))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted_start)
    yield
    deadline = time.monotonic() + THREADS_END_WITHIN
    for thread, _ in started:
        if thread.ident is not None:  # its start may have failed
            thread.join(max(0.0, deadline - time.monotonic()))
    left = [f"{thread.name}, started at {where}" for thread, where in started if thread.is_alive()]
    if left:
        pytest.fail("threads left behind: " + "; ".join(left), pytrace=False)


def _caller_in_project() -> str:
    """file:line nearest to a thread's start that is the project's own, not a library's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return "a place outside the project"


@pytest.fixture(autouse=True)
def widgets_go_in_the_main_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """As in the program: a widget that another thread collects with the garbage is a crash."""
    if "qapp" not in request.fixturenames:
        yield
        return
    gc.disable()
    yield
    gc.collect(1)
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def no_widget_is_left_to_other_tests() -> Iterator[None]:
    """What only a look at all objects finds, goes before tests whose threads might."""
    yield
    if "PySide6" in sys.modules:
        gc.collect()


@pytest.fixture(autouse=True)
def dropline_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh DROPLINE_HOME, for this process and those that it starts."""
    home = tmp_path / "dropline-home"
    monkeypatch.setenv("DROPLINE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def need_program() -> Callable[[str, str], str]:
    """`need_program("Xvfb", "xvfb")`: the program's path, by its name and its Debian package's.

    Where it is not installed the test is skipped, naming the package; with CI=true it fails, for
    there `make test` has installed it.
    """

    def need(program: str, package: str) -> str:
        path = shutil.which(program)
        if path is not None:
            return path
        reason = f"{program} is not installed (Debian package {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    return need


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        assert username, "some backends take no empty name"
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    """A keyring in memory, in place of this machine's."""
    before, mine = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)
