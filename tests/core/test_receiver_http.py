"""The receiver's HTTP interface, as clients see it."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.bus import MemoryBus
from dropline.events import FileReceived, FileStored, Message
from dropline.receiver import Receiver

PROBLEM = "application/problem+json"
Part = tuple[str, tuple[str, bytes, str, dict[str, str]]]


@pytest.fixture
def url(receiver: Receiver) -> str:
    return receiver.url


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def digest(content: bytes) -> str:
    """A Content-Digest."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def part(name: str, content: bytes, **headers: str) -> Part:
    """A file of a multipart request, with headers of its own (`_` for `-`)."""
    own = {key.replace("_", "-"): value for key, value in headers.items()}
    return ("file", (name, content, "text/plain", own))


def record(name: str, content: bytes, file_id: str, duplicate: bool = False) -> dict[str, Any]:
    """A stored file's entry in an answer."""
    return {
        "file_id": file_id,
        "name": name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "duplicate": duplicate,
    }


def assert_problem(answer: requests.Response, status: int, kind: str) -> dict[str, Any]:
    """The answer is that problem, with a sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:dropline:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith((".", "upload", "PATH", "null."))
    return problem


def names(http: requests.Session, url: str, **query: str | int) -> list[str]:
    return [file["name"] for file in http.get(f"{url}/files", params=query).json()["files"]]


# --- POST /upload -------------------------------------------------------------------------------


def test_curl_uploads_as_the_article_shows(
    url: str, http: requests.Session, tmp_path: Path, need_program: Callable[[str, str], str]
) -> None:
    content = bytes(range(256)) * 8192  # large enough that curl asks before it sends
    path = tmp_path / 'a "quoted" name\\.bin'
    path.write_bytes(content)
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    done = subprocess.run(
        [need_program("curl", "curl"), "-sS", "-v", "-F", f'file=@"{escaped}"', f"{url}/upload"],
        capture_output=True,
        check=True,
    )
    assert b"100 Continue" in done.stderr
    [stored] = http.get(f"{url}/files").json()["files"]
    assert stored["name"] == path.name
    assert http.get(f"{url}/files/{stored['file_id']}").content == content
    assert f'"file_id":"{stored["file_id"]}"'.encode() in done.stdout


def test_many_parts_are_stored_in_their_order(url: str, http: requests.Session) -> None:
    sent = {"photos/a.jpg": b"one", "photos/empty/": b"", "b": bytes(100_000), "c": b""}
    answer = http.post(f"{url}/upload", files=[part(name, sent[name]) for name in sent])
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    ids = [file["file_id"] for file in body["files"]]
    assert body["status"] == "success"
    assert body["file_id"] == ids[0]
    assert body["files"] == [
        record(name, content, file_id)
        for (name, content), file_id in zip(sent.items(), ids, strict=True)
    ]
    assert [str(uuid.UUID(file_id)) for file_id in ids] == sorted(ids)
    for file_id, content in zip(ids, sent.values(), strict=True):
        assert http.get(f"{url}/files/{file_id}").content == content


def test_a_folder_keeps_its_type(url: str, http: requests.Session) -> None:
    http.post(f"{url}/upload", files={"file": ("empty/", b"", "application/x-directory")})
    [stored] = http.get(f"{url}/files").json()["files"]
    assert (stored["name"], stored["type"]) == ("empty/", "application/x-directory")


def test_fields_that_are_no_files_are_ignored(url: str, http: requests.Session) -> None:
    files = [("note", (None, "hello")), part("a", b"1"), ("file", ("", b""))]
    answer = http.post(f"{url}/upload", files=files)
    assert [file["name"] for file in answer.json()["files"]] == ["a"]
    assert_problem(
        http.post(f"{url}/upload", files=[("x", (None, bytes(70_000)))]), 413, "too-large"
    )


@pytest.mark.parametrize("files", [{"note": (None, "x")}, {"file": ("", b"")}])
def test_a_request_without_a_file_says_how_to_send_one(
    url: str, http: requests.Session, files: Any
) -> None:
    problem = assert_problem(http.post(f"{url}/upload", files=files), 400, "no-file")
    assert "curl -F file=@PATH" in problem["detail"]


def test_a_file_without_a_name_is_told_of(url: str, http: requests.Session) -> None:
    """`curl -F file=PATH`, with the @ forgotten, must not store the path for the file."""
    answer = http.post(f"{url}/upload", files=[("file", (None, "/etc/hosts")), part("a", b"1")])
    problem = assert_problem(answer, 400, "no-file")
    assert [file["name"] for file in problem["files"]] == ["", "a"]
    assert names(http, url) == ["a"]


@pytest.mark.parametrize("value", ["sha-256=:AAAA:", "sha-256=xyz", "sha-256"])
def test_a_malformed_digest_is_refused(url: str, http: requests.Session, value: str) -> None:
    answer = http.post(f"{url}/upload", files=[part("a", b"1", Content_Digest=value)])
    assert_problem(answer, 400, "malformed")
    assert names(http, url) == []


def test_other_digests_are_left_alone(url: str, http: requests.Session) -> None:
    value = f"sha-512=:AAAA:, {digest(b'1')}"
    files = [part("a", b"1", Content_Digest=value), part("b", b"2", Content_Digest="md5=:AAAA:")]
    assert http.post(f"{url}/upload", files=files).status_code == 201


def test_a_part_that_fails_does_not_fail_the_others(url: str, http: requests.Session) -> None:
    files = [
        part("a", b"one", Content_Digest=digest(b"one")),
        part("b", b"two", Content_Digest=digest(b"damaged")),
        part("c", b"three", Content_Digest=digest(b"three")),
    ]
    problem = assert_problem(http.post(f"{url}/upload", files=files), 422, "digest-mismatch")
    first, second, third = problem["files"]
    assert first == record("a", b"one", first["file_id"])
    assert third == record("c", b"three", third["file_id"])
    assert second["name"] == "b"
    assert second["error"] == {key: problem[key] for key in ("type", "title", "status", "detail")}
    assert names(http, url) == ["a", "c"]


@pytest.mark.parametrize("body", [b"", b"--x\r\n", b"--x\r\nno headers\r\n--x--\r\n"])
def test_a_malformed_request_stores_nothing(url: str, http: requests.Session, body: bytes) -> None:
    whole = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = http.post(f"{url}/upload", data=whole + body, headers=headers)
    assert "files" not in assert_problem(answer, 400, "malformed")
    assert names(http, url) == []


def test_another_content_type_is_refused(url: str, http: requests.Session) -> None:
    assert_problem(http.post(f"{url}/upload", json={"file": "x"}), 400, "malformed")


def test_a_chunked_upload_is_stored(url: str, http: requests.Session) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    pieces = [head, *(bytes([n]) * 30_000 for n in range(20)), b"\r\n--x--\r\n"]
    for _ in range(2):  # the connection goes on
        answer = http.post(
            f"{url}/upload",
            data=iter(pieces),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert answer.json()["files"][0]["size"] == 600_000
    assert len(names(http, url)) == 2


# --- idempotency --------------------------------------------------------------------------------


def test_a_key_stores_once(url: str, http: requests.Session) -> None:
    files = [part("a", b"1", Idempotency_Key="k1"), part("b", b"2", Idempotency_Key="k2")]
    first, second = (http.post(f"{url}/upload", files=files).json() for _ in range(2))
    ids = [file["file_id"] for file in first["files"]]
    assert first["files"] == [record("a", b"1", ids[0]), record("b", b"2", ids[1])]
    assert second["files"] == [record("a", b"1", ids[0], True), record("b", b"2", ids[1], True)]
    assert second["file_id"] == first["file_id"]
    assert names(http, url) == ["a", "b"]


def test_a_key_of_the_request_covers_each_part(url: str, http: requests.Session) -> None:
    headers = {"Idempotency-Key": "all"}
    for _ in range(2):
        files = [part("a", b"1"), part("b", b"2"), part("c", b"3", Idempotency_Key="own")]
        assert http.post(f"{url}/upload", files=files, headers=headers).status_code == 201
    assert names(http, url) == ["a", "b", "c"]
    for form in ("POST", "PUT"):  # one file alone: the same key, however it is sent
        if form == "POST":
            answer = http.post(f"{url}/upload", files=[part("a", b"1")], headers=headers)
        else:
            answer = http.put(f"{url}/files/by-name/a", data=b"1", headers=headers)
        assert answer.json()["files"][0]["duplicate"]


def test_a_key_twice_in_one_request(url: str, http: requests.Session) -> None:
    files = [part("a", b"1", Idempotency_Key="k"), part("a", b"1", Idempotency_Key="k")]
    first, second = http.post(f"{url}/upload", files=files).json()["files"]
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["file_id"] == second["file_id"]


def test_a_key_with_other_content(url: str, http: requests.Session) -> None:
    """Without a digest the answer tells what is stored; with one it is an error."""
    stored = http.post(f"{url}/upload", files=[part("a", b"1", Idempotency_Key="k")]).json()
    again = http.post(f"{url}/upload", files=[part("a", b"2", Idempotency_Key="k")]).json()
    assert again["files"] == [record("a", b"1", stored["file_id"], True)]
    files = [part("a", b"2", Idempotency_Key="k", Content_Digest=digest(b"2")), part("b", b"3")]
    problem = assert_problem(http.post(f"{url}/upload", files=files), 422, "key-reused")
    assert problem["files"][1]["name"] == "b"
    assert names(http, url) == ["a", "b"]


@pytest.mark.parametrize("key", ["x" * 256, "caf\xe9", "tab\there"])
def test_a_key_out_of_bounds_is_refused(url: str, http: requests.Session, key: str) -> None:
    files = [part("a", b"1", Idempotency_Key=key)]
    assert_problem(http.post(f"{url}/upload", files=files), 400, "malformed")


def test_a_deleted_file_frees_its_key(url: str, http: requests.Session) -> None:
    files = [part("a", b"1", Idempotency_Key="k")]
    first = http.post(f"{url}/upload", files=files).json()["file_id"]
    assert http.delete(f"{url}/files/{first}").status_code == 204
    [again] = http.post(f"{url}/upload", files=files).json()["files"]
    assert not again["duplicate"]
    assert again["file_id"] != first


def test_many_at_once_with_one_key_store_once(url: str, http: requests.Session) -> None:
    answers: list[dict[str, Any]] = []
    together = threading.Barrier(8)

    def upload() -> None:
        with requests.Session() as own:
            own.get(f"{url}/healthz")  # be connected
            together.wait()
            answers.append(
                own.post(f"{url}/upload", files=[part("a", b"1", Idempotency_Key="k")]).json()
            )

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["file_id"] for answer in answers}) == 1
    assert sorted(answer["files"][0]["duplicate"] for answer in answers) == [False] + [True] * 7
    assert names(http, url) == ["a"]


# --- PUT /files/by-name -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.txt", "a.txt"),
        ("photos/2024/a.jpg", "photos/2024/a.jpg"),
        ("photos%2Fa.jpg", "photos/a.jpg"),
        ("literal%252F", "literal%2F"),
        ("caf%C3%A9%0A%22%5C%3F%23", 'café\n"\\?#'),
        ("empty/", "empty/"),
        ("//two//slashes", "//two//slashes"),
        ("%2e%2e/%2e%2e/etc/passwd", "../../etc/passwd"),
        ("%FF%00", "\ufffd\ufffd"),
        ("by-name/x?query=ignored", "by-name/x"),
    ],
)
def test_put_takes_any_name(url: str, http: requests.Session, path: str, name: str) -> None:
    request = requests.Request("PUT", url, data=b"content").prepare()
    request.url = f"{url}/files/by-name/{path}"  # as it stands
    answer = http.send(request)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "status": "success",
        "file_id": body["file_id"],
        "files": [record(name, b"content", body["file_id"])],
    }
    assert names(http, url) == [name]


def test_put_checks_the_digest(url: str, http: requests.Session) -> None:
    target = f"{url}/files/by-name/a"
    wrong = http.put(target, data=b"x", headers={"Content-Digest": digest(b"y")})
    assert_problem(wrong, 422, "digest-mismatch")
    right = http.put(target, data=b"x", headers={"Content-Digest": digest(b"x")})
    assert right.status_code == 201
    assert names(http, url) == ["a"]


def test_put_of_a_piece_is_refused(url: str, http: requests.Session) -> None:
    headers = {"Content-Range": "bytes 0-0/2"}
    assert_problem(http.put(f"{url}/files/by-name/a", data=b"x", headers=headers), 400, "malformed")


def test_put_takes_chunks_and_nothing_at_all(url: str, http: requests.Session) -> None:
    chunks = (b"x" * 10_000 for _ in range(50))
    answer = http.put(f"{url}/files/by-name/a", data=chunks)
    assert answer.json()["files"][0]["size"] == 500_000
    assert http.put(f"{url}/files/by-name/b").json()["files"][0]["size"] == 0


# --- GET, DELETE --------------------------------------------------------------------------------


def test_the_list_is_paged_in_a_stable_order(url: str, http: requests.Session) -> None:
    for number in range(7):
        http.put(f"{url}/files/by-name/{number}", data=b"")
    seen, after = [], ""
    while after is not None:
        page = http.get(f"{url}/files", params={"limit": 3, "after": after}).json()
        assert len(page["files"]) <= 3
        seen += page["files"]
        after = page["next"]
        if after == seen[2]["file_id"]:  # a cursor outlives its file, and new ones come last
            http.delete(f"{url}/files/{after}")
            http.put(f"{url}/files/by-name/late", data=b"")
    assert [file["name"] for file in seen] == ["0", "1", "2", "3", "4", "5", "6", "late"]
    assert set(seen[0]) == {"file_id", "name", "size", "sha256", "type", "stored_at"}
    assert seen[0]["stored_at"].endswith("Z")


def test_the_list_is_searched_by_name(url: str, http: requests.Session) -> None:
    for name in ("Holiday/A.jpg", "holiday/b.png", "100%25.txt", "1000.txt"):
        http.put(f"{url}/files/by-name/{name}", data=b"")
    assert names(http, url, q="HOLIDAY") == ["Holiday/A.jpg", "holiday/b.png"]
    assert names(http, url, q="0%") == ["100%.txt"]
    assert names(http, url, q="_") == []
    assert names(http, url, q="holiday", limit=1) == ["Holiday/A.jpg"]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1e9", "after=x"])
def test_a_malformed_query_is_refused(url: str, http: requests.Session, query: str) -> None:
    assert_problem(http.get(f"{url}/files?{query}"), 400, "malformed")


def test_a_file_is_handed_out_to_be_saved_never_shown(url: str, http: requests.Session) -> None:
    page = b"<script>alert(1)</script>"
    files = {"file": ('web/"evil"\n.html', page, "text/html")}
    file_id = http.post(f"{url}/upload", files=files).json()["file_id"]
    answer = http.get(f"{url}/files/{file_id}")
    assert answer.content == page
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert "filename" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["ETag"] == f'"{hashlib.sha256(page).hexdigest()}"'


def test_ranges_and_conditions(url: str, http: requests.Session) -> None:
    content = bytes(range(256)) * 1000
    target = f"{url}/files/" + http.put(f"{url}/files/by-name/a", data=content).json()["file_id"]
    etag = http.head(target).headers["ETag"]
    answer = http.get(target, headers={"Range": "bytes=1000-200999"})
    assert (answer.status_code, answer.content) == (206, content[1000:201000])
    assert answer.headers["Content-Range"] == "bytes 1000-200999/256000"
    assert http.get(target, headers={"Range": "bytes=-6"}).content == content[-6:]
    assert http.get(target, headers={"Range": "bytes=1-2", "If-Range": etag}).status_code == 206
    assert http.get(target, headers={"Range": "bytes=1-2", "If-Range": '"x"'}).content == content
    assert http.get(target, headers={"If-None-Match": etag}).status_code == 304
    beyond = http.get(target, headers={"Range": "bytes=256000-"})
    assert_problem(beyond, 416, "http")
    head = http.head(target)
    assert (head.headers["Content-Length"], head.content) == ("256000", b"")


@pytest.mark.parametrize("kind", ["", "no type", "text/html\x01", "x" * 300 + "/y"])
def test_a_type_that_is_none_is_not_handed_on(url: str, http: requests.Session, kind: str) -> None:
    http.put(f"{url}/files/by-name/a", data=b"", headers={"Content-Type": kind})
    [stored] = http.get(f"{url}/files").json()["files"]
    assert stored["type"] == "application/octet-stream"


def test_delete(url: str, http: requests.Session) -> None:
    target = f"{url}/files/" + http.put(f"{url}/files/by-name/a", data=b"x").json()["file_id"]
    assert http.delete(target).status_code == 204
    assert_problem(http.get(target), 404, "not-found")
    assert_problem(http.delete(target), 404, "not-found")
    assert names(http, url) == []


def test_what_is_not_there(url: str, http: requests.Session) -> None:
    assert_problem(http.get(f"{url}/nope"), 404, "not-found")
    assert_problem(http.get(f"{url}/files/not-an-id"), 404, "not-found")
    assert_problem(http.get(f"{url}/files/{uuid.uuid4()}"), 404, "not-found")
    answer = http.get(f"{url}/upload")
    assert_problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["Allow"]


def test_healthz(url: str, http: requests.Session) -> None:
    health = http.get(f"{url}/healthz").json()
    assert health["status"] == "ok"
    assert str(uuid.UUID(health["receiver"])) == health["receiver"]  # by which senders know it


def test_the_page_and_its_parts_come_from_here_alone(url: str, http: requests.Session) -> None:
    page = http.get(f"{url}/?token=%22%3E%3Cscript%3E")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert '<input id="files" type="file" name="file" multiple>' in page.text  # without scripts too
    assert "http:" not in page.text
    assert "Set-Cookie" not in page.headers  # there is no token
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(parts) == 5
    for part in parts:
        answer = http.get(url + part)
        assert answer.status_code == 200, part
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = http.get(url + part, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    for other in ("/web/", "/web/no", "/web/../icons/drop.svg", "/web/%2e%2e/__init__.py"):
        assert http.get(url + other).status_code == 404


def test_the_page_passes_with_its_cookie(tmp_path: Path, http: requests.Session) -> None:
    receiver = Receiver(tmp_path, port=0, token="s3cret")
    receiver.start()
    try:
        url = receiver.url
        assert http.get(url).status_code == 401
        assert http.get(f"{url}/web/page.js").status_code == 200
        cookie = http.get(f"{url}/?token=s3cret").headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "s3cret" not in cookie
        assert http.get(f"{url}/files").status_code == 200
        foreign = http.get(f"{url}/files", headers={"Origin": "http://evil.test"})
        assert foreign.status_code == 403
        assert requests.get(f"{url}/files", cookies={"dropline": "0" * 64}).status_code == 401
    finally:
        receiver.stop()


# --- the bus ------------------------------------------------------------------------------------


def test_an_upload_goes_over_the_bus(receiver: Receiver, http: requests.Session) -> None:
    heard: list[Message] = []
    receiver.bus.subscribe("dropline.file.", heard.append)
    files = [part("a", b"1", Idempotency_Key="k")]
    for _ in range(2):
        http.post(f"{receiver.url}/upload", files=files)
    assert receiver.bus.flush()
    [stored] = http.get(f"{receiver.url}/files").json()["files"]
    received = [message.data for message in heard if isinstance(message.data, FileReceived)]
    assert [event.name for event in received] == ["a", "a"]
    assert [message.data for message in heard if isinstance(message.data, FileStored)] == [
        FileStored(stored["file_id"], "a", 1, stored["sha256"], "text/plain", stored["stored_at"])
    ]


def test_a_handler_that_fails_does_not_fail_the_upload(
    receiver: Receiver, http: requests.Session
) -> None:
    def broken(message: Message) -> None:
        raise RuntimeError("a user's handler")

    receiver.bus.subscribe(FileReceived, broken)
    receiver.bus.subscribe(FileStored, broken)
    assert http.post(f"{receiver.url}/upload", files=[part("a", b"1")]).status_code == 201


def test_a_received_file_from_elsewhere_is_left_alone(
    receiver: Receiver, bus: MemoryBus, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"not the receiver's")
    event = FileReceived(str(mine), "a", 18, "0" * 64, "text/plain", False, None, 0)
    delivery = receiver.bus.publish(event)
    assert delivery.results == (None,)
    assert mine.exists()
