"""Watched folders: what comes to rest is handed over, each content once, whatever happens.

Where time matters it is simulated: the watcher's threads sleep on a clock that a test moves, with
real files and the system's real notices. What is quick runs in real time, with a shorter pace.
"""

from __future__ import annotations

import gc
import math
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dropline.intake.notice  # noqa: F401 - while this user may still read all of Python
from dropline.events import (
    Event,
    FileFailed,
    FileQueued,
    FileRefused,
    FileSkipped,
    FileUploaded,
    FolderLost,
    FolderReturned,
    FolderUnwatched,
    FolderWatched,
)
from dropline.intake import Pace, Watcher
from dropline.intake.ignored import Ignored
from dropline.intake.settle import GATHER, Settling
from dropline.line import Line

Until = Callable[..., None]
Content = tuple[str, int, int]

QUICK = Pace(settle=0.15, closed=0.05, rescan=0.3, poll=0.2, check=0.05)
#: Only notices can be as quick as a test waits.
BY_NOTICE = Pace(settle=0.3, closed=0.05, rescan=3600, check=3600)
MINUTE = 60.0
HOUR = 3600.0


class Time:
    """A clock that moves when a test says so. Threads that wait by it sleep until then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._changed = threading.Condition()
        self._asleep: dict[threading.Event, float] = {}
        self._threads: set[threading.Event] = set()

    def clock(self) -> float:
        return self.now

    def wait(self, wake: threading.Event, seconds: float) -> None:
        """What a thread calls to sleep."""
        if seconds <= 0:
            return
        with self._changed:
            self._threads.add(wake)
            self._asleep[wake] = self.now + seconds
            self._changed.notify_all()
        wake.wait()
        with self._changed:
            self._asleep.pop(wake, None)

    def go_on(self, seconds: float) -> None:
        """Let this much time pass, step by step, each thread waking when it wanted to."""
        end = self.now + seconds
        while True:
            with self._changed:
                assert self._changed.wait_for(self._all_asleep, 20), "a thread does not go to sleep"
                first = min(self._asleep.values(), default=math.inf)
                self.now = max(self.now, min(first, end))
                if first > end:
                    return
                for wake in [wake for wake, due in self._asleep.items() if due <= self.now]:
                    del self._asleep[wake]
                    wake.set()

    def _all_asleep(self) -> bool:
        return (
            len(self._threads) > 0
            and self._asleep.keys() == self._threads
            and not any(wake.is_set() for wake in self._threads)
        )


class Watched:
    """A watcher, what it handed over, and what it told."""

    def __init__(self, time: Time | None, **options: Any) -> None:
        self.contents: list[Content] = []
        self.batches: list[tuple[str, ...]] = []
        self.events: list[Event] = []
        self.sent: set[Content] = set()
        self.time = time
        if time is not None:
            options |= {"clock": time.clock, "wait": time.wait}
        self.watcher = Watcher(self.take, self.is_sent, self.events.append, **options)

    def is_sent(self, *content: Any) -> bool:
        return content in self.sent

    def take(self, paths: Sequence[str]) -> None:
        self.batches.append(tuple(paths))
        self.contents.extend(content_of(path) for path in paths)

    def of(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.contents]

    def go_on(self, seconds: float) -> None:
        assert self.time is not None
        self.time.go_on(seconds)


def content_of(path: str | Path) -> Content:
    status = os.stat(path)
    return (str(path), status.st_size, status.st_mtime_ns)


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "outbox"
    made.mkdir()
    return made


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """`watch(folder…, simulated=True, **options)`: a watcher of these folders."""
    made: list[Watched] = []

    def make(*folders: Path, simulated: bool = False, **options: Any) -> Watched:
        made.append(Watched(Time() if simulated else None, **options))
        for folder in folders:
            made[-1].watcher.watch(str(folder))
        return made[-1]

    yield make
    for watched in made:
        assert watched.watcher.close(10)


# --- settling ------------------------------------------------------------------------------------


def test_a_file_rests_when_two_looks_far_enough_apart_agree() -> None:
    settling = Settling(settle=2.0, closed=0.5)
    assert not settling.seen("a", 1, 1, 0.0)
    assert settling.waiting == ("a",)
    assert settling.next_look == 2.0
    assert settling.due(1.9, 9) == []
    assert not settling.seen("a", 1, 1, 1.9)
    assert settling.due(2.0, 9) == ["a"]
    assert settling.seen("a", 1, 1, 2.0)
    assert len(settling) == 0
    assert settling.next_look == math.inf


def test_one_look_is_never_enough() -> None:
    settling = Settling(settle=0.0, closed=0.0)
    assert not settling.seen("a", 1, 1, 5.0)
    assert settling.seen("a", 1, 1, 5.0)


@pytest.mark.parametrize("change", [(2, 1), (1, 2)], ids=["size", "time"])
def test_a_file_that_changes_rests_anew(change: tuple[int, int]) -> None:
    settling = Settling(settle=2.0, closed=0.5)
    settling.seen("a", 1, 1, 0.0)
    assert not settling.seen("a", *change, 2.0)
    assert not settling.seen("a", *change, 3.9)
    assert settling.seen("a", *change, 4.0)


def test_a_closed_file_rests_sooner_unless_somebody_touches_it() -> None:
    settling = Settling(settle=2.0, closed=0.5)
    settling.seen("a", 1, 1, 0.0, closed=True)
    assert settling.next_look == 0.5
    settling.seen("b", 1, 1, 0.0)
    settling.seen("b", 1, 1, 1.0, closed=True)
    assert settling.stirred("a", 0.4)
    assert not settling.stirred("c", 0.4)
    assert settling.due(1.5, 9) == ["b"]
    assert settling.seen("b", 1, 1, 1.5)
    assert settling.due(2.3, 9) == []
    assert settling.due(2.4 + GATHER, 9) == ["a"]
    assert settling.seen("a", 1, 1, 2.5)


def test_a_file_that_never_rests_waits_for_ever_and_costs_no_more() -> None:
    settling = Settling(settle=2.0, closed=0.5)
    for number in range(10_000):
        now = number * 0.3
        for path in settling.due(now, 9):
            assert not settling.seen(path, number, number, now, closed=number % 2 == 0)
        assert not settling.seen("a", number, number, now)
    assert settling.waiting == ("a",)
    assert len(settling._looks) < 10


def test_looks_come_in_parts_when_they_are_many() -> None:
    settling = Settling(settle=2.0, closed=0.5)
    for number in range(25):
        settling.seen(str(number), 1, 1, 0.0)
    seen: list[str] = []
    while settling.next_look <= 2.0:
        part = settling.due(2.0, 10)
        assert 0 < len(part) <= 10
        seen += part
    assert sorted(seen, key=int) == [str(number) for number in range(25)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.3, 0.5, 1.0, 1.99, 2.0, 5.0]),
        st.sampled_from("abc"),
        st.sampled_from(["write", "close", "silent", "stir", "delete", "scan"]),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_what_is_taken_has_rested_and_what_rests_is_taken(
    steps: list[tuple[float, str, str]],
) -> None:
    settle, closed = 2.0, 0.5
    settling = Settling(settle, closed)
    files: dict[str, int] = {}  # the number of its content
    changed: dict[str, float] = {}
    done: dict[str, bool] = {}  # whether its writer closed it after the last change
    taken: list[tuple[str, int]] = []
    now = 0.0

    def look(path: str, *, by_writer: bool = False) -> None:
        if path not in files:
            settling.gone(path)
        elif settling.seen(path, 1, files[path], now, closed=by_writer):
            rest = closed if done[path] else settle
            assert now - changed[path] >= rest - 1e-9
            taken.append((path, files[path]))

    def pass_until(end: float) -> None:
        nonlocal now
        while settling.next_look <= end:
            now = max(now, settling.next_look)
            for path in settling.due(now, 2):
                look(path)
        now = end

    for number, (gap, path, what) in enumerate(steps):
        pass_until(now + gap)
        if what in {"write", "close", "silent"}:
            files[path], changed[path], done[path] = number, now, what == "close"
            if what != "silent":
                look(path, by_writer=what == "close")
        elif what == "stir":
            settling.stirred(path, now)
        elif what == "delete":
            files.pop(path, None)
        else:
            for known in files:
                if (known, files[known]) not in taken:
                    look(known)
        assert len(settling._looks) <= 3 * (len(settling) + len(steps))
    for path in files:
        if (path, files[path]) not in taken:
            look(path)
    pass_until(now + settle + 2 * GATHER)
    pass_until(now + settle + 2 * GATHER)
    assert len(settling) == 0
    assert settling.next_look == math.inf
    assert set(files.items()) <= set(taken)


# --- names and memory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "film.part", "FILM.PART", "x.crdownload", "x.tmp", ".~lock.a.odt#", "~$a.docx", "a~",
        ".a.txt.swp", ".#a", ".photo.jpg.Xy12Za", ".nfs000000001", "x.part/inside", "dir.tmp/a/b",
    ],
)  # fmt: skip
def test_names_of_unfinished_files_are_ignored(name: str) -> None:
    assert f"/watched.tmp/{name}" in Ignored("/watched.tmp")


@pytest.mark.parametrize(
    "name", ["film", "part", "a.partner", "tmp", ".hidden", "a.b", "two\nlines", "~a", "a~b"]
)
def test_other_names_are_not(name: str) -> None:
    assert f"/watched.tmp/{name}" not in Ignored("/watched.tmp")
    assert f"/watched.tmp/{name}" not in Ignored("/watched.tmp", [])


# --- what comes, in real time --------------------------------------------------------------------


def test_what_is_there_and_what_comes_is_handed_over(
    watch: Any, folder: Path, until: Until
) -> None:
    before = write(folder / "before")
    watched = watch(folder, pace=BY_NOTICE)
    until(lambda: watched.paths == [str(before)])
    assert watched.events == [FolderWatched(str(folder))]
    assert watched.watcher.folders == (str(folder),)
    after = write(folder / "after")
    until(lambda: watched.paths == [str(before), str(after)])


def test_a_rename_into_place_is_taken(
    watch: Any, folder: Path, tmp_path: Path, until: Until
) -> None:
    watched = watch(folder, pace=BY_NOTICE)
    until(lambda: watched.events)
    part = write(folder / "film.part")
    (tmp_path / "outside").write_bytes(b"x")
    os.rename(tmp_path / "outside", folder / "moved in")
    until(lambda: watched.paths == [str(folder / "moved in")])
    os.rename(part, folder / "film")
    until(lambda: watched.paths == [str(folder / "moved in"), str(folder / "film")])
    os.rename(folder / "film", folder / "renamed")
    until(lambda: watched.paths[2:] == [str(folder / "renamed")])


def test_what_is_modified_later_is_taken_again(watch: Any, folder: Path, until: Until) -> None:
    watched = watch(folder, pace=BY_NOTICE)
    path = write(folder / "file", b"one")
    until(lambda: len(watched.contents) == 1)
    path.write_bytes(b"three")
    until(lambda: len(watched.contents) == 2)
    os.utime(path, ns=(1, 1))
    until(lambda: len(watched.contents) == 3)
    assert watched.contents[1:] == [(str(path), 5, watched.contents[1][2]), (str(path), 5, 1)]


def test_a_new_subfolder_with_files_in_it_is_taken(
    watch: Any, folder: Path, tmp_path: Path, until: Until
) -> None:
    watched = watch(folder, pace=BY_NOTICE)
    until(lambda: watched.events)
    for number in range(20):
        write(folder / f"a{number}" / "b" / "c" / "deep")
        write(folder / f"a{number}" / "flat")
    write(tmp_path / "elsewhere" / "sub" / "file")
    os.rename(tmp_path / "elsewhere", folder / "moved")
    until(lambda: len(watched.contents) == 41)
    write(folder / "a7" / "b" / "later")
    write(folder / "moved" / "sub" / "later")
    until(lambda: len(watched.contents) == 43)
    assert len(set(watched.paths)) == 43


def test_2000_files_at_once_are_handed_over_once_each_and_in_batches(
    watch: Any, folder: Path, tmp_path: Path, until: Until
) -> None:
    source = tmp_path / "source"
    for number in range(2000):
        write(source / f"{number % 7}" / f"{number}", b"x" * (number % 50))
    watched = watch(folder, pace=QUICK)
    until(lambda: watched.events)
    shutil.copytree(source, folder / "copy")
    until(lambda: len(watched.contents) >= 2000, 30)
    until(lambda: not watched.watcher.waiting)
    assert {path: count for path, count in Counter(watched.paths).items() if count > 1} == {}
    assert len(watched.contents) == 2000
    assert len(watched.batches) < 200


def test_a_loop_of_links_does_no_harm_and_a_linked_folder_is_taken(
    watch: Any, folder: Path, tmp_path: Path, until: Until
) -> None:
    write(folder / "sub" / "file")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self").symlink_to("self")
    write(tmp_path / "elsewhere" / "linked")
    watched = watch(folder, pace=QUICK)
    until(lambda: len(watched.contents) == 1)
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "late loop").symlink_to(folder / "sub")
    until(lambda: len(watched.contents) == 2)
    write(tmp_path / "elsewhere" / "later")
    until(lambda: len(watched.contents) == 3)
    until(lambda: any(event.note for event in watched.of(FolderWatched)))
    assert sorted(watched.paths) == [
        f"{folder}/link/later", f"{folder}/link/linked", f"{folder}/sub/file",
    ]  # fmt: skip
    until(lambda: watched.of(FileRefused))
    [refused] = watched.of(FileRefused)
    assert refused.path == str(folder / "self")
    assert refused.drop == str(folder)


def test_what_may_not_be_read_is_told_once_and_the_rest_is_taken(
    watch: Any, unprivileged: Callable[[], Path], until: Until
) -> None:
    folder = unprivileged()
    write(folder / "sealed" / "file")
    write(folder / "file")
    (folder / "sealed").chmod(0)
    watched = watch(folder, pace=QUICK)
    until(lambda: watched.of(FileRefused))
    assert watched.paths == [str(folder / "file")]
    (folder / "sealed").chmod(0o700)
    until(lambda: len(watched.contents) == 2)
    assert [event.path for event in watched.of(FileRefused)] == [str(folder / "sealed")]


def test_what_was_not_taken_is_offered_again(
    folder: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    offers: list[Sequence[str]] = []

    def ready(paths: Sequence[str]) -> None:
        offers.append(paths)
        if len(offers) == 1:
            raise RuntimeError("not now")

    watcher = Watcher(ready, lambda *_: False, lambda _: None, pace=QUICK)
    watcher.watch(str(folder))
    path = write(folder / "file")
    until(lambda: len(offers) == 2)
    watcher.close()
    assert offers == [[str(path)]] * 2
    assert "not now" in caplog.text


def test_a_folder_can_be_given_up_and_watched_again(watch: Any, folder: Path, until: Until) -> None:
    watched = watch(folder, pace=QUICK)
    for _ in range(5):
        watched.watcher.unwatch(str(folder))
        watched.watcher.watch(str(folder))
    watched.watcher.unwatch(f"{folder}/")
    watched.watcher.unwatch("/never/watched")
    assert watched.watcher.folders == ()
    until(lambda: len(watched.of(FolderUnwatched)) == 6)
    write(folder / "file")
    watched.watcher.watch(str(folder))
    watched.watcher.watch(str(folder))
    until(lambda: len(watched.contents) == 1)
    told = watched.of(FolderWatched, FolderUnwatched)
    assert told[-2:] == [FolderUnwatched(str(folder)), FolderWatched(str(folder))]


def test_overlapping_folders_are_refused_in_a_sentence(watch: Any, folder: Path) -> None:
    watched = watch(folder, pace=QUICK)
    with pytest.raises(ValueError, match="watched already, as a part of"):
        watched.watcher.watch(str(folder / "sub"))
    with pytest.raises(ValueError, match="stop watching that first"):
        watched.watcher.watch(str(folder.parent))
    with pytest.raises(ValueError, match="watch the folders in it"):
        watched.watcher.watch("/")
    watched.watcher.watch(f"{folder} beside")
    watched.watcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        watched.watcher.watch(str(folder))


LIMITED = """
import sys, time
from dropline.intake import Pace, Watcher

for limit in sys.argv[2:]:
    name, value = limit.split("=")
    with open(f"/proc/sys/user/{name}", "w") as file:
        file.write(value)
got, notes = [], []
pace = Pace(settle=0.1, closed=0.05, rescan=0.3, poll=0.2, check=0.1)
watcher = Watcher(got.extend, lambda *_: False, lambda event: notes.append(event.note), pace=pace)
folder = sys.argv[1]
watcher.watch(folder)
deadline = time.monotonic() + 20

def wait(condition):
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)

wait(lambda: len(got) == 1)
open(folder + "/sub/sub/sub/new", "w").close()
wait(lambda: len(got) == 2 and notes[-1])
print(len(got), notes[-1])
watcher.close()
"""


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("max_inotify_instances=0", "(inotify instance limit reached)"),
        ("max_inotify_watches=0", "(inotify watch limit reached)"),
        ("max_inotify_watches=2", "does not tell of all changes"),
    ],
)
def test_where_the_system_tells_too_little_the_folder_is_looked_through(
    folder: Path, need_program: Callable[[str, str], str], limit: str, reason: str
) -> None:
    unshare = [need_program("unshare", "util-linux"), "--user", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace can be made here")
    write(folder / "sub" / "sub" / "sub" / "file")
    command = [*unshare, sys.executable, "-c", LIMITED, folder, limit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("2 It is looked through every 0.2 seconds, since the system")
    assert reason in done.stdout


# --- what takes its time, simulated --------------------------------------------------------------


def test_a_slow_writer_is_waited_for(watch: Any, folder: Path) -> None:
    watched = watch(folder, simulated=True)
    with open(folder / "slow", "wb") as file:
        for _ in range(40):
            file.write(b"piece")
            file.flush()
            watched.go_on(1.9)
            assert watched.contents == []
        assert watched.watcher.waiting == (f"{folder}/slow",)
    watched.go_on(2 * MINUTE)
    assert [(path, size) for path, size, _ in watched.contents] == [(f"{folder}/slow", 200)]


def test_what_never_rests_is_never_taken_and_never_given_up(watch: Any, folder: Path) -> None:
    watched = watch(folder, simulated=True)
    for number in range(1200):
        with open(folder / "log", "ab") as file:
            file.write(b"line\n")
        os.utime(folder / "log", ns=(number, number))
        watched.go_on(0.4)
    assert watched.contents == []
    assert watched.watcher.waiting == (f"{folder}/log",)
    watched.go_on(2 * MINUTE)
    assert len(watched.contents) == 1
    assert watched.watcher.waiting == ()


def test_what_is_deleted_before_it_rests_is_not_taken(watch: Any, folder: Path) -> None:
    watched = watch(folder, simulated=True, pace=Pace(closed=2.0))
    watched.go_on(1.0)
    for number in range(30):
        path = write(folder / f"{number}")
        watched.go_on(0.5)
        path.unlink()
    watched.go_on(3 * MINUTE)
    assert watched.contents == []
    assert watched.watcher.waiting == ()


def test_unfinished_names_are_not_taken_until_they_are_renamed(watch: Any, folder: Path) -> None:
    watched = watch(folder, simulated=True, ignore=["*.unfinished"])
    write(folder / "a.unfinished")
    write(folder / "dir.unfinished" / "b")
    write(folder / "c.part")
    watched.go_on(3 * MINUTE)
    assert watched.paths == [f"{folder}/c.part"]
    os.rename(folder / "a.unfinished", folder / "a")
    os.rename(folder / "dir.unfinished", folder / "dir")
    watched.go_on(3 * MINUTE)
    assert sorted(watched.paths) == [f"{folder}/a", f"{folder}/c.part", f"{folder}/dir/b"]


def test_a_restart_hands_over_what_was_not_sent(watch: Any, folder: Path) -> None:
    for number in range(10):
        write(folder / "sub" / f"{number}")
    first = watch(folder, simulated=True)
    first.go_on(MINUTE)
    assert len(first.contents) == 10
    first.watcher.close()
    write(folder / "sub" / "3", b"changed meanwhile")
    write(folder / "new")
    second = watch(simulated=True)
    second.sent = set(first.contents[:6])
    second.watcher.watch(str(folder))
    second.go_on(5 * MINUTE)
    expected = {content_of(path) for path in folder.rglob("*") if path.is_file()} - second.sent
    assert Counter(second.contents) == Counter(expected)


def test_what_failed_is_handed_over_again_when_it_is_forgotten(watch: Any, folder: Path) -> None:
    path = str(write(folder / "file"))
    watched = watch(folder, simulated=True)
    watched.go_on(10 * MINUTE)
    watched.watcher.forget("/elsewhere")
    watched.watcher.forget(path)
    watched.go_on(10 * MINUTE)
    assert watched.paths == [path, path]
    watched.sent.update(watched.contents)
    watched.watcher.forget(path)
    watched.go_on(10 * MINUTE)
    assert len(watched.contents) == 2


def test_a_folder_that_goes_and_comes_back_loses_and_doubles_nothing(
    watch: Any, folder: Path
) -> None:
    write(folder / "sub" / "before")
    watched = watch(folder, simulated=True)
    watched.go_on(10 * MINUTE)
    os.rename(folder, f"{folder} away")
    watched.go_on(HOUR)
    assert watched.of(FolderLost) == [
        FolderLost(str(folder), f"“{folder}” is not there: put it back or mount its disk.")
    ]
    write(Path(f"{folder} away") / "meanwhile")
    os.rename(f"{folder} away", folder)
    watched.go_on(MINUTE)
    write(folder / "after")
    watched.go_on(2 * MINUTE)
    assert watched.of(FolderReturned) == [FolderReturned(str(folder))]
    assert watched.paths == [f"{folder}/{name}" for name in ("sub/before", "meanwhile", "after")]
    assert watched.watcher.folders == (str(folder),)


def test_a_folder_need_not_be_there_yet_and_may_be_made_anew(watch: Any, folder: Path) -> None:
    missing = folder / "later"
    watched = watch(missing, simulated=True)
    watched.go_on(MINUTE)
    missing.write_bytes(b"not a folder")
    watched.go_on(MINUTE)
    assert watched.contents == []
    missing.unlink()
    write(missing / "file")
    watched.go_on(MINUTE)
    assert watched.events[:3] == [
        FolderLost(str(missing), f"“{missing}” is not there: put it back or mount its disk."),
        FolderReturned(str(missing)),
        FolderWatched(str(missing)),
    ]
    shutil.rmtree(missing)
    write(missing / "other")  # at once: another folder of the same name
    watched.go_on(5 * MINUTE)
    write(missing / "more")
    watched.go_on(MINUTE)
    assert watched.paths == [f"{missing}/{name}" for name in ("file", "other", "more")]


def test_a_disk_that_is_unmounted_is_lost_though_its_place_stays(
    watch: Any, small_disk: Callable[[int], Path]
) -> None:
    place = small_disk(1 << 20)
    write(place / "file")
    watched = watch(place, simulated=True)
    watched.go_on(MINUTE)
    os.link(place / "file", place / "second")
    watched.go_on(2 * MINUTE)
    subprocess.run(["umount", "--lazy", place], check=True)
    write(place / "beneath")
    watched.go_on(HOUR)
    assert [event.reason for event in watched.of(FolderLost)] == [
        f"The disk of “{place}” is not mounted any more: mount it again."
    ]
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    write(place / "other disk")
    watched.go_on(MINUTE)
    assert watched.of(FolderReturned) == [FolderReturned(str(place))]
    assert watched.paths == [f"{place}/{name}" for name in ("file", "second", "other disk")]
    watched.watcher.close()


def tables(watched: Watched) -> int:
    """How much the watcher remembers: the items of all its tables."""
    folders = [watch.folder for watch in watched.watcher._watches.values()]
    parts = [*folders, *(folder._settling for folder in folders)]
    held = [value for part in parts for value in vars(part).values()]
    return sum(len(table) for table in held if isinstance(table, dict | set | list))


def test_48_hours_of_coming_and_going_leave_nothing_behind(watch: Any, folder: Path) -> None:
    """Files come, change, move and go, the target and the folder too; every content is sent."""
    choose = random.Random(48)
    watched = watch(folder, simulated=True, pace=Pace(check=20.0))
    process = psutil.Process()
    handled = 0
    expected: set[Content] = set()
    seen: list[tuple[int, int, int]] = []
    number = 0

    def send() -> None:
        """The target takes what was handed over since; while it is down, all of it fails."""
        nonlocal handled
        new = watched.contents[handled:]
        handled += len(new)
        for content in new:
            if up:
                assert content not in watched.sent, "sent twice"
                watched.sent.add(content)
            else:
                watched.watcher.forget(content[0])

    for quarter in range(48 * 4):
        up = quarter % 8 < 5
        for _ in range(choose.randrange(6)):
            number += 1
            path = write(folder / f"{number % 5}" / f"{number}", b"x" * choose.randrange(1, 999))
            os.utime(path, ns=(number, number))
        there = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in choose.sample(there, min(len(there), 2)):
            number += 1
            path.write_bytes(b"y" * choose.randrange(1, 999))
            os.utime(path, ns=(number, number))
        expected |= {content_of(path) for path in folder.rglob("*") if path.is_file()}
        watched.go_on(4 * MINUTE)
        send()
        if quarter % 16 == 9:
            os.rename(folder, f"{folder} away")
            watched.go_on(5 * MINUTE)
            os.rename(f"{folder} away", folder)
        watched.go_on(5 * MINUTE)
        send()
        watched.go_on(6 * MINUTE)
        send()
        if up:
            there = sorted(path for path in folder.rglob("*") if path.is_file())
            for path in choose.sample(there, max(0, len(there) - 10)):
                path.unlink()
        if quarter % 24 == 23:
            gc.collect()
            seen.append((process.num_threads(), process.num_fds(), tables(watched)))
    up = True
    watched.go_on(5 * MINUTE)
    send()
    assert watched.time.now - 1000.0 > 48 * HOUR
    there = {content_of(path) for path in folder.rglob("*") if path.is_file()}
    assert there <= watched.sent <= expected
    # What tests before this one left to end may still be ending.
    assert max(threads for threads, _, _ in seen) == seen[0][0]
    assert max(descriptors for _, descriptors, _ in seen) == seen[0][1]
    assert max(remembered for _, _, remembered in seen) <= 100
    shutil.rmtree(folder)
    folder.mkdir()
    watched.go_on(10 * MINUTE)
    assert tables(watched) == 0


# --- through the line ----------------------------------------------------------------------------


def names_queued(heard: Any) -> list[str]:
    return [event.name for event in heard.of(FileQueued)]


def test_a_line_sends_what_comes_to_rest(
    make_line: Callable[..., Line],
    receiver: Any,
    stored: Any,
    heard: Any,
    folder: Path,
    until: Until,
) -> None:
    line = make_line(receiver.url)
    contents = {f"sub{n % 3}/{n}": b"%d" % n for n in range(50)}
    for name, content in contents.items():
        write(folder / name, content)
    line.watch(str(folder))
    assert line.watched == (str(folder),)
    write(folder / "film.part")
    until(lambda: len(heard.of(FileUploaded)) == 50)
    write(folder / "照片 #1", b"new")
    until(lambda: len(heard.of(FileUploaded)) == 51)
    os.rename(folder / "film.part", folder / "film")
    until(lambda: len(heard.of(FileUploaded)) == 52)
    assert line.restless == ()
    contents |= {"照片 #1": b"new", "film": b"content"}
    assert stored.digests() == {
        f"outbox/{name}": sha256(content).hexdigest() for name, content in contents.items()
    }
    assert not any(event.duplicate for event in heard.of(FileUploaded))
    line.unwatch(str(folder))
    assert line.watched == ()
    until(lambda: heard.of(FolderUnwatched))
    line.watch(str(folder))  # what it sent it knows
    last = write(folder / "last", b"last")
    until(lambda: len(heard.of(FileUploaded)) == 53)
    line.close()
    last.write_bytes(b"after the end")
    assert len(stored.files()) == 53


def test_files_that_may_not_be_read_fail_once_each(
    make_line: Callable[..., Line],
    receiver: Any,
    heard: Any,
    unprivileged: Callable[[], Path],
    until: Until,
) -> None:
    place = unprivileged()
    folder = place / "outbox"
    sealed = write(folder / "sealed")
    sealed.chmod(0)
    line = make_line(receiver.url, home=place / "home")
    line.watch(str(folder))
    until(lambda: heard.of(FileFailed))
    write(folder / "second").chmod(0)
    until(lambda: len(heard.of(FileFailed)) == 2)
    assert all("may not be read" in event.reason for event in heard.of(FileFailed))
    assert names_queued(heard) == ["outbox/sealed", "outbox/second"]
    line.close()


def test_a_new_run_knows_what_the_one_before_has_sent(
    make_line: Callable[..., Line], receiver: Any, heard: Any, folder: Path, until: Until
) -> None:
    write(folder / "known")
    line = make_line(receiver.url)
    line.watch(str(folder))
    until(lambda: heard.of(FileUploaded))
    line.close()
    again = make_line(receiver.url)
    again.watch(str(folder))
    write(folder / "new")
    until(lambda: len(heard.of(FileUploaded)) == 2)
    again.close()
    assert names_queued(heard) == ["outbox/known", "outbox/new"]
    assert not heard.of(FileSkipped)


def test_what_changes_while_it_is_in_the_line_is_sent_as_it_is_then(
    make_line: Callable[..., Line], receiver: Any, heard: Any, folder: Path, until: Until
) -> None:
    line = make_line(receiver.url)
    line.pause()
    line.watch(str(folder))
    write(folder / "file", b"first")
    until(lambda: heard.of(FileQueued))
    line.resume()
    until(lambda: heard.of(FileUploaded))
    write(folder / "file", b"second, longer")
    digests = {sha256(b"first").hexdigest(), sha256(b"second, longer").hexdigest()}
    until(lambda: {event.sha256 for event in heard.of(FileUploaded)} == digests)
    line.close()
