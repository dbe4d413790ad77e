"""What is stored stays stored, and nothing else: restarts, kills, full disks, large files."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from dropline.bus import MemoryBus
from dropline.events import FileReceived
from dropline.receiver import Receiver, ReceiverError
from dropline.receiver.database import Database, KeyTakenError, StoredFile
from dropline.receiver.ids import FileIds
from dropline.receiver.problems import DISK_FULL, NOT_WRITABLE, FileProblem, storage_problem
from dropline.receiver.store import Store

posix_only = pytest.mark.skipif(
    os.name == "nt", reason="kills, limits and mounts as POSIX has them"
)

KILLS = int(os.environ.get("DROPLINE_TORTURE", "15"))


@contextmanager
def running(data: Path, **options: Any) -> Iterator[Receiver]:
    receiver = Receiver(data, port=0, **options)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def put(url: str, name: str, content: bytes, key: str | None = None) -> requests.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return requests.put(f"{url}/files/by-name/{name}", data=content, headers=headers)


def listed(url: str) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = []
    after = ""
    while after is not None:
        page = requests.get(f"{url}/files", params={"limit": 1000, "after": after}).json()
        files += page["files"]
        after = page["next"]
    return files


def on_disk(data: Path) -> dict[str, Path]:
    """The bytes that lie in the data folder, by file id."""
    assert list((data / "transit").iterdir()) == []
    return {path.name: path for path in (data / "files").glob("*/*")}


def in_database(url: str) -> dict[str, bytes]:
    """The contents that a receiver's database holds, by file id."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT file_id, content FROM contents")).all()
    engine.dispose()
    return {str(uuid.UUID(str(file_id))): bytes(content) for file_id, content in rows}


def assert_sound(data: Path, files: list[dict[str, Any]], database: str | None = None) -> None:
    """Every row has whole bytes, all bytes have a row, nothing temporary is left."""
    on_its_own = {file_id: path.read_bytes() for file_id, path in on_disk(data).items()}
    kept = in_database(database or f"sqlite:///{data / 'receiver.sqlite'}")
    assert not on_its_own.keys() & kept.keys()
    stored = on_its_own | kept
    assert set(stored) == {file["file_id"] for file in files}
    for file in files:
        content = stored[file["file_id"]]
        assert len(content) == file["size"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


# --- across restarts ----------------------------------------------------------------------------


def test_files_and_keys_outlive_the_process(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database=database) as receiver:
        first = put(receiver.url, "a", b"1", "k").json()
    with running(tmp_path, database=database) as receiver:
        again = put(receiver.url, "a", b"1", "k").json()
        assert again["file_id"] == first["file_id"]
        assert again["files"][0]["duplicate"]
        assert put(receiver.url, "b", b"2").json()["file_id"] > first["file_id"]
        assert_sound(tmp_path, listed(receiver.url), database)


def test_a_start_finishes_what_was_cut(tmp_path: Path, database: str) -> None:
    """Each thing that a kill can leave in transit is finished or removed."""
    with running(tmp_path, database=database, small=0) as receiver:
        ids = [put(receiver.url, name, name.encode()).json()["file_id"] for name in "abc"]
        requests.delete(f"{receiver.url}/files/{ids[2]}")
    transit = tmp_path / "transit"
    on_disk(tmp_path)[ids[1]].rename(transit / ids[1])  # stored, but not brought home yet
    (transit / str(uuid.uuid4())).write_bytes(b"named, but without a row")
    (transit / ids[2]).write_bytes(b"deleted, but the bytes were still there")
    (transit / "0123.part").write_bytes(b"half a fi")
    with running(tmp_path, database=database) as receiver:
        assert [file["file_id"] for file in listed(receiver.url)] == ids[:2]
        assert_sound(tmp_path, listed(receiver.url), database)


def test_a_stored_file_in_transit_can_be_read(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database=database, small=0) as receiver:
        file_id = put(receiver.url, "a", b"1").json()["file_id"]
        path = on_disk(tmp_path)[file_id]
        path.rename(tmp_path / "transit" / file_id)
        assert requests.get(f"{receiver.url}/files/{file_id}").content == b"1"
        assert requests.delete(f"{receiver.url}/files/{file_id}").status_code == 204
        assert on_disk(tmp_path) == {}


def test_bytes_outlive_the_loss_of_the_database(tmp_path: Path) -> None:
    with running(tmp_path, small=0) as receiver:
        put(receiver.url, "a", b"1")
    for path in tmp_path.glob("receiver.sqlite*"):
        path.unlink()
    with running(tmp_path) as receiver:
        assert listed(receiver.url) == []
    assert len(on_disk(tmp_path)) == 1


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "receiver.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(ReceiverError, match=r"receiver\.sqlite.* could not be opened"):
        Receiver(tmp_path, port=0).start()


def test_another_database_can_be_given(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with running(tmp_path / "data", database=url) as receiver:
        put(receiver.url, "a", b"1")
    with running(tmp_path / "data", database=url) as receiver:
        files = listed(receiver.url)
        assert_sound(tmp_path / "data", files, url)
    assert not (tmp_path / "data" / "receiver.sqlite").exists()


def test_a_database_without_its_driver_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, driver, None)
    receiver = Receiver(tmp_path, port=0, database="postgresql://me:secret@db/dropline")
    with pytest.raises(ReceiverError, match=r"pip install 'dropline\[postgres\]'") as error:
        receiver.start()
    assert "secret" not in str(error.value)


# --- small files --------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [0, 10])
def test_a_small_file_is_kept_in_the_database_and_any_other_as_a_file(
    tmp_path: Path, database: str, small: int
) -> None:
    contents = {"none": b"", "ten": b"0123456789", "eleven": b"0123456789a"}
    with running(tmp_path, database=database, small=small) as receiver:
        ids = {
            name: put(receiver.url, name, content).json()["file_id"]
            for name, content in contents.items()
        }
        assert set(on_disk(tmp_path)) == {
            ids[name] for name, content in contents.items() if len(content) > small or not small
        }
        assert_sound(tmp_path, listed(receiver.url), database)
    with running(
        tmp_path, database=database, small=1 << 20
    ) as receiver:  # another choice leaves them where they are
        for name, content in contents.items():
            url = f"{receiver.url}/files/{ids[name]}"
            answer = requests.get(url)
            assert answer.content == content
            assert answer.headers["Content-Length"] == str(len(content))
            if content:
                assert requests.get(url, headers={"Range": "bytes=-3"}).content == content[-3:]
                tag = {"If-None-Match": answer.headers["ETag"]}
                assert requests.get(url, headers=tag).status_code == 304
            assert requests.delete(url).status_code == 204
            assert requests.get(url).status_code == 404
        assert_sound(tmp_path, [], database)


def test_many_small_files_in_one_request_take_little_memory(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into a request's share of memory goes to the disk."""
    contents = [bytes([number]) * 10_000 for number in range(50)]
    monkeypatch.setattr("dropline.receiver.upload.MAX_IN_MEMORY", 200_000)
    with running(tmp_path, database=database) as receiver:
        files = [("file", (str(n), content)) for n, content in enumerate(contents)]
        assert requests.post(f"{receiver.url}/upload", files=files).status_code == 201
        assert len(on_disk(tmp_path)) == 30
        assert_sound(tmp_path, listed(receiver.url), database)


# --- the parts ----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**60), max_size=20))
def test_ids_ascend_whatever_the_clock_does(times: list[int]) -> None:
    ids = []
    with pytest.MonkeyPatch.context() as patch:
        new_id = FileIds()
        for now in times:
            patch.setattr("time.time_ns", lambda now=now: now)
            ids.append(new_id())
            ids.append(new_id())
        ids.append(FileIds(ids[-1])() if ids else new_id())
    assert ids == sorted(set(ids))
    assert [str(uuid.UUID(each)) for each in ids] == ids
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}


def row(name: str, key: str | None = None, part: int = 0) -> StoredFile:
    return StoredFile(str(uuid.uuid4()), name, 1, "0" * 64, "text/plain", "2026-01-01", key, part)


def test_rows_are_added_all_or_none(tmp_path: Path, database: str) -> None:
    rows = Database(database, tmp_path)
    first = row("a", "k")
    rows.add([first, row("b"), row("c")], {first.file_id: b"1"})
    refused = row("d")
    with pytest.raises(KeyTakenError):
        rows.add([refused, row("e", "k")], {refused.file_id: b"2"})
    assert rows.content(first.file_id) == b"1"
    assert rows.content(refused.file_id) is None
    assert sorted(file.name for file in rows.page(10)) == ["a", "b", "c"]
    rows.add([row("f", "k", part=1)], {})
    keys = [("k", part) for part in range(300)] + [("other", 0)]
    assert {key: file.name for key, file in rows.by_keys(keys).items()} == {
        ("k", 0): "a",
        ("k", 1): "f",
    }
    assert rows.by_keys([]) == {}
    assert rows.remove(first.file_id)
    assert not rows.remove(first.file_id)
    assert rows.get(first.file_id) is None
    assert rows.content(first.file_id) is None
    rows.close()


def test_many_rows_are_added_all_or_none(tmp_path: Path, database: str) -> None:
    rows = Database(database, tmp_path)
    many = sorted(row(f"{number}", f"key {number}") for number in range(157))
    rows.add(many, {file.file_id: file.name.encode() for file in many[:123]})
    assert rows.page(200) == many
    for file in many[:123]:
        assert rows.content(file.file_id) == file.name.encode()
    assert rows.content(many[123].file_id) is None
    with pytest.raises(KeyTakenError):
        rows.add([*(row(f"more {number}") for number in range(120)), row("again", "key 7")], {})
    assert rows.count() == len(many)
    rows.close()


def test_a_busy_database_is_waited_for_then_told(tmp_path: Path) -> None:
    """Another program that writes the database holds an upload up, and later ones go on."""
    with running(tmp_path) as receiver:
        other = sqlite3.connect(tmp_path / "receiver.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = put(receiver.url, "a", b"1")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "Another program holds the receiver's database" in answer.json()["detail"]
        other.execute("ROLLBACK")
        other.close()
        assert put(receiver.url, "b", b"2").status_code == 201
        assert_sound(tmp_path, listed(receiver.url))


def test_one_files_trouble_is_not_anothers(tmp_path: Path, bus: MemoryBus, database: str) -> None:
    """Files that share a transaction with one whose bytes are gone are stored all the same."""
    store = Store(tmp_path, database, bus)
    events = []
    for number in range(5):
        spool = store.spool(0)
        spool.write(b"%d" % number)
        spool.finish()
        sha256 = spool.sha256().hex()
        events.append(FileReceived(spool.path, f"{number}", 1, sha256, "a/b", False, None, 0))
    Path(events[2].temporary).unlink()
    futures = [bus.publish(event).results[0] for event in events]
    for number, future in enumerate(futures):
        if number == 2:
            with pytest.raises(FileProblem, match="'2' was not stored"):
                future.result()
        else:
            assert future.result().file.name == f"{number}"
    names = [file.name for file in store.files.page(10)]
    store.close()
    assert names == ["0", "1", "3", "4"]
    assert len(on_disk(tmp_path)) == 4


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, DISK_FULL), (errno.EFBIG, DISK_FULL), (errno.EIO, NOT_WRITABLE)],
)
def test_errors_of_the_disk_say_what_to_do(code: int, kind: object) -> None:
    problem = storage_problem(OSError(code, os.strerror(code)), "'a'")
    assert (problem.kind, problem.status) == (kind, 507)
    assert "'a' was not stored" in problem.detail


# --- in a process of its own --------------------------------------------------------------------

#: Starts a receiver in a fork of itself for each line it reads, which is fast, the imports done;
#: tells its process id and URL, and how it ended.
SERVER = """
import os, signal, sys, threading
from pathlib import Path
from dropline.receiver import Receiver

for line in sys.stdin:
    pid = os.fork()
    if pid:
        print(os.waitpid(pid, 0)[1], flush=True)
        continue
    data, database = line.rstrip("\\n").split("\\t")
    receiver = Receiver(Path(data), port=0, database=database or None)
    receiver.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print(os.getpid(), receiver.url, flush=True)
    ended.wait()
    receiver.stop()
    os._exit(0)
"""


class Servers:
    """Receivers in processes of their own, one after another."""

    def __init__(self, *wrapper: str) -> None:
        """`wrapper` is a command that runs the rest of its line."""
        self._process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid: int | None = None
        self._once = threading.Lock()

    def start(self, data: Path, database: str = "") -> str:
        """Start one on a data folder; its URL."""
        print(data, database, sep="\t", file=self._stdin, flush=True)
        pid, url = self._stdout.readline().split()
        self.pid = int(pid)
        return url

    def signal(self, number: int) -> None:
        """Send the running one a signal to end by; the first counts."""
        with self._once:
            if self.pid is not None:
                os.kill(self.pid, number)
                self.pid = None

    def wait(self) -> int:
        """Wait for the end of the one that was sent a signal; 0 when it ended by itself."""
        return int(self._stdout.readline())

    def close(self) -> None:
        """No more will be started."""
        self.signal(signal.SIGKILL)
        self._stdin.close()
        self._process.wait()
        self._stdout.close()

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


class Load:
    """Clients that upload and delete without pause until the server is gone."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._left = 0
        self.sent: dict[str, bytes] = {}  # by idempotency key, which is also the name
        self.acknowledged: dict[str, str] = {}  # the file ids that were answered
        self.asked_to_delete: set[str] = set()
        self.deleted: set[str] = set()

    def run(self, url: str, servers: Servers) -> None:
        """Upload with four clients; kill the server after some of the answers."""
        self._left = self._random.randint(1, 25)
        clients = [
            threading.Thread(target=self._client, args=(url, servers, self._random.random()))
            for _ in range(4)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _client(self, url: str, servers: Servers, seed: float) -> None:
        chosen = random.Random(seed)
        with requests.Session() as session, suppress(requests.RequestException):
            while True:  # until the server is gone
                self._upload(session, url, chosen)
                if self._left <= 0:
                    servers.signal(signal.SIGKILL)
                elif chosen.random() < 0.2:
                    self._delete(session, url, chosen.choice(list(self.acknowledged)))

    def _upload(self, session: requests.Session, url: str, chosen: random.Random) -> None:
        contents = [
            chosen.randbytes(chosen.choice([0, 100, 4096, 4096, 100_000]))
            for _ in range(chosen.choice([1, 1, 4]))
        ]
        keys = [f"{chosen.getrandbits(64):016x}" for _ in contents]
        self.sent |= zip(keys, contents, strict=True)
        files = [part(key, self.sent[key]) for key in keys]
        stored = session.post(f"{url}/upload", files=files).json()["files"]
        self.acknowledged |= {file["name"]: file["file_id"] for file in stored}
        self._left -= len(stored)

    def _delete(self, session: requests.Session, url: str, key: str) -> None:
        self.asked_to_delete.add(key)
        session.delete(f"{url}/files/{self.acknowledged[key]}")
        self.deleted.add(key)

    def check(self, files: list[dict[str, Any]]) -> None:
        """What was answered is true."""
        ids = {file["name"]: file["file_id"] for file in files}
        assert len(ids) == len(files)
        for key in self.acknowledged.keys() - self.asked_to_delete:
            assert ids[key] == self.acknowledged[key]
        assert not ids.keys() & self.deleted
        for file in files:
            assert file["sha256"] == hashlib.sha256(self.sent[file["name"]]).hexdigest()

    def unanswered(self) -> list[str]:
        """The keys of which nobody knows whether they are stored."""
        return sorted(self.sent.keys() - self.acknowledged.keys())


def part(key: str, content: bytes) -> tuple[str, tuple[str, bytes, str, dict[str, str]]]:
    """A file of a multipart request."""
    sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
    headers = {"Idempotency-Key": key, "Content-Digest": f"sha-256=:{sha256}:"}
    return ("file", (key, content, "application/octet-stream", headers))


@posix_only
@pytest.mark.timeout(120 + 20 * KILLS)
def test_kill_at_any_instant_loses_nothing_and_leaves_nothing(
    servers: Servers, tmp_path: Path, database: str
) -> None:
    load = Load(seed=1)
    for _ in range(KILLS):
        load.run(servers.start(tmp_path, database), servers)
        assert servers.wait() == signal.SIGKILL
        url = servers.start(tmp_path, database)
        files = listed(url)
        assert_sound(tmp_path, files, database)
        load.check(files)
        servers.signal(signal.SIGTERM)
        assert servers.wait() == 0
    url = servers.start(tmp_path, database)
    for key in load.unanswered():  # a sender sends again what it has no answer for
        requests.post(f"{url}/upload", files=[part(key, load.sent[key])])
    names = [file["name"] for file in listed(url)]
    assert len(names) == len(set(names))
    assert set(names) - load.asked_to_delete == load.sent.keys() - load.asked_to_delete
    servers.signal(signal.SIGTERM)
    assert servers.wait() == 0


@posix_only
def test_memory_does_not_grow_with_the_file(servers: Servers, tmp_path: Path) -> None:
    size = 512 << 20
    url = servers.start(tmp_path)
    put(url, "warm", b"up")
    process = psutil.Process(servers.pid)
    before = process.memory_info().rss
    resident = []

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'
        piece = bytes(4 << 20)
        for _ in range(size // len(piece)):
            yield piece
            resident.append(process.memory_info().rss)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = requests.post(f"{url}/upload", data=pieces(), headers=headers)
    assert answer.json()["files"][0]["size"] == size
    assert max(resident) - before < 64 << 20


# --- the disk is full ---------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 200 MB that takes no room."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    return path


def assert_full(answer: dict[str, Any]) -> None:
    assert answer["status"] == 507
    assert answer["type"] == "urn:dropline:problem:disk-full"
    assert "disk is full, so 'large' was not stored. Free some space" in answer["detail"]


def upload_too_much(url: str, large: Path, curl: str) -> None:
    """Whoever sends far more than there is room for can read the answer."""
    with large.open("rb") as file:
        answer = requests.put(f"{url}/files/by-name/large", data=file)
    assert answer.status_code == 507
    assert_full(answer.json())
    for expect in ("Expect: 100-continue", "Expect:"):
        done = subprocess.run(
            [curl, "-sS", "-H", expect, "-F", f"file=@{large}", f"{url}/upload"],
            capture_output=True,
            check=True,
        )
        assert_full(json.loads(done.stdout))


def test_a_full_disk_is_told_and_got_over(
    small_disk: Callable[[int], Path], large: Path, need_program: Callable[[str, str], str]
) -> None:
    data = small_disk(5_000_000) / "data"
    with running(data) as receiver:
        url = receiver.url
        upload_too_much(url, large, need_program("curl", "curl"))
        small, big = ("file", ("small", b"1")), ("file", ("large", bytes(6_000_000)))
        answer = requests.post(f"{url}/upload", files=[small, big, small])
        assert_full(answer.json())
        assert [file.get("size") for file in answer.json()["files"]] == [1, None, 1]
        assert_sound(data, listed(url))
        assert len(listed(url)) == 2


def test_a_database_without_room_stores_nothing(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(5_000_000)
    with running(disk / "data") as receiver:
        put(receiver.url, "first", b"")
        with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        answer = put(receiver.url, "large", b"")  # its bytes need no room, its row does
        assert answer.status_code == 507
        assert_full(answer.json())
        assert len(listed(receiver.url)) == 1
        (disk / "ballast").unlink()
        assert put(receiver.url, "third", b"").status_code == 201
        files = listed(receiver.url)
        assert [file["name"] for file in files] == ["first", "third"]
        assert_sound(disk / "data", files)


@posix_only
def test_a_file_too_large_for_the_file_system(
    large: Path, tmp_path: Path, need_program: Callable[[str, str], str]
) -> None:
    limited = Servers("sh", "-c", 'ulimit -f 20480; exec "$@"', "sh")  # blocks of 512 bytes
    try:
        url = limited.start(tmp_path / "data")
        upload_too_much(url, large, need_program("curl", "curl"))
        assert put(url, "small", b"1").status_code == 201
        assert_sound(tmp_path / "data", listed(url))
    finally:
        limited.close()


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_search_looks_at_so_many_rows_at_a_time_and_misses_none(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    monkeypatch.setattr("dropline.receiver.database.SEARCHED", 10)
    rows, new_id = Database(database, tmp_path), FileIds()
    names = [
        f"{'Needle' if number in (3, 9, 10, 11, 57) else 'hay'} {number}" for number in range(64)
    ]
    rows.add([row(name)._replace(file_id=new_id()) for name in names], {})
    for limit in (1, 2, 10):
        found: list[str] = []
        after, requests_made = None, 0
        while requests_made == 0 or after is not None:
            files, after = rows.search("needle", limit, after, newest_first=newest_first)
            assert len(files) <= limit
            found += [file.name for file in files]
            requests_made += 1
        wanted = [name for name in names if name.startswith("Needle")]
        assert found == (wanted[::-1] if newest_first else wanted)
        assert requests_made <= 7 + len(wanted)
    rows.close()
