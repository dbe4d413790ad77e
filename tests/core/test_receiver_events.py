"""`GET /events`: what happened, told once and in order, also to whoever was away."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.events import FileStored, Message
from dropline.meter import Meter
from dropline.receiver import Receiver, feed
from dropline.station import Attempt, Sampler, Station

Until = Callable[..., None]


class Listener:
    """A client of /events that keeps what it is told."""

    def __init__(self, url: str, after: str | None = None, **options: Any) -> None:
        headers = {"Last-Event-ID": after} if after else {}
        self.answer = requests.get(
            f"{url}/events", stream=True, headers=headers | options.pop("headers", {}), **options
        )
        self.answer.raise_for_status()
        self.last_id = after or ""
        self.events: list[dict[str, Any]] = []
        self.comments = 0
        self.ended = False
        self._thread = threading.Thread(target=self._listen, name="listener")
        self._thread.start()

    def _listen(self) -> None:
        told: dict[str, str] = {}
        try:
            for line in self.answer.raw._fp:  # as it comes; `iter_lines` goes byte by byte
                name, _, value = line.decode("utf-8", "replace").rstrip("\n").partition(": ")
                told[name] = value
                if line == b":\n":
                    self.comments += 1
                elif name == "":  # only now the event is whole
                    self.last_id = told.get("id", self.last_id)
                    self.events += [json.loads(told["data"])] if "data" in told else []
                    told.clear()
        except OSError:
            pass  # closed, here or there
        self.ended = True

    def names(self) -> list[str]:
        """The names of the files that it was told are stored."""
        return [e["data"]["name"] for e in self.events if e["type"] == FileStored.type]

    def leave(self) -> None:
        """Go, and read no more."""
        sock = self.answer.raw._fp.fp.raw._sock
        sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.answer.close()


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`listen(url, after)`: a listener, which leaves at the end."""
    made: list[Listener] = []

    def begin(url: str, after: str | None = None, **options: Any) -> Listener:
        made.append(Listener(url, after, **options))
        return made[-1]

    yield begin
    for listener in made:
        if not listener.ended:
            listener.leave()
        listener._thread.join()
        listener.answer.close()


def put(receiver: Receiver, *names: str) -> list[str]:
    """Store files of these names; their ids."""
    files = [("file", (name, name.encode(), "text/plain")) for name in names]
    answer = requests.post(f"{receiver.url}/upload", files=files)
    return [file["file_id"] for file in answer.json()["files"]]


def test_a_stored_file_is_told_as_a_cloudevent(
    receiver: Receiver, listen: Listen, until: Until
) -> None:
    one, two = listen(receiver.url), listen(receiver.url)
    until(lambda: one.last_id and two.last_id)
    [file_id] = put(receiver, "名.txt")
    until(lambda: one.events and two.events)
    assert one.events == two.events
    [event] = one.events
    message = Message.from_cloudevent(event)
    assert isinstance(message.data, FileStored)
    assert (message.id, message.subject, message.data.file_id) == (file_id, file_id, file_id)
    assert (message.source, message.data.name) == (f"urn:uuid:{receiver.identity}", "名.txt")
    assert one.last_id == file_id
    assert one.answer.headers["Content-Type"].startswith("text/event-stream")
    assert one.answer.headers["Cache-Control"] == "no-store"


def test_a_deletion_is_told(receiver: Receiver, listen: Listen, until: Until) -> None:
    [file_id] = put(receiver, "a")
    listener = listen(receiver.url, file_id)
    requests.delete(f"{receiver.url}/files/{file_id}")
    until(lambda: listener.events)
    [event] = listener.events
    assert (event["type"], event["subject"]) == ("dropline.file.deleted", file_id)
    assert listener.last_id == file_id


def test_who_was_away_is_told_what_it_missed_once_and_in_order(
    tmp_path: Path, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE", 3)
    first = Receiver(tmp_path, port=0)
    first.start()
    listener = listen(first.url)
    until(lambda: listener.last_id)
    put(first, "0", "1")
    until(lambda: len(listener.events) == 2)
    first.stop()
    until(lambda: listener.ended)
    second = Receiver(tmp_path, port=0)
    second.start()
    try:
        put(second, *map(str, range(2, 9)))
        again = listen(second.url, listener.last_id)
        for number in range(9, 30):  # while it is told of those before
            put(second, str(number))
        until(lambda: len(again.events) >= 28)
        assert listener.names() + again.names() == [str(number) for number in range(30)]
        live = listen(second.url, again.last_id)
        put(second, "30")
        until(lambda: live.events and len(again.events) == 29)
        assert live.events == again.events[-1:]
    finally:
        second.stop()


def test_one_that_heard_nothing_yet_knows_where_to_go_on(
    tmp_path: Path, receiver: Receiver, listen: Listen, until: Until
) -> None:
    listener = listen(receiver.url)
    until(lambda: listener.last_id)
    listener.leave()
    put(receiver, "missed")
    again = listen(receiver.url, listener.last_id)
    until(lambda: again.names() == ["missed"])


def test_a_slow_client_is_cut_and_resumes(
    receiver: Receiver, stored: Any, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_BEHIND", 20_000)
    host, _, port = receiver.url.removeprefix("http://").rpartition(":")
    [last] = put(receiver, "first")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        slow.sendall(
            f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\nLast-Event-ID: {last}\r\n\r\n".encode()
        )
        slow.recv(1)
        while "dropline_event_clients 1.0" in requests.get(f"{receiver.url}/metrics").text:
            put(receiver, *(f"{number:0200}" for number in range(100)))
    expected = [file["file_id"] for file in stored.files()][1:]
    told: list[str] = []
    while len(told) < len(expected):
        # a page for it is longer than what may wait, so what comes meanwhile may cut it again
        again = listen(receiver.url, told[-1] if told else last)
        until(lambda: again.ended or len(told) + len(again.events) == len(expected))  # noqa: B023
        told += [event["id"] for event in again.events]
    assert told == expected


def test_one_that_missed_nothing_costs_nothing(
    tmp_path: Path, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.01)
    served: list[object] = []
    serve = feed.Feed._serve
    monkeypatch.setattr(feed.Feed, "_serve", lambda *args: (served.append(args), serve(*args)))
    receiver = Receiver(tmp_path, port=0)
    receiver.start()
    try:
        [last] = put(receiver, "first")
        listener = listen(receiver.url, last)
        until(lambda: listener.comments > 5)
        assert len(served) < 5
    finally:
        receiver.stop()


def test_silence_is_filled_with_comments(
    tmp_path: Path, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.01)
    receiver = Receiver(tmp_path, port=0)
    receiver.start()
    try:
        listener = listen(receiver.url)
        until(lambda: listener.comments > 2)
    finally:
        receiver.stop()


def test_many_idle_clients_hold_no_thread(receiver: Receiver, until: Until, listen: Listen) -> None:
    count = 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    host, _, port = receiver.url.removeprefix("http://").rpartition(":")
    before = threading.active_count()
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(count)
        ]
        for client in clients:  # one after the other: together they are served by many threads
            client.sendall(f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            said = b""
            while b"\nid: " not in said:
                said += client.recv(4096)
        assert threading.active_count() <= before + 32
        put(receiver, "for all")
        for client in clients:
            told = b""
            while b"for all" not in told:
                told += client.recv(4096)
    until(lambda: "dropline_event_clients 0.0" in requests.get(f"{receiver.url}/metrics").text)


def test_the_stations_figures_are_told_to_who_wants_them(
    tmp_path: Path, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch, sampler: Sampler
) -> None:
    monkeypatch.setattr(feed, "PERIOD", 0.01)
    receiver = Receiver(tmp_path, port=0, stations=lambda: [sampler.instruments(60)])
    receiver.start()
    try:
        plain, curious = listen(receiver.url), listen(f"{receiver.url}", params={"figures": "1"})
        until(lambda: len(curious.events) > 2)
        assert plain.events == []
        data = curious.events[0]["data"]
        assert (data["station"], data["figures"]["service_rate"]) == ("send", None)
        metrics = requests.get(f"{receiver.url}/metrics").text
        assert 'dropline_station_workers_wanted{station="send"} 3.0' in metrics
        assert 'dropline_station_arrival_rate{station="send"} 0.0' in metrics
        assert "dropline_station_service_rate{" not in metrics  # it is not known
    finally:
        receiver.stop()


class Quiet:
    """A station that nobody listens to."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


class Idle:
    """A worker that has nothing to do."""

    def serve(self, item: str, attempt: Attempt) -> str:
        return item

    def close(self) -> None:
        pass


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    """What reads a station of three idle workers."""
    station: Station[str, str] = Station("send", Idle, Quiet())
    meter = Meter(time.monotonic())
    station.watch(meter.observe_all)
    station.resize(3)
    yield Sampler(station, meter, lambda _reading: None)
    assert station.close()


def test_an_id_that_is_none_and_a_foreign_page_are_refused(receiver: Receiver) -> None:
    for headers, status in (({"Last-Event-ID": "x"}, 400), ({"Origin": "http://evil.test"}, 403)):
        answer = requests.get(f"{receiver.url}/events", headers=headers)
        assert answer.status_code == status
        assert answer.json()["detail"]


def test_a_token_is_needed_where_there_is_one(tmp_path: Path, listen: Listen, until: Until) -> None:
    receiver = Receiver(tmp_path, port=0, token="s3cret")
    receiver.start()
    try:
        assert requests.get(f"{receiver.url}/events").status_code == 401
        assert requests.get(f"{receiver.url}/events?token=s3cret").status_code == 401
        listener = listen(receiver.url, headers={"Authorization": "Bearer s3cret"})
        until(lambda: listener.last_id)
    finally:
        receiver.stop()
    until(lambda: listener.ended)


def test_who_only_asks_for_the_head_gets_that(receiver: Receiver) -> None:
    answer = requests.head(f"{receiver.url}/events")
    assert answer.status_code == 200
    assert "dropline_event_clients 0.0" in requests.get(f"{receiver.url}/metrics").text
