"""Servers that others wrote, each on a free port of loopback, and how the tests send to them."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from dropline.station import Attempt
from dropline.targets import Receipt, Target, Upload
from ports import free_port

Need = Callable[[str, str], str]
#: Where tools/bootstrap.py installs packages of node's.
PACKAGES = Path(__file__).resolve().parents[3] / "build" / "node"


# --- sending --------------------------------------------------------------------------------------


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Upload]:
    """`make_file(content, name)`: a file to send, with a time that is not now."""
    folder = tmp_path / "sources"
    folder.mkdir()
    numbers = iter(range(1_000_000))

    def make(content: bytes = b"content", name: str = "file") -> Upload:
        path = folder / str(next(numbers))
        path.write_bytes(content)
        os.utime(path, ns=(0, 1_700_000_000_123_456_789))
        status = path.stat()
        return Upload(str(path), str(path), name, status.st_size, status.st_mtime_ns)

    return make


@pytest.fixture
def serve() -> Callable[..., Receipt]:
    """`serve(target, item)`: send it by a worker of its own, in one attempt."""

    def send(where: Target, item: Upload, attempt: Attempt | None = None) -> Receipt:
        worker = where.connect()
        try:
            return worker.serve(item, attempt or Attempt(lambda _: None))
        finally:
            worker.close()

    return send


# --- programs -------------------------------------------------------------------------------------


@contextlib.contextmanager
def program(command: list[str], port: int, log: Path, **options: Any) -> Iterator[None]:
    """Run a server until the block ends; it begins once the server listens."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(60)


NGINX = """
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off;
user {user};
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{}}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  client_max_body_size 60m;
  dav_access user:rw;
  server {{
    listen 127.0.0.1:{port};
    root {root}/files;
    location /dav/ {{ dav_methods PUT DELETE MKCOL; dav_ext_methods PROPFIND OPTIONS; }}
    location /plain/ {{ dav_methods PUT; create_full_put_path on; }}
    location /locked/ {{
      auth_basic "files"; auth_basic_user_file {root}/users;
      dav_methods PUT MKCOL; dav_ext_methods PROPFIND OPTIONS;
    }}
  }}
}}
"""


class Served:
    """A server of files: its address, and the folder that holds what it was sent."""

    def __init__(self, url: str, files: Path) -> None:
        self.url = url
        self.files = files


@pytest.fixture(scope="session")
def nginx(need_program: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """nginx: /dav/ is WebDAV, /plain/ takes PUT only, /locked/ wants ada with "пароль 1"."""
    command = need_program("nginx", "nginx")
    if not Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so").exists():
        need_program("nginx-dav-ext", "libnginx-mod-http-dav-ext")
    root = tmp_path_factory.mktemp("nginx")
    for name in ("dav", "plain", "locked"):
        (root / "files" / name).mkdir(parents=True)
    (root / "users").write_text("ada:{PLAIN}пароль 1\n", "utf-8")
    port = free_port()
    (root / "nginx.conf").write_text(
        NGINX.format(root=root, port=port, user=getpass.getuser()), "utf-8"
    )
    arguments = [command, "-c", str(root / "nginx.conf"), "-p", str(root)]
    with program(arguments, port, root / "log"):
        yield Served(f"http://127.0.0.1:{port}", root / "files")


@pytest.fixture(scope="session")
def rclone(need_program: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """rclone's WebDAV, which tells MD5 digests."""
    command = need_program("rclone", "rclone")
    root = tmp_path_factory.mktemp("rclone")
    (root / "files/dav").mkdir(parents=True)
    port = free_port()
    arguments = [
        command, "serve", "webdav", str(root / "files"), "--addr", f"127.0.0.1:{port}",
        "--etag-hash", "MD5", "--config", "/dev/null", "--user", "ada", "--pass", "secret",
        "--cache-dir", str(root / "cache"),
    ]  # fmt: skip
    with program(arguments, port, root / "log"):
        yield Served(f"http://127.0.0.1:{port}", root / "files")


@pytest.fixture(scope="session")
def tus_node(need_program: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """@tus/server with @tus/file-store, which checks no checksums."""
    node = need_program("node", "nodejs")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"@tus/server needs node 20, and this is {version.stdout.strip()}")
    if not (PACKAGES / "node_modules/@tus/server").exists():
        need_program("npm packages of build/node", "npm, then make test")
    root = tmp_path_factory.mktemp("tus")
    port = free_port()
    script = Path(__file__).with_name("tus_server.mjs")
    command = [node, str(script), str(PACKAGES), str(root / "files"), str(port)]
    with program(command, port, root / "log"):
        yield Served(f"http://127.0.0.1:{port}/files", root / "files")


TUS_PYTHON = """
import sys
from http.server import ThreadingHTTPServer
from resumable_upload import SQLiteStorage, TusHTTPRequestHandler, TusServer

root, port = sys.argv[1:]

class Handler(TusHTTPRequestHandler):
    tus_server = TusServer(
        storage=SQLiteStorage(db_path=f"{root}/db", upload_dir=f"{root}/files"),
        base_path="/files",
        checksum_algorithms=("sha1", "sha256"),
    )

ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


@pytest.fixture(scope="session")
def tus_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server of resumable-upload, which checks checksums."""
    root = tmp_path_factory.mktemp("tus")
    port = free_port()
    command = [sys.executable, "-c", TUS_PYTHON, str(root), str(port)]
    with program(command, port, root / "log"):
        yield Served(f"http://127.0.0.1:{port}/files", root / "files")


class Store:
    """An S3 store of moto's."""

    def __init__(self, url: str) -> None:
        import boto3

        self.url = url
        self.client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="ada",
            aws_secret_access_key="secret",
        )

    def bucket(self, name: str) -> None:
        self.client.create_bucket(Bucket=name)

    def read(self, bucket: str, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """moto's server in a process of its own."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with program(command, port, log):
        store = Store(f"http://127.0.0.1:{port}")
        yield store
        store.client.close()


# --- servers and proxies in this process ----------------------------------------------------------


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate authority; `.file` is its certificate."""
    ca = trustme.CA()
    ca.file = str(tmp_path_factory.mktemp("authority") / "ca.pem")
    ca.cert_pem.write_to_path(ca.file)
    return ca


class Folder(BaseHTTPRequestHandler):
    """A PUT server that keeps what it was sent in a dictionary, and tells digests as it likes."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.stored[self.path] = data
        self._answer(201)

    def do_MKCOL(self) -> None:
        self._answer(405)

    def do_HEAD(self) -> None:
        data = self.server.stored.get(self.path)
        if data is None:
            self._answer(404)
            return
        self._answer(200, len(data), self.server.tells(data))

    def _answer(self, status: int, size: int = 0, headers: dict[str, str] | None = None) -> None:
        self.server.seen.append(self)
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A `Folder` on loopback, with TLS where a context is given."""

    daemon_threads = False
    block_on_close = True

    def __init__(
        self, tells: Callable[[bytes], dict[str, str]], tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(("127.0.0.1", 0), Folder)
        self.stored: dict[str, bytes] = {}
        self.seen: list[Any] = []
        self.tells = tells
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            with (
                contextlib.suppress(OSError),  # a handshake that was refused
                self.tls.wrap_socket(request, server_side=True) as secure,
            ):
                super().finish_request(secure, client_address)
            return
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


@pytest.fixture
def folder() -> Iterator[Callable[..., Server]]:
    """`folder(tells, tls)`: a running `Server`; `tells(data)` gives headers for what it holds."""
    running: list[tuple[Server, threading.Thread]] = []

    def make(
        tells: Callable[[bytes], dict[str, str]] = lambda _: {}, tls: ssl.SSLContext | None = None
    ) -> Server:
        server = Server(tells, tls)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="folder")
        thread.start()
        running.append((server, thread))
        return server

    yield make
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


class Relay:
    """A way between client and server that counts the bytes going up, and can cut it.

    `cut_after`: after so many bytes from the client the connection breaks, once.
    As a proxy it reads the address from the client (CONNECT, or a request's absolute URI).
    """

    def __init__(self, to: int | None, cut_after: int | None) -> None:
        self.asked: list[str] = []
        self.passed = 0
        self.cuts = 0
        self._to = to
        self._cut_after = cut_after
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="relay")]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        for end in self._ends:
            with contextlib.suppress(OSError):  # closed already
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                client.settimeout(None)
                self._ends.append(client)
                self._start(self._open, client)

    def _start(self, function: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments, name="relay")
        self._threads.append(thread)
        thread.start()
        return thread

    def _open(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            port, first = (self._to, b"") if self._to else self._asked(client)
            with socket.create_connection(("127.0.0.1", port)) as server:
                self._ends.append(server)
                server.sendall(first)
                down = self._start(self._pump, server, client, False)
                self._pump(client, server, True)
                down.join()

    def _asked(self, client: socket.socket) -> tuple[int, bytes]:
        """Where a client of the proxy wants to go, and what is to be said there first."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                raise ConnectionAbortedError
            head += data
        line = head.partition(b"\r\n")[0].decode()
        self.asked.append(line)
        method, address, _ = line.split()
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return int(address.rpartition(":")[2]), b""
        _, _, host, path = address.split("/", 3)
        return int(host.rpartition(":")[2]), head.replace(address.encode(), f"/{path}".encode(), 1)

    def _pump(self, source: socket.socket, drain: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                drain.sendall(data)
                self.passed += len(data) if up else 0
                if up and self._cut_after is not None and self.passed >= self._cut_after:
                    self._cut_after = None
                    self.cuts += 1
                    break
        for end in (source, drain):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay() -> Iterator[Callable[..., Relay]]:
    """`relay(to=port, cut_after=bytes)`: a way to a server; `relay()`: a proxy."""
    made: list[Relay] = []

    def make(to: int | None = None, cut_after: int | None = None) -> Relay:
        made.append(Relay(to, cut_after))
        return made[-1]

    yield make
    for one in made:
        one.close()
