"""The receiver as a server: who may talk to it, how it starts and ends, and hard clients."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.bus import MemoryBus
from dropline.events import ReceiverStarted, ReceiverStopped
from dropline.receiver import Receiver, ReceiverError, body, server

Until = Callable[..., None]
UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
)
TYPE = "Content-Type: multipart/form-data; boundary=x\r\n"


class Raw:
    """A connection on which a test writes what it likes."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self, start: str, headers: str = "") -> None:
        """Send a request's head; `headers` with their line ends."""
        self.send(f"{start} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode())

    def status(self) -> int:
        """The status of the next answer, whose head is read."""
        status = int(self._file.readline().split()[1])
        self.headers = {}
        while (line := self._file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        return status

    def answer(self) -> tuple[int, dict[str, Any]]:
        """The next answer, which is JSON."""
        status = self.status()
        data = self._file.read(int(self.headers["content-length"]))
        return status, json.loads(data)

    def ended(self) -> bool:
        """Whether the server has closed the connection; waits for what it still sends."""
        return self._file.read(1) == b""


@pytest.fixture
def raw(receiver: Receiver) -> Iterator[Raw]:
    made = Raw(receiver.url)
    yield made
    made.close()


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def port_of(receiver: Receiver) -> int:
    return int(receiver.url.rpartition(":")[2])


def upload(url: str, **headers: str) -> requests.Response:
    return requests.post(f"{url}/upload", files={"file": ("a", b"1")}, headers=headers)


# --- who may talk to it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "10.0.0.1:{port}", "localhost:x", ""],
)
def test_on_loopback_another_host_is_refused(receiver: Receiver, host: str) -> None:
    """DNS re-binding: a page of evil.example that reaches us under its own name."""
    answer = upload(receiver.url, Host=host.format(port=port_of(receiver)))
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:dropline:problem:forbidden"
    assert receiver.url.partition("//")[2].split(":")[1] in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}"])
def test_loopback_names_are_ours(receiver: Receiver, host: str) -> None:
    assert upload(receiver.url, Host=host.format(port=port_of(receiver))).status_code == 201


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:{port}"]
)
def test_a_foreign_page_is_refused(receiver: Receiver, origin: str) -> None:
    port = port_of(receiver)
    for method, path in (("POST", "/upload"), ("GET", "/files"), ("DELETE", "/files/x")):
        answer = requests.request(
            method, receiver.url + path, headers={"Origin": origin.format(port=port)}
        )
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_our_own_page_is_not(receiver: Receiver) -> None:
    assert upload(receiver.url, Origin=receiver.url).status_code == 201
    local = f"localhost:{port_of(receiver)}"
    assert upload(receiver.url, Host=local, Origin=f"http://{local}").status_code == 201


def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ReceiverError, match="needs a token: give one with --token"):
        Receiver(tmp_path, host="0.0.0.0", port=0).start()
    assert not any(tmp_path.iterdir())


def test_a_token_opens_everything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running(Receiver(tmp_path, host="0.0.0.0", port=0, token="s3cret")) as receiver:
        url = receiver.url
        assert url == f"http://127.0.0.1:{port_of(receiver)}"
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
            answer = upload(url, **wrong)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer" in answer.json()["detail"]
        assert upload(url, Authorization="Bearer s3cret", Host="nas.local:80").status_code == 201
        assert requests.get(f"{url}/?token=s3cret").status_code == 200
        assert requests.get(f"{url}/?token=wrong").status_code == 401
        assert requests.get(f"{url}/files?token=s3cret").status_code == 401
        assert requests.get(f"{url}/healthz").status_code == 200
    access = [r.getMessage() for r in caplog.records if r.name == "dropline.receiver.access"]
    assert any("GET '/' 200" in line for line in access)
    assert not any("s3cret" in r.getMessage() for r in caplog.records if "dropline" in r.name)


# --- start and end ------------------------------------------------------------------------------


def test_start_and_stop(tmp_path: Path) -> None:
    bus = MemoryBus()
    heard: list[object] = []
    bus.subscribe("dropline.receiver.", lambda message: heard.append(message.data))
    threads = threading.active_count()
    receiver = Receiver(tmp_path, port=0, bus=bus)
    receiver.start()
    assert receiver.note == ""
    assert upload(receiver.url).status_code == 201
    receiver.stop()
    assert bus.flush()
    bus.close()
    assert threading.active_count() == threads
    assert heard == [ReceiverStarted(receiver.url, ""), ReceiverStopped(receiver.url)]
    with pytest.raises(requests.ConnectionError):
        upload(receiver.url)
    receiver.stop()  # twice is fine


def test_a_receiver_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    Receiver(tmp_path).stop()


def test_a_taken_port_is_stepped_over(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(Receiver(tmp_path, port=port)) as receiver:
            assert port_of(receiver) != port
            assert receiver.note == (
                f"Port {port} is taken, so the receiver listens on port {port_of(receiver)}."
            )
            assert upload(receiver.url).status_code == 201


def test_the_last_port_has_no_next(tmp_path: Path) -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 65535))
    except OSError:
        pytest.skip("port 65535 is in use")
    with taken, running(Receiver(tmp_path, port=65535)) as receiver:
        assert port_of(receiver) != 65535


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"host": "192.0.2.1", "token": "t"}, r"cannot listen on 192\.0\.2\.1 port 0"),
        ({"host": "no.such.host.invalid", "token": "t"}, r"cannot listen on no\.such"),
        ({"database": "sqlite:////no/such/folder/db"}, "could not be opened"),
        ({"database": "nonsense"}, r"cannot be used .*sqlite:///PATH"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    receiver = Receiver(tmp_path, port=0, **options)
    with pytest.raises(ReceiverError, match=sentence):
        receiver.start()
    receiver.stop()
    with running(Receiver(tmp_path, port=0)) as other:  # nothing of the first is left
        assert upload(other.url).status_code == 201


def test_two_receivers_cannot_share_a_folder(tmp_path: Path) -> None:
    with running(Receiver(tmp_path, port=0)):
        second = Receiver(tmp_path, port=0)
        with pytest.raises(ReceiverError, match=r"Another receiver uses .* --data"):
            second.start()
        second.stop()


def test_a_file_for_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    receiver = Receiver(tmp_path / "data", port=0)
    with pytest.raises(ReceiverError, match=r"cannot keep files in .*data"):
        receiver.start()
    receiver.stop()


def test_stop_ends_running_uploads_and_leaves_nothing(tmp_path: Path, until: Until) -> None:
    with running(Receiver(tmp_path, port=0, small=0)) as receiver:
        raws = [Raw(receiver.url) for _ in range(3)]
        for number, raw in enumerate(raws):
            length = 10**9 if number else 100
            raw.head("PUT /files/by-name/a", f"Content-Length: {length}\r\n")
            raw.send(b"x" * (99 if number == 0 else 100_000))
        until(lambda: len(list((tmp_path / "transit").iterdir())) == 3)
        flood = threading.Thread(target=_flood, args=(raws[2],))
        flood.start()
    flood.join()
    assert list((tmp_path / "transit").iterdir()) == []
    for raw in raws:
        raw.close()
    with running(Receiver(tmp_path, port=0)) as receiver:
        assert requests.get(f"{receiver.url}/files").json()["files"] == []


def _flood(raw: Raw) -> None:
    """Send without end, until the connection breaks."""
    try:
        while True:
            raw.send(bytes(1 << 20))
    except OSError:
        pass


def test_stop_does_not_wait_for_a_client_that_does_not_read(tmp_path: Path, until: Until) -> None:
    with running(Receiver(tmp_path, port=0)) as receiver:
        answer = requests.put(f"{receiver.url}/files/by-name/a", data=bytes(50_000_000))
        raw = Raw(receiver.url)
        raw.head(f"GET /files/{answer.json()['file_id']}")
        assert raw.status() == 200  # and then nothing is read
    raw.close()


# --- hard clients -------------------------------------------------------------------------------


def test_an_early_answer_can_be_read_though_the_body_was_not(receiver: Receiver) -> None:
    """Without a lingering close the client would see its connection reset."""
    for length in (1000, 10_000_000):
        answer = requests.put(
            f"{receiver.url}/files/by-name/a", data=bytes(length), headers={"Host": "evil"}
        )
        assert answer.status_code == 403
        closed = answer.headers.get("Connection") == "close"
        assert closed == (length > server.MAX_SKIP)


def test_too_large_a_file_is_refused_and_the_others_are_kept(tmp_path: Path) -> None:
    with running(Receiver(tmp_path, port=0, max_size=100_000)) as receiver:
        small, large = ("small", bytes(100_000)), ("large", bytes(100_001))
        files = [("file", each) for each in (small, large, small)]
        answer = requests.post(f"{receiver.url}/upload", files=files)
        assert answer.status_code == 413
        assert "100,000" in answer.json()["detail"]
        assert [file.get("error", {}).get("status") for file in answer.json()["files"]] == [
            None,
            413,
            None,
        ]
        # what follows a long file that failed is not read
        endless = ("endless", bytes(20_000_000))
        files = [("file", each) for each in (small, endless, small)]
        answer = requests.post(f"{receiver.url}/upload", files=files)
        assert [file["name"] for file in answer.json()["files"]] == ["small", "endless"]
        answer = requests.put(f"{receiver.url}/files/by-name/a", data=bytes(100_001))
        assert answer.status_code == 413
        stored = requests.get(f"{receiver.url}/files").json()["files"]
        assert [file["name"] for file in stored] == ["small"] * 3
        assert list((tmp_path / "transit").iterdir()) == []


def test_a_refused_request_need_not_send_its_body(raw: Raw) -> None:
    raw.send(
        b"PUT /files/by-name/a HTTP/1.1\r\nHost: evil\r\nContent-Length: 1000\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert raw.answer()[0] == 403
    assert raw.headers["connection"] == "close"


def test_a_welcome_request_is_told_to_go_on(raw: Raw) -> None:
    raw.head("PUT /files/by-name/a", "Content-Length: 5\r\nExpect: 100-Continue\r\n")
    assert raw.status() == 100
    raw.send(b"hello")
    assert raw.answer()[0] == 201


def test_requests_follow_one_another_on_a_connection(raw: Raw) -> None:
    raw.head("POST /upload", f"{TYPE}Content-Length: {len(UPLOAD)}\r\n")
    raw.send(UPLOAD)
    assert raw.answer()[0] == 201
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(UPLOAD), UPLOAD)
    raw.head("POST /upload", f"{TYPE}Transfer-Encoding: chunked\r\n")
    raw.send(chunked)
    assert raw.answer()[0] == 201
    raw.head("POST /nope", "Content-Length: 5\r\n")  # a body that nobody wants
    raw.send(b"hello")
    assert raw.answer()[0] == 404
    raw.head("GET /healthz")
    status, health = raw.answer()
    assert (status, health["status"]) == (200, "ok")
    raw.head("GET /healthz")  # two at once
    raw.head("GET /healthz")
    assert [raw.answer()[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "head", [b"POST /upl", b"POST /upload HTTP/1.1\r\nHos", b"POST /upload HTTP/1.1\r\nHost: x\r\n"]
)
def test_a_head_that_was_cut_is_not_called_malformed(raw: Raw, head: bytes) -> None:
    raw.send(head)
    raw.socket.shutdown(socket.SHUT_WR)
    status, problem = raw.answer()
    assert (status, problem["type"]) == (400, "urn:dropline:problem:cut-short")
    assert problem["detail"] == "The connection broke. Send the request again."
    assert raw.ended()


def test_an_unread_chunked_body_is_not_taken_for_a_request(raw: Raw) -> None:
    raw.head("POST /nope", "Transfer-Encoding: chunked\r\n")
    raw.send(b"zz\r\nGET /healthz HTTP/1.1\r\n\r\n")
    assert raw.answer()[0] == 404
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.ended()


@pytest.mark.parametrize(
    ("headers", "sent", "status"),
    [
        ("Content-Length: x\r\n", b"", 400),
        ("Content-Length: -1\r\n", b"", 400),
        ("Content-Length: +5\r\n", b"hello", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", b"", 501),
        ("no colon\r\n", b"", 400),
        (f"X: {'x' * 70_000}\r\n", b"", 413),
        (f"{TYPE}Transfer-Encoding: chunked\r\n", b"5;x\r\nhelloXX\r\n", 400),
    ],
)
def test_malformed_requests_get_a_problem(raw: Raw, headers: str, sent: bytes, status: int) -> None:
    raw.head("POST /upload", headers)
    raw.send(sent)
    got, problem = raw.answer()
    assert got == problem["status"] == status
    assert raw.headers["content-type"] == "application/problem+json"
    assert problem["detail"]


def test_a_body_that_ends_early_stores_nothing(receiver: Receiver, raw: Raw) -> None:
    raw.head("POST /upload", f"{TYPE}Content-Length: {len(UPLOAD) + 10}\r\n")
    raw.send(UPLOAD)
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.answer()[0] == 400
    assert requests.get(f"{receiver.url}/files").json()["files"] == []


def test_a_slow_client_is_given_up(
    receiver: Receiver, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "GRACE", 0.0)
    monkeypatch.setattr(body, "LEAST_RATE", 1e12)
    raw.head("PUT /files/by-name/a", "Content-Length: 100\r\n")
    status, problem = raw.answer()
    assert (status, problem["status"]) == (408, 408)


def test_a_silent_client_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 0.1)
    monkeypatch.setattr(server, "LINGER_SILENCE", 0.1)
    with running(Receiver(tmp_path, port=0)) as receiver:
        for sent in (
            b"GET",
            b"PUT /files/by-name/a HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\n",
        ):
            raw = Raw(receiver.url)
            raw.send(sent.replace(b"%s", raw.host.encode()))
            assert raw.answer()[0] == 408
            assert raw.ended()
            raw.close()
        idle = Raw(receiver.url)
        assert idle.ended()
        idle.close()


def test_silent_connections_hold_no_thread(receiver: Receiver) -> None:
    """Browsers open spare connections; phones go to sleep."""
    silent = [Raw(receiver.url) for _ in range(server.THREADS + 8)]
    assert upload(receiver.url).status_code == 201
    for raw in silent:
        raw.close()


def test_more_uploads_at_once_than_threads(receiver: Receiver) -> None:
    raws = [Raw(receiver.url) for _ in range(server.THREADS * 2)]
    for raw in raws:
        raw.head("POST /upload", f"{TYPE}Content-Length: {len(UPLOAD)}\r\n")
        raw.send(UPLOAD)
    assert [raw.answer()[0] for raw in raws] == [201] * len(raws)
    for raw in raws:
        raw.close()
    assert len(requests.get(f"{receiver.url}/files").json()["files"]) == len(raws)


# --- letting others in --------------------------------------------------------------------------


def test_others_are_let_in_by_an_address_with_a_token(receiver: Receiver) -> None:
    address = receiver.share("127.0.0.2")
    assert address.startswith("http://127.0.0.2:")
    url, _, token = address.partition("/?token=")
    assert requests.get(address).status_code == 200
    assert requests.get(f"{url}/files").status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.put(f"{url}/files/by-name/a", data=b"a", headers=headers).status_code == 201
    assert len(requests.get(f"{receiver.url}/files").json()["files"]) == 1  # one store
    again = receiver.share("127.0.0.2")
    assert requests.get(again).status_code == 200
    assert requests.get(again.partition("?")[0], headers=headers).status_code == 401  # the old one
    receiver.unshare()
    with pytest.raises(requests.ConnectionError):
        requests.get(again)
    assert requests.get(f"{receiver.url}/healthz").ok


def test_a_receiver_that_is_stopped_lets_nobody_in(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path, port=0)
    with pytest.raises(ReceiverError, match="does not run"):
        receiver.share("127.0.0.2")
    receiver.start()
    address = receiver.share("127.0.0.2")
    receiver.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(address)
