"""The sender: verified against a real receiver, and against servers that misbehave in every way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from dropline.receiver import Receiver
from dropline.station import Aborted, Attempt, PermanentError, TransientError, Unreached
from dropline.targets import Receipt, ReceiverTarget, Target, Upload
from dropline.targets.bundles import FIRST_FILES, MOST_FILES
from dropline.targets.failures import MAX_RETRY_AFTER
from dropline.targets.http import BLOCK
from dropline.targets.pieces import LARGE
from dropline.targets.receiver import SMALL
from dropline.targets.source import TICK, Source

Until = Callable[..., None]

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, SMALL, SMALL + 1, 3 * SMALL + 7]


def upload(path: Path, content: bytes | None = b"content", name: str | None = None) -> Upload:
    """A file to send; `content` is written to it first, with a time that is not now."""
    if content is not None:
        path.write_bytes(content)
        os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    status = os.stat(path)
    return Upload(str(path), str(path), name or path.name, status.st_size, status.st_mtime_ns)


def target(url: str, timeouts: tuple[float, float] = (5.0, 5.0)) -> ReceiverTarget:
    return ReceiverTarget(url, installation="here", timeouts=timeouts)


@contextlib.contextmanager
def sender(where: Target) -> Iterator[Any]:
    worker = where.connect()
    try:
        yield worker
    finally:
        worker.close()


def attempt() -> Attempt:
    return Attempt(lambda _: None)


def serve(where: Target, item: Upload) -> Any:
    with sender(where) as worker:
        return worker.serve(item, attempt())


# --- a real receiver ------------------------------------------------------------------------------


def test_files_of_any_size_are_sent_whole_and_verified(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    digests = {}
    with sender(target(receiver.url)) as worker:
        for size in SIZES:
            content = (bytes(range(251)) * (size // 251 + 1))[:size]
            reports: list[int] = []
            item = upload(tmp_path / str(size), content)
            receipt = worker.serve(item, Attempt(reports.append))
            digests[str(size)] = digest = hashlib.sha256(content).hexdigest()
            assert (receipt.size, receipt.sha256, receipt.duplicate) == (size, digest, False)
            assert sum(reports) == size
    assert stored.digests() == digests
    assert {file["name"]: file["size"] for file in stored.files()} == {str(n): n for n in SIZES}


def test_the_same_file_again_is_stored_once(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    with sender(target(receiver.url)) as worker:
        for size in (0, 10, SMALL + 1):
            first = worker.serve(upload(tmp_path / str(size), bytes(size)), attempt())
            second = worker.serve(upload(tmp_path / str(size), None), attempt())
            assert (second.file_id, second.sha256) == (first.file_id, first.sha256)
            assert (first.duplicate, second.duplicate) == (False, True)
    assert len(stored.files()) == 3


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_other_bytes_under_the_same_path_size_and_time_are_stored_too(
    receiver: Receiver, stored: Any, tmp_path: Path, size: int
) -> None:
    with sender(target(receiver.url)) as worker:
        first = worker.serve(upload(tmp_path / "file", b"a" * size), attempt())
        item = upload(tmp_path / "file", b"b" * size)
        with pytest.raises(TransientError):
            worker.serve(item, attempt())
        second = worker.serve(item, attempt())
        third = upload(tmp_path / "file", None)
        with pytest.raises(TransientError):
            worker.serve(third, attempt())
        again = worker.serve(third, attempt())
    assert second.sha256 == hashlib.sha256(b"b" * size).hexdigest()
    assert not second.duplicate
    assert (again.file_id, again.duplicate) == (second.file_id, True)
    assert {file["file_id"] for file in stored.files()} == {first.file_id, second.file_id}


def test_an_empty_folder_is_stored_as_one(receiver: Receiver, stored: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    item = upload(tmp_path / "empty", None, "a/empty/")
    item.size = 0
    receipt = serve(target(receiver.url), item)
    assert receipt.size == 0
    [file] = stored.files()
    assert (file["name"], file["type"]) == ("a/empty/", "application/x-directory")


NAMES = [
    "a/b/c.txt",
    "照片/😀.png",
    '"; filename="x',
    "a\r\nContent-Type: text/html\r\n\r\n<b>",
    "%22%0A%41",
    "back\\slash\\",
    "../../etc/passwd",
    "字" * 85 + "/" + "a" * 255,
    "\x01\x7f\x85\u2028",
    "caf\udce9",
    "--dropline-7c1f2b9e4a5d4a0c9c38a1f6e0d2b374--",
]


def test_names_arrive_as_they_are(receiver: Receiver, stored: Any, tmp_path: Path) -> None:
    with sender(target(receiver.url)) as worker:
        for number, name in enumerate(NAMES):
            worker.serve(upload(tmp_path / str(number), name=name), attempt())
    assert {file["name"] for file in stored.files()} == {
        name.replace("\udce9", "\\xe9") for name in NAMES
    }


def test_many_workers_share_a_target(receiver: Receiver, stored: Any, tmp_path: Path) -> None:
    where = target(receiver.url)
    receipts: list[Any] = []

    def work(number: int) -> None:
        with sender(where) as worker:
            for turn in range(5):
                path = tmp_path / f"{number}-{turn}"
                receipts.append(worker.serve(upload(path, path.name.encode()), attempt()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.file_id for receipt in receipts}) == 40
    assert stored.digests() == {
        f"{n}-{t}": hashlib.sha256(f"{n}-{t}".encode()).hexdigest()
        for n in range(8)
        for t in range(5)
    }


def test_the_same_file_at_once_is_stored_once(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    upload(tmp_path / "file", bytes(SMALL + 1))
    barrier = threading.Barrier(4)
    receipts: list[Any] = []

    def work() -> None:
        with sender(target(receiver.url)) as worker:
            barrier.wait()
            receipts.append(worker.serve(upload(tmp_path / "file", None), attempt()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.file_id for receipt in receipts}) == 1
    assert sorted(receipt.duplicate for receipt in receipts) == [False, True, True, True]
    assert len(stored.files()) == 1


def test_a_receiver_started_again_is_reached_again(tmp_path: Path, until: Until) -> None:
    receiver = Receiver(tmp_path / "received", port=0)
    receiver.start()
    with sender(target(receiver.url)) as worker:
        first = worker.serve(upload(tmp_path / "file"), attempt())
        receiver.stop()
        with pytest.raises(TransientError, match=r"cannot be reached.*is the receiver running\?"):
            worker.serve(upload(tmp_path / "file", None), attempt())
        again = Receiver(tmp_path / "received", port=int(receiver.url.rsplit(":", 1)[1]))
        again.start()
        try:
            assert again.url == receiver.url
            second = worker.serve(upload(tmp_path / "file", None), attempt())
        finally:
            again.stop()
    assert (second.file_id, second.duplicate) == (first.file_id, True)


def test_what_is_too_large_fails_for_good_with_the_receivers_sentence(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "received", port=0, max_size=5)
    receiver.start()
    try:
        for size in (10, 4 * SMALL):
            with pytest.raises(PermanentError, match=r"answered 413: 'file' is larger"):
                serve(target(receiver.url), upload(tmp_path / "file", bytes(size)))
    finally:
        receiver.stop()


def test_a_token_is_needed_where_one_is_set(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "received", port=0, token="secret")
    receiver.start()
    try:
        item = upload(tmp_path / "file")
        with pytest.raises(PermanentError, match=r"answered 401: \w+"):
            serve(target(receiver.url), item)
        receipt = serve(ReceiverTarget(receiver.url, installation="x", token="secret"), item)
        assert receipt.size == 7
    finally:
        receiver.stop()


# --- bundles, a real receiver ---------------------------------------------------------------------


def serve_all(worker: Any, items: list[Upload]) -> list[Any]:
    return list(worker.serve_bundle(items, [attempt() for _ in items]))


def uploads(folder: Path, count: int) -> list[Upload]:
    """Files of as many bytes as their number, each with other bytes."""
    return [upload(folder / str(n), bytes([n % 251]) * n) for n in range(count)]


def test_a_bundle_arrives_whole_whatever_its_names(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    items = [upload(tmp_path / str(n), b"x" * n, name) for n, name in enumerate(NAMES)]
    (tmp_path / "empty").mkdir()
    folder = upload(tmp_path / "empty", None, "an/empty folder/")
    folder.size = 0
    items.append(folder)
    reports: list[list[int]] = [[] for _ in items]
    where = target(receiver.url)
    with sender(where) as worker:
        receipts = worker.serve_bundle(items, [Attempt(report.append) for report in reports])
    for item, got, report in zip(items, receipts, reports, strict=True):
        content = b"" if item.is_folder else Path(item.source).read_bytes()
        assert (got.size, got.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert not got.duplicate
        assert got.target
        assert sum(report) == len(content)
    files = {file["file_id"]: file for file in stored.files()}
    for item, got in zip(items, receipts, strict=True):
        assert files[got.file_id]["name"] == item.wire_name
    assert files[receipts[-1].file_id]["type"] == "application/x-directory"


def test_a_bundle_of_empty_files_and_one_of_many_blocks(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    sizes = [0, 0, 1, SMALL, 0, BLOCK, BLOCK - 1, SMALL - 1, 0]
    items = [upload(tmp_path / str(n), bytes([n]) * size) for n, size in enumerate(sizes)]
    with sender(target(receiver.url)) as worker:
        assert [got.size for got in serve_all(worker, items)] == sizes
    assert stored.digests() == {
        str(n): hashlib.sha256(bytes([n]) * size).hexdigest() for n, size in enumerate(sizes)
    }


def test_the_longest_names_of_a_bundle_still_fit_into_the_answer(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Each character takes six in JSON."""
    items = [upload(tmp_path / str(n), b"x", f"{n}/" + "\x01" * 4000) for n in range(MOST_FILES)]
    with sender(target(receiver.url)) as worker:
        assert {type(got) for got in serve_all(worker, items)} == {Receipt}


def test_a_bundle_again_and_twice_the_same_file_are_duplicates(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    items = uploads(tmp_path, 5)
    again = [upload(tmp_path / "3", None), *items, upload(tmp_path / "3", None)]
    with sender(target(receiver.url)) as worker:
        first = serve_all(worker, items)
        second = serve_all(worker, again)
        alone = worker.serve(items[2], attempt())
    assert [got.duplicate for got in first] == [False] * 5
    assert [got.duplicate for got in second] == [True] * 7
    assert [got.file_id for got in second[1:-1]] == [got.file_id for got in first]
    assert second[0].file_id == second[-1].file_id == first[3].file_id
    assert (alone.file_id, alone.duplicate) == (first[2].file_id, True)
    assert len(stored.files()) == 5


def test_the_same_file_twice_in_a_first_bundle_is_stored_once(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    item = upload(tmp_path / "file")
    with sender(target(receiver.url)) as worker:
        one, other = serve_all(worker, [item, upload(tmp_path / "file", None)])
    assert (one.file_id, one.duplicate, other.duplicate) == (other.file_id, False, True)
    assert len(stored.files()) == 1


def test_a_bad_source_in_the_middle_of_a_bundle_fails_alone(
    unprivileged: Callable[[], Path],
) -> None:
    folder = unprivileged()
    receiver = Receiver(folder / "received", port=0)
    receiver.start()
    items = uploads(folder, 6)
    (folder / "0").unlink()
    (folder / "2").chmod(0o000)
    (folder / "4").unlink()
    os.mkfifo(folder / "4")
    try:
        with sender(target(receiver.url)) as worker:
            got = serve_all(worker, items)
        files = requests.get(f"{receiver.url}/files").json()["files"]
    finally:
        receiver.stop()
    assert [type(each) for each in got] == [PermanentError, Receipt] * 3
    assert all(error.at_source for error in got[::2])
    assert "is not there any more" in str(got[0])
    assert "may not be read" in str(got[2])
    assert "is no longer a file" in str(got[4])
    assert {file["name"] for file in files} == {"1", "3", "5"}


def test_a_bundle_of_bad_sources_asks_nothing_of_the_target(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    items = uploads(tmp_path, 3)
    for item in items:
        Path(item.source).unlink()
    server = rogue(b"")
    with sender(target(server.url)) as worker:
        assert {type(each) for each in serve_all(worker, items)} == {PermanentError}
    assert server.requests == []


def test_a_file_that_has_grown_large_is_not_read_into_a_bundle(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    items = uploads(tmp_path, 3)
    os.truncate(tmp_path / "1", SMALL + 1)
    with sender(target(receiver.url)) as worker:
        got = serve_all(worker, items)
        assert [type(each) for each in got] == [Receipt, TransientError, Receipt]
        assert got[1].at_source
        assert "has grown" in str(got[1])
        assert worker.serve(items[1], attempt()).size == SMALL + 1


def test_a_file_that_changes_while_a_bundle_is_read_fails_alone(
    receiver: Receiver, stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = uploads(tmp_path, 3)
    changing = tmp_path / "1"
    read = os.read

    def read_and_change(file: int, size: int) -> bytes:
        data = read(file, size)
        if os.path.sameopenfile(file, watched.fileno()):
            os.utime(changing)
        return data

    with sender(target(receiver.url)) as worker, changing.open() as watched:
        monkeypatch.setattr(os, "read", read_and_change)
        got = serve_all(worker, items)
    assert [type(outcome) for outcome in got] == [Receipt, TransientError, Receipt]
    assert got[1].at_source
    assert "changed while it was read" in str(got[1])


def test_damage_to_one_file_of_a_bundle_fails_that_one(
    receiver: Receiver, stored: Any, rogue: MakeRogue, tmp_path: Path
) -> None:
    def relay(_rogue: Any, connection: socket.socket, request: Any) -> None:
        boundary = request.body[2 : request.body.index(b"\r\n")].decode()
        answer = requests.post(
            f"{receiver.url}{request.path}",
            data=request.body.replace(b"precious", b"precioux"),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        connection.sendall(http(f"{answer.status_code} {answer.reason}", answer.content))

    items = [upload(tmp_path / name, name.encode()) for name in ("dull", "precious", "plain")]
    key = items[1].key("here", "there")
    with sender(target(rogue(relay).url)) as worker:
        got = serve_all(worker, items)
    assert [type(each) for each in got] == [Receipt, TransientError, Receipt]
    assert "do not have the SHA-256" in str(got[1])
    assert not got[1].target_down
    assert items[1].key("here", "there") != key
    assert {file["name"] for file in stored.files()} == {"dull", "plain"}


def test_what_is_too_large_in_a_bundle_fails_alone(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "received", port=0, max_size=5)
    receiver.start()
    try:
        items = [*uploads(tmp_path, 4), upload(tmp_path / "big", b"x" * 6), *uploads(tmp_path, 5)]
        where = target(receiver.url)
        with sender(where) as worker:
            got = serve_all(worker, items)
            assert worker.room().items >= FIRST_FILES
        assert [type(each) for each in got] == [Receipt] * 4 + [PermanentError] + [Receipt] * 5
        assert re.search("answered 413: 'big' is larger", str(got[4]))
    finally:
        receiver.stop()


def test_where_the_disk_is_full_each_file_of_a_bundle_is_told(
    small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    receiver = Receiver(small_disk(2 << 20), port=0)
    receiver.start()
    try:
        items = [upload(tmp_path / str(n), bytes([n]) * (700 << 10)) for n in range(5)]
        with sender(target(receiver.url)) as worker:
            got = serve_all(worker, items)
        assert {type(each) for each in got} <= {Receipt, PermanentError}
        assert isinstance(got[-1], PermanentError)
        assert "answered 507" in str(got[-1])
        assert "disk is full" in str(got[-1])
        names = [item.name for item, each in zip(items, got, strict=True) if type(each) is Receipt]
        answer = requests.get(f"{receiver.url}/files").json()
        assert sorted(file["name"] for file in answer["files"]) == names
    finally:
        receiver.stop()


# --- sources --------------------------------------------------------------------------------------


def read(source: Source, size: int = BLOCK) -> bytes:
    return b"".join(iter(lambda: source.read(size), b""))


def test_a_source_gives_its_bytes_and_their_digest(tmp_path: Path) -> None:
    item = upload(tmp_path / "file", bytes(range(256)) * 100)
    with Source(item, attempt()) as source:
        assert read(source, 1000) == bytes(range(256)) * 100
        assert source.hash.hexdigest() == hashlib.sha256(bytes(range(256)) * 100).hexdigest()


def test_what_changed_between_walk_and_send_is_sent_as_it_is_now(
    receiver: Receiver, tmp_path: Path
) -> None:
    item = upload(tmp_path / "file", b"as walked")
    (tmp_path / "file").write_bytes(b"now longer than it was")
    key = item.key("here", "there")
    receipt = serve(target(receiver.url), item)
    assert receipt.size == item.size == 22
    assert item.key("here", "there") != key


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": lambda path: path.write_bytes(b"a" * 201),
    "shrinks": lambda path: os.truncate(path, 150),
    "is emptied": lambda path: os.truncate(path, 0),
    "is rewritten": lambda path: path.write_bytes(b"b" * 200),
    "is touched": lambda path: os.utime(path),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("at", [0, 100, 199])
def test_a_change_while_it_is_read_shows_with_the_last_byte(
    tmp_path: Path, change: str, at: int
) -> None:
    item = upload(tmp_path / "file", b"a" * 200)
    with Source(item, attempt()) as source:
        if at:
            source.read(at)
        CHANGES[change](tmp_path / "file")
        with pytest.raises(TransientError, match=r"“.*file” changed while it was read"):
            read(source, 100)


def test_a_change_right_after_the_last_one_shows_too(tmp_path: Path) -> None:
    """Both writes may have the same modification time: the system's clock ticks slowly."""
    path = tmp_path / "file"
    for _ in range(30):
        path.write_bytes(b"a" * 200)
        item = Upload(str(path), str(path), "file", 200, 0)
        with Source(item, attempt()) as source:
            source.read(100)
            with path.open("r+b") as file:
                file.write(b"b" * 200)
            with pytest.raises(TransientError):
                source.read(100)


def test_a_file_written_just_now_costs_a_tick_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    assert 0 < TICK < 0.1
    with Source(upload(tmp_path / "file", None), attempt()) as source:
        assert read(source) == b"a"
    future = time.time_ns() + 10**12
    os.utime(tmp_path / "file", ns=(future, future))
    with Source(upload(tmp_path / "file", None), attempt()) as source:
        assert read(source) == b"a"


def test_a_file_that_is_gone_fails_with_a_sentence(tmp_path: Path) -> None:
    item = upload(tmp_path / "file")
    (tmp_path / "file").unlink()
    with pytest.raises(PermanentError, match=r"“.*file” is not there any more: put it back"):
        Source(item, attempt())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_took_a_files_place_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    item = upload(tmp_path / "file")
    (tmp_path / "file").unlink()
    make(tmp_path / "file")
    with pytest.raises(PermanentError, match=r"is no longer a file|Is a directory"):
        Source(item, attempt())


def test_a_file_that_may_not_be_read_fails_with_a_sentence(
    unprivileged: Callable[[], Path],
) -> None:
    folder = unprivileged()
    item = upload(folder / "file")
    (folder / "file").chmod(0o000)
    with pytest.raises(PermanentError, match="may not be read: give yourself permission to"):
        Source(item, attempt())


# --- uploads and their keys -----------------------------------------------------------------------

names = st.text(
    st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)


@given(name=names)
def test_a_wire_name_is_text_and_keeps_what_is_text(name: str) -> None:
    wire = Upload("/p", "/p", name, 0, 0).wire_name
    wire.encode()
    if not re.search("[\udc80-\udcff]", name):
        assert wire == name


@given(
    one=st.tuples(names, names, names, st.integers(0), st.integers()),
    other=st.tuples(names, names, names, st.integers(0), st.integers()),
)
def test_a_key_is_that_of_one_file_at_one_target(
    one: tuple[str, str, str, int, int], other: tuple[str, str, str, int, int]
) -> None:
    def key(installation: str, url: str, path: str, size: int, mtime: int) -> str:
        return Upload(path, "any source", "any name", size, mtime).key(installation, url)

    assert key(*one) == key(*one)
    assert (key(*one) == key(*other)) == (one == other)
    assert re.fullmatch("[0-9a-f]{40}", key(*one))


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:8765", "ftp://host", "http://", "http:///upload", "http://[::1",
        "http://host:99999", "http://host:port", "http://user:secret@host", "http://host/?a=b",
        "http://host/#top", " http://host", "file:///etc/passwd", "http://host:0",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_receiver_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a receiver: use http://host:port"):
        ReceiverTarget(url, installation="here")


@pytest.mark.parametrize("url", ["http://h", "https://h:1/", "http://[::1]:8765", "http://h/a/b/"])
def test_an_address_is_shown_without_a_slash_at_its_end(url: str) -> None:
    assert ReceiverTarget(url, installation="here").url == url.rstrip("/")


# --- servers that misbehave -----------------------------------------------------------------------


MakeRogue = Callable[..., Any]


def http(status: str, body: str | bytes = b"", *headers: str) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def receipt(**changes: Any) -> str:
    file = {"file_id": "1", "name": "file", "size": 7, "sha256": "0" * 64, "duplicate": False}
    return json.dumps({"status": "success", "file_id": "1", "files": [file | changes]})


FOREIGN = "not as a Dropline receiver does: check the address"
PASSING = {
    "500": (http("500 Internal Server Error"), f"answered 500 .*{FOREIGN}"),
    "500 problem": (
        http("500 Oops", json.dumps({"title": "Broken", "detail": "Call \n the\tadmin."})),
        r"answered 500: Call the admin\.$",
    ),
    "502": (http("502 Bad Gateway", "<html>nginx</html>"), "answered 502"),
    "503": (http("503 Busy", json.dumps({"detail": "Come back."})), r"503: Come back\.$"),
    "408": (http("408 Request Timeout"), "answered 408"),
    "429": (http("429 Too Many Requests"), "answered 429"),
    "cut short": (
        http("400 Bad", json.dumps({"type": "urn:dropline:problem:cut-short", "detail": "Why?"})),
        r"answered 400: Why\?$",
    ),
    "garbage": (b"\x00\xff\x13garbage\r\n\r\n", "cannot be reached or broke off"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be reached or broke off"),
    "too many headers": (
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "cannot be reached or broke off",
    ),
    "broken compression": (
        http("201 Created", b"no gzip", "Content-Encoding: gzip"), "cannot be reached or broke off",
    ),
    "broken chunks": (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "cannot be reached",
    ),
}  # fmt: skip
FOR_GOOD = {
    "404": (http("404 Not Found", "<html>"), f"answered 404 Not Found, {FOREIGN}"),
    "400": (http("400 Bad", json.dumps({"title": "No."})), r"answered 400: No\.$"),
    "long": (http("400 Bad", json.dumps({"detail": "x" * 100_000})), r"400: x{300}$"),
    "detail is no text": (http("400 Bad", json.dumps({"detail": {"a": 1}})), FOREIGN),
    "no reason": (http("418 "), "answered 418"),
    "507": (http("507 Full", json.dumps({"detail": "Free some space."})), "507: Free some space"),
    "html": (http("200 OK", "<!doctype html><p>Welcome!", "Content-Type: text/html"), FOREIGN),
    "empty": (http("201 Created"), FOREIGN),
    "no content": (http("204 No Content"), FOREIGN),
    "not json": (http("201 Created", b"\xff\xfe"), FOREIGN),
    "list": (http("201 Created", "[]"), FOREIGN),
    "deep": (http("201 Created", b"[" * 200_000), FOREIGN),
    "no files": (http("201 Created", json.dumps({"status": "success"})), FOREIGN),
    "files empty": (http("201 Created", json.dumps({"files": []})), FOREIGN),
    "files of text": (http("201 Created", json.dumps({"files": ["x"]})), FOREIGN),
    "files by name": (http("201 Created", json.dumps({"files": {"x": 1}})), FOREIGN),
    "no size": (http("201 Created", receipt(size=None)), FOREIGN),
    "size of text": (http("201 Created", receipt(size="many")), FOREIGN),
    "size without end": (http("201 Created", receipt(size=float("inf"))), FOREIGN),
    "redirect": (http("302 Found", b"", "Location: /elsewhere"), f"answered 302 Found, {FOREIGN}"),
    "permanent redirect": (http("308 Moved", b"", "Location: http://127.0.0.1:1/"), "308"),
}


@pytest.mark.parametrize("case", PASSING)
def test_what_may_pass_is_worth_another_try(rogue: MakeRogue, tmp_path: Path, case: str) -> None:
    answer, sentence = PASSING[case]
    server = rogue(answer)
    with pytest.raises(TransientError, match=sentence) as caught:
        serve(target(server.url), upload(tmp_path / "file"))
    assert server.url in str(caught.value)
    assert caught.value.retry_after is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", FOR_GOOD)
def test_what_will_not_pass_fails_for_good(rogue: MakeRogue, tmp_path: Path, case: str) -> None:
    answer, sentence = FOR_GOOD[case]
    server = rogue(answer)
    with pytest.raises(PermanentError, match=sentence) as caught:
        serve(target(server.url), upload(tmp_path / "file"))
    assert server.url in str(caught.value)
    assert [[r.method, r.path] for r in server.requests] == [["POST", "/upload"]]


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        (" 12 ", 12, 12),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("9" * 400, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("", None, None),
        ("Fri, 99 Dec 99999 23:59:59 GMT", None, None),
    ],
)
def test_retry_after_is_obeyed_within_reason(
    rogue: MakeRogue, tmp_path: Path, value: str, least: float | None, most: float | None
) -> None:
    server = rogue(http("503 Busy", b"", f"Retry-After: {value}"))
    with pytest.raises(TransientError) as caught:
        serve(target(server.url), upload(tmp_path / "file"))
    if least is None or most is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_date_to_retry_after_is_obeyed(rogue: MakeRogue, tmp_path: Path, zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1000)).replace("+0000", zone)
    server = rogue(http("503 Busy", b"", f"Retry-After: {date}"))
    with pytest.raises(TransientError) as caught:
        serve(target(server.url), upload(tmp_path / "file"))
    assert caught.value.retry_after is not None
    assert 500 < caught.value.retry_after <= 1000


@pytest.mark.parametrize("size", [7, SMALL + 1])
@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size": 1}])
def test_a_receiver_that_lies_is_not_believed_and_told_to_forget(
    rogue: MakeRogue, tmp_path: Path, size: int, wrong: dict[str, Any]
) -> None:
    content = b"x" * size
    truth = {
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
        "file_id": "a/b c",
    }
    server = rogue(http("201 Created", receipt(**truth | wrong)))
    with pytest.raises(TransientError, match="holds other bytes than were sent"):
        serve(target(server.url), upload(tmp_path / "file", content))
    assert [[r.method, r.path] for r in server.requests] == [
        ["POST", "/upload"],
        ["DELETE", "/files/a%2Fb%20c"],
    ]


@pytest.mark.parametrize("bundled", [False, True])
def test_before_a_wrong_copy_is_forgotten_for_certain_nothing_is_sent(
    rogue: MakeRogue, tmp_path: Path, bundled: bool
) -> None:
    how: list[bytes | None] = [
        None,
        http("503 Busy", "{}"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        http("403 Forbidden", "{}"),
    ]

    def answer(server: Any, connection: socket.socket, request: Any) -> None:
        if request.method == "POST":
            connection.sendall(http("201 Created", receipt()))
        elif (said := how.pop(0)) is not None:
            connection.sendall(said)
        else:
            server.stop.wait(60)  # it will forget, but when?

    server = rogue(answer)
    item = upload(tmp_path / "file")
    sender = target(server.url, timeouts=(1.0, 0.2))

    def failure() -> str:
        worker = sender.connect()
        if bundled:
            [outcome] = serve_all(worker, [item])
        else:
            with pytest.raises(TransientError) as raised:
                worker.serve(item, attempt())
            outcome = raised.value
        worker.close()
        return str(outcome)

    key = item.key("here", server.url)
    assert "did not answer" in failure()
    assert "answered 503 instead of forgetting a wrong copy" in failure()
    assert "holds other bytes" in failure()
    methods = ["POST", "DELETE", "DELETE", "DELETE", "POST", "DELETE"]
    assert [r.method for r in server.requests] == methods
    assert item.key("here", server.url) == key


def test_a_receiver_that_lies_about_what_it_had_is_asked_again_under_another_key(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    server = rogue(http("201 Created", receipt(duplicate=True)))
    item = upload(tmp_path / "file")
    key = item.key("here", server.url)
    with pytest.raises(TransientError, match="holds other bytes"):
        serve(target(server.url), item)
    assert item.key("here", server.url) != key
    with pytest.raises(TransientError, match="holds other bytes"):
        serve(target(server.url), item)
    assert [r.method for r in server.requests] == ["POST", "POST", "DELETE"]


def test_damage_on_the_way_is_tried_again_once_under_another_key(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    server = rogue(http("422 Unprocessable", json.dumps({"detail": "Damaged."})))
    item = upload(tmp_path / "file")
    with pytest.raises(TransientError, match=r"answered 422: Damaged\."):
        serve(target(server.url), item)
    with pytest.raises(PermanentError, match=r"answered 422: Damaged\."):
        serve(target(server.url), item)


def endless(_rogue: Any, connection: socket.socket, _request: Any) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n")
    while True:  # until the other side hangs up
        connection.sendall(b"[" * 65536)


def test_an_endless_answer_is_not_listened_to(rogue: MakeRogue, tmp_path: Path) -> None:
    server = rogue(endless)
    with pytest.raises(PermanentError, match=FOREIGN):
        serve(target(server.url), upload(tmp_path / "file"))


def test_an_endless_answer_to_a_delete_is_not_either(rogue: MakeRogue, tmp_path: Path) -> None:
    def answer(server: Any, connection: socket.socket, request: Any) -> None:
        if request.method == "POST":
            connection.sendall(http("201 Created", receipt()))
        else:
            endless(server, connection, request)

    server = rogue(answer)
    with pytest.raises(TransientError, match="holds other bytes"):
        serve(target(server.url), upload(tmp_path / "file"))


def silent(server: Any, _connection: socket.socket, _request: Any) -> None:
    server.stop.wait(60)


def drips(server: Any, connection: socket.socket, _request: Any) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
    while not server.stop.wait(0.01):
        connection.sendall(b" ")


def test_a_server_that_never_answers_is_given_up_in_time(rogue: MakeRogue, tmp_path: Path) -> None:
    server = rogue(silent)
    with pytest.raises(TransientError, match=r"did not answer in time: is it overloaded or gone\?"):
        serve(target(server.url, timeouts=(5.0, 0.1)), upload(tmp_path / "file"))


def test_a_server_that_stops_in_its_answer_is_given_up_in_time(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    def half(server: Any, connection: socket.socket, _request: Any) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{")
        server.stop.wait(60)

    server = rogue(half)
    with pytest.raises(TransientError, match="did not answer in time"):
        serve(target(server.url, timeouts=(5.0, 0.1)), upload(tmp_path / "file"))


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """A server that accepts, and never reads a byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def full() -> Iterator[str]:
    """A server that doesn't even accept, so that connecting hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("where", ["never answers", "drips", "never reads", "never accepts"])
def test_an_abort_ends_a_request_that_hangs(
    rogue: MakeRogue, tmp_path: Path, where: str, until: Until
) -> None:
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", LARGE)
    item = upload(tmp_path / "big", None)
    begun = threading.Event()
    running = Attempt(lambda _: begun.set())
    ends: list[BaseException] = []

    def work() -> None:
        try:
            worker.serve(item, running)
        except BaseException as error:  # noqa: BLE001 - looked at below
            ends.append(error)

    with contextlib.ExitStack() as stack:
        match where:
            case "never answers" | "drips":
                item = upload(tmp_path / "file")
                url = rogue(silent if where == "never answers" else drips).url
            case "never reads":
                url = stack.enter_context(deaf())
            case "never accepts":
                url = stack.enter_context(full())
        worker = stack.enter_context(sender(target(url, timeouts=(60.0, 60.0))))
        thread = threading.Thread(target=work)
        thread.start()
        if where == "never accepts":
            until(lambda: worker._session._wire._connection is not None)
        else:
            assert begun.wait(60)
        running.abort()
        thread.join(3.0)  # it takes milliseconds, where the machine isn't busy
        assert not thread.is_alive()
    assert [type(end) for end in ends] == [Aborted]


def test_an_abort_before_the_request_keeps_it_from_beginning(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    server = rogue(http("500 Oops"))
    stopped = attempt()
    stopped.abort()
    with sender(target(server.url)) as worker:
        with pytest.raises(Aborted):
            worker.serve(upload(tmp_path / "file"), stopped)
        assert server.requests == []
        with pytest.raises(TransientError, match="500"):  # the next one is not concerned
            worker.serve(upload(tmp_path / "file"), attempt())


def test_an_abort_that_comes_late_does_not_stop_the_next_attempt(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    begun, go = threading.Event(), threading.Event()

    def answer(_rogue: Any, connection: socket.socket, _request: Any) -> None:
        if len(server.requests) == 2:
            begun.set()
            go.wait(60)
        connection.sendall(http("201 Created", receipt(sha256=digest)))

    digest = hashlib.sha256(b"content").hexdigest()
    server = rogue(answer)
    receipts: list[Any] = []
    with sender(target(server.url)) as worker:
        first = attempt()
        receipts.append(worker.serve(upload(tmp_path / "file"), first))
        thread = threading.Thread(
            target=lambda: receipts.append(worker.serve(upload(tmp_path / "file"), attempt()))
        )
        thread.start()
        assert begun.wait(60)
        first.abort()
        go.set()
        thread.join()
    assert len(receipts) == 2


def test_a_server_that_closes_at_once(rogue: MakeRogue, tmp_path: Path) -> None:
    def reset(_rogue: Any, connection: socket.socket, _request: Any) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def close(_rogue: Any, connection: socket.socket, _request: Any) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    for answer in (reset, close):
        server = rogue(answer)
        for content in (b"content", bytes(8 * SMALL)):
            with pytest.raises(TransientError, match="cannot be reached or broke off"):
                serve(target(server.url), upload(tmp_path / "file", content))


def test_a_connection_that_was_closed_between_two_files_is_made_anew(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    closed = threading.Event()

    def answer(_rogue: Any, connection: socket.socket, _request: Any) -> None:
        connection.sendall(http("201 Created", receipt(sha256=digest)))
        connection.shutdown(socket.SHUT_RDWR)  # at once, whoever else holds the socket
        closed.set()
        raise ConnectionAbortedError

    digest = hashlib.sha256(b"content").hexdigest()
    server = rogue(answer)
    with sender(target(server.url)) as worker:
        for _ in range(3):
            assert worker.serve(upload(tmp_path / "file"), attempt()).size == 7
            assert closed.wait(60)
            closed.clear()


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransientError, match=r"cannot be reached.*is the receiver running\?"):
        serve(target(url), upload(tmp_path / "file"))


def test_a_server_that_never_accepts_is_given_up_in_time(tmp_path: Path) -> None:
    with full() as url, pytest.raises(TransientError, match="did not answer in time"):
        serve(target(url, timeouts=(0.1, 5.0)), upload(tmp_path / "file"))


def test_no_such_host(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="cannot be reached"):
        serve(target("http://nobody.invalid:1"), upload(tmp_path / "file"))


def test_a_plain_server_behind_an_https_address(rogue: MakeRogue, tmp_path: Path) -> None:
    server = rogue(b"")
    where = server.url.replace("http:", "https:")
    with pytest.raises(
        TransientError, match=r"has no certificate|did not answer|cannot be reached"
    ):
        serve(target(where, timeouts=(0.2, 0.2)), upload(tmp_path / "file"))


def test_a_token_goes_to_the_receiver_and_not_along_a_redirect(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    thief = rogue(http("200 OK"))
    server = rogue(http("307 Moved", b"", f"Location: {thief.url}/upload"))
    where = ReceiverTarget(server.url, installation="here", token="secret")
    with pytest.raises(PermanentError, match="307"):
        serve(where, upload(tmp_path / "file"))
    assert thief.requests == []
    assert "secret" not in where.url


# --- bundles, servers that misbehave --------------------------------------------------------------


def files_of(request: Any) -> list[dict[str, Any]]:
    """What an honest receiver would answer for the parts of a request."""
    pattern = rb'filename="([^"]+)"\r\n.*?\r\n\r\n(.*?)\r\n--dropline'
    return [
        {
            "file_id": name.decode(),
            "name": name.decode(),
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "duplicate": False,
        }
        for name, data in re.findall(pattern, request.body, re.DOTALL)
    ]


NO_BUNDLES = {
    "404": http("404 Not Found", "<html>"),
    "400": http("400 Bad Request", json.dumps({"detail": "One file, please."})),
    "401": http("401 Unauthorized", json.dumps({"detail": "Who are you?"})),
    "413": http("413 Too Large", "<html>nginx</html>"),
    "redirect": http("302 Found", b"", "Location: /elsewhere"),
    "not JSON": http("201 Created", b"\xff\xfe"),
    "list": http("201 Created", "[]"),
    "no files": http("201 Created", json.dumps({"status": "success"})),
    "files of text": http("201 Created", json.dumps({"files": ["x", "y", "z"]})),
    "files by name": http("201 Created", json.dumps({"files": {"x": 1}})),
}


@pytest.mark.parametrize("case", NO_BUNDLES)
def test_a_target_that_takes_no_bundles_gets_one_by_one(
    rogue: MakeRogue, tmp_path: Path, case: str
) -> None:
    """The bundle's files wait as they did, and each is told what is wrong when it goes alone."""
    where = target(rogue(NO_BUNDLES[case]).url)
    items = uploads(tmp_path, 3)
    with sender(where) as worker, sender(where) as other:
        assert {type(each) for each in serve_all(worker, items)} == {Unreached}
        assert worker.room().items == other.room().items == 1
        for item in items:
            with pytest.raises(PermanentError, match="answered"):
                worker.serve(item, attempt())


WHOLE = {
    "503": (http("503 Busy", json.dumps({"detail": "Come back."}), "Retry-After: 7"), 7.0, True),
    "429": (http("429 Slow down"), None, True),
    "500": (http("500 Oops"), None, False),
    "408": (http("408 Too slow"), None, False),
    "stopping": (
        http("400 Bad", json.dumps({"type": "urn:dropline:problem:cut-short", "detail": "Why?"})),
        None,
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_to_the_whole_bundle_that_may_pass_is_each_files(
    rogue: MakeRogue, tmp_path: Path, case: str
) -> None:
    answer, retry_after, down = WHOLE[case]
    with sender(target(rogue(answer).url)) as worker:
        got = serve_all(worker, uploads(tmp_path, FIRST_FILES))
        assert [type(each) for each in got] == [TransientError] * FIRST_FILES
        assert {(each.retry_after, each.target_down) for each in got} == {(retry_after, down)}
        assert worker.room().items == FIRST_FILES  # it says nothing about how long one takes


def test_a_bundle_whose_connection_is_cut_may_go_again_in_smaller_ones(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    def cut(_rogue: Any, connection: socket.socket, _request: Any) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{")
        raise ConnectionAbortedError

    with sender(target(rogue(cut).url)) as worker:
        got = serve_all(worker, uploads(tmp_path, 3))
        assert [type(each) for each in got] == [TransientError] * 3
        assert all(each.target_down and "broke off" in str(each) for each in got)
        assert worker.room().items == FIRST_FILES // 2


@pytest.mark.parametrize("told", [0, 1, 2])
def test_what_an_answer_does_not_come_to_is_unreached(
    rogue: MakeRogue, tmp_path: Path, told: int
) -> None:
    def answer(_rogue: Any, connection: socket.socket, request: Any) -> None:
        files = files_of(request)[:told]
        connection.sendall(http("201 Created", json.dumps({"files": files})))

    with sender(target(rogue(answer).url)) as worker:
        got = serve_all(worker, uploads(tmp_path, 3))
        assert [type(each) for each in got] == [Receipt] * told + [Unreached] * (3 - told)
        assert worker.room().items == FIRST_FILES // 2


def test_each_file_of_an_answer_is_judged_by_itself(rogue: MakeRogue, tmp_path: Path) -> None:
    def answer(_rogue: Any, connection: socket.socket, request: Any) -> None:
        if request.method == "DELETE":
            connection.sendall(http("204 No Content"))
            return
        files = files_of(request)
        files[0]["sha256"] = "0" * 64
        del files[1]["size"]
        files[2] = {"error": {"status": 503, "detail": "Come back."}}
        files[3] = {"error": {"detail": "No."}}
        files[4] = {"error": "a word"}
        files[5] = {"error": {"status": "many", "detail": 7}}
        files[6]["size"] = "many"
        files.append({"more": "than were sent"})
        connection.sendall(http("413 Hm", json.dumps({"files": files}), "Retry-After: 3"))

    server = rogue(answer)
    with sender(target(server.url)) as worker:
        got = serve_all(worker, uploads(tmp_path, 8))
    assert [type(each) for each in got] == [
        TransientError, PermanentError, TransientError, *[PermanentError] * 4, Receipt,
    ]  # fmt: skip
    assert "holds other bytes" in str(got[0])
    assert "did not say what became of" in str(got[1])
    assert (got[2].retry_after, got[2].target_down) == (3.0, True)
    assert str(got[3]) == f"{server.url} answered 413: No."
    assert [[r.method, r.path] for r in server.requests[1:]] == [["DELETE", "/files/0"]]


def test_a_bundle_that_hangs_ends_when_all_of_it_is_stopped(
    rogue: MakeRogue, tmp_path: Path, until: Until
) -> None:
    server = rogue(silent)
    items = uploads(tmp_path, 3)
    attempts = [attempt() for _ in items]
    got: list[Any] = []
    with sender(target(server.url, timeouts=(60.0, 60.0))) as worker:
        thread = threading.Thread(target=lambda: got.extend(worker.serve_bundle(items, attempts)))
        thread.start()
        until(lambda: len(server.requests) == 1)
        for each in attempts[:2]:
            each.abort()
        assert thread.is_alive()  # the third one goes on
        attempts[2].abort()
        thread.join(3.0)
        assert not thread.is_alive()
        assert worker.room().items == FIRST_FILES  # nothing broke off by itself
    assert [type(each) for each in got] == [Aborted] * 3


def test_a_file_stopped_before_its_bundle_goes_stays_behind(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    items = uploads(tmp_path, 3)
    attempts = [attempt() for _ in items]
    attempts[1].abort()
    with sender(target(receiver.url)) as worker:
        got = worker.serve_bundle(items, attempts)
    assert [type(each) for each in got] == [Receipt, Aborted, Receipt]
    assert {file["name"] for file in stored.files()} == {"0", "2"}


def test_what_changes_in_the_middle_of_its_upload_is_not_stored(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    """The real receiver gets half of it, and never the end of the request."""
    item = upload(tmp_path / "file", bytes(8 * SMALL))
    changed = False

    def change(_: int) -> None:
        nonlocal changed
        if not changed:
            with (tmp_path / "file").open("ab") as file:
                file.write(b"more")
            changed = True

    with sender(target(receiver.url)) as worker:
        with pytest.raises(TransientError, match="changed while it was read"):
            worker.serve(item, Attempt(change))
        assert stored.files() == []
        assert worker.serve(item, attempt()).size == 8 * SMALL + 4
    assert requests.get(f"{receiver.url}/healthz").json()["status"] == "ok"


# --- large files, piece by piece ------------------------------------------------------------------


class Broken(Exception):
    """The sender's process is gone."""


def test_a_large_file_goes_on_where_an_earlier_process_stopped(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    content = os.urandom(LARGE * 2 + 12345)
    item = upload(tmp_path / "file", content)
    done = 0

    def fail(size: int) -> None:
        nonlocal done
        done += size
        if done > LARGE:
            raise Broken

    with sender(target(receiver.url)) as worker, pytest.raises(Broken):
        worker.serve(item, Attempt(fail))
    sent: list[int] = []
    reads: list[int] = []
    with sender(target(receiver.url)) as worker:
        post = worker._session.request

        def request(method: str, url: str, **options: Any) -> requests.Response:
            if method == "PATCH":
                sent.append(len(options["data"]))
            return post(method, url, **options)

        worker._session.request = request
        receipt = worker.serve(upload(tmp_path / "file", None), Attempt(reads.append))
    assert (receipt.size, receipt.duplicate) == (len(content), False)
    assert sum(sent) < len(content)  # what had arrived was not sent again
    assert sum(reads) == len(content)
    assert stored.digests() == {"file": hashlib.sha256(content).hexdigest()}


def test_a_large_file_that_is_there_is_not_sent_again(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    content = os.urandom(LARGE + 1)
    with sender(target(receiver.url)) as worker:
        first = worker.serve(upload(tmp_path / "file", content), attempt())
        again = worker.serve(upload(tmp_path / "file", None), attempt())
    assert (first.duplicate, again.duplicate) == (False, True)
    assert first.file_id == again.file_id
    assert len(stored.files()) == 1


def test_a_large_file_that_changed_under_its_old_key_is_sent_under_another(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    item = upload(tmp_path / "file", bytes(LARGE + 1))
    os.utime(tmp_path / "file", ns=(0, 1_700_000_000_000_000_000))
    with sender(target(receiver.url)) as worker:
        worker.serve(item, attempt())
        (tmp_path / "file").write_bytes(b"x" * (LARGE + 1))
        os.utime(tmp_path / "file", ns=(0, 1_700_000_000_000_000_000))
        other = upload(tmp_path / "file", None)
        with pytest.raises(TransientError, match="holds other bytes than were sent"):
            worker.serve(other, attempt())
        assert not worker.serve(other, attempt()).duplicate
    assert len(stored.files()) == 2


def test_a_receiver_without_tus_gets_large_files_as_any_other(
    rogue: MakeRogue, tmp_path: Path
) -> None:
    content = bytes(LARGE + 1)
    answer = json.dumps(
        {
            "files": [
                {
                    "file_id": "1",
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            ]
        }
    ).encode()

    def old(_rogue: Any, connection: socket.socket, request: Any) -> None:
        status, body = (404, b"{}") if request.path.startswith("/tus") else (201, answer)
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)

    server = rogue(old)
    with sender(target(server.url)) as worker:
        assert worker.serve(upload(tmp_path / "file", content), attempt()).size == len(content)
    assert [request.path for request in server.requests] == ["/tus/", "/upload"]
