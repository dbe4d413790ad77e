"""The receiver's tus server, by raw HTTP: each rule of the protocol, and what outlives a kill."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.events import FileReceived, FileStored
from dropline.receiver import Receiver, unfinished
from dropline.receiver.folder import Folder

TYPE = "application/offset+octet-stream"
CONTENT = bytes(range(256)) * 40
Until = Callable[..., None]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def metadata(**values: str) -> dict[str, str]:
    pairs = (f"{key} {base64_of(value.encode())}" for key, value in values.items())
    return {"Upload-Metadata": ",".join(pairs)}


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {base64_of(hashlib.new(algorithm, data).digest())}"}


class Client:
    """A tus client that does as it is told."""

    def __init__(self, receiver: Receiver, data: Path) -> None:
        self.url = receiver.url
        self.data = data
        self.http = requests.Session()

    def call(
        self, method: str, path: str, body: Any = None, **headers: str | int
    ) -> requests.Response:
        """A request; a header's `_` is `-`, and an empty value leaves one out."""
        given = {"Tus-Resumable": "1.0.0"} | {
            name.replace("_", "-"): str(value) for name, value in headers.items()
        }
        kept = {name: value for name, value in given.items() if value}
        answer = self.http.request(method, self.url + path, headers=kept, data=body)
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        return answer

    def create(self, length: int | None = len(CONTENT), body: Any = None, **headers: Any) -> str:
        """The path of a new upload."""
        told = {"Upload_Defer_Length": 1} if length is None else {"Upload_Length": length}
        answer = self.call("POST", "/tus/", body, **(told | headers))
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    def patch(self, path: str, offset: int, body: Any, **headers: Any) -> requests.Response:
        return self.call("PATCH", path, body, Upload_Offset=offset, Content_Type=TYPE, **headers)

    def offset(self, path: str) -> int:
        answer = self.call("HEAD", path)
        assert answer.status_code == 200
        return int(answer.headers["Upload-Offset"])

    def files(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.http.get(f"{self.url}/files").json()["files"]
        return files

    def bytes_of(self, path: str) -> Path:
        """Where the bytes of an upload lie."""
        return self.data / path[1:]

    def record_of(self, path: str) -> Path:
        return self.data / f"{path[1:]}.json"

    def begin(self, path: str, offset: int, body: bytes, announced: int) -> socket.socket:
        """Begin a PATCH of that many bytes of which only some are sent; its connection."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=20)
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: {offset}\r\nContent-Type: {TYPE}\r\nContent-Length: {announced}\r\n"
        )
        connection.sendall(f"{head}\r\n".encode() + body)
        return connection


Start = Callable[..., Client]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start()`: a client of a receiver; the one before is stopped, the data folder stays."""
    running = ExitStack()

    def begin(data: Path = tmp_path / "received", **options: Any) -> Client:
        running.close()
        receiver = Receiver(data, port=0, **options)
        receiver.start()
        running.callback(receiver.stop)
        client = Client(receiver, data)
        running.callback(client.http.close)
        return client

    yield begin
    running.close()


@pytest.fixture
def tus(start: Start) -> Client:
    return start()


def assert_problem(answer: requests.Response, status: int, kind: str) -> str:
    """The answer is that problem; its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    if answer.request.method == "HEAD":
        return ""
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:dropline:problem:{kind}", status)
    assert problem["detail"].endswith((".", "/tus/."))
    return str(problem["detail"])


def assert_stored(
    tus: Client, content: bytes, answer: requests.Response, *, duplicate: bool = False
) -> dict[str, Any]:
    """The answer tells of the only file, which is that content; its entry in the list."""
    [file] = tus.files()
    digest = hashlib.sha256(content).digest()
    assert answer.headers["Upload-Offset"] == str(len(content))
    assert answer.headers["Dropline-File-Id"] == file["file_id"]
    assert answer.headers["Dropline-Duplicate"] == str(duplicate).lower()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{base64_of(digest)}:"
    assert (file["size"], file["sha256"]) == (len(content), digest.hex())
    assert tus.http.get(f"{tus.url}/files/{file['file_id']}").content == content
    assert list((tus.data / "transit").iterdir()) == []
    return file


# --- the protocol -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/tus", "/tus/", "/tus/anything"])
def test_options_tell_what_is_offered(start: Start, path: str) -> None:
    answer = start(max_size=1000).call("OPTIONS", path, Tus_Resumable="")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "termination",
        "checksum",
        "expiration",
        "concatenation",
    }
    assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256", "md5"}
    assert answer.headers["Tus-Max-Size"] == "1000"


@pytest.mark.parametrize("version", ["", "0.2.2"])
def test_another_version_is_refused(tus: Client, version: str) -> None:
    path = tus.create()
    for method, target in (("POST", "/tus/"), ("PATCH", path), ("DELETE", path)):
        answer = tus.call(method, target, Tus_Resumable=version)
        assert_problem(answer, 412, "version")
        assert answer.headers["Tus-Version"] == "1.0.0"


def test_a_file_in_pieces(tus: Client) -> None:
    told = metadata(filename="a/Ä 1.bin", empty="", filetype="image/png")
    answer = tus.call("POST", "/tus/", Upload_Length=len(CONTENT), **told)
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == "0"
    path = answer.headers["Location"]
    for at in range(0, len(CONTENT), 3000):
        piece = CONTENT[at : at + 3000]
        answer = tus.call("HEAD", path)
        assert answer.status_code == 200
        assert answer.headers["Upload-Offset"] == str(at)
        assert answer.headers["Upload-Length"] == str(len(CONTENT))
        assert answer.headers["Upload-Metadata"] == told["Upload-Metadata"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Upload-Expires"].endswith(" GMT")
        assert "Dropline-File-Id" not in answer.headers
        assert tus.files() == []
        answer = tus.patch(path, at, piece)
        assert answer.status_code == 204
        assert answer.headers["Upload-Offset"] == str(at + len(piece))
    file = assert_stored(tus, CONTENT, answer)
    assert (file["name"], file["type"]) == ("a/Ä 1.bin", "image/png")
    assert_stored(tus, CONTENT, tus.call("HEAD", path))
    assert_stored(tus, CONTENT, tus.patch(path, len(CONTENT), b""))
    assert_stored(tus, CONTENT, tus.patch(path, len(CONTENT), b"", **checksum("md5", b"")))
    assert not tus.bytes_of(path).exists()
    assert_problem(tus.patch(path, len(CONTENT), b"more"), 413, "too-large")


def test_a_file_with_its_announcement(tus: Client) -> None:
    answer = tus.call(
        "POST", "/tus/", CONTENT, Upload_Length=len(CONTENT), Content_Type=TYPE,
        **checksum("sha1", CONTENT),
    )  # fmt: skip
    assert answer.status_code == 201
    assert_stored(tus, CONTENT, answer)
    path = tus.create(body=CONTENT[:100], Content_Type=TYPE)  # the first piece only
    assert tus.offset(path) == 100


def test_a_piece_in_chunks(tus: Client) -> None:
    path = tus.create()
    pieces = (CONTENT[at : at + 1000] for at in range(0, len(CONTENT), 1000))
    assert_stored(tus, CONTENT, tus.patch(path, 0, pieces))


def test_an_empty_file_is_stored_at_once(tus: Client) -> None:
    answer = tus.call("POST", "/tus/", Upload_Length=0)
    assert answer.status_code == 201
    assert_stored(tus, b"", answer)
    assert_stored(tus, b"", tus.call("HEAD", answer.headers["Location"]))


def test_an_empty_file_of_a_length_that_comes_later(tus: Client) -> None:
    assert_stored(tus, b"", tus.patch(tus.create(None), 0, b"", Upload_Length=0))


@pytest.mark.parametrize("with_bytes", [True, False])
def test_a_length_that_comes_later(tus: Client, with_bytes: bool) -> None:
    path = tus.create(None)
    tus.patch(path, 0, CONTENT[:5000])
    answer = tus.call("HEAD", path)
    assert answer.headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in answer.headers
    assert_problem(tus.patch(path, 5000, b"", Upload_Length=4999), 400, "malformed")
    if with_bytes:
        answer = tus.patch(path, 5000, CONTENT[5000:], Upload_Length=len(CONTENT))
    else:
        tus.patch(path, 5000, CONTENT[5000:])
        answer = tus.patch(path, len(CONTENT), b"", Upload_Length=len(CONTENT))
    assert_stored(tus, CONTENT, answer)
    assert_problem(tus.patch(path, len(CONTENT), b"", Upload_Length=1), 400, "malformed")


@pytest.mark.parametrize(
    ("values", "name", "kind"),
    [
        ({"filename": "a", "name": "b", "type": "a/b"}, "a", "a/b"),
        ({"name": "b", "relativePath": "null"}, "b", "application/octet-stream"),
        ({"name": "b", "relativePath": "x/y/b"}, "x/y/b", "application/octet-stream"),
        ({"name": "b", "relativePath": "x/"}, "x/b", "application/octet-stream"),
        ({"filename": "../../etc/passwd\0", "filetype": "no type"}, "../../etc/passwd\ufffd",
         "application/octet-stream"),
        ({}, "unnamed", "application/octet-stream"),
    ],
)  # fmt: skip
def test_name_and_type(tus: Client, values: dict[str, str], name: str, kind: str) -> None:
    tus.create(0, **metadata(**values))
    [file] = tus.files()
    assert (file["name"], file["type"]) == (name, kind)


@pytest.mark.parametrize("header", [b"", b"a", b"a,b", b"a YQ==, b Yg=="])
def test_odd_metadata_is_taken(tus: Client, header: bytes) -> None:
    answer = tus.http.post(
        f"{tus.url}/tus/",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": header},
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": "-1"},
        {"Upload-Length": "1e3"},
        {"Upload-Length": "9" * 30},
        {"Upload-Length": "1", "Upload-Defer-Length": "1"},
        {"Upload-Defer-Length": "2"},
        {"Upload-Length": "1", "Upload-Metadata": "name not*base64"},
        {"Upload-Length": "1", "Upload-Concat": "half"},
        {"Upload-Length": "1", "Upload-Concat": "final;"},
        {"Upload-Length": "1", "Idempotency-Key": "x" * 256},
    ],
)
def test_a_malformed_creation_makes_nothing(tus: Client, headers: dict[str, str]) -> None:
    assert_problem(tus.call("POST", "/tus/", **headers), 400, "malformed")
    assert list((tus.data / "tus").iterdir()) == []


def test_a_malformed_piece_adds_nothing(tus: Client) -> None:
    path = tus.create()
    tus.patch(path, 0, CONTENT[:10])
    for offset in (0, 9, 11):
        answer = tus.patch(path, offset, b"x")
        assert_problem(answer, 409, "offset-differs")
        assert answer.headers["Upload-Offset"] == "10"
    for kind in ("", "application/octet-stream"):
        answer = tus.call("PATCH", path, b"x", Upload_Offset=10, Content_Type=kind)
        assert_problem(answer, 415, "media-type")
    assert_problem(tus.call("POST", "/tus/", b"x", Upload_Length=1), 415, "media-type")
    assert_problem(tus.call("PATCH", path, b"x", Content_Type=TYPE), 400, "malformed")
    for wrong in ("crc32 AAAA", "md5 ?", "sha1"):
        assert_problem(tus.patch(path, 10, b"x", Upload_Checksum=wrong), 400, "malformed")
    assert_problem(tus.patch(path, 10, CONTENT), 413, "too-large")
    assert tus.offset(path) == 10


def test_what_is_not_there(tus: Client) -> None:
    for path in (f"/tus/{'0' * 32}", "/tus/..%2Freceiver.sqlite", "/tus/x"):
        for method in ("HEAD", "PATCH", "DELETE"):
            answer = tus.call(method, path, Upload_Offset=0, Content_Type=TYPE)
            assert_problem(answer, 404, "not-found")
    answer = tus.call("GET", tus.create())
    assert_problem(answer, 405, "method-not-allowed")
    assert "PATCH" in answer.headers["Allow"]


def test_another_method_can_be_meant(tus: Client) -> None:
    path = tus.create()
    override = {"X_HTTP_Method_Override": "PATCH", "Upload_Offset": 0, "Content_Type": TYPE}
    assert tus.call("POST", path, CONTENT[:7], **override).status_code == 204
    assert tus.offset(path) == 7
    assert tus.call("POST", path, X_HTTP_Method_Override="DELETE").status_code == 204
    assert_problem(tus.call("HEAD", path), 404, "not-found")
    assert_problem(tus.call("POST", path), 405, "method-not-allowed")


def test_the_guard_and_the_token_hold_here_too(start: Start) -> None:
    tus = start(token="secret")
    assert_problem(tus.call("POST", "/tus/", Upload_Length=1), 401, "unauthorised")
    passed = {"Authorization": "Bearer secret"}
    path = tus.create(1, **passed)
    assert tus.call("HEAD", path, **passed).status_code == 200
    foreign = tus.call("OPTIONS", path, Origin="http://evil.example", **passed)
    assert_problem(foreign, 403, "forbidden")
    assert tus.call("OPTIONS", path, Origin=tus.url, **passed).status_code == 204


def test_termination(tus: Client) -> None:
    path = tus.create()
    tus.patch(path, 0, b"x")
    assert tus.call("DELETE", path).status_code == 204
    assert list((tus.data / "tus").iterdir()) == []
    for method in ("HEAD", "DELETE"):
        assert_problem(tus.call(method, path), 404, "not-found")
    stored = tus.create(1, body=b"x", Content_Type=TYPE)
    assert tus.call("DELETE", stored).status_code == 204
    assert len(tus.files()) == 1  # a stored file is deleted at /files


# --- checksums ----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_only_bytes_with_their_checksum_count(tus: Client, algorithm: str) -> None:
    path = tus.create()
    first, rest = CONTENT[:4000], CONTENT[4000:]
    assert tus.patch(path, 0, first, **checksum(algorithm, first)).status_code == 204
    answer = tus.patch(path, 4000, rest[:-1] + b"!", **checksum(algorithm, rest))
    assert_problem(answer, 460, "checksum-mismatch")
    assert answer.headers["Upload-Offset"] == "4000"
    assert tus.files() == []
    assert tus.offset(path) == 4000
    assert_stored(tus, CONTENT, tus.patch(path, 4000, rest, **checksum(algorithm, rest)))


def test_a_creation_whose_bytes_are_wrong_leaves_nothing(tus: Client) -> None:
    answer = tus.call(
        "POST", "/tus/", CONTENT, Upload_Length=len(CONTENT), Content_Type=TYPE,
        **checksum("sha1", b"other"),
    )  # fmt: skip
    assert_problem(answer, 460, "checksum-mismatch")
    assert list((tus.data / "tus").iterdir()) == []


def test_bytes_that_were_never_checked_do_not_outlive_a_kill(start: Start) -> None:
    tus = start()
    path = tus.create()
    tus.patch(path, 0, CONTENT[:100])
    record = json.loads(tus.record_of(path).read_text())
    tus.record_of(path).write_text(json.dumps(record | {"unchecked": 100}))
    with tus.bytes_of(path).open("ab") as file:
        file.write(b"perhaps damaged")
    tus = start()
    assert tus.offset(path) == 100
    assert_stored(tus, CONTENT, tus.patch(path, 100, CONTENT[100:]))


# --- broken connections, two at once ------------------------------------------------------------


def test_a_broken_piece_is_kept(tus: Client, until: Until) -> None:
    path = tus.create()
    tus.begin(path, 0, CONTENT[:6000], len(CONTENT)).close()
    until(lambda: tus.bytes_of(path).exists() and tus.bytes_of(path).stat().st_size == 6000)
    assert tus.offset(path) == 6000
    assert_stored(tus, CONTENT, tus.patch(path, 6000, CONTENT[6000:]))


def test_a_broken_piece_with_a_checksum_is_not(tus: Client, until: Until) -> None:
    path = tus.create()
    checked = f"{TYPE}\r\nUpload-Checksum: sha1 {base64_of(hashlib.sha1(CONTENT).digest())}"
    host, port = tus.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: 0\r\nContent-Type: {checked}\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
            .encode() + CONTENT[:6000]
        )  # fmt: skip
        until(lambda: tus.bytes_of(path).exists() and tus.bytes_of(path).stat().st_size == 6000)
    assert tus.offset(path) == 0


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_who_comes_later_has_the_upload(tus: Client, until: Until, method: str) -> None:
    """The earlier request most likely hangs on a dead connection; if not, it is told."""
    path = tus.create()
    with closing(tus.begin(path, 0, CONTENT[:6000], len(CONTENT))) as first:
        until(lambda: tus.bytes_of(path).exists() and tus.bytes_of(path).stat().st_size == 6000)
        if method == "PATCH":
            assert_stored(tus, CONTENT, tus.patch(path, 6000, CONTENT[6000:]))
        else:
            assert tus.call(method, path).status_code in (200, 204)
        with first.makefile("rb") as answer:
            assert b" 423 " in answer.readline()
            head = answer.read().decode().lower()
        assert "connection: close" in head
        assert "another request goes on" in head
    if method == "HEAD":
        assert tus.offset(path) == 6000


def test_many_that_go_on_with_one_upload(tus: Client) -> None:
    """Whoever fights over an upload, its bytes come out in order and it is stored once."""
    content = os.urandom(2_000_000)
    path = tus.create(len(content))

    def send() -> None:
        with requests.Session() as http:
            headers = {"Tus-Resumable": "1.0.0"}
            while True:
                answer = http.head(tus.url + path, headers=headers)
                if answer.status_code == 200:
                    offset = int(answer.headers["Upload-Offset"])
                    if offset == len(content):
                        return
                    given = {**headers, "Upload-Offset": str(offset), "Content-Type": TYPE}
                    with suppress(requests.ConnectionError):  # cut off while it still sent
                        http.patch(tus.url + path, content[offset:][:300_000], headers=given)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_stored(tus, content, tus.call("HEAD", path))


def test_an_upload_that_nobody_lets_go_of_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "PATIENCE", 0.05)
    uploads = unfinished.Unfinished(tmp_path)
    upload_id = "0" * 32
    asked = threading.Event()
    with uploads.take(upload_id, unfinished.Record(1, "", "k")) as upload:
        with pytest.raises(unfinished.Problem, match="busy") as error, uploads.take(upload_id):
            pass
        assert error.value.status == 423
        with uploads.interruptible(upload, asked.set):
            with suppress(unfinished.Problem), uploads.take(upload_id):
                pass
            assert asked.is_set()
    with uploads.take(upload_id) as upload:
        assert upload.offset == 0
    uploads.close()


def test_stopping_the_receiver_keeps_what_came(start: Start, until: Until) -> None:
    tus = start()
    path = tus.create()
    with closing(tus.begin(path, 0, CONTENT[:6000], len(CONTENT))):
        until(lambda: tus.bytes_of(path).exists() and tus.bytes_of(path).stat().st_size == 6000)
        tus = start()
    assert tus.offset(path) == 6000
    assert_stored(tus, CONTENT, tus.patch(path, 6000, CONTENT[6000:]))


# --- what a kill leaves -------------------------------------------------------------------------


def test_the_offset_is_what_is_on_the_disk(start: Start) -> None:
    tus = start()
    path = tus.create(**metadata(filename="a"))
    tus.patch(path, 0, CONTENT[:100])
    with tus.bytes_of(path).open("ab") as file:  # written, but the process ended before it knew
        file.write(CONTENT[100:300])
    tus = start()
    assert tus.offset(path) == 300
    assert assert_stored(tus, CONTENT, tus.patch(path, 300, CONTENT[300:]))["name"] == "a"


@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
def test_killed_between_the_last_byte_and_the_row(start: Start, method: str) -> None:
    tus = start()
    path = tus.create()
    tus.patch(path, 0, CONTENT[:100])
    with tus.bytes_of(path).open("ab") as file:
        file.write(CONTENT[100:])
    os.link(tus.bytes_of(path), tus.data / "transit" / "0.part")  # on its way to the store
    tus = start()
    assert tus.files() == []
    for _ in range(2):
        asked = tus.call("HEAD", path) if method == "HEAD" else tus.patch(path, len(CONTENT), b"")
        assert_stored(tus, CONTENT, asked)


@pytest.mark.parametrize("key", ["", "key"])
@pytest.mark.parametrize("again", ["HEAD", "POST"])
def test_killed_between_the_row_and_the_record(
    start: Start, tmp_path: Path, key: str, again: str
) -> None:
    tus = start()
    path = tus.create(Idempotency_Key=key)
    tus.patch(path, 0, CONTENT[:100])
    record = tus.record_of(path).read_bytes()
    os.link(tus.bytes_of(path), tmp_path / "bytes")
    tus.patch(path, 100, CONTENT[100:])
    tus.record_of(path).write_bytes(record)
    os.link(tmp_path / "bytes", tus.bytes_of(path))
    tus = start()
    assert not tus.bytes_of(path).exists()  # whether or not anybody asks again
    if again == "POST" and key:
        assert tus.create(Idempotency_Key=key) == path
    assert_stored(tus, CONTENT, tus.call("HEAD", path), duplicate=bool(key))


def test_killed_between_the_record_and_the_end_of_the_bytes(start: Start) -> None:
    tus = start()
    path = tus.create()
    tus.patch(path, 0, CONTENT)
    tus.bytes_of(path).write_bytes(CONTENT)  # not unlinked yet
    tus = start()
    assert not tus.bytes_of(path).exists()
    assert_stored(tus, CONTENT, tus.call("HEAD", path))


def test_a_start_removes_what_has_no_record(start: Start) -> None:
    tus = start()
    path = tus.create()
    tus.patch(path, 0, b"x")
    kept = {tus.bytes_of(path), tus.record_of(path)}
    (tus.data / "tus" / ("1" * 32)).write_bytes(b"bytes of an upload that was ended")
    (tus.data / "tus" / f".{'1' * 32}.json.0123").write_bytes(b"{")
    tus = start()
    assert set((tus.data / "tus").iterdir()) == kept
    tus.record_of(path).write_bytes(b"{}")
    assert_problem(tus.call("HEAD", path), 404, "not-found")


def test_a_file_system_without_links_moves_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "bytes").write_bytes(b"1")
    moved = Path(Folder(tmp_path).adopt(str(tmp_path / "bytes")))
    assert moved.read_bytes() == b"1"
    assert not (tmp_path / "bytes").exists()


# --- expiry -------------------------------------------------------------------------------------


class Clock:
    """The time, moved at will."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def test_an_upload_expires_a_while_after_its_last_byte(start: Start) -> None:
    clock = Clock()
    tus = start(lifetime=3600, clock=clock)
    path, other = tus.create(), tus.create()
    tus.patch(path, 0, b"x")
    clock.ahead = 3500
    assert tus.offset(path) == 1
    clock.ahead = 3700
    assert_problem(tus.call("HEAD", path), 410, "expired")
    assert_problem(tus.patch(path, 1, b"x"), 404, "not-found")
    assert tus.record_of(other).exists()
    tus = start(lifetime=3600, clock=clock)
    assert list((tus.data / "tus").iterdir()) == []


def test_a_stored_upload_is_remembered_as_long(start: Start) -> None:
    clock = Clock()
    tus = start(lifetime=3600, clock=clock)
    path = tus.create(1, body=b"x", Content_Type=TYPE)
    tus = start(lifetime=3600, clock=clock)
    assert_stored(tus, b"x", tus.call("HEAD", path))
    clock.ahead = 3700
    assert_problem(tus.call("HEAD", path), 410, "expired")
    assert len(tus.files()) == 1


def test_old_ones_go_while_it_runs(start: Start, until: Until) -> None:
    tus = start(lifetime=0.5)
    tus.patch(tus.create(), 0, b"x")
    until(lambda: list((tus.data / "tus").iterdir()) == [])


# --- keys ---------------------------------------------------------------------------------------


def test_a_key_leads_to_the_same_upload(start: Start) -> None:
    tus = start()
    path = tus.create(Idempotency_Key="k")
    tus.patch(path, 0, CONTENT[:100])
    tus = start()
    told = {"Upload_Length": len(CONTENT), "Idempotency_Key": "k"}
    for body in (
        None,
        CONTENT,
    ):  # bytes sent along belong elsewhere: the answer says where to go on
        answer = tus.call("POST", "/tus/", body, Content_Type=TYPE, **told)
        assert answer.status_code == 201
        assert (answer.headers["Location"], answer.headers["Upload-Offset"]) == (path, "100")
    assert_problem(
        tus.call("POST", "/tus/", Upload_Length=5, Idempotency_Key="k"), 422, "key-reused"
    )
    assert_stored(tus, CONTENT, tus.patch(path, 100, CONTENT[100:]))
    assert_stored(tus, CONTENT, tus.call("POST", "/tus/", **told))
    assert tus.create(Idempotency_Key="other") != path


def test_a_key_of_another_upload_leads_to_its_file(tus: Client) -> None:
    for key in ("k", "k2"):
        tus.http.put(f"{tus.url}/files/by-name/a", CONTENT, headers={"Idempotency-Key": key})
        answer = tus.call("POST", "/tus/", Upload_Length=len(CONTENT), Idempotency_Key=key)
        path = answer.headers["Location"]
        for again in (answer, tus.call("HEAD", path)):
            assert_stored(tus, CONTENT, again, duplicate=True)
        [file] = tus.files()
        tus.http.delete(f"{tus.url}/files/{file['file_id']}")
        # a deleted file frees its key
        answer = tus.call("POST", "/tus/", Upload_Length=1, Idempotency_Key=key)
        assert (answer.headers["Location"], answer.headers["Upload-Offset"]) == (path, "0")
        assert "Dropline-File-Id" not in answer.headers
        tus.call("DELETE", path)


def test_a_key_whose_file_came_meanwhile(tus: Client) -> None:
    path = tus.create(Idempotency_Key="k")
    tus.http.put(f"{tus.url}/files/by-name/a", CONTENT, headers={"Idempotency-Key": "k"})
    assert_stored(tus, CONTENT, tus.patch(path, 0, CONTENT), duplicate=True)


def test_a_creation_that_broke_off_goes_on_by_its_key(tus: Client, until: Until) -> None:
    host, port = tus.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"POST /tus/ HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Length: {len(CONTENT)}\r\nContent-Type: {TYPE}\r\nIdempotency-Key: k\r\n"
            f"Content-Length: {len(CONTENT)}\r\n\r\n".encode()
            + CONTENT[:6000]
        )
        folder = tus.data / "tus"
        until(lambda: any(path.stat().st_size == 6000 for path in folder.glob("[!.]*")))
    answer = tus.call("POST", "/tus/", Upload_Length=len(CONTENT), Idempotency_Key="k")
    assert answer.headers["Upload-Offset"] == "6000"
    answer = tus.patch(answer.headers["Location"], 6000, CONTENT[6000:])
    assert_stored(tus, CONTENT, answer)


# --- concatenation ------------------------------------------------------------------------------


def parts_of(tus: Client, *pieces: bytes) -> list[str]:
    """The paths of whole partial uploads with those bytes."""
    return [
        tus.create(len(piece), piece, Upload_Concat="partial", Content_Type=TYPE)
        for piece in pieces
    ]


def join(tus: Client, *paths: str, **headers: Any) -> requests.Response:
    return tus.call("POST", "/tus/", Upload_Concat=f"final;{' '.join(paths)}", **headers)


def test_parts_are_joined_in_their_order(tus: Client) -> None:
    parts = parts_of(tus, CONTENT[5000:], b"", CONTENT[:5000])
    assert tus.call("HEAD", parts[0]).headers["Upload-Concat"] == "partial"
    assert tus.files() == []  # a part is no file
    names = metadata(filename="joined.bin")
    order = [tus.url + parts[2], parts[1], parts[0]]  # addresses may be whole or only paths
    answer = join(tus, *order, **names)
    assert answer.status_code == 201
    assert assert_stored(tus, CONTENT, answer)["name"] == "joined.bin"
    path = answer.headers["Location"]
    answer = tus.call("HEAD", path)
    assert_stored(tus, CONTENT, answer)
    assert answer.headers["Upload-Concat"] == f"final;{parts[2]} {parts[1]} {parts[0]}"
    assert answer.headers["Upload-Length"] == str(len(CONTENT))
    # its parts are gone, yet a client that missed the answer gets it
    assert_problem(tus.call("HEAD", parts[0]), 404, "not-found")
    assert join(tus, *order, **names).headers["Location"] == path
    assert_stored(tus, CONTENT, tus.call("HEAD", path))
    assert_problem(tus.patch(path, len(CONTENT), b"x"), 403, "forbidden")


def test_what_cannot_be_joined(start: Start) -> None:
    tus = start(max_size=10)
    [whole] = parts_of(tus, b"123456")
    half = tus.create(6, b"1", Upload_Concat="partial", Content_Type=TYPE)
    for other in (half, tus.create(1, b"x", Content_Type=TYPE)):
        assert_problem(join(tus, whole, other), 400, "malformed")
    assert_problem(join(tus, whole, f"/tus/{'0' * 32}"), 404, "not-found")
    assert_problem(join(tus, whole, whole), 413, "too-large")
    assert tus.offset(whole) == 6
    assert len(tus.files()) == 1
    tus.patch(half, 1, b"2")
    assert len(list((tus.data / "tus").glob("*.json"))) == 3  # none of the joined ones


def test_a_key_is_that_of_the_joined_file(tus: Client) -> None:
    """A client that sends a file in parts gives its headers with each of them."""
    parts = [
        tus.create(5, piece, Upload_Concat="partial", Content_Type=TYPE, Idempotency_Key="k")
        for piece in (b"first", b"after")
    ]
    for _ in range(2):
        assert_stored(tus, b"firstafter", join(tus, *parts, Idempotency_Key="k"))


def test_killed_while_it_joined(start: Start) -> None:
    """What lies under a joined upload is never written into: it may be a stored file's bytes."""
    tus = start()
    parts = parts_of(tus, CONTENT[:5000], CONTENT[5000:])
    saved = {path: tus.bytes_of(path).read_bytes() for path in parts}
    records = {path: tus.record_of(path).read_text() for path in parts}
    path = join(tus, *parts, Idempotency_Key="k").headers["Location"]
    for part in parts:
        tus.bytes_of(part).write_bytes(saved[part])
        tus.record_of(part).write_text(records[part])
    record = json.loads(tus.record_of(path).read_text())
    tus.record_of(path).write_text(json.dumps(record | {"file_id": "", "length": None}))
    [file] = tus.files()
    home = next((tus.data / "files").glob(f"*/{file['file_id']}"))
    os.link(home, tus.bytes_of(path))
    tus = start()
    assert not any(tus.bytes_of(left).exists() for left in (path, *parts))
    assert_stored(tus, CONTENT, tus.call("HEAD", path), duplicate=True)


# --- limits, and the way into the store ---------------------------------------------------------


def test_the_limit(start: Start) -> None:
    tus = start(max_size=100)
    assert_problem(tus.call("POST", "/tus/", Upload_Length=101), 413, "too-large")
    path = tus.create(None)
    assert_problem(tus.patch(path, 0, b"", Upload_Length=101), 413, "too-large")
    assert_problem(tus.patch(path, 0, bytes(101)), 413, "too-large")
    assert_problem(tus.patch(path, 0, iter([bytes(60), bytes(60)])), 413, "too-large")
    assert tus.offset(path) in (0, 60)


def test_a_full_disk_keeps_what_came(small_disk: Callable[[int], Path], start: Start) -> None:
    disk = small_disk(5_000_000)
    tus = start(disk / "data")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    content = os.urandom(4_000_000)
    path = tus.create(len(content))
    answer = tus.patch(path, 0, content)
    assert "Free some space" in assert_problem(answer, 507, "disk-full")
    offset = int(answer.headers["Upload-Offset"])
    assert 0 < offset < len(content)
    ballast.unlink()
    assert tus.offset(path) == offset
    assert_stored(tus, content, tus.patch(path, offset, content[offset:]))


def test_no_room_for_the_row_keeps_the_bytes(
    small_disk: Callable[[int], Path], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dropline.receiver.store.LEAST_FREE", 0)  # others may fill the disk
    disk = small_disk(5_000_000)
    tus = start(disk / "data")
    path = tus.create(2)
    tus.patch(path, 0, b"1")
    with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    answer = tus.patch(path, 1, b"2")
    assert_problem(answer, 507, "disk-full")
    assert tus.files() == []
    (disk / "ballast").unlink()
    assert_stored(tus, b"12", tus.call("HEAD", path))


def test_a_whole_upload_goes_over_the_bus(
    receiver: Receiver, heard: Any, tmp_path: Path, until: Until
) -> None:
    events: list[Any] = []
    receiver.bus.subscribe("dropline.file.", lambda message: events.append(message.data))
    tus = Client(receiver, tmp_path / "received")
    with tus.http:
        tus.create(1, b"x", Content_Type=TYPE, **metadata(filename="a", filetype="a/b"))
        [file] = tus.files()
    assert receiver.bus.flush()
    received, stored = events
    assert isinstance(received, FileReceived)
    assert (received.name, received.size, received.media_type) == ("a", 1, "a/b")
    assert stored == FileStored(file["file_id"], "a", 1, file["sha256"], "a/b", file["stored_at"])
