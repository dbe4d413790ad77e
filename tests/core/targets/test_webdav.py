"""PUT and WebDAV: nginx and rclone, and servers that tell digests, true and false."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dropline.station import Attempt, PermanentError, TransientError
from dropline.targets import Access, Proof, Receipt, WebDavTarget
from dropline.targets.webdav import LARGE

NAMES = [
    "a b.txt",
    "100% #1?&=;+.txt",
    "照片/春 天.jpg",
    "emoji/😀.png",
    "~x/(y)'!*@,$:.z",
    "%41%2F",
]
ADA = Access(user="ada", password="secret")
Serve = Callable[..., Receipt]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("kind", ["nginx", "rclone", "plain nginx"])
def test_files_keep_their_names_and_bytes(
    request: Any, serve: Serve, make_file: Any, kind: str
) -> None:
    server = request.getfixturevalue(kind.split()[-1])
    below = {"nginx": "dav", "rclone": ".", "plain nginx": "plain"}[kind]
    address = f"{server.url}/{below}/names".replace("/./", "/")
    target = WebDavTarget(address, access=ADA if kind == "rclone" else None)
    proof = Proof.DIGEST if kind == "rclone" else Proof.SIZE
    for name in NAMES:
        receipt = serve(target, make_file(name.encode(), name))
        assert (receipt.sha256, receipt.proof) == (sha256(name.encode()), proof), name
        assert (server.files / below / "names" / name).read_bytes() == name.encode()
    receipt = serve(target, make_file(b"latin", "caf\udce9"))
    assert receipt.file_id == f"{address}/caf%5Cxe9"
    assert (server.files / below / "names" / "caf\\xe9").read_bytes() == b"latin"


@pytest.mark.parametrize("kind", ["nginx", "rclone"])
def test_the_same_file_again_overwrites_itself(
    request: Any, serve: Serve, make_file: Any, kind: str
) -> None:
    server = request.getfixturevalue(kind)
    target = WebDavTarget(f"{server.url}/dav/twice", access=ADA if kind == "rclone" else None)
    for content in (b"first", b"the second, longer", b"", b"3"):
        receipt = serve(target, make_file(content, "deep/er/file"))
        assert receipt.size == len(content)
        assert (server.files / "dav/twice/deep/er/file").read_bytes() == content


@pytest.mark.parametrize("kind", ["nginx", "rclone"])
def test_an_empty_folder_becomes_a_collection(
    request: Any, serve: Serve, make_file: Any, kind: str
) -> None:
    server = request.getfixturevalue(kind)
    target = WebDavTarget(f"{server.url}/dav/folders", access=ADA if kind == "rclone" else None)
    for _ in range(2):
        receipt = serve(target, make_file(b"", "空 a/b/"))
        assert receipt.proof is Proof.SIZE
        assert receipt.file_id.endswith("/dav/folders/%E7%A9%BA%20a/b/")
    assert os.listdir(server.files / "dav/folders/空 a/b") == []
    serve(target, make_file(b"x", "file"))
    with pytest.raises((PermanentError, TransientError), match="file/"):
        serve(target, make_file(b"", "file/"))


@pytest.mark.parametrize("kind", ["nginx", "rclone"])
def test_a_folder_that_was_removed_meanwhile_is_made_again(
    request: Any, make_file: Any, kind: str
) -> None:
    server = request.getfixturevalue(kind)
    target = WebDavTarget(f"{server.url}/dav/gone", access=ADA if kind == "rclone" else None)
    with contextlib.closing(target.connect()) as worker:
        worker.serve(make_file(b"1", "a/one"), Attempt(lambda _: None))
        shutil.rmtree(server.files / "dav/gone/a")
        with contextlib.suppress(TransientError):  # some make folders by themselves
            worker.serve(make_file(b"2", "a/two"), Attempt(lambda _: None))
        worker.serve(make_file(b"2", "a/two"), Attempt(lambda _: None))
    assert (server.files / "dav/gone/a/two").read_bytes() == b"2"


def test_a_large_file_streams(nginx: Any, serve: Serve, make_file: Any) -> None:
    content = os.urandom(1 << 20) * 50
    item, digest = make_file(content, "large"), sha256(content)
    del content
    tracemalloc.start()
    try:
        receipt = serve(WebDavTarget(f"{nginx.url}/dav"), item)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert (receipt.sha256, receipt.size) == (digest, 50 << 20)
    with (nginx.files / "dav/large").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    (nginx.files / "dav/large").unlink()


@pytest.mark.parametrize("size", [10, LARGE + 1])
def test_wrong_credentials_fail_for_good(
    nginx: Any, rclone: Any, serve: Serve, make_file: Any, size: int
) -> None:
    right = Access(user="ada", password="пароль 1")
    assert serve(WebDavTarget(f"{nginx.url}/locked", access=right), make_file(bytes(size))).size
    for access in (Access(), Access(user="ada", password="wrong"), Access(token="secret")):
        for url in (f"{nginx.url}/locked", rclone.url):
            with pytest.raises(PermanentError, match=r"answered 401 .*: check the user") as caught:
                serve(WebDavTarget(url, access=access), make_file(bytes(size)))
            assert "wrong" not in str(caught.value)


def test_what_is_too_large_or_nowhere_fails_for_good(
    nginx: Any, serve: Serve, make_file: Any, tmp_path: Path
) -> None:
    item = make_file(b"", "big")
    os.truncate(item.source, 61 << 20)
    with pytest.raises(PermanentError, match=r"answered 413 .*: the file is larger"):
        serve(WebDavTarget(f"{nginx.url}/dav"), item)
    with pytest.raises(PermanentError, match=r"answered 405 .*: it takes no files this way"):
        serve(WebDavTarget(f"{nginx.url}/elsewhere"), make_file())
    for name in ("../up", "a/./b", "a//b"):
        with pytest.raises(PermanentError, match="cannot have the name"):
            serve(WebDavTarget(f"{nginx.url}/dav"), make_file(b"", name))


def base64_of(name: str, data: bytes) -> str:
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


TELLS: dict[str, Callable[[bytes], dict[str, str]]] = {
    "Repr-Digest": lambda data: {"Repr-Digest": f"sha-256=:{base64_of('sha256', data)}:"},
    "two": lambda data: {
        "Repr-Digest": f"sha-512=:AA==:, sha-256=:{base64_of('sha256', data)}:",
    },
    "Digest": lambda data: {
        "Digest": f"SHA={base64_of('sha1', data)},MD5={base64_of('md5', data)}"
    },
    "Content-MD5": lambda data: {"Content-MD5": base64_of("md5", data)},
    "OC-Checksum": lambda data: {"OC-Checksum": f"SHA1:{hashlib.sha1(data).hexdigest()}"},
    "X-Checksum": lambda data: {"X-Checksum-Sha256": sha256(data).upper()},
    "X-Goog-Hash": lambda data: {"X-Goog-Hash": f"crc32c=n03x6A==, md5={base64_of('md5', data)}"},
}


@pytest.mark.parametrize("header", TELLS)
def test_a_digest_that_is_told_is_compared(
    folder: Any, serve: Serve, make_file: Any, header: str
) -> None:
    honest = folder(TELLS[header])
    receipt = serve(WebDavTarget(honest.url), make_file(b"the bytes"))
    assert (receipt.proof, receipt.file_id) == (Proof.DIGEST, f"{honest.url}/file")
    lying = folder(lambda data: TELLS[header](data + b"!"))
    with pytest.raises(TransientError, match="holds other bytes than were sent"):
        serve(WebDavTarget(lying.url), make_file(b"the bytes"))


@pytest.mark.parametrize(
    "told", [{}, {"ETag": f'"{"0" * 32}"'}, {"OC-Checksum": "ADLER32:1"}, {"Digest": "sha-256=x"}]
)
def test_what_cannot_be_compared_leaves_the_size(
    folder: Any, serve: Serve, make_file: Any, told: dict[str, str]
) -> None:
    assert serve(WebDavTarget(folder(lambda _: told).url), make_file()).proof is Proof.SIZE


def test_a_server_that_holds_less_is_not_believed(
    folder: Any, serve: Serve, make_file: Any
) -> None:
    server = folder()

    class Short(dict[str, bytes]):
        def __setitem__(self, path: str, data: bytes) -> None:
            super().__setitem__(path, data[:-1])

    server.stored = Short()
    with pytest.raises(TransientError, match="holds 6 bytes instead of the 7 sent"):
        serve(WebDavTarget(server.url), make_file())


@pytest.mark.parametrize("status", ["403 Forbidden", "405 Not Allowed", "404 Not Found"])
def test_a_server_that_only_says_success(
    rogue: Any, serve: Serve, make_file: Any, status: str
) -> None:
    """What it took and then does not find was not stored; where it does not say, nobody knows."""

    def answer(_server: Any, connection: Any, request: Any) -> None:
        said = {"PUT": "201 Created", "MKCOL": "405 Not Allowed"}.get(request.method, status)
        length = "" if request.method == "HEAD" else "Content-Length: 0\r\n"
        connection.sendall(f"HTTP/1.1 {said}\r\n{length}\r\n".encode())

    target = WebDavTarget(rogue(answer).url)
    if status.startswith("404"):
        with pytest.raises(TransientError, match="took the file, but does not have it"):
            serve(target, make_file())
    else:
        assert serve(target, make_file()).proof is Proof.NONE


def test_a_folder_that_cannot_be_made_is_told(nginx: Any, serve: Serve, make_file: Any) -> None:
    with pytest.raises(PermanentError, match="no/such/ is not there and cannot be made: make the"):
        serve(WebDavTarget(f"{nginx.url}/dav/no/such"), make_file())
