"""The routes of files: upload, list, download, delete.

    POST   /upload                 multipart/form-data, parts named `file`
    PUT    /files/by-name/<name>   one file, the raw body
    GET    /files                  limit, after, q, order=newest
                                   -> {"files": [...], "next": cursor or null}
    GET    /files/<file_id>        the bytes (attachment, Range, ETag)
    DELETE /files/<file_id>        204

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

A sender may give each part, or a PUT, a `Content-Digest: sha-256=:…:` and an `Idempotency-Key`.
Bytes without that digest are refused (422). A key that is known answers with the file it stands
for, `"duplicate": true`, and stores nothing; with a digest of other content it is refused (422).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_file

from dropline.bus import EventBus
from dropline.receiver.answers import problem_answer
from dropline.receiver.database import StoredFile
from dropline.receiver.multipart import CHUNK, read_parts, text
from dropline.receiver.problems import (
    MALFORMED,
    NOT_FOUND,
    FileProblem,
    Problem,
    storage_problem,
)
from dropline.receiver.store import Store
from dropline.receiver.upload import Outcome, Upload

#: Files on one page of the list, when the client does not say, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


def file_routes(store: Store, bus: EventBus, max_size: int | None) -> Blueprint:
    """The routes; `max_size` is the most bytes a file may have."""
    routes = Blueprint("files", __name__)

    def new_upload() -> Upload:
        key = request.headers.get("Idempotency-Key")
        return Upload(store, bus, key=key, max_size=max_size)

    @routes.post("/upload")
    def upload() -> Response:
        with new_upload() as files:
            files.take_form(read_parts(request.stream.read, request.content_type or ""))
            return _uploaded(files.store())

    @routes.put("/files/by-name/<name:name>")
    def put(name: str) -> Response:
        if "Content-Range" in request.headers:
            raise Problem(MALFORMED, "A piece of a file cannot be put; send the whole file.")
        with new_upload() as files:
            chunks = iter(lambda: request.stream.read(CHUNK), b"")
            files.take(text(name.encode()), dict(request.headers), chunks)
            return _uploaded(files.store())

    @routes.get("/files")
    def files() -> Response:
        limit = min(_number("limit", DEFAULT_LIMIT), MAX_LIMIT)
        order = request.args.get("order", "oldest")
        if order not in ("oldest", "newest"):
            raise Problem(MALFORMED, f"`order` is oldest or newest; it was {order!r}.")
        query, after = request.args.get("q", ""), _cursor("after")
        newest_first = order == "newest"
        if query:
            page, more = store.files.search(query, limit, after, newest_first=newest_first)
        else:
            found = store.files.page(limit + 1, after, newest_first=newest_first)
            page = found[:limit]
            more = page[-1].file_id if len(found) > limit else None
        return jsonify(files=[_listed(file) for file in page], next=more)

    @routes.get("/files/<uuid:file_id>")
    def get(file_id: uuid.UUID) -> Response:
        file = store.files.get(str(file_id))
        if file is None:
            raise _no_such_file(file_id)
        try:
            return _attachment(file, store.find(file))
        except FileNotFoundError as error:  # deleted since
            raise _no_such_file(file_id) from error

    @routes.delete("/files/<uuid:file_id>")
    def delete(file_id: uuid.UUID) -> Response:
        try:
            deleted = store.delete(str(file_id))
        except OSError as error:
            raise storage_problem(error, f"the removal of {file_id}") from error
        if not deleted:
            raise _no_such_file(file_id)
        return Response(status=204)

    return routes


def _uploaded(outcomes: list[Outcome]) -> Response:
    files = [outcome.to_dict() for outcome in outcomes]
    failed = [o.result for o in outcomes if isinstance(o.result, FileProblem)]
    if not failed:
        answer = jsonify(status="success", file_id=files[0]["file_id"], files=files)
        answer.status_code = 201
        return answer
    return problem_answer(failed[0], files=files)


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
