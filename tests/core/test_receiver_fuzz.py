"""Whatever is sent, the receiver answers with sense: multipart bodies, tus headers, names.

A short run by default; more than a million bodies and requests, which take half an hour, by

    make test ARGS="tests/core/test_receiver_fuzz.py --hypothesis-profile=million --timeout=0"
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from dropline.receiver.body import Wire
from dropline.receiver.multipart import MAX_PARTS, read_parts
from dropline.receiver.problems import Problem

from .application import application

#: What makes up multipart bodies, whole and broken.
PIECES = st.sampled_from(
    [
        b"--", b"\r\n", b"\n", b"\r", b"--x", b"--x--", b"\r\n--x\r\n", b"\r\n--x--\r\n", b":",
        b";", b"Content-Disposition: form-data", b'; name="file"', b'; filename="', b'"', b"\\",
        b"%22", b"; filename*=UTF-8''", b"; filename*=utf-8'en'%e2%82", b"; filename*=x''a", b"\0",
        b"Content-Type: text/plain", b"Content-Digest: sha-256=:", b"Idempotency-Key: ", b" ",
        b"\r\n\r\n", "名".encode(), b"\xff\xfe", b"A" * 300,
    ]
)  # fmt: skip
BODIES = st.lists(PIECES | st.binary(max_size=20), max_size=40).map(b"".join)
TYPES = st.sampled_from(
    ["multipart/form-data; boundary=x", 'multipart/form-data; boundary="x"', "multipart/form-data"]
) | st.text(max_size=60)
#: What a header can hold that gets through the server.
LINES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)
NUMBERS = st.integers(-1, 1100).map(str) | st.sampled_from(["1" * 30, "1e3", " 1", "٣"]) | LINES
BASE64 = st.sampled_from(["", "YQ==", "YQ", "/w==", "bnVsbA==", "Li4v", "====", "AA=="]) | LINES
METADATA = st.lists(
    st.tuples(
        st.sampled_from(["filename", "name", "relativePath", "type", ""]) | LINES, BASE64
    ).map(" ".join),
    max_size=4,
).map(",".join)
CONCATS = st.sampled_from(["partial", "final;", "final;/tus/" + "0" * 32, "final; "]) | LINES
CHECKSUMS = st.tuples(st.sampled_from(["sha1", "md5", "sha256", "crc32", ""]), BASE64).map(" ".join)
NAMES = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40
) | st.sampled_from(
    ["..", "../x", "/etc/passwd", "C:\\x", "a\0b", "a\r\nSet-Cookie: x=1", "%2e%2e%2f", "‮gpj.exe"]
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with application(tmp_path_factory.mktemp("fuzz")) as app:
        yield app.test_client()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """What the server gives the application of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Wire(ours, lambda: False)


def assert_sense(answer: TestResponse) -> None:
    """It is an answer, or a problem in words, and no failure of the receiver's."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.data:
        problem = answer.get_json()
        assert problem["status"] == answer.status_code
        assert problem["detail"]
    for name, value in answer.headers:
        assert "\r" not in name + value
        assert "\n" not in name + value


@given(st.lists(PIECES | st.binary(max_size=20), min_size=1, max_size=40), TYPES)
def test_any_multipart_body(pieces: list[bytes], content_type: str) -> None:
    """… and broken off behind each of its pieces."""
    for end in range(1, len(pieces) + 1):
        refused, parts = read(pieces[:end], content_type)
        assert refused in (None, 400, 413)
        assert parts <= min(MAX_PARTS, sum(map(len, pieces)))


def read(pieces: list[bytes], content_type: str) -> tuple[int | None, int]:
    """With which status a body that comes in these pieces is refused, and how many parts it had."""
    coming = (piece for piece in pieces if piece)
    size = sum(map(len, pieces))
    parts = 0
    try:
        for part in read_parts(lambda _size: next(coming, b""), content_type):
            parts += 1
            for text in (part.field, part.filename or ""):
                assert "\0" not in text
                text.encode()
            assert sum(map(len, part)) <= size
    except Problem as problem:
        return problem.status, parts
    return None, parts


@given(BODIES, TYPES, st.dictionaries(st.sampled_from(["Idempotency-Key"]), LINES))
def test_any_upload(client: FlaskClient, data: bytes, content_type: str, more: Any) -> None:
    headers = more | {"Content-Type": content_type.encode("latin-1", "replace").decode("latin-1")}
    headers = {name: value.replace("\r", "").replace("\n", "") for name, value in headers.items()}
    assert_sense(client.post("/upload", data=data, headers=headers))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Upload-Length": NUMBERS,
            "Upload-Defer-Length": NUMBERS,
            "Upload-Metadata": METADATA | LINES,
            "Upload-Concat": CONCATS,
            "Upload-Checksum": CHECKSUMS | LINES,
            "Idempotency-Key": LINES,
            "X-HTTP-Method-Override": st.sampled_from(["PATCH", "DELETE", "x"]),
        },
    ),
    st.fixed_dictionaries(
        {"Upload-Offset": NUMBERS},
        optional={"Upload-Length": NUMBERS, "Upload-Checksum": CHECKSUMS | LINES},
    ),
    st.binary(max_size=30),
)
def test_any_headers_of_tus(
    client: FlaskClient, wire: Wire, create: dict[str, str], go_on: dict[str, str], data: bytes
) -> None:
    def ask(method: str, path: str, body: bytes = b"", **headers: str) -> TestResponse:
        answer = client.open(
            path,
            method=method,
            data=body,
            headers={"Tus-Resumable": "1.0.0", **headers},
            content_type="application/offset+octet-stream",
            environ_overrides={"dropline.wire": wire},
        )
        assert_sense(answer)
        return answer

    made = ask("POST", "/tus/", data[:10], **create)
    path = made.headers.get("Location", f"/tus/{'0' * 32}")
    ask("PATCH", path, data[10:], **go_on)
    ask("HEAD", path)
    ask("DELETE", path)


@given(NAMES)
def test_any_name(client: FlaskClient, name: str) -> None:
    """It is data: it comes back as it was, and leads nowhere."""
    answer = client.post("/upload", data={"file": (b"content", name)})
    assert_sense(answer)
    if answer.status_code != 201:
        return
    file_id = answer.get_json()["file_id"]
    [listed] = client.get("/files?limit=1&order=newest").get_json()["files"]
    assert listed["file_id"] == file_id
    assert "\0" not in listed["name"]
    download = client.get(f"/files/{file_id}")
    assert_sense(download)
    assert download.headers["Content-Disposition"].startswith("attachment")
    assert client.delete(f"/files/{file_id}").status_code == 204
