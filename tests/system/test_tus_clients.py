"""tus clients of others, as they are, against the receiver; some while it is killed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tusclient.client import TusClient

from dropline.receiver import Receiver
from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DROPLINE = Path(sys.executable).with_name("dropline")
CLIENT = Path(__file__).with_name("tus_client.cjs")
NODE_MODULES = ROOT / "build" / "node" / "node_modules"
TYPE = "application/offset+octet-stream"
Need = Callable[[str, str], str]


class Place:
    """A receiver's address and its data folder."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self.endpoint = f"{url}/tus/"

    def files(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(
            f"{self.url}/files", params={"limit": 1000}
        ).json()["files"]
        return found

    def assert_holds(self, name: str, content: bytes) -> None:
        """It has one file, that one."""
        [file] = self.files()
        assert (file["name"], file["size"]) == (name, len(content))
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert requests.get(f"{self.url}/files/{file['file_id']}").content == content
        assert list((self.data / "transit").iterdir()) == []


class Serve(Place):
    """`dropline serve` on a port of its own, however often it is started."""

    def __init__(self, data: Path) -> None:
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}", data)
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [DROPLINE, "serve", "--port", str(self._port), "--data", str(self.data)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self.url in self._process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal; nothing when it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.communicate(timeout=60)

    def kill(self) -> None:
        self.end(signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A receiver in this process."""
    receiver = Receiver(tmp_path / "received", port=0)
    receiver.start()
    yield Place(receiver.url, tmp_path / "received")
    receiver.stop()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    made = Serve(tmp_path / "received")
    yield made
    made.end()


@pytest.fixture
def content() -> bytes:
    return random.Random(1).randbytes(3_000_000)


@pytest.fixture
def source(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(content)
    return path


# --- tuspy --------------------------------------------------------------------------------------


@pytest.mark.parametrize("checked", [False, True])
def test_tuspy_uploads(place: Place, source: Path, content: bytes, checked: bool) -> None:
    with source.open("rb") as stream:
        TusClient(place.endpoint).uploader(
            file_stream=stream,
            chunk_size=700_000,
            metadata={"filename": "a/ü.bin"},
            upload_checksum=checked,
        ).upload()
    place.assert_holds("a/ü.bin", content)


def test_tuspy_without_metadata_and_without_bytes(place: Place, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as stream:
        TusClient(place.endpoint).uploader(file_stream=stream).upload()
    place.assert_holds("unnamed", b"")


def test_tuspy_goes_on_after_a_kill(serve: Serve, source: Path, content: bytes) -> None:
    client = TusClient(serve.endpoint)
    with source.open("rb") as stream:
        first = client.uploader(
            file_stream=stream, chunk_size=1_000_000, metadata={"name": "source.bin"}
        )
        first.upload_chunk()
        serve.kill()
        serve.start()
        second = client.uploader(file_stream=stream, url=first.url, chunk_size=1_000_000)
        assert second.offset == 1_000_000
        second.upload()
    serve.assert_holds("source.bin", content)


# --- tus-js-client ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def packages(need_program: Need) -> Path:
    """The folder of node modules, which tools/bootstrap.py has filled."""
    if not (NODE_MODULES / "tus-js-client").exists():
        need_program("npm packages of build/node", "npm, then make test")
    return NODE_MODULES


class Script:
    """tus-js-client at work on a file."""

    def __init__(
        self, node: str, packages: Path, endpoint: str, file: Path, **options: Any
    ) -> None:
        given = {"endpoint": endpoint, "metadata": {"filename": file.name}, "retryDelays": []}
        self._process = subprocess.Popen(
            [node, CLIENT, file, json.dumps(given | options)],
            env={**os.environ, "NODE_PATH": str(packages)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def fact(self) -> dict[str, Any]:
        """What happens next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "tus-js-client ended"
        fact: dict[str, Any] = json.loads(line)
        assert "error" not in fact, fact
        return fact

    def done(self) -> str:
        """How it ended."""
        while "done" not in (fact := self.fact()):
            pass
        assert self._process.wait(60) == 0
        return str(fact["done"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def tus_js(need_program: Need, packages: Path) -> Iterator[Callable[..., Script]]:
    """`tus_js(place, FILE, option=…)`: the client at work."""
    node = need_program("node", "nodejs")
    scripts: list[Script] = []

    def begin(place: Place, file: Path, **options: Any) -> Script:
        scripts.append(Script(node, packages, place.endpoint, file, **options))
        return scripts[-1]

    yield begin
    for script in scripts:
        script.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 700_000},
        {"uploadDataDuringCreation": True},
        {"uploadDataDuringCreation": True, "chunkSize": 1_000_000},
        {"uploadLengthDeferred": True, "chunkSize": 700_000},
        {"overridePatchMethod": True, "chunkSize": 1_000_000},
        {"parallelUploads": 3},
        {"parallelUploads": 2, "headers": {"Idempotency-Key": "k"}},
    ],
    ids=json.dumps,
)
def test_tus_js_client_uploads(
    place: Place, tus_js: Any, source: Path, content: bytes, options: dict[str, Any]
) -> None:
    assert tus_js(place, source, **options).done().startswith(place.endpoint)
    place.assert_holds("source.bin", content)


def test_tus_js_client_sends_an_empty_file(place: Place, tus_js: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    tus_js(place, tmp_path / "empty").done()
    place.assert_holds("empty", b"")


@pytest.mark.parametrize("parallel", [1, 2])
def test_tus_js_client_goes_on_after_a_kill(
    serve: Serve, tus_js: Any, source: Path, content: bytes, parallel: int
) -> None:
    script = tus_js(
        serve, source, chunkSize=100_000, retryDelays=[200] * 100, parallelUploads=parallel
    )  # fmt: skip
    while "accepted" not in script.fact():
        pass
    serve.kill()
    serve.start()
    script.done()
    serve.assert_holds("source.bin", content)


def test_tus_js_client_terminates(place: Place, tus_js: Any, source: Path) -> None:
    assert tus_js(place, source, chunkSize=100_000, abortAfter=300_000).done() == "terminated"
    assert place.files() == []
    assert list((place.data / "tus").iterdir()) == []


# --- kill at any instant ------------------------------------------------------------------------


class Sender:
    """Clients that send files by key, in pieces, until the server is gone."""

    def __init__(self, seed: int) -> None:
        chosen = random.Random(seed)
        self.files = {
            f"{n}": chosen.randbytes(chosen.choice([0, 5000, 300_000])) for n in range(60)
        }
        self.waiting = sorted(self.files)
        self.stored: set[str] = set()
        self._random = chosen
        self._answers = 0

    def run(self, serve: Serve, answers: int | None) -> None:
        """Send with three clients; kill the server after that many answers."""
        self._answers = answers or 1 << 30
        clients = [threading.Thread(target=self._client, args=(serve,)) for _ in range(3)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _client(self, serve: Serve) -> None:
        with requests.Session() as http:
            while True:
                try:
                    name = self.waiting.pop()
                except IndexError:
                    return
                try:
                    self._send(http, serve, name)
                except requests.RequestException:
                    self.waiting.append(name)
                    return

    def _send(self, http: requests.Session, serve: Serve, name: str) -> None:
        content = self.files[name]
        told = {
            "Upload-Length": str(len(content)),
            "Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}",
            "Idempotency-Key": name,
        }
        answer = self._ask(http, serve, "POST", "/tus/", b"", told)
        assert answer.status_code == 201
        path = answer.headers["Location"]
        while (offset := int(answer.headers["Upload-Offset"])) < len(content):
            piece = content[offset : offset + self._random.choice([1000, 100_000, 300_000])]
            told = {"Upload-Offset": str(offset), "Content-Type": TYPE}
            if self._random.random() < 0.5:
                digest = base64.b64encode(hashlib.sha1(piece).digest()).decode()
                told["Upload-Checksum"] = f"sha1 {digest}"
            answer = self._ask(http, serve, "PATCH", path, piece, told)
            assert answer.status_code == 204
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
        self.stored.add(name)

    def _ask(
        self,
        http: requests.Session,
        serve: Serve,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
    ) -> requests.Response:
        headers = {**headers, "Tus-Resumable": "1.0.0"}
        answer = http.request(method, serve.url + path, data=body, headers=headers)
        self._answers -= 1
        if self._answers == 0:
            serve.kill()
        return answer


def test_kill_at_any_instant_stores_each_once(serve: Serve) -> None:
    sender = Sender(seed=3)
    for answers in (40, 17, 29):
        sender.run(serve, answers)
        serve.start()
        held = {file["name"]: file["sha256"] for file in serve.files()}
        assert sender.stored <= held.keys()
    sender.run(serve, None)
    files = serve.files()
    assert len(files) == len(sender.files)
    assert {file["name"]: file["sha256"] for file in files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in sender.files.items()
    }
    assert list((serve.data / "transit").iterdir()) == []
    assert list((serve.data / "tus").glob("*[!n]")) == []  # records alone are left
