"""tus: @tus/server, and one that checks checksums; breaks in the middle, and servers that lie."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.station import Aborted, PermanentError, TransientError
from dropline.targets import Proof, Receipt, TusTarget, Upload
from dropline.targets.resume import note
from dropline.targets.tus import CHUNK, SMALL

from .kept import Kept

Serve = Callable[..., Receipt]
SERVERS = {"tus_node": Proof.SIZE, "tus_python": Proof.DIGEST}


def stored(server: Any, receipt: Receipt) -> bytes:
    """What the server holds under the id that its URL ends in."""
    name = receipt.file_id.rpartition("/")[2]
    [path] = [path for path in server.files.glob(f"{name}*") if path.suffix != ".json"]
    content: bytes = path.read_bytes()
    return content


def metadata(receipt: Receipt) -> dict[str, str]:
    head = requests.head(receipt.file_id, headers={"Tus-Resumable": "1.0.0"})
    pairs = (pair.split(" ") for pair in head.headers["Upload-Metadata"].split(","))
    return {name: base64.b64decode(value).decode() for name, value in pairs}


def where(item: Upload) -> str:
    """The URL in what is kept of a half-sent upload."""
    url: str = json.loads(item.resume)[-1]
    return url


@pytest.fixture(params=SERVERS)
def tus(request: Any) -> Any:
    server = request.getfixturevalue(request.param)
    server.proof = SERVERS[request.param]
    return server


def test_files_of_any_size_and_name_are_sent_whole(tus: Any, serve: Serve, make_file: Any) -> None:
    target = TusTarget(tus.url)
    names = ["a b#%?&.txt", "照片/😀.png", "caf\udce9", "x" * 200, "CHUNK", "CHUNK + 1"]
    sizes = [1, SMALL - 1, SMALL, SMALL + 1, CHUNK, CHUNK + 1]
    for name, size in zip(names, sizes, strict=True):
        content = os.urandom(size)
        item = make_file(content, name)
        receipt = serve(target, item)
        assert stored(tus, receipt) == content
        assert (receipt.size, receipt.sha256) == (size, hashlib.sha256(content).hexdigest())
        assert receipt.proof is tus.proof
        assert metadata(receipt)["filename"] == item.wire_name
        assert item.resume == ""


def test_what_is_empty_is_there_too(tus: Any, serve: Serve, make_file: Any) -> None:
    target = TusTarget(tus.url)
    for name in ("empty file", "empty folder/"):
        receipt = serve(target, make_file(b"", name))
        assert receipt.size == 0
        assert metadata(receipt)["filename"] == name
    assert metadata(receipt)["filetype"] == "application/x-directory"


def test_a_large_file_streams(tus: Any, serve: Serve, make_file: Any) -> None:
    content = os.urandom(1 << 20) * 50
    item, digest = make_file(content), hashlib.sha256(content).hexdigest()
    del content
    tracemalloc.start()
    try:
        receipt = serve(TusTarget(tus.url), item)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * CHUNK
    assert receipt.sha256 == digest == hashlib.sha256(stored(tus, receipt)).hexdigest()


def test_a_broken_upload_goes_on_from_its_offset_in_another_process(
    tus: Any, serve: Serve, make_file: Any, relay: Any, until: Any
) -> None:
    """The first attempt dies with its connection; what it had kept is all that the second knows."""
    content = os.urandom(20 << 20)
    item = make_file(content)
    port = int(tus.url.split(":")[2].split("/")[0])
    way = relay(to=port, cut_after=12 << 20)
    address = f"{way.url}/files"
    first = Kept(item)
    with pytest.raises(TransientError, match="cannot be reached or broke off"):
        serve(TusTarget(address), item, first.attempt)
    assert way.cuts == 1
    [kept] = first.items
    first_place = where(kept)
    passed = way.passed
    receipts: list[Receipt] = []

    def go_on() -> bool:
        with contextlib.suppress(TransientError):  # it may still be busy with the first
            receipts.append(serve(TusTarget(address), kept))
        return bool(receipts)

    until(go_on)
    [receipt] = receipts
    assert stored(tus, receipt) == content
    assert receipt.sha256 == hashlib.sha256(content).hexdigest()
    assert receipt.file_id == first_place
    assert way.passed - passed < 16 << 20  # not all of it again


def test_an_aborted_upload_goes_on_too(tus: Any, serve: Serve, make_file: Any) -> None:
    content = os.urandom(4 * CHUNK)
    item = make_file(content)
    first = Kept(item, abort_after=2 * CHUNK + 1)
    with pytest.raises(Aborted):
        serve(TusTarget(tus.url), item, first.attempt)
    second = Kept(first.items[-1])
    receipt = serve(TusTarget(tus.url), first.items[-1], second.attempt)
    assert stored(tus, receipt) == content
    assert second.sent == len(content)  # what was there already counts as done
    assert second.items == []  # it goes on at the old place


@pytest.mark.parametrize("change", ["content", "touched"])
def test_a_file_that_changed_since_starts_anew(
    tus: Any, serve: Serve, make_file: Any, change: str
) -> None:
    item = make_file(os.urandom(3 * CHUNK))
    first = Kept(item, abort_after=CHUNK + 1)
    with pytest.raises(Aborted):
        serve(TusTarget(tus.url), item, first.attempt)
    [kept] = first.items
    old = where(kept)
    content = os.urandom(3 * CHUNK)
    if change == "content":
        Path(kept.source).write_bytes(content)
    else:
        content = Path(kept.source).read_bytes()
    os.utime(kept.source, ns=(0, 1_800_000_000_000_000_000))
    second = Kept(kept)
    receipt = serve(TusTarget(tus.url), kept, second.attempt)
    assert stored(tus, receipt) == content
    [again] = second.items
    assert where(again) == receipt.file_id != old
    assert requests.head(old, headers={"Tus-Resumable": "1.0.0"}).status_code in {404, 410}


def test_an_upload_that_the_server_forgot_starts_anew(
    tus: Any, serve: Serve, make_file: Any
) -> None:
    content = os.urandom(3 * CHUNK)
    item = make_file(content)
    first = Kept(item, abort_after=CHUNK + 1)
    with pytest.raises(Aborted):
        serve(TusTarget(tus.url), item, first.attempt)
    old = where(item)
    gone = requests.delete(old, headers={"Tus-Resumable": "1.0.0"})
    assert gone.status_code == 204
    receipt = serve(TusTarget(tus.url), item)
    assert stored(tus, receipt) == content
    assert receipt.file_id != old


def test_what_was_whole_already_is_not_sent_again(
    tus: Any, serve: Serve, make_file: Any, relay: Any
) -> None:
    """The last answer was lost, so all that is left to do is to ask."""
    content = os.urandom(2 * SMALL)
    item = make_file(content)
    first = Kept(item)
    receipt = serve(TusTarget(tus.url), item, first.attempt)
    again = serve(TusTarget(tus.url), first.items[0])
    assert (again.file_id, again.sha256) == (receipt.file_id, receipt.sha256)


def test_a_note_for_another_target_is_not_followed(
    tus_node: Any, tus_python: Any, serve: Serve, make_file: Any
) -> None:
    item = make_file(os.urandom(2 * SMALL))
    first = Kept(item, abort_after=SMALL)
    with pytest.raises(Aborted):
        serve(TusTarget(tus_node.url), item, first.attempt)
    for resume in (item.resume, "", "{}", "null", '["a", 1]', "http://127.0.0.1:1/x"):
        item.resume = resume
        assert serve(TusTarget(tus_python.url), item).file_id.startswith(tus_python.url)


@pytest.mark.parametrize(("offset", "proof"), [(0, Proof.DIGEST), (3, Proof.SIZE)])
def test_bytes_that_nobody_checked_are_not_said_to_be(
    rogue: Any, serve: Serve, make_file: Any, offset: int, proof: Proof
) -> None:
    """Three bytes are of a block that broke off: its checksum was never compared."""
    said = {"OPTIONS": CHECKS, "HEAD": f"200 OK; Upload-Offset: {offset}"}
    server = rogue(answers(**said, PATCH="204 OK; Upload-Offset: 7"))
    item = make_file()
    note(item, server.url, f"{server.url}/files/1")
    assert serve(TusTarget(server.url), item).proof is proof
    assert server.requests[-1].body == b"content"[offset:]


# --- servers that misbehave -----------------------------------------------------------------------


def answers(**by_method: str) -> Callable[..., None]:
    """Answer each method with a status and headers, lines joined by "; "."""

    def answer(_server: Any, connection: Any, request: Any) -> None:
        said = by_method.get(request.method, "204 No Content")
        lines = [f"HTTP/1.1 {said.partition('; ')[0]}", *said.split("; ")[1:], "Content-Length: 0"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())

    return answer


CREATED = "201 Created; Location: /files/1"
CHECKS = "204 OK; Tus-Extension: creation,checksum; Tus-Checksum-Algorithm: md5,sha1,crc32"
LASTING = {
    "no tus": ({"POST": "200 OK"}, "not as a tus server does: check the address"),
    "no place": ({"POST": "201 Created"}, "not as a tus server does: check the address"),
    "version": ({"POST": "412 No"}, r"another version of tus than 1\.0\.0"),
    "elsewhere": (
        {"POST": "201 Created; Location: http://127.0.0.2/files/1"},
        r"wants the file at another server, 127\.0\.0\.2",
    ),
    "redirect": (
        {"POST": "307 Moved; Location: http://u:p@127.0.0.1:1/x?token=s"},
        r"it points to http://127\.0\.0\.1:1/x: check that",
    ),
    "forbidden": ({"POST": "403 Forbidden"}, "you may not write there"),
    "no credentials": ({"OPTIONS": "401 Unauthorized"}, "check the user and password"),
    "too large": ({"OPTIONS": "204 OK; Tus-Max-Size: 6"}, r"is larger than .* takes \(6 bytes\)"),
}
PASSING = {
    "other offset": ({"POST": CREATED, "PATCH": "409 Conflict"}, "has another part of the file"),
    "gone": ({"POST": CREATED, "PATCH": "410 Gone"}, "is gone: “.*” is sent anew"),
    "locked": ({"POST": CREATED, "PATCH": "423 Locked"}, "answered 423"),
    "less": ({"POST": CREATED, "PATCH": "204 OK; Upload-Offset: 3"}, "did not take all"),
    "none": ({"POST": CREATED, "PATCH": "204 OK"}, "did not take all"),
    "checksum": (
        {"OPTIONS": CHECKS, "POST": CREATED, "PATCH": "460 Checksum Mismatch"},
        "got other bytes than were sent: checksums differ",
    ),
    "busy": ({"OPTIONS": "503 Busy; Retry-After: 7"}, "answered 503"),
    "partly": (
        {
            "OPTIONS": "204 OK; Tus-Extension: creation,creation-with-upload",
            "POST": f"{CREATED}; Upload-Offset: 2",
        },
        "took only a part",
    ),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_will_not_pass_fails_for_good(
    rogue: Any, serve: Serve, make_file: Any, case: str
) -> None:
    said, sentence = LASTING[case]
    with pytest.raises(PermanentError, match=sentence) as caught:
        serve(TusTarget(rogue(answers(**said)).url), make_file())
    assert "token=s" not in str(caught.value)


@pytest.mark.parametrize("case", PASSING)
def test_what_may_pass_is_worth_another_try(
    rogue: Any, serve: Serve, make_file: Any, case: str
) -> None:
    said, sentence = PASSING[case]
    with pytest.raises(TransientError, match=sentence):
        serve(TusTarget(rogue(answers(**said)).url), make_file())


def test_a_place_that_a_proxied_server_names_wrongly_is_found(
    rogue: Any, serve: Serve, make_file: Any
) -> None:
    place = "https://127.0.0.1:9/files/1"
    server = rogue(answers(POST=f"201 OK; Location: {place}", PATCH="204 OK; Upload-Offset: 7"))
    receipt = serve(TusTarget(f"{server.url}/files/"), make_file())
    assert receipt.file_id == f"{server.url}/files/1"
    assert [r.method for r in server.requests] == ["OPTIONS", "POST", "PATCH"]


def test_a_server_that_takes_only_the_announcement_gets_the_bytes_after(
    rogue: Any, serve: Serve, make_file: Any
) -> None:
    said = {"OPTIONS": "204 OK; Tus-Extension: creation-with-upload", "POST": CREATED}
    server = rogue(answers(**said, PATCH="204 OK; Upload-Offset: 7"))
    assert serve(TusTarget(server.url), make_file()).size == 7
    assert [r.body for r in server.requests] == [b"", b"content", b"content"]
