"""Handlers: called with each stored file at least once, tried again, given up, replayed."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from dropline.cli import main
from dropline.handlers import (
    Handler,
    HandlerError,
    PermanentError,
    StoredFile,
    find_handlers,
    handler,
)
from dropline.receiver import Receiver
from dropline.receiver.facts import facts_handler, webhook

Until = Callable[..., None]


@contextmanager
def running(data: Path, *handlers: Handler, **options: Any) -> Iterator[Receiver]:
    receiver = Receiver(data, port=0, handlers=handlers, **options)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def put(receiver: Receiver, name: str, content: bytes = b"x") -> str:
    answer = requests.put(f"{receiver.url}/files/by-name/{name}", data=content)
    file_id: str = answer.json()["file_id"]
    return file_id


def letters(receiver: Receiver) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{receiver.url}/dead-letters").json()["letters"]
    return found


def test_each_function_gets_each_file(tmp_path: Path, database: str, until: Until) -> None:
    seen: list[tuple[str, bytes]] = []

    def plain(file: StoredFile) -> None:
        with file.open() as content:
            seen.append((file.name, content.read()))

    async def later(file: StoredFile) -> None:
        await asyncio.sleep(0)
        seen.append((f"async {file.name}", b""))

    handlers = Handler("plain", plain), Handler("later", later)
    with running(tmp_path, *handlers, database=database, small=10) as receiver:
        put(receiver, "a", b"small")
        put(receiver, "b", b"large" * 10)
        until(lambda: len(seen) == 4)
        assert sorted(seen) == [
            ("a", b"small"), ("async a", b""), ("async b", b""), ("b", b"large" * 10)
        ]  # fmt: skip
        assert receiver.handling is not None
        assert receiver.handling.station.wait_drained(60)
        reading = receiver.handling.instruments().reading
        assert (reading.station, reading.finished) == ("handle", 4)
        metrics = requests.get(f"{receiver.url}/metrics").text
        assert 'dropline_station_workers_wanted{station="handle"} 2.0' in metrics
        assert letters(receiver) == []


def test_what_a_killed_receiver_left_is_done_by_the_next(
    tmp_path: Path, database: str, until: Until
) -> None:
    seen: list[str] = []
    go_on = threading.Event()

    def slow(file: StoredFile) -> None:
        if not go_on.wait(0.0):
            raise OSError("not now")
        seen.append(file.name)

    each = Handler("slow", slow)
    with running(tmp_path, database=database) as receiver:
        put(receiver, "before there was a handler")
    with running(tmp_path, each, database=database, handle_workers=0) as receiver:
        for name in "abc":
            put(receiver, name)
        assert receiver.handling is not None
        until(lambda: receiver.handling and receiver.handling.station.counts().waiting == 3)
    with running(tmp_path, database=database) as receiver:  # without handlers, for once
        put(receiver, "d")
    go_on.set()
    with running(tmp_path, each, database=database) as receiver:
        until(lambda: len(seen) == 4)
        assert receiver.handling is not None
        assert receiver.handling.station.wait_drained(60)
    with running(tmp_path, each, database=database, handle_workers=1) as receiver:
        put(receiver, "e")
        until(lambda: len(seen) == 5)
    assert sorted(seen) == list("abcde")  # each once, as nothing was killed under way


def test_one_that_gives_up_is_a_dead_letter_that_can_be_replayed(
    tmp_path: Path, database: str, until: Until
) -> None:
    seen: list[str] = []
    broken = [True]

    def picky(file: StoredFile) -> None:
        if broken[0]:
            raise PermanentError(f"{file.name} is not for me")
        seen.append(file.name)

    with running(tmp_path, Handler("picky", picky), database=database) as receiver:
        ids = [put(receiver, name) for name in "ab"]
        until(lambda: len(letters(receiver)) == 2)
        told = {letter["file_id"]: letter for letter in letters(receiver)}
        assert told.keys() == set(ids)
        letter = told[ids[0]]
        assert (letter["name"], letter["attempts"]) == ("a", 1)
        assert (letter["handler"], letter["error"]) == ("picky", "a is not for me")
    broken[0] = False
    with running(tmp_path, Handler("picky", picky), database=database) as receiver:
        assert len(letters(receiver)) == 2  # they outlive the process
        url = f"{receiver.url}/dead-letters/replay"
        assert requests.post(url, json={"letters": [letter["number"]]}).status_code == 202
        until(lambda: seen == ["a"])
        assert requests.post(url).status_code == 202
        until(lambda: sorted(seen) == ["a", "b"])
        until(lambda: letters(receiver) == [])
        for wrong in ({"letters": "1"}, {"letters": [True]}, "x", [1.5]):
            assert requests.post(url, json=wrong).status_code == 400


def test_one_that_fails_in_passing_is_tried_again(tmp_path: Path, until: Until) -> None:
    tries: list[float] = []

    def at_last(file: StoredFile) -> None:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise OSError("later")

    with running(tmp_path, Handler("at last", at_last)) as receiver:
        put(receiver, "a")
        until(lambda: len(tries) == 3, seconds=30)
        assert receiver.handling is not None
        assert receiver.handling.station.wait_drained(60)
        assert letters(receiver) == []


def test_a_deleted_file_is_nobodys_errand(tmp_path: Path, until: Until) -> None:
    seen: list[str] = []
    each = Handler("each", lambda file: seen.append(file.name))
    with running(tmp_path, each, handle_workers=0) as receiver:
        file_id = put(receiver, "gone")
        put(receiver, "stays")
        handling = receiver.handling
        assert handling is not None
        until(lambda: handling.station.counts().waiting == 2)
        requests.delete(f"{receiver.url}/files/{file_id}")
        handling.station.resize(1)
        assert handling.station.wait_drained(60)
    assert seen == ["stays"]


# --- built in -----------------------------------------------------------------------------------


def picture(side: int, kind: str) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (side, side // 2), "teal").save(kept, kind)
    return kept.getvalue()


def test_facts_and_thumbnails(tmp_path: Path, until: Until) -> None:
    contents = {
        "text.bin": "erste Zeile\n名\n".encode(),
        "long.txt": "ä".encode() * 40_000 + b"\n",
        "photo.txt": picture(1000, "JPEG"),
        "broken.png": picture(600, "PNG")[:200],
        "other": bytes(range(256)),
        "empty": b"",
    }
    with running(tmp_path, facts_handler()) as receiver:
        ids = {name: put(receiver, name, content) for name, content in contents.items()}

        def ask(name: str, what: str) -> requests.Response:
            return requests.get(f"{receiver.url}/files/{ids[name]}/{what}")

        until(lambda: all(ask(name, "facts").ok for name in ids))
        text = {"type": "text/plain", "charset": "utf-8"}
        assert ask("text.bin", "facts").json() == text | {"line_ends": 2}
        assert ask("long.txt", "facts").json() == text | {"line_ends": 1}
        assert ask("empty", "facts").json() == text | {"line_ends": 0}
        assert ask("photo.txt", "facts").json() == {
            "type": "image/jpeg", "width": 1000, "height": 500
        }  # fmt: skip
        assert ask("other", "facts").json() == {"type": "application/octet-stream"}
        small = Image.open(io.BytesIO(ask("photo.txt", "thumbnail").content))
        assert (small.format, small.size) == ("PNG", (256, 128))
        assert ask("text.bin", "thumbnail").status_code == 404
        requests.delete(f"{receiver.url}/files/{ids['photo.txt']}")
        assert ask("photo.txt", "thumbnail").status_code == 404


class _Hook(http.server.BaseHTTPRequestHandler):
    answers: list[int]
    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(json.loads(body))
        self.send_response(self.answers.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def test_a_webhook_is_told_until_it_has_understood(tmp_path: Path, until: Until) -> None:
    _Hook.answers, _Hook.heard = [503, 200, 400], []
    server = http.server.HTTPServer(("127.0.0.1", 0), _Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        with running(tmp_path, webhook(url), handle_workers=1) as receiver:
            file_id = put(receiver, "a")
            until(lambda: len(_Hook.heard) == 2, seconds=30)
            assert {event["data"]["file_id"] for event in _Hook.heard} == {file_id}
            put(receiver, "b")
            until(lambda: letters(receiver))
            assert f"{url} answered 400" in letters(receiver)[0]["error"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- where they come from -----------------------------------------------------------------------


def test_functions_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dropline.handlers import handler\n\n@handler('file.stored')\ndef mine(file): ...\n"
    )
    assert [each.name for each in find_handlers([path])] == ["mine:mine"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1", "has no function marked"), ("1 / 0", "could not be loaded: ZeroDivisionError")],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(HandlerError, match=said):
        find_handlers([path])
    assert main(["serve", "--handlers", str(path), "--data", str(tmp_path / "data")]) == 1
    assert said.partition(":")[0] in capsys.readouterr().err


def test_there_is_one_topic() -> None:
    with pytest.raises(ValueError, match=r"no topic 'file\.eaten'"):
        handler("file.eaten")
