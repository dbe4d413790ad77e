"""S3: moto's store, what goes on after a break, and stores that lie."""

from __future__ import annotations

import hashlib
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dropline.station import Aborted, Attempt, PermanentError, TransientError
from dropline.targets import Access, Proof, Receipt, S3Target, open_target
from dropline.targets.resume import note
from dropline.targets.s3 import PART

from .kept import Kept

Serve = Callable[..., Receipt]
ADA = Access(user="ada", password="secret")


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's own, and no look-up of the machine's role."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def bucket(moto: Any, request: Any) -> str:
    name = f"b{abs(hash(request.node.name))}"
    moto.bucket(name)
    return name


def test_files_are_keys_and_verified_by_digest(
    moto: Any, bucket: str, serve: Serve, make_file: Any
) -> None:
    target = S3Target(bucket, "/in box/", endpoint=f"{moto.url}/", access=ADA)
    assert target.url == f"s3+{moto.url}/{bucket}/in box"
    names = ["a b#%?&+.txt", "照片/😀.png", "caf\udce9", "~(x)'!*@,$:=;.z", "empty", "dir/"]
    for name in names:
        content = b"" if name in {"empty", "dir/"} else name.encode("utf-8", "surrogateescape")
        item = make_file(content, name)
        receipt = serve(target, item)
        assert (receipt.size, receipt.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert receipt.proof is Proof.DIGEST
        assert receipt.file_id == f"s3://{bucket}/in box/{item.wire_name}"
        assert moto.read(bucket, f"in box/{item.wire_name}") == content


@pytest.mark.parametrize("size", [PART, PART + 1, 2 * PART])
def test_a_large_file_goes_in_parts(
    moto: Any, bucket: str, serve: Serve, make_file: Any, size: int
) -> None:
    content = os.urandom(size)
    item = make_file(content)
    reports: list[int] = []
    target = open_target(f"s3+{moto.url}/{bucket}", installation="here", access=ADA)
    receipt = serve(target, item, Attempt(reports.append))
    assert moto.read(bucket, "file") == content
    assert (receipt.sha256, receipt.proof) == (hashlib.sha256(content).hexdigest(), Proof.DIGEST)
    assert sum(reports) == size
    assert item.resume == ""


def test_memory_stays_flat(moto: Any, bucket: str, serve: Serve, make_file: Any) -> None:
    item = make_file(os.urandom(1 << 20) * 50)
    target = S3Target(bucket, endpoint=moto.url, access=ADA)
    tracemalloc.start()
    try:
        serve(target, item)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * PART


def test_parts_that_are_there_are_not_sent_again(
    moto: Any, bucket: str, serve: Serve, make_file: Any, relay: Any
) -> None:
    content = os.urandom(3 * PART + 5)
    item = make_file(content)
    way = relay(to=int(moto.url.rpartition(":")[2]))
    target = S3Target(bucket, endpoint=way.url, access=ADA)
    first = Kept(item, abort_after=2 * PART + 1)
    with pytest.raises(Aborted):
        serve(target, item, first.attempt)
    [kept] = first.items
    second, passed = Kept(kept), way.passed
    receipt = serve(target, kept, second.attempt)
    assert moto.read(bucket, "file") == content
    assert receipt.proof is Proof.DIGEST
    assert second.items == []
    assert way.passed - passed < 1.5 * PART
    assert moto.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_file_that_changed_since_starts_anew(
    moto: Any, bucket: str, serve: Serve, make_file: Any
) -> None:
    item = make_file(os.urandom(2 * PART))
    target = S3Target(bucket, endpoint=moto.url, access=ADA)
    first = Kept(item, abort_after=PART + 1)
    with pytest.raises(Aborted):
        serve(target, item, first.attempt)
    content = os.urandom(2 * PART + 1)
    Path(item.source).write_bytes(content)
    serve(target, item)
    assert moto.read(bucket, "file") == content
    assert moto.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_bytes_that_changed_under_the_same_time_are_found_part_by_part(
    moto: Any, bucket: str, serve: Serve, make_file: Any
) -> None:
    item = make_file(bytes(2 * PART))
    target = S3Target(bucket, endpoint=moto.url, access=ADA)
    first = Kept(item, abort_after=PART + 1)
    with pytest.raises(Aborted):
        serve(target, item, first.attempt)
    content = b"new" + bytes(2 * PART - 3)
    Path(item.source).write_bytes(content)
    os.utime(item.source, ns=(0, item.mtime_ns))
    serve(target, item)
    assert moto.read(bucket, "file") == content


def test_an_upload_that_the_store_forgot_starts_anew(
    moto: Any, bucket: str, serve: Serve, make_file: Any
) -> None:
    content = os.urandom(PART + 1)
    item = make_file(content)
    target = S3Target(bucket, endpoint=moto.url, access=ADA)
    note(item, target.url, "no-such-upload")
    serve(target, item)
    assert moto.read(bucket, "file") == content


def test_no_such_bucket_fails_for_good(moto: Any, serve: Serve, make_file: Any) -> None:
    target = S3Target("nobody-has-it", endpoint=moto.url, access=ADA)
    for size in (1, PART + 1):
        with pytest.raises(PermanentError, match=r"404 NoSuchBucket: .*: check the name of the"):
            serve(target, make_file(bytes(size)))


def test_without_credentials_it_fails_with_a_sentence(
    moto: Any, serve: Serve, make_file: Any
) -> None:
    target = S3Target("bucket", endpoint=moto.url)
    with pytest.raises(PermanentError, match="cannot be used: Unable to locate credentials"):
        serve(target, make_file())


# --- stores that lie ------------------------------------------------------------------------------


def answering(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body.encode()


ASKED = ["PUT", "HEAD"]


def error(code: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Told so.</Message></Error>"


CASES: dict[str, tuple[bytes, type[Exception], str]] = {
    "forbidden": (
        answering("403 No", error("AccessDenied")), PermanentError, "AccessDenied: Told so: check"
    ),
    "bad key": (
        answering("403 No", error("SignatureDoesNotMatch")), PermanentError, "check the access key"
    ),
    "damaged": (answering("400 No", error("BadDigest")), TransientError, "BadDigest: Told so"),
    "slow down": (answering("503 No", error("SlowDown")), TransientError, "SlowDown"),
    "broken": (answering("500 No"), TransientError, "answered 500"),
    "too large": (answering("400 No", error("EntityTooLarge")), PermanentError, "EntityTooLarge"),
    "another region": (answering("301 Moved", error("PermanentRedirect")), PermanentError, "301"),
    "another digest": (
        answering("200 OK", "", f"x-amz-checksum-sha256: {'A' * 43}=", 'ETag: "1"'),
        TransientError,
        "holds other bytes than were sent",
    ),
    "garbage": (answering("400 No", "<html>"), PermanentError, "answered 400"),
    "redirect": (
        answering("307 Moved", error("Moved"), "Location: /x"), PermanentError, "it points to /x: "
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_store_answers_is_told(rogue: Any, serve: Serve, make_file: Any, case: str) -> None:
    answer, kind, sentence = CASES[case]
    server = rogue(answer)
    target = S3Target("bucket", endpoint=server.url, access=ADA)
    with pytest.raises(kind, match=sentence):
        serve(target, make_file())
    assert [r.method for r in server.requests] == ["PUT"]


@pytest.mark.parametrize(
    ("tag", "length", "proof"),
    [
        (f'"{hashlib.md5(b"content").hexdigest()}"', 7, Proof.DIGEST),
        ('"of its own"', 7, Proof.SIZE),
        ('"of its own"', 6, None),
    ],
)
def test_a_store_without_checksums_is_asked(
    rogue: Any, serve: Serve, make_file: Any, tag: str, length: int, proof: Proof | None
) -> None:
    def answer(_server: Any, connection: Any, request: Any) -> None:
        length_told = length if request.method == "HEAD" else 0
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {length_told}", f"ETag: {tag}", "", ""]
        connection.sendall("\r\n".join(lines).encode())

    server = rogue(answer)
    target = S3Target("bucket", endpoint=server.url, access=ADA)
    if proof is None:
        with pytest.raises(TransientError, match="holds other bytes"):
            serve(target, make_file())
    else:
        assert serve(target, make_file()).proof is proof
    assert [r.method for r in server.requests] == (["PUT"] if proof is Proof.DIGEST else ASKED)


def test_without_boto3_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(
        ValueError, match=r"S3 needs boto3: install it by pip install 'dropline\[s3"
    ):
        open_target("s3://bucket/prefix", installation="here")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"bucket": ""}, "names no bucket"),
        ({"bucket": "a/b"}, "names no bucket"),
        ({"bucket": "b", "endpoint": "ftp://x"}, "is no address of an S3 store"),
        ({"bucket": "b", "access": Access(token="x")}, "takes no token and no headers"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        S3Target(**arguments)
