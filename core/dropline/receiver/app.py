"""The receiver's HTTP interface, as a Flask application.

    POST   /upload                 multipart/form-data, parts named `file`
    PUT    /files/by-name/<name>   one file, the raw body
    GET    /files                  limit, after, q -> {"files": [...], "next": cursor or null}
    GET    /files/<file_id>        the bytes (attachment, Range, ETag)
    DELETE /files/<file_id>        204
    any    /tus/                   uploads in pieces that can be resumed (see `tus`)
    GET    /healthz                200 while the receiver works, and its id: {"status", "receiver"}
    GET    /                       the upload page

Uploads. When every file is stored the answer is 201

    {"status": "success", "file_id": the first's,
     "files": [{"file_id", "name", "size", "sha256", "duplicate"}, …]}

with one entry for each part named `file`, in their order. When some are not stored, the others
are, and the answer has the status of the first that failed and is a problem (RFC 9457) with the
same list, in which a file that was not stored has an error of its own:

    {"type", "title", "status", "detail",
     "files": [{"file_id", "name", "size", "sha256", "duplicate"},
               {"name", "error": {"type", "title", "status", "detail"}}, …]}

Behind a long file that failed (too large, disk full) the rest of the request is not read: the list
is then shorter than the request, and what it does not name was not stored. A problem without
`files` says that nothing of the request was stored.

Every answer names the receiver, by the id of its data folder, in `Dropline-Receiver`.

A sender may give each part, or a PUT, a `Content-Digest: sha-256=:…:` and an `Idempotency-Key`.
Bytes without that digest are refused (422). A key that is known answers with the file it stands
for, `"duplicate": true`, and stores nothing; with a digest of other content it is refused (422).

A tus upload that is whole is a stored file like the others, with the same keys.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from datetime import datetime
from importlib import resources
from io import BytesIO
from typing import Any

from flask import Flask, Response, jsonify, request, send_file
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from dropline.bus import EventBus
from dropline.receiver.database import StoredFile
from dropline.receiver.guard import Guard
from dropline.receiver.multipart import CHUNK, read_parts, text
from dropline.receiver.problems import (
    CUT_SHORT,
    INTERNAL,
    MALFORMED,
    MEDIA_TYPE,
    METHOD,
    NOT_FOUND,
    TOO_SLOW,
    FileProblem,
    Kind,
    Problem,
    storage_problem,
)
from dropline.receiver.store import Store
from dropline.receiver.tus import tus_routes
from dropline.receiver.upload import Outcome, Upload

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("dropline.receiver.access")

#: Files on one page of the list, when the client does not say, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
#: Files that the upload page shows.
_SHOWN = 20


class _NameConverter(PathConverter):
    """The rest of a path, whatever it holds."""

    part_isolating = False
    regex = "(?s:.+)"


def create_app(store: Store, bus: EventBus, guard: Guard, max_size: int | None) -> Flask:
    """The application over a store; uploads go to it as events on `bus`."""
    app = Flask(__name__, static_folder=None)
    app.json = _Json(app)
    app.url_map.merge_slashes = False  # a name may hold several in a row
    app.url_map.converters["name"] = _NameConverter
    page = resources.files("dropline_resources").joinpath("web", "index.html").read_text("utf-8")
    template = app.jinja_env.from_string(page)

    def new_upload() -> Upload:
        key = request.headers.get("Idempotency-Key")
        return Upload(store, bus, key=key, max_size=max_size)

    @app.before_request
    def check() -> None:
        guard.check(request)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers["Dropline-Receiver"] = store.identity
        # the path alone: a query may hold the token
        _access_log.info(
            "%s %s %r %d", request.remote_addr, request.method, request.path, response.status_code
        )
        return response

    @app.post("/upload")
    def upload() -> Response:
        with new_upload() as files:
            files.take_form(read_parts(request.stream.read, request.content_type or ""))
            return _uploaded(files.store())

    @app.put("/files/by-name/<name:name>")
    def put(name: str) -> Response:
        if "Content-Range" in request.headers:
            raise Problem(MALFORMED, "A piece of a file cannot be put; send the whole file.")
        with new_upload() as files:
            chunks = iter(lambda: request.stream.read(CHUNK), b"")
            files.take(text(name.encode()), dict(request.headers), chunks)
            return _uploaded(files.store())

    @app.get("/files")
    def files() -> Response:
        limit = min(_number("limit", DEFAULT_LIMIT), MAX_LIMIT)
        found = store.files.page(limit + 1, _cursor("after"), request.args.get("q", ""))
        page = found[:limit]
        more = len(found) > limit
        return jsonify(
            files=[_listed(file) for file in page], next=page[-1].file_id if more else None
        )

    @app.get("/files/<uuid:file_id>")
    def get(file_id: uuid.UUID) -> Response:
        file = store.files.get(str(file_id))
        if file is None:
            raise _no_such_file(file_id)
        try:
            return _attachment(file, store.find(file))
        except FileNotFoundError as error:  # deleted since
            raise _no_such_file(file_id) from error

    @app.delete("/files/<uuid:file_id>")
    def delete(file_id: uuid.UUID) -> Response:
        try:
            deleted = store.delete(str(file_id))
        except OSError as error:
            raise storage_problem(error, f"the removal of {file_id}") from error
        if not deleted:
            raise _no_such_file(file_id)
        return Response(status=204)

    @app.get("/healthz")
    def healthz() -> Response:
        store.files.last_id()
        return jsonify(status="ok", receiver=store.identity)

    @app.get("/")
    def index() -> Response:
        nonce = secrets.token_urlsafe(16)
        response = Response(
            template.render(
                files=store.files.latest(_SHOWN),
                url=request.host_url.rstrip("/"),
                token=request.args.get("token", ""),
                nonce=nonce,
            ),
            mimetype="text/html",
        )
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    app.register_blueprint(tus_routes(store, bus, max_size))

    @app.errorhandler(Problem)
    def problem(error: Problem) -> Response:
        return _problem(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        return _problem(_from_http(error))

    @app.errorhandler(TimeoutError)
    def too_slow(_error: TimeoutError) -> Response:
        return _problem(
            Problem(TOO_SLOW, "The request came too slowly and was given up. Send it again.")
        )

    @app.errorhandler(ConnectionError)
    def cut_short(_error: ConnectionError) -> Response:
        return _problem(Problem(CUT_SHORT, "The connection broke. Send the request again."))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        _log.error("%s %r failed", request.method, request.path, exc_info=error)
        return _problem(Problem(INTERNAL, "The receiver failed; its log says why. Try again."))

    return app


class _Json(DefaultJSONProvider):
    """JSON with the members in the order in which they are written above."""

    sort_keys = False
    compact = True


def _uploaded(outcomes: list[Outcome]) -> Response:
    files = [outcome.to_dict() for outcome in outcomes]
    failed = [o.result for o in outcomes if isinstance(o.result, FileProblem)]
    if not failed:
        answer = jsonify(status="success", file_id=files[0]["file_id"], files=files)
        answer.status_code = 201
        return answer
    return _problem(failed[0], files=files)


def _problem(problem: Problem, **members: Any) -> Response:
    answer = jsonify(problem.to_dict() | members)
    answer.status_code = problem.status
    answer.mimetype = MEDIA_TYPE
    answer.headers.update(problem.headers)
    return answer


def _from_http(error: HTTPException) -> Problem:
    if error.code == 404:
        return Problem(
            NOT_FOUND,
            f"Nothing is at {request.path!r}. Upload to /upload, see what is stored at /files.",
        )
    headers = dict(error.get_headers())
    if error.code == 405:
        return Problem(
            METHOD,
            f"{request.path!r} does not take {request.method}; it takes {headers.get('Allow')}.",
            {"Allow": headers.get("Allow", "")},
        )
    kind = Kind("http", error.code or 500, error.name)
    return Problem(kind, error.description or error.name)


def _no_such_file(file_id: uuid.UUID) -> Problem:
    return Problem(NOT_FOUND, f"No file has the id {file_id}; /files lists those that are stored.")


def _number(name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 10 and int(value) > 0):
        raise Problem(MALFORMED, f"`{name}` must be a whole number from 1; it was {value!r}.")
    return int(value)


def _cursor(name: str) -> str | None:
    value = request.args.get(name)
    if not value:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise Problem(
            MALFORMED, f"`{name}` must be the file_id seen last; it was {value!r}."
        ) from error


def _listed(file: StoredFile) -> dict[str, Any]:
    return {
        "file_id": file.file_id,
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "type": file.media_type,
        "stored_at": file.stored_at,
    }


def _attachment(file: StoredFile, source: str | BytesIO) -> Response:
    """The bytes, to be saved and never shown: they may be a web page with a script."""
    name = file.name.rstrip("/").rpartition("/")[2]
    answer = send_file(
        source,
        mimetype=file.media_type,
        as_attachment=True,
        download_name="".join(c if c.isprintable() else "_" for c in name) or "file",
        etag=file.sha256,
        last_modified=datetime.fromisoformat(file.stored_at),
        conditional=True,
        max_age=0,
    )
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer
