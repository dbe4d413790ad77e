"""Who we are, whom we trust, which way we go: the same for every target; and how each ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dropline.station import Aborted, Attempt, PermanentError, TransientError
from dropline.targets import Access, Proof, Receipt, Target, WebDavTarget, open_target

Serve = Callable[..., Receipt]
WAYS = ["receiver", "multipart", "webdav", "tus", "s3"]


def opened(way: str, url: str, **options: Any) -> Target:
    access = Access(**options.pop("access", {}))
    if way == "s3":
        url = f"{url}/bucket"
        access = Access(user="ada", password="secret", proxy=access.proxy, ca_file=access.ca_file)
    return open_target(url, installation="here", via=way, access=access, **options)


# --- certificates ---------------------------------------------------------------------------------


@pytest.fixture
def tls(authority: Any) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for 127.0.0.1 of our authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_certificate_of_a_named_authority_is_trusted(
    folder: Any, tls: ssl.SSLContext, authority: Any, serve: Serve, make_file: Any
) -> None:
    server = folder(tls=tls)
    target = WebDavTarget(server.url, access=Access(ca_file=authority.file))
    assert serve(target, make_file(bytes(2 << 20))).proof is Proof.SIZE


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_that_nobody_vouches_for_is_refused(
    folder: Any, tls: ssl.SSLContext, serve: Serve, make_file: Any, way: str
) -> None:
    server = folder(tls=tls)
    with pytest.raises(
        PermanentError,
        match=r"no certificate that this machine trusts \(unable to get local issuer",
    ):
        serve(opened(way, server.url), make_file())
    assert server.stored == {}


def test_a_certificate_of_another_host_is_refused(
    folder: Any, tls: ssl.SSLContext, authority: Any, serve: Serve, make_file: Any
) -> None:
    address = folder(tls=tls).url.replace("127.0.0.1", "localhost")
    with pytest.raises(PermanentError, match="no certificate that this machine trusts"):
        serve(WebDavTarget(address, access=Access(ca_file=authority.file)), make_file())


def test_the_environment_cannot_replace_the_authorities(
    folder: Any,
    tls: ssl.SSLContext,
    authority: Any,
    serve: Serve,
    make_file: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.file)
    monkeypatch.setenv("CURL_CA_BUNDLE", authority.file)
    with pytest.raises(PermanentError, match="no certificate that this machine trusts"):
        serve(WebDavTarget(folder(tls=tls).url), make_file())


@pytest.fixture
def identity(authority: Any, tmp_path: Path) -> tuple[str, str]:
    """A client's certificate and key."""
    made = authority.issue_cert("ada@example.org")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made.cert_chain_pems[0].write_to_path(str(cert))
    made.private_key_pem.write_to_path(str(key))
    return str(cert), str(key)


def test_a_client_certificate_is_shown_where_one_is_wanted(
    folder: Any,
    tls: ssl.SSLContext,
    authority: Any,
    identity: tuple[str, str],
    serve: Serve,
    make_file: Any,
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    server = folder(tls=tls)
    cert, key = identity
    shown = Access(ca_file=authority.file, client_cert=cert, client_key=key)
    assert serve(WebDavTarget(server.url, access=shown), make_file()).size == 7
    hidden = Access(ca_file=authority.file)
    # In TLS 1.3 the refusal may come while we write, and is then not read.
    with pytest.raises(
        (PermanentError, TransientError),
        match=r"\(certificate required\): give a client certificate|want a client certificate\?",
    ):
        serve(WebDavTarget(server.url, access=hidden), make_file())


# --- proxies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_the_proxy_is_used(
    folder: Any,
    relay: Any,
    tls: ssl.SSLContext,
    authority: Any,
    serve: Serve,
    make_file: Any,
    secure: bool,
) -> None:
    server, proxy = folder(tls=tls if secure else None), relay()
    access = Access(proxy=proxy.url, ca_file=authority.file)
    assert serve(WebDavTarget(server.url, access=access), make_file(bytes(3 << 20))).size
    host = server.url.partition("//")[2]
    if secure:
        [asked] = proxy.asked
        assert asked.startswith(f"CONNECT {host} HTTP/1.")
    else:
        assert proxy.asked[0] == f"MKCOL http://{host}/ HTTP/1.1"


@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_that_is_not_there_is_told(serve: Serve, make_file: Any, way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    target = opened(way, "http://files.example.org", access={"proxy": proxy})
    with pytest.raises(TransientError, match=r"through the proxy: is the proxy's address right\?"):
        serve(target, make_file())


# --- headers and credentials ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["receiver", "multipart", "webdav", "tus"])
@pytest.mark.parametrize(
    ("access", "header"),
    [
        ({"token": "tok"}, "Authorization: Bearer tok"),
        ({"user": "ada", "password": "päss:1"}, "Authorization: Basic YWRhOnDDpHNzOjE="),
        ({"user": "ada"}, "Authorization: Basic YWRhOg=="),
        ({"headers": (("X-Team", "blue"),)}, "X-Team: blue"),
    ],
)
def test_credentials_go_to_the_server_in_headers_and_not_along_a_redirect(
    rogue: Any, serve: Serve, make_file: Any, way: str, access: dict[str, Any], header: str
) -> None:
    heads: list[str] = []

    thief = rogue(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    redirect = (
        f"HTTP/1.1 308 Moved\r\nLocation: {thief.url}/x\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()
    with listening(heads, redirect) as url:
        target = opened(way, url, access=access)
        with pytest.raises(PermanentError, match="308"):
            serve(target, make_file())
    assert thief.requests == []
    assert any(header in head for head in heads)
    secrets = [str(value) for name, value in access.items() if name in {"token", "password"}]
    for shown in (target.url, repr(Access(**access))):
        assert not any(secret in shown for secret in secrets)


@contextlib.contextmanager
def listening(heads: list[str], answer: bytes) -> Iterator[str]:
    """A server that notes the whole head of each request, and answers the same."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as file:
                    while (line := file.readline()) not in {b"\r\n", b""}:
                        heads.append(line.decode().strip())
                    connection.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token": "a", "user": "b"}, "choose one way"),
        ({"token": ""}, "the token is empty"),
        ({"token": "a b"}, "characters that none can hold"),
        ({"user": "a:b"}, "is no user name"),
        ({"headers": (("Bad name", "x"),)}, "“Bad name” is no header"),
        ({"headers": (("X", "a\r\nY: b"),)}, "“X” is no header"),
        ({"headers": (("Host", "x"),)}, "is set by Dropline"),
        ({"client_key": "/k"}, "is a key without its certificate"),
        ({"ca_file": "/nowhere"}, "/nowhere is no file"),
        ({"ca_file": __file__}, "holds no certificates"),
        ({"client_cert": __file__}, "and its key cannot be used"),
        ({"proxy": "socks5://h:1"}, "the proxy is no address"),
        ({"proxy": "http://u:hidden@h:1"}, "belong into the environment variable HTTPS_PROXY"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        Access(**options)
    assert "hidden" not in str(caught.value)


# --- the URL chooses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "via", "shown"),
    [
        ("http://h:1/", None, "http://h:1"),
        ("http://h/a+b", None, "http://h/a+b"),
        ("receiver+https://h", None, "https://h"),
        ("webdav+https://h/dav/", None, "webdav+https://h/dav"),
        ("https://h/dav", "webdav", "webdav+https://h/dav"),
        ("tus+https://h/files/", "tus", "tus+https://h/files/"),
        ("multipart+http://h/form?a=b", None, "multipart+http://h/form"),
        ("s3://bucket/a/b/", None, "s3://bucket/a/b"),
        ("s3+https://h:9000/bucket/a", None, "s3+https://h:9000/bucket/a"),
        ("https://h:9000/bucket", "s3", "s3+https://h:9000/bucket"),
    ],
)
def test_the_scheme_chooses_the_target(url: str, via: str | None, shown: str) -> None:
    target = open_target(url, installation="here", via=via)
    assert target.url == shown
    again = open_target(target.url, installation="here")
    assert (type(again), again.url) == (type(target), shown)


@pytest.mark.parametrize(
    ("url", "via", "sentence"),
    [
        ("webdav+https://h", "tus", "is to be sent to by webdav, not by tus"),
        ("ftp+http://h", None, "asks for ftp: use one of receiver, multipart"),
        ("https://h", "ftp", "asks for ftp"),
        ("webdav+ftp://h", None, "is no address of a folder"),
        ("webdav+http://u:p@h", None, "is no address of a folder"),
        ("tus+http://h?a", None, "is no address of a tus server"),
        ("s3://", None, "names no bucket"),
        ("s3+https://h", None, "names no bucket"),
        ("s3://key:secret@bucket", None, "holds a bucket and a prefix only"),
        ("ftp://h", None, "is no address of a receiver"),
    ],
)
def test_what_names_no_target_is_refused(url: str, via: str | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_target(url, installation="here", via=via)


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_is_gone_is_told(serve: Serve, make_file: Any, way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransientError, match=r"cannot be reached or broke off: is the \w+ running"):
        serve(opened(way, url), make_file())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["never answers", "never reads"])
def test_an_abort_ends_a_request_that_hangs(
    rogue: Any, make_file: Any, until: Any, way: str, how: str
) -> None:
    def answer(server: Any, connection: Any, request: Any) -> None:
        if how == "never answers" or request.method not in {"MKCOL", "OPTIONS", "HEAD"}:
            server.stop.wait(60)
        connection.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")

    item = make_file(bytes(30 << 20) if how == "never reads" else b"content")
    ends: list[BaseException] = []
    running = Attempt(lambda _: None)

    with contextlib.ExitStack() as stack:
        if how == "never reads":
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        else:
            server = rogue(answer)
            url = server.url
        worker = opened(way, url, timeouts=(60.0, 60.0)).connect()
        stack.callback(worker.close)

        def work() -> None:
            try:
                worker.serve(item, running)
            except BaseException as error:  # noqa: BLE001 - looked at below
                ends.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        if how == "never reads":
            connection, _ = listener.accept()
            stack.callback(connection.close)
        else:
            until(lambda: server.requests)
        running.abort()
        thread.join(3.0)  # it takes milliseconds, where the machine isn't busy
        assert not thread.is_alive()
    assert [type(end) for end in ends] == [Aborted]


@pytest.mark.parametrize("way", ["multipart", "webdav", "tus", "s3"])
def test_a_worker_goes_on_after_an_abort(rogue: Any, make_file: Any, way: str) -> None:
    server = rogue(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    stopped = Attempt(lambda _: None)
    stopped.abort()
    with contextlib.closing(opened(way, server.url).connect()) as worker:
        with pytest.raises(Aborted):
            worker.serve(make_file(), stopped)
        assert server.requests == []
        with pytest.raises(TransientError, match="503"):
            worker.serve(make_file(), Attempt(lambda _: None))
