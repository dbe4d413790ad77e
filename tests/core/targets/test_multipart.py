"""Forms: a small Flask application as other people write them."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import werkzeug.serving

from dropline.receiver import Receiver
from dropline.station import PermanentError, TransientError
from dropline.targets import Access, MultipartTarget, Proof, Receipt

Serve = Callable[..., Receipt]


class Form:
    """An application with a form that takes files."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answer: tuple[Any, ...] = ("ok", 200)
        app = flask.Flask("form")
        app.add_url_rule("/form", view_func=self._take, methods=["POST"])
        self._server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.port}/form"

    def _take(self) -> Any:
        request = flask.request
        parts = [
            (field, part.filename, part.content_type, hashlib.file_digest(part.stream, "sha256"))
            for field, part in request.files.items(multi=True)
        ]
        self.seen.append(
            {
                "parts": [(*rest, digest.hexdigest()) for *rest, digest in parts],
                "form": request.form.to_dict(),
                "headers": dict(request.headers),
                "query": request.args.to_dict(),
            }
        )
        return self.answer

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def form() -> Iterator[Form]:
    made = Form()
    yield made
    made.close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def target(url: str, **options: Any) -> MultipartTarget:
    return MultipartTarget(url, installation="here", **options)


def test_names_and_bytes_arrive(form: Form, serve: Serve, make_file: Any) -> None:
    names = ["a b#%?&.txt", "照片/😀.png", 'quo"te', "empty", "folder/", "caf\udce9"]
    for name in names:
        content = b"" if name in {"empty", "folder/"} else name.encode("utf-8", "replace")
        item = make_file(content, name)
        receipt = serve(target(form.url), item)
        assert (receipt.sha256, receipt.size) == (sha256(content), len(content))
        assert (receipt.proof, receipt.file_id) == (Proof.NONE, item.wire_name)
        [[field, filename, _, digest]] = form.seen[-1]["parts"]
        assert (field, filename, digest) == ("file", item.wire_name, sha256(content))


def test_the_field_and_others_are_chosen(form: Form, serve: Serve, make_file: Any) -> None:
    where = target(
        f"{form.url}?album=2&key=secret",
        field="photo[]",
        fields={"title": "Ein Ausflug, 春天", "empty": ""},
        access=Access(headers=(("X-Team", "grün"), ("X-Api-Key", "k"))),
    )
    assert "secret" not in where.url
    for _ in range(2):
        serve(where, make_file(b"x" * 100, "a.jpg"))
        seen = form.seen[-1]
        assert seen["form"] == {"title": "Ein Ausflug, 春天", "empty": ""}
        assert seen["query"] == {"album": "2", "key": "secret"}
        assert seen["parts"] == [("photo[]", "a.jpg", "image/jpeg", sha256(b"x" * 100))]
        assert seen["headers"]["X-Api-Key"] == "k"
        assert seen["headers"]["X-Team"].encode("latin-1").decode() == "grün"
    first, second = (seen["headers"]["Idempotency-Key"] for seen in form.seen)
    assert first != second  # another path is another file


@pytest.mark.parametrize(
    ("answer", "file_id"),
    [
        (("", 201, {"Location": "/files/7"}), "/files/7"),
        (({"id": 7}, 200), "7"),
        (({"file_id": "abc", "id": 7}, 201), "abc"),
        (({"id": ["7"]}, 200), "file"),
        (("<p>Thank you!", 200), "file"),
    ],
)
def test_it_is_called_what_the_endpoint_calls_it(
    form: Form, serve: Serve, make_file: Any, answer: Any, file_id: str
) -> None:
    form.answer = answer
    receipt = serve(target(form.url), make_file())
    assert receipt.file_id.removeprefix(form.url.removesuffix("/form")) == file_id


def test_a_large_file_streams(form: Form, serve: Serve, make_file: Any) -> None:
    content = os.urandom(1 << 20) * 50
    item, digest = make_file(content), sha256(content)
    del content
    tracemalloc.start()
    try:
        receipt = serve(target(form.url), item)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20  # the application's own buffers included
    assert form.seen[-1]["parts"][0][3] == receipt.sha256 == digest


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (("no", 401), PermanentError, r"answered 401 \(UNAUTHORIZED\): check the user"),
        (("no", 403), PermanentError, "you may not write there"),
        (("no", 404), PermanentError, "nothing is there: check the address"),
        (({"detail": "Only\nimages."}, 422), PermanentError, r"422 \(Only images\.\): check"),
        (("no", 302, {"Location": "/login?next=x"}), PermanentError, "it points to /login: check"),
        (("no", 503, {"Retry-After": "7"}), TransientError, r"answered 503 .*: it may pass\."),
    ],
)
def test_a_refusal_is_told(
    form: Form, serve: Serve, make_file: Any, answer: Any, kind: type[Exception], sentence: str
) -> None:
    form.answer = answer
    with pytest.raises(kind, match=sentence) as caught:
        serve(target(f"{form.url}?key=secret"), make_file())
    assert "secret" not in str(caught.value)
    assert getattr(caught.value, "retry_after", None) in {None, 7.0}
    assert len(form.seen) == 1


def test_a_dropline_receiver_is_such_an_endpoint(
    receiver: Receiver, stored: Any, serve: Serve, make_file: Any
) -> None:
    item = make_file(b"bytes", "a/b")
    for _ in range(2):  # the second time it is the same upload
        receipt = serve(target(f"{receiver.url}/upload"), item)
    assert [(f["file_id"], f["name"]) for f in stored.files()] == [(receipt.file_id, "a/b")]


@pytest.mark.parametrize("url", ["", "ftp://h/x", "http://u:p@h/x", "http://h/#x", "h/x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a form: use http://host/path"):
        target(url)
