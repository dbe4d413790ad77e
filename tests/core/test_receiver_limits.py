"""What the receiver refuses before it gives out, and what it counts."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.receiver import Receiver, body, server
from dropline.receiver.gate import Rate
from dropline.receiver.problems import Problem

Until = Callable[..., None]


@contextmanager
def running(data: Path, **options: Any) -> Iterator[Receiver]:
    receiver = Receiver(data, port=0, **options)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def begin(receiver: Receiver, text: str) -> socket.socket:
    """A connection that has sent so much of a request."""
    host, _, port = receiver.url.removeprefix("http://").rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=10)
    sock.sendall(text.replace("HOST", f"{host}:{port}").encode())
    return sock


def metric(receiver: Receiver, name: str) -> float:
    found = re.search(
        rf"^{re.escape(name)} (\S+)$", requests.get(f"{receiver.url}/metrics").text, re.M
    )
    return float(found[1]) if found else 0.0


def test_more_uploads_at_once_are_told_to_come_again(tmp_path: Path, until: Until) -> None:
    head = "PUT /files/by-name/slow HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n1"
    with running(tmp_path, max_uploads=3) as receiver:
        slow = [begin(receiver, head) for _ in range(3)]
        until(lambda: metric(receiver, "dropline_uploads_running") == 3)
        answer = requests.put(f"{receiver.url}/files/by-name/a", data=b"a")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["type"] == "urn:dropline:problem:busy"
        assert requests.get(f"{receiver.url}/healthz").ok  # whoever asks is answered
        for sock in slow:
            sock.sendall(b"2")
            assert b" 201 " in sock.recv(4096)
            sock.close()
        assert requests.put(f"{receiver.url}/files/by-name/a", data=b"a").status_code == 201
        assert metric(receiver, 'dropline_problems_total{type="busy"}') == 1


def test_there_are_threads_for_as_many_uploads_as_may_run(tmp_path: Path, until: Until) -> None:
    head = "PUT /files/by-name/slow HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n1"
    with running(tmp_path) as receiver:
        slow = [begin(receiver, head) for _ in range(100)]
        until(lambda: metric(receiver, "dropline_uploads_running") == 100)
        for sock in slow:
            sock.close()


def test_a_client_that_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, rate=0.1) as receiver:
        assert requests.get(f"{receiver.url}/files").ok
        answer = requests.get(f"{receiver.url}/files")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert answer.json()["type"] == "urn:dropline:problem:too-many"


def test_a_rate_lets_a_burst_through_and_then_its_rate() -> None:
    now = 0.0
    rate = Rate(10, lambda: now)

    def passed(client: str) -> int:
        for count in range(1000):
            try:
                rate.check(client)
            except Problem:
                return count
        return 1000

    assert passed("a") == 50  # five seconds' worth
    assert passed("b") == 50  # another's is another's
    for _ in range(20):
        now += 0.1
        assert passed("a") == 1
    now += 100
    assert passed("a") == 50


def test_a_disk_that_is_nearly_full_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dropline.receiver.store.LEAST_FREE", 1 << 60)
    monkeypatch.setattr("dropline.receiver.store.LEAST_FREE_SHARE", 1.1)
    with running(tmp_path) as receiver:
        answer = requests.put(f"{receiver.url}/files/by-name/a", data=b"a")
        assert answer.status_code == 507
        assert "disk is full" in answer.json()["detail"]
        # Room that came back counts at once, however short ago it was looked for.
        monkeypatch.setattr("dropline.receiver.store.LOOK", 3600.0)
        assert requests.put(f"{receiver.url}/files/by-name/a", data=b"a").status_code == 507
        monkeypatch.setattr("dropline.receiver.store.LEAST_FREE", 0)
        assert requests.put(f"{receiver.url}/files/by-name/a", data=b"a").status_code == 201


def test_headers_that_trickle_in_are_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(body, "GRACE", 0.2)
    monkeypatch.setattr(body, "LEAST_RATE", 1e9)
    with begin(receiver, "GET / HTTP/1.1\r\nHost: HOST\r\n") as sock:
        sock.settimeout(0.02)
        answer = b""

        def ended() -> bool:
            nonlocal answer
            try:
                sock.sendall(b"x")
                answer += sock.recv(4096)
            except TimeoutError:
                return False
            except OSError:
                return True
            return bool(answer)

        until(ended)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_what_is_stored_is_counted(receiver: Receiver, until: Until) -> None:
    for content in (b"12", b"345"):
        answer = requests.put(f"{receiver.url}/files/by-name/a", data=content)
    until(lambda: metric(receiver, "dropline_files_stored_total") == 2)
    assert metric(receiver, "dropline_bytes_stored_total") == 5
    assert metric(receiver, "dropline_files") == 2
    requests.delete(f"{receiver.url}/files/{answer.json()['file_id']}")
    until(lambda: metric(receiver, "dropline_files_deleted_total") == 1)
    assert metric(receiver, "dropline_files") == 1
    requests.get(f"{receiver.url}/nowhere")
    assert metric(receiver, 'dropline_problems_total{type="not-found"}') == 1
    route = 'method="PUT",route="/files/by-name/<name:name>",status="201"'
    assert metric(receiver, f"dropline_request_seconds_count{{{route}}}") == 2
    text = requests.get(f"{receiver.url}/metrics")
    assert text.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_client_from_elsewhere_has_so_many_connections_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(server, "MAX_OF_A_CLIENT", 3)
    monkeypatch.setattr(server, "is_loopback", lambda _host: False)  # we are from elsewhere
    with running(tmp_path) as receiver:
        held = [begin(receiver, "GET / HTTP/1.1\r\n") for _ in range(3)]
        with begin(receiver, "") as refused:
            assert refused.recv(1) == b""
        held.pop().close()
        until(lambda: can_ask(receiver))
        for sock in held:
            sock.close()


def can_ask(receiver: Receiver) -> bool:
    try:
        requests.get(f"{receiver.url}/healthz", headers={"Connection": "close"})
    except requests.ConnectionError:
        return False
    return True


def test_all_connections_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    with running(tmp_path) as receiver:
        held = [begin(receiver, "GET / HTTP/1.1\r\n") for _ in range(3)]
        with begin(receiver, "") as refused:
            assert refused.recv(1) == b""
        for sock in held:
            sock.close()
        until(lambda: can_ask(receiver))


def test_a_name_that_is_too_long_is_refused(receiver: Receiver) -> None:
    long = "é" * 4097
    files = [("file", ("short", b"1")), ("file", (long, b"2"))]
    told = requests.post(f"{receiver.url}/upload", files=files).json()["files"]
    assert (told[0]["name"], told[1]["error"]["status"]) == ("short", 413)
    assert "longer than 4,096 characters" in told[1]["error"]["detail"]
    assert requests.put(f"{receiver.url}/files/by-name/{'x' * 4097}", data=b"").status_code == 413
    metadata = base64.b64encode(long.encode()).decode()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    headers["Upload-Metadata"] = f"filename {metadata}"
    assert requests.post(f"{receiver.url}/tus/", headers=headers).status_code == 413
