"""The line, end to end: what is dropped arrives whole at a real receiver, or it is said why not."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dropline.bus import MemoryBus
from dropline.events import (
    FileCancelled,
    FileFailed,
    FileProgressed,
    FileQueued,
    FileRefused,
    FileRetried,
    FilesDropped,
    FileSkipped,
    FileStarted,
    FileUploaded,
    Message,
    RecordingEnded,
    RecordingStarted,
    ScanFinished,
    ScanProgressed,
    StationDrained,
    StationPaused,
    StationResumed,
    TargetDown,
    WorkersChanged,
)
from dropline.home import Home
from dropline.line import BESIDE_WALK, Line
from dropline.meter import measure, read_log
from dropline.receiver import Receiver
from dropline.station import MAX_WORKERS, MIN_RATE, Reading
from dropline.station.limit import BURST
from dropline.targets import ReceiverTarget
from ports import free_port

MB = 1 << 20

Until = Callable[..., None]
MakeLine = Callable[..., Line]

NAMES = [
    "with spaces",
    "#%?&=+;,",
    "%41%2F%0A",
    "照片 二〇二四.jpg",
    "😀🎉.png",
    "-rf",
    "--",
    "a" * 255,
    "字" * 85,  # 255 bytes
    "two\nlines",
    "carriage\rreturn",
    "\"double\" 'single' `back`",
    "back\\slash",
    "$HOME ~",
    " leading and trailing ",
]


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sparse(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size)
    return path


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def send(
    line: Line,
    heard: Any,
    until: Until,
    *paths: Path | str,
    seconds: float = 60,
    again: bool = False,
) -> str:
    """Drop the paths and wait until the line has dealt with all of it; the drop's id."""
    drop = line.drop([str(path) for path in paths], again=again)
    until(lambda: not line.scanning, seconds)
    assert line.station.wait_drained(seconds)
    settle(heard)
    return drop


def settle(heard: Any) -> None:
    """Let what the line has posted be heard."""
    assert heard.bus.flush()


def pause(line: Line, heard: Any, until: Until) -> None:
    """Commands run on a thread of their own: wait until this one has run."""
    before = len(heard.of(StationPaused))
    line.pause()
    until(lambda: len(heard.of(StationPaused)) > before)


def name_of(heard: Any) -> dict[int, str]:
    return {event.job: event.name for event in heard.of(FileQueued)}


def uploaded(heard: Any) -> dict[str, FileUploaded]:
    names = name_of(heard)
    return {names[event.job]: event for event in heard.of(FileUploaded)}


def failed(heard: Any) -> dict[str, str]:
    names = name_of(heard)
    return {names[event.job]: event.reason for event in heard.of(FileFailed)}


def refused(heard: Any) -> dict[str, str]:
    return {Path(event.path).name: event.reason for event in heard.of(FileRefused)}


# --- what is dropped arrives ----------------------------------------------------------------------


def test_files_of_any_name_arrive_with_their_names_and_digests(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    for name in (*NAMES, "caf\udce9", "\udcff\udcfe.txt"):
        write(tmp_path / "folder" / name, os.fsencode(name))
    send(make_line(receiver.url), heard, until, tmp_path / "folder", tmp_path / "folder" / "-rf")
    expected = {f"folder/{name}": digest(name.encode()) for name in NAMES}
    expected["folder/caf\\xe9"] = digest(b"caf\xe9")
    expected["folder/\\xff\\xfe.txt"] = digest(b"\xff\xfe.txt")
    # "-rf" was dropped by itself too: the same file, stored once, under either name
    held = stored.digests()
    assert held.pop("-rf", held.get("folder/-rf")) == expected["folder/-rf"]
    held["folder/-rf"] = expected["folder/-rf"]
    assert held == expected
    assert set(uploaded(heard)) == {f"folder/{name}" for name in NAMES} | {
        "-rf", "folder/caf\udce9", "folder/\udcff\udcfe.txt",
    }  # fmt: skip
    assert sorted(event.duplicate for event in heard.of(FileUploaded)).count(True) == 1
    assert not heard.of(FileFailed, FileRefused)


def test_a_tree_of_every_shape_arrives_once(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    deep = "/".join(["d"] * 200)
    write(tree / deep / "deepest", b"deep")
    write(tree / "empty file", b"")
    (tree / "empty folder").mkdir()
    write(tree / "file", b"file")
    write(tmp_path / "beside", b"not dropped")
    write(tmp_path / "elsewhere" / "picture", b"picture")
    (tree / "here").symlink_to(".")
    (tree / "up").symlink_to("..")
    (tree / "link").symlink_to("file")
    (tree / "out").symlink_to(tmp_path / "elsewhere")
    (tree / "broken").symlink_to("gone")
    send(make_line(receiver.url), heard, until, tree, tree, tree / "file")
    expected = {
        f"tree/{deep}/deepest": b"deep",
        "tree/empty file": b"",
        "tree/empty folder/": b"",
        "tree/file": b"file",
        "tree/link": b"file",
        "tree/out/picture": b"picture",
        "file": b"file",
    }
    got = {name: event.sha256 for name, event in uploaded(heard).items()}
    assert got == {name: digest(content) for name, content in expected.items()}
    assert len(heard.of(FileUploaded)) == len(expected)  # though the tree was dropped twice
    assert len(stored.files()) == len(expected) - 1  # “file” by either name is one file
    assert list(refused(heard)) == ["broken"]
    assert write(tree / "file", b"still there").exists()
    assert (tmp_path / "elsewhere" / "picture").exists()


def test_what_is_unchanged_since_it_was_sent_is_sent_only_again(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    write(tmp_path / "tree" / "small")
    sparse(tmp_path / "tree" / "large", 2 * MB)
    write(tmp_path / "tree" / "empty", b"")
    (tmp_path / "tree" / "folder").mkdir()
    line = make_line(receiver.url)
    send(line, heard, until, tmp_path / "tree")
    first = uploaded(heard)
    assert not any(event.duplicate for event in first.values())
    heard.messages.clear()
    send(line, heard, until, tmp_path / "tree")
    assert not heard.of(FileQueued, FileUploaded)
    skipped = {event.name: event for event in heard.of(FileSkipped)}
    assert {n: e.file_id for n, e in skipped.items()} == {n: e.file_id for n, e in first.items()}
    assert {n: e.job for n, e in skipped.items()} == {n: e.job for n, e in first.items()}
    send(line, heard, until, tmp_path / "tree", again=True)
    again = uploaded(heard)
    assert all(event.duplicate for event in again.values())
    assert {n: e.file_id for n, e in again.items()} == {n: e.file_id for n, e in first.items()}
    assert len(stored.files()) == 4


def test_another_receiver_at_the_same_address_gets_everything(
    make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    write(tmp_path / "tree" / "file")
    port = 0
    for data in ("one", "other"):
        receiver = Receiver(tmp_path / data, port=port)
        receiver.start()
        port = int(receiver.url.rsplit(":", 1)[1])
        line = make_line(receiver.url)
        send(line, heard, until, tmp_path / "tree")
        line.close()
        receiver.stop()
    assert len(heard.of(FileUploaded)) == 2
    assert not heard.of(FileSkipped)


def test_other_bytes_with_the_same_size_and_time_arrive(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    for letter in (b"a", b"b"):
        write(tmp_path / "file", letter * 100)
        os.utime(tmp_path / "file", ns=(0, 1_700_000_000_000_000_000))
        send(line, heard, until, tmp_path / "file", again=True)
    assert [event.sha256 for event in heard.of(FileUploaded)] == [
        digest(b"a" * 100),
        digest(b"b" * 100),
    ]
    assert {file["sha256"] for file in stored.files()} == {digest(b"a" * 100), digest(b"b" * 100)}
    assert not heard.of(FileFailed)


def test_each_file_has_its_story_in_order(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    for number in range(50):
        write(tmp_path / "tree" / str(number), str(number).encode())
    drop = send(make_line(receiver.url), heard, until, tmp_path / "tree")
    until(lambda: heard.of(StationDrained))
    kinds = [type(message.data) for message in heard.messages]
    assert kinds.index(FilesDropped) < kinds.index(ScanProgressed) < kinds.index(ScanFinished)
    assert heard.of(FilesDropped) == [FilesDropped(drop, (str(tmp_path / "tree"),))]
    size = sum(len(str(number)) for number in range(50))
    assert heard.of(ScanFinished) == [ScanFinished(drop, 50, size, 0, False)]
    jobs = [event.job for event in heard.of(FileQueued)]
    assert jobs == list(range(1, 51))
    for job in jobs:
        story = [e for e in heard.of(FileQueued, FileStarted, FileUploaded) if e.job == job]
        assert [type(event) for event in story] == [FileQueued, FileStarted, FileUploaded]
        assert story[1].attempt == 1
        assert story[2].sha256 == digest(Path(story[0].path).read_bytes())
        assert story[2].seconds > 0
    assert sum(event.finished for event in heard.of(StationDrained)) == 50


# --- what cannot be sent, and the rest goes on ----------------------------------------------------


def test_what_is_no_file_is_refused_and_the_rest_arrives(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    write(tree / "good")
    os.mkfifo(tree / "pipe")
    (tree / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
        paths = [tree, "/dev/zero", tmp_path / "gone", "", "a\0b", "/"]
        drop = send(make_line(receiver.url), heard, until, *paths)
    assert [file["name"] for file in stored.files()] == ["tree/good"]
    assert sorted(refused(heard)) == ["", "a\0b", "gone", "pipe", "socket", "zero"]
    assert len(heard.of(FileRefused)) == 8
    assert all(event.reason.endswith(".") for event in heard.of(FileRefused))
    assert heard.of(ScanFinished) == [ScanFinished(drop, 1, 7, 8, False)]


def test_what_may_not_be_read_is_told_and_the_rest_arrives(
    receiver: Receiver,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    unprivileged: Callable[[], Path],
    tmp_path: Path,
) -> None:
    # Once as the user who may read everything: from here on all modules are loaded.
    send(make_line(receiver.url), heard, until, write(tmp_path / "first"))
    folder = unprivileged()
    theirs = Receiver(folder / "received", port=0)
    theirs.start()
    try:
        line = make_line(theirs.url, home=folder / "home")
        write(folder / "tree" / "good")
        write(folder / "tree" / "secret").chmod(0o000)
        (folder / "tree" / "locked").mkdir(mode=0o000)
        send(line, heard, until, folder / "tree")
        assert "tree/good" in uploaded(heard)
        assert "give yourself permission to, then retry" in failed(heard)["tree/secret"]
        assert "give yourself permission to, then drop it again" in refused(heard)["locked"]
        (folder / "tree" / "secret").chmod(0o600)
        line.retry()
        until(lambda: "tree/secret" in uploaded(heard))
    finally:
        theirs.stop()


def test_what_vanishes_after_the_walk_is_told_and_sent_once_it_is_back(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, other_disk: Path
) -> None:
    write(other_disk / "tree" / "good")
    write(other_disk / "tree" / "gone")
    line = make_line(receiver.url)
    pause(line, heard, until)
    line.drop([str(other_disk / "tree")])
    until(lambda: heard.of(ScanFinished))
    (other_disk / "tree" / "gone").unlink()
    line.resume()
    until(lambda: len(heard.of(FileUploaded, FileFailed)) == 2)
    assert list(uploaded(heard)) == ["tree/good"]
    assert failed(heard)["tree/gone"].endswith("is not there any more: put it back, then retry.")
    write(other_disk / "tree" / "gone", b"back")
    line.retry()
    until(lambda: "tree/gone" in uploaded(heard))
    assert uploaded(heard)["tree/gone"].sha256 == digest(b"back")
    starts = [event.attempt for event in heard.of(FileStarted) if event.job in name_of(heard)]
    assert starts == [1, 1, 1]  # a retry by hand counts from 1 again


def test_a_file_that_grows_is_sent_whole_once_it_rests(
    receiver: Receiver,
    stored: Any,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    tmp_path: Path,
    appender: Callable[[Path], Any],
) -> None:
    path = sparse(tmp_path / "growing", 8 * MB)
    write(tmp_path / "good")
    growth = appender(path)
    line = make_line(receiver.url)
    line.drop([str(path), str(tmp_path / "good")])
    until(lambda: heard.of(FileRetried))
    growth.rest()
    until(lambda: not line.scanning)
    assert line.station.wait_drained(60)
    settle(heard)
    assert "changed while it was read" in heard.of(FileRetried)[0].reason
    sent = uploaded(heard)
    assert sent["growing"].sha256 == digest(path.read_bytes())
    assert sent["growing"].size == path.stat().st_size > 8 * MB
    assert stored.digests() == {
        "growing": digest(path.read_bytes()), "good": digest(b"content"),
    }  # fmt: skip


def test_a_file_that_never_rests_is_told_and_never_stored(
    receiver: Receiver,
    stored: Any,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    tmp_path: Path,
    appender: Callable[[Path], Any],
) -> None:
    path = sparse(tmp_path / "growing", 8 * MB)
    growth = appender(path)
    line = make_line(receiver.url)
    line.drop([str(path)])
    until(lambda: heard.of(FileFailed))
    assert "changed while it was read" in failed(heard)["growing"]
    assert "Gave up after 5 attempts." in failed(heard)["growing"]
    assert stored.files() == []
    growth.rest()
    line.retry()
    until(lambda: heard.of(FileUploaded))
    assert stored.digests() == {"growing": digest(path.read_bytes())}


ANSWERS = {
    "500": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "garbage": b"\x00\xff garbage\r\n\r\n",
    "lie": b'{"files":[{"file_id":"7","size":7,"sha256":"00","duplicate":false}]}',
    "closes": b"",
}


def test_every_bad_answer_is_told_and_the_rest_arrives(
    rogue: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    """One server answers each file in its own way, and only “good” as it should."""

    def answer(_server: Any, connection: socket.socket, request: Any) -> None:
        case = next((name for name in ANSWERS if f'/{name}"'.encode() in request.body), "")
        data = ANSWERS.get(case, b"")
        if case in {"", "lie"}:
            body = (
                data
                or json.dumps(
                    {"files": [{"file_id": "1", "size": 7, "sha256": digest(b"content")}]}
                ).encode()
            )
            data = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        connection.sendall(data)
        if case in {"closes", "garbage"}:
            connection.shutdown(socket.SHUT_RDWR)

    server = rogue(answer)
    for name in (*ANSWERS, "good", "good too"):
        write(tmp_path / "tree" / name)
    line = make_line(server.url, patience=6.0)  # to the end of those that are just bad
    send(line, heard, until, tmp_path / "tree", seconds=30)
    assert set(uploaded(heard)) == {"tree/good", "tree/good too"}
    assert set(failed(heard)) == {f"tree/{name}" for name in ANSWERS}
    assert all(server.url in reason for reason in failed(heard).values())
    assert "holds other bytes than were sent" in failed(heard)["tree/lie"]
    deletes = [request.path for request in server.requests if request.method == "DELETE"]
    assert set(deletes) == {"/files/7"}
    attempts = {name_of(heard)[e.job]: e.attempt for e in heard.of(FileFailed)}
    assert {attempts[f"tree/{name}"] for name in ("500", "lie")} == {5}
    # Where one file of a bundle broke it off, the others needed a second attempt.
    assert {attempts[f"tree/{name}"] for name in ("404", "302", "html")} <= {1, 2}


def test_a_receiver_that_stops_in_the_middle_is_used_again_once_it_is_back(
    make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    data = tmp_path / "received"
    receiver = Receiver(data, port=0)
    receiver.start()
    line = make_line(receiver.url)
    line.limit(40e6)  # so that it takes a while
    line.drop([str(sparse(tmp_path / "large", 200 * MB)), str(write(tmp_path / "small"))])
    until(lambda: line.station.counts().bytes_done > 20 * MB)
    receiver.stop()
    line.limit(None)
    until(lambda: heard.of(FileRetried))
    reason = heard.of(FileRetried)[0].reason
    assert re.search("broke off: is the receiver running|connection ended before", reason)
    again = Receiver(data, port=int(receiver.url.rsplit(":", 1)[1]))
    again.start()
    try:
        assert again.url == receiver.url

        def arrived() -> bool:
            line.retry()  # what was given up in the meantime
            return set(uploaded(heard)) == {"large", "small"}

        until(arrived, 20)
        assert uploaded(heard)["large"].size == 200 * MB
    finally:
        line.close()
        again.stop()


def test_a_full_disk_at_the_receiver_is_told_and_what_fits_arrives(
    small_disk: Callable[..., Path], make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    receiver = Receiver(small_disk(4 * MB) / "received", port=0)
    receiver.start()
    try:
        line = make_line(receiver.url, workers=1)
        sparse(tmp_path / "large", 8 * MB)
        send(line, heard, until, tmp_path / "large", write(tmp_path / "small"))
        assert list(uploaded(heard)) == ["small"]
        assert "answered 507: " in failed(heard)["large"]
        line.close()
    finally:
        receiver.stop()


def test_nobody_there(make_line: MakeLine, heard: Any, until: Until, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    send(make_line(url), heard, until, write(tmp_path / "file"))
    assert failed(heard)["file"] == (
        f"{url} cannot be reached or broke off: is the receiver running? Gave up after 1 s."
    )
    [down] = heard.of(TargetDown)
    assert (down.target, down.reason.endswith("is the receiver running?")) == (url, True)
    [drained] = heard.of(StationDrained)
    assert (drained.finished, drained.failed) == (0, 1)


# --- held sources ---------------------------------------------------------------------------------


def spool_files(home: Path) -> list[str]:
    return sorted(p.name for p in (home / "spool").rglob("*") if p.is_file() and p.name != "lock")


def test_what_is_dropped_from_a_temporary_folder_arrives_after_that_is_gone(
    receiver: Receiver,
    stored: Any,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    tmp_path: Path,
    dropline_home: Path,
) -> None:
    tree = tmp_path / "unpacked"
    for number in range(20):
        write(tree / str(number), str(number).encode())
    line = make_line(receiver.url)
    pause(line, heard, until)
    line.drop([str(tree)])
    until(lambda: heard.of(ScanFinished))
    shutil.rmtree(tree)
    assert len(spool_files(dropline_home)) == 20
    line.resume()
    until(lambda: len(heard.of(FileUploaded)) == 20)
    assert stored.digests() == {f"unpacked/{n}": digest(str(n).encode()) for n in range(20)}
    until(lambda: spool_files(dropline_home) == [])


def test_a_held_source_stays_as_long_as_it_may_be_sent_again(
    rogue: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path, dropline_home: Path
) -> None:
    server = rogue(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    line = make_line(server.url)
    send(line, heard, until, write(tmp_path / "one"), write(tmp_path / "two"))
    assert spool_files(dropline_home) == ["one", "two"]
    pause(line, heard, until)
    line.retry()
    until(lambda: line.station.counts().waiting == 2)
    line.cancel()
    until(lambda: len(heard.of(FileCancelled)) == 2)
    until(lambda: spool_files(dropline_home) == [])


def test_a_second_line_leaves_the_firsts_sources_alone(
    receiver: Receiver,
    stored: Any,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    tmp_path: Path,
    dropline_home: Path,
) -> None:
    first = make_line(receiver.url)
    pause(first, heard, until)
    path = write(tmp_path / "file")
    first.drop([str(path)])
    until(lambda: heard.of(ScanFinished))
    path.unlink()
    send(make_line(receiver.url), heard, until, write(tmp_path / "other"))
    assert spool_files(dropline_home) == ["file"]
    first.resume()
    until(lambda: {file["name"] for file in stored.files()} == {"file", "other"})


def test_a_data_folder_that_cannot_be_written_holds_nothing_and_all_arrives(
    receiver: Receiver, bus: MemoryBus, heard: Any, until: Until, tmp_path: Path
) -> None:
    home = Home(write(tmp_path / "no folder") / "home")
    line = Line(ReceiverTarget(receiver.url, installation="x"), bus, home=home)
    line.start()
    try:
        send(line, heard, until, write(tmp_path / "file"))
        assert list(uploaded(heard)) == ["file"]
    finally:
        line.close()


# --- commands -------------------------------------------------------------------------------------


@pytest.fixture
def big_tree(other_disk: Path) -> Path:
    """20,000 files, where nothing needs to be held."""
    for folder in range(20):
        (other_disk / "tree" / str(folder)).mkdir(parents=True)
        for number in range(1000):
            os.close(os.open(other_disk / "tree" / str(folder) / str(number), os.O_CREAT))
    return other_disk / "tree"


def test_the_first_upload_starts_before_the_walk_ends(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, big_tree: Path
) -> None:
    line = make_line(receiver.url)
    drop = line.drop([str(big_tree)])
    until(lambda: heard.of(ScanFinished))
    kinds = [type(message.data) for message in heard.messages]
    assert kinds.index(FileStarted) < kinds.index(ScanFinished)
    assert heard.of(ScanFinished) == [ScanFinished(drop, 20_000, 0, 0, False)]
    progress = [event.found for event in heard.of(ScanProgressed)]
    assert progress == sorted(progress)
    assert len(progress) >= 40
    line.cancel()
    until(lambda: len(heard.of(FileCancelled, FileUploaded)) == 20_000)


def test_a_scan_can_be_cancelled(
    receiver: Receiver,
    bus: MemoryBus,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    big_tree: Path,
    tmp_path: Path,
) -> None:
    line = make_line(receiver.url)
    pause(line, heard, until)
    bus.subscribe(ScanProgressed, lambda message: line.cancel_scan(message.data.drop))
    line.drop([str(big_tree)])
    until(lambda: heard.of(ScanFinished))
    [finished] = heard.of(ScanFinished)
    assert finished.cancelled
    assert 0 < finished.found < 20_000
    assert len(heard.of(FileQueued)) == finished.found  # what was found stays in the line
    assert not line.scanning
    line.cancel_scan()
    line.cancel_scan("drop-99")


def test_the_workers_can_be_changed_paused_and_resumed(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url, workers=2)
    line.resize(5)
    line.resize(5)
    line.pause()
    line.pause()
    until(lambda: heard.of(StationPaused))
    line.drop([str(write(tmp_path / "file"))])
    until(lambda: heard.of(FileQueued))

    def settled() -> bool:
        readings = heard.of(Reading)
        return bool(readings) and (readings[-1].waiting, readings[-1].running) == (1, 0)

    until(settled)
    reading = heard.of(Reading)[-1]
    assert (reading.paused, reading.wanted, reading.running, reading.busy) == (True, 5, 0, 0)
    assert reading.figures.mean_in_system is not None
    line.resume()
    until(lambda: heard.of(FileUploaded))
    line.resize(0)
    until(lambda: len(heard.of(WorkersChanged)) == 3)
    assert heard.of(WorkersChanged) == [
        WorkersChanged("send", 0, 2),
        WorkersChanged("send", 2, 5),
        WorkersChanged("send", 5, 0),
    ]
    assert heard.of(StationPaused, StationResumed) == [
        StationPaused("send"),
        StationResumed("send"),
    ]


def test_a_limit_holds_for_all_workers_and_changes_while_they_send(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    for size in (100, MB // 2, 2 * MB):
        sparse(tmp_path / "tree" / str(size), size)
    line = make_line(receiver.url)
    line.limit(20_000)
    began = time.monotonic()
    line.drop([str(tmp_path / "tree")])
    until(lambda: line.station.counts().bytes_done > 10_000)
    done = line.station.counts().bytes_done
    assert done <= 20_000 * (time.monotonic() - began + BURST)
    line.limit(None)
    until(lambda: len(heard.of(FileUploaded)) == 3)
    assert stored.digests() == {
        f"tree/{size}": digest(bytes(size)) for size in (100, MB // 2, 2 * MB)
    }


def test_an_upload_that_waits_for_the_limit_ends_at_once_when_it_is_told_to(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    line.limit(MIN_RATE)
    line.drop([str(sparse(tmp_path / str(number), 10 * MB)) for number in range(4)])
    until(lambda: line.station.counts().busy == 4 and line.station.counts().bytes_done)
    line.cancel()
    until(lambda: len(heard.of(FileCancelled)) == 4)
    assert not heard.of(FileRetried, FileFailed)


@pytest.mark.parametrize("rate", [0, -1, MIN_RATE - 1, float("nan")])
def test_an_impossible_limit_is_refused_at_once(make_line: MakeLine, rate: float) -> None:
    with pytest.raises(ValueError, match="use 10K or more"):
        make_line("http://127.0.0.1:1").limit(rate)


@pytest.mark.parametrize("workers", [-1, MAX_WORKERS + 1])
def test_an_impossible_number_of_workers_is_refused_at_once(
    make_line: MakeLine, workers: int
) -> None:
    with pytest.raises(ValueError, match="choose 0 to 256"):
        make_line("http://127.0.0.1:1").resize(workers)


@pytest.mark.parametrize("seconds", [0, 0.5, 3601, float("nan"), float("inf"), -1])
def test_an_impossible_window_is_refused_at_once(
    make_line: MakeLine, heard: Any, until: Until, seconds: float
) -> None:
    line = make_line("http://127.0.0.1:1")
    with pytest.raises(ValueError, match="choose 1 to 3600"):
        line.measure_over(seconds)
    line.measure_over(3600)
    line.measure_over(1)
    until(lambda: heard.of(Reading))


def test_files_can_be_cancelled_while_they_wait_and_while_they_are_sent(
    rogue: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    server = rogue(lambda server, _connection, _request: server.stop.wait(30))
    line = make_line(server.url, workers=2)
    for number in range(5):
        sparse(tmp_path / "tree" / str(number), 3 * MB)  # too large for two to a request
    line.drop([str(tmp_path / "tree")])
    until(lambda: len(server.requests) == 2)
    running = {event.job for event in heard.of(FileStarted)}
    waiting = set(range(1, 6)) - running
    line.cancel([min(running), min(waiting), 999])
    until(lambda: len(heard.of(FileCancelled)) == 2)
    assert {event.job for event in heard.of(FileCancelled)} == {min(running), min(waiting)}
    until(lambda: len(server.requests) == 3)  # the free worker took the next
    line.cancel()
    until(lambda: len(heard.of(FileCancelled)) == 5)
    assert line.station.wait_drained(60)
    assert not heard.of(FileUploaded, FileFailed, FileRetried)
    until(lambda: sum(event.cancelled for event in heard.of(StationDrained)) == 5)


def test_what_failed_can_be_sent_again_as_the_same_job(
    make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    port = free_port()
    line = make_line(f"http://127.0.0.1:{port}")
    send(line, heard, until, write(tmp_path / "one"), write(tmp_path / "two"))
    assert set(failed(heard)) == {"one", "two"}
    receiver = Receiver(tmp_path / "received", port=port)
    receiver.start()
    try:
        assert not receiver.note
        heard.messages.clear()
        line.retry([1])
        until(lambda: heard.of(FileUploaded))
        line.retry()
        until(lambda: len(heard.of(FileUploaded)) == 2)
        assert [event.job for event in heard.of(FileQueued)] == [1, 2]
        assert [event.job for event in heard.of(FileUploaded)] == [1, 2]
        line.close()
    finally:
        receiver.stop()


def test_progress_is_told_a_few_times_a_second(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    send(line, heard, until, sparse(tmp_path / "large", 200 * MB))
    progress = heard.of(FileProgressed)
    assert progress
    assert [event.sent for event in progress] == sorted({event.sent for event in progress})
    assert all(0 < event.sent <= 200 * MB for event in progress)
    [message] = [m for m in heard.messages if isinstance(m.data, FileStarted)]
    times = [m.time for m in heard.messages if isinstance(m.data, FileProgressed)]
    assert (times[-1] - message.time).total_seconds() >= 0.1 * len(times) * 0.9


def test_the_log_can_be_recorded_and_measured(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    for name in "abcde":
        write(tmp_path / name)
    line = make_line(receiver.url, workers=2)
    pause(line, heard, until)
    line.drop([str(tmp_path / "a")])  # is there before the recording begins
    until(lambda: heard.of(FileQueued))
    log = tmp_path / "log.jsonl"
    line.record(log)
    line.resume()
    until(lambda: log.exists() and heard.of(FileUploaded))
    send(line, heard, until, *(tmp_path / name for name in "bcd"), tmp_path / "gone")
    pause(line, heard, until)
    line.drop([str(tmp_path / "e")])
    until(lambda: len(heard.of(FileQueued)) == 5)
    line.cancel()
    until(lambda: heard.of(FileCancelled))
    line.record(None)
    line.resume()
    until(lambda: heard.of(RecordingEnded))
    assert heard.of(RecordingEnded) == [RecordingEnded(str(log))]
    send(line, heard, until, tmp_path / "a", again=True)
    until(lambda: len(heard.of(FileUploaded)) == 5)
    line.close()
    entries = list(read_log(log))
    assert entries[0].t < 0  # the job that was there already
    figures = measure(log, -1000, 1000)
    assert figures["ignored"] == 0
    assert (figures["arrivals"], figures["finished"], figures["cancelled"]) == (5, 4, 1)
    assert figures["retried"] == figures["failed"] == 0
    assert measure(log, 0, 1000)["arrivals"] == 4


def test_a_recording_that_cannot_be_written_does_not_stop_the_line(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    log = write(tmp_path / "no folder") / "log.jsonl"
    line.record(log)
    send(line, heard, until, write(tmp_path / "file"))
    line.record(None)
    until(lambda: heard.of(RecordingEnded))
    assert heard.of(RecordingStarted) == [RecordingStarted(str(log))]
    [ended] = heard.of(RecordingEnded)
    assert ended.path == str(log)
    assert ended.problem.startswith(f"Recording to {log} stopped: Not a directory.")


# --- the end --------------------------------------------------------------------------------------


def test_close_ends_a_big_upload_and_nothing_of_it_is_kept(
    receiver: Receiver, stored: Any, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    line.drop([str(sparse(tmp_path / str(number), 200 * MB)) for number in range(3)])
    until(lambda: line.station.counts().bytes_done > 10 * MB)
    began = time.monotonic()
    line.close()
    assert time.monotonic() - began < 3.0  # about one, and the machine may be busy
    assert stored.files() == []
    until(lambda: not list((tmp_path / "received" / "transit").iterdir()))
    settle(heard)
    assert not heard.of(FileUploaded, FileFailed, FileCancelled)


def test_close_ends_requests_that_hang(
    rogue: Any, make_line: MakeLine, until: Until, tmp_path: Path
) -> None:
    server = rogue(lambda server, _connection, _request: server.stop.wait(30))
    line = make_line(server.url, workers=8)
    for number in range(8):
        write(tmp_path / "tree" / str(number))
    line.drop([str(tmp_path / "tree")])
    until(lambda: len(server.requests) == 8)
    began = time.monotonic()
    line.close()
    assert time.monotonic() - began < 3.0


def test_close_ends_scans_running_and_waiting(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, big_tree: Path
) -> None:
    line = make_line(receiver.url)
    pause(line, heard, until)
    paths = [str(big_tree / str(number)) for number in range(20)]
    drops = [line.drop([path]) for path in paths]
    line.close()
    settle(heard)
    finished = {event.drop: event for event in heard.of(ScanFinished)}
    assert set(finished) == set(drops)
    assert finished[drops[-1]].cancelled
    assert not line.scanning


def test_a_closed_line_does_nothing_more(make_line: MakeLine, heard: Any, tmp_path: Path) -> None:
    line = make_line("http://127.0.0.1:1")
    line.close()
    settle(heard)
    heard.messages.clear()
    line.resize(3)
    line.pause()
    line.resume()
    line.cancel()
    line.retry()
    line.record(tmp_path / "log")
    line.cancel_scan()
    with pytest.raises(RuntimeError, match="the line is closed"):
        line.drop([str(tmp_path)])
    line.close()
    settle(heard)
    assert heard.messages == []
    assert not (tmp_path / "log").exists()


def test_a_line_that_never_started_can_be_closed(bus: MemoryBus, tmp_path: Path) -> None:
    target = ReceiverTarget("http://127.0.0.1:1", installation="x")
    Line(target, bus, home=Home(tmp_path)).close()
    assert sorted(os.listdir(tmp_path)) == ["journal.sqlite", "spool"]
    assert os.listdir(tmp_path / "spool") == []


MEMORY = r"""
import re, sys, threading
from pathlib import Path
from dropline.bus import MemoryBus
from dropline.events import FileUploaded
from dropline.home import Home
from dropline.line import Line
from dropline.targets import ReceiverTarget

bus, sent = MemoryBus(), threading.Semaphore(0)
bus.subscribe(FileUploaded, lambda message: sent.release())
line = Line(ReceiverTarget(sys.argv[1], installation="x"), bus, home=Home.default())
line.start()

def peak(path):
    line.drop([path])
    assert sent.acquire(timeout=60)
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the parent
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])

small, large = map(peak, sys.argv[2:])
line.close()
bus.close()
print(large - small)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_file(
    receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    small = sparse(tmp_path / "small", 2 * MB)
    large = sparse(tmp_path / "large", 512 * MB)
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, receiver.url, str(small), str(large)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stderr == ""
    assert int(run.stdout) * 1024 < 64 * MB
    assert {file["size"] for file in stored.files()} == {2 * MB, 512 * MB}


def test_every_event_of_a_run_can_be_told_to_others(
    receiver: Receiver, make_line: MakeLine, heard: Any, until: Until, tmp_path: Path
) -> None:
    line = make_line(receiver.url)
    send(line, heard, until, write(tmp_path / "caf\udce9"), tmp_path / "gone")
    until(lambda: heard.of(Reading))
    for message in list(heard.messages):
        wire = json.dumps(message.to_cloudevent(), allow_nan=False)
        assert Message.from_cloudevent(json.loads(wire)) == message


def test_threads_that_work_give_way_between_two_files(
    bus: MemoryBus, heard: Any, until: Until, tmp_path: Path, dropline_home: Path
) -> None:
    for number in range(30):
        write(tmp_path / "tree" / f"{number}")
    asked: Counter[str] = Counter()

    def give_way() -> None:
        asked[threading.current_thread().name.rstrip("-_0123456789 ")] += 1

    receiver = Receiver(tmp_path / "received", port=0, give_way=give_way)
    receiver.start()
    target = ReceiverTarget(receiver.url, installation=Home(dropline_home).installation())
    line = Line(target, bus, home=Home(dropline_home), give_way=give_way)
    line.start()
    send(line, heard, until, tmp_path / "tree")
    line.close()
    receiver.stop()
    assert len(heard.of(FileUploaded)) == 30
    assert asked["send worker"] >= 30
    assert asked["CP Server Thread"] >= 30
    assert asked["receiver writer"] >= 1
    assert asked["scan"] >= 1


@pytest.mark.parametrize(("fast", "long"), [(True, True), (True, False), (False, True)])
def test_workers_make_do_with_less_while_a_walk_is_fast_and_long(
    receiver: Receiver,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fast: bool,
    long: bool,
) -> None:
    monkeypatch.setattr("dropline.line.FAST", 0.0 if fast else float("inf"))
    for number in range(30):
        write(tmp_path / "tree" / f"{number}")
    line = make_line(receiver.url, walk_here=0 if long else 1000)
    rationed: list[float] = []
    begin = line.station.ration.begin
    monkeypatch.setattr(line.station.ration, "begin", lambda x: (rationed.append(x), begin(x)))
    send(line, heard, until, tmp_path / "tree")
    assert set(rationed) == ({BESIDE_WALK} if fast and long else set())
    assert line.station.ration.over
