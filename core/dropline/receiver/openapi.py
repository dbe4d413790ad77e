"""What the receiver's HTTP interface takes and answers, as an OpenAPI description.

Each operation names every status that it may answer; a test asks for them by what it generates from
the description. What HTTP itself adds is left out: HEAD for each GET, OPTIONS for each path.
"""

from __future__ import annotations

from typing import Any

from dropline import __version__
from dropline.receiver.problems import (
    BUSY,
    CHECKSUM,
    CONFLICT,
    CUT_SHORT,
    DIGEST,
    DISK_FULL,
    FORBIDDEN,
    GONE,
    INTERNAL,
    LOCKED,
    MALFORMED,
    MEDIA,
    MEDIA_TYPE,
    NOT_FOUND,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    UNAUTHORISED,
    VERSION,
    Kind,
)

Json = dict[str, Any]

#: What any request may be answered.
_ANY = (MALFORMED, UNAUTHORISED, FORBIDDEN, TOO_SLOW, TOO_LARGE, TOO_MANY, INTERNAL, BUSY)
#: … and one that brings bytes.
_UPLOAD = (CUT_SHORT, DIGEST, BUSY, DISK_FULL)
_TUS = (VERSION, NOT_FOUND, GONE, LOCKED, DISK_FULL)
_BYTES = "application/offset+octet-stream"


def describe() -> Json:
    """The description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dropline receiver",
            "version": __version__,
            "description": "Takes files over HTTP, stores them whole, and tells who listens.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/upload": {"post": _upload()},
            "/files/by-name/{name}": {"put": _put()},
            "/files": {"get": _list()},
            "/files/{file_id}": {"get": _download(), "delete": _delete()},
            "/files/{file_id}/facts": {
                "get": _of_file("facts", "What handlers noted of a file", "application/json")
            },
            "/files/{file_id}/thumbnail": {
                "get": _of_file("thumbnail", "A small picture of a file", "image/png")
            },
            "/dead-letters": {"get": _plain("letters", "What handlers gave up", *_LETTERS)},
            "/dead-letters/replay": {"post": _replay()},
            "/tus/": {"options": _tus_offer("tusOffer"), "post": _tus_create()},
            "/tus/{upload_id}": {
                "options": _tus_offer("tusOfferOfOne", _UPLOAD_ID),
                "head": _tus_tell(),
                "patch": _tus_go_on(),
                "delete": _tus_forget(),
            },
            "/events": {"get": _events()},
            "/metrics": {
                "get": _plain("metrics", "Figures for Prometheus", "text/plain", {"type": "string"})
            },
            "/healthz": {"get": _plain("healthz", "Whether it works", "application/json", _HEALTH)},
            "/openapi.json": {
                "get": _plain("openapi", "This description", "application/json", {"type": "object"})
            },
            "/": {"get": _plain("page", "The web page", "text/html", {"type": "string"})},
            "/web/{name}": {"get": _part()},
        },
        "components": {
            "schemas": {"Problem": _PROBLEM, "File": _FILE, "Outcome": _OUTCOME},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where the receiver was started with a token.",
                }
            },
        },
    }


# --- files ----------------------------------------------------------------------------------------


def _upload() -> Json:
    form = {
        "type": "object",
        "properties": {"file": {"type": "array", "minItems": 1, "items": _BINARY}},
        "required": ["file"],
    }
    return _operation(
        "upload",
        "Store files",
        "Each part may have a Content-Digest and an Idempotency-Key of its own. A problem that "
        "has `files` tells of each file whether it was stored.",
        [_IDEMPOTENCY_KEY],
        {"201": _json("Every file is stored", _STORED) | _LINKS},
        *_UPLOAD,
        body={"multipart/form-data": {"schema": form}},
    )


def _put() -> Json:
    return _operation(
        "put",
        "Store the body as a file of this name",
        "The name may hold slashes.",
        [_path("name", {"type": "string", "minLength": 1}), _IDEMPOTENCY_KEY, _CONTENT_DIGEST],
        {"201": _json("The file is stored", _STORED) | _LINKS},
        *_UPLOAD,
        NOT_FOUND,
        body={"application/octet-stream": {"schema": _BINARY}},
    )


def _list() -> Json:
    page = {
        "type": "object",
        "properties": {
            "files": {"type": "array", "items": {"$ref": "#/components/schemas/File"}},
            "next": {"type": ["string", "null"], "format": "uuid"},
        },
        "required": ["files", "next"],
    }
    limit = {"type": "integer", "minimum": 1, "maximum": 999_999_999, "default": 100}
    order = {"type": "string", "enum": ["oldest", "newest"], "default": "oldest"}
    return _operation(
        "list",
        "The stored files, a page at a time",
        "At most 1,000 a page. `q` is looked for in the names, in those of 25,000 files a request: "
        "a page may hold fewer files than asked for, or none, and yet have a `next`.",
        [
            _query("limit", limit),
            _query("after", {"type": "string", "format": "uuid"}),
            _query("q", {"type": "string"}),
            _query("order", order),
        ],
        {"200": _json("A page; `next` is the `after` of the following one", page)},
    )


def _download() -> Json:
    content = {"description": "The bytes", "content": {"*/*": {"schema": _BINARY}}}
    return _operation(
        "download",
        "The bytes of a file",
        "Always an attachment. Takes Range, If-Range, If-None-Match and If-Modified-Since.",
        [_FILE_ID],
        {
            "200": content,
            "206": content,
            "304": {"description": "The client has it already"},
            "412": _problem("It is not what If-Match or If-Unmodified-Since name"),
            "416": _problem("The range is beyond the file"),
        },
        NOT_FOUND,
    )


def _delete() -> Json:
    return _operation(
        "delete",
        "Delete a file",
        "",
        [_FILE_ID],
        {"204": {"description": "It is gone"}},
        NOT_FOUND,
        BUSY,
        DISK_FULL,
    )


def _of_file(operation_id: str, summary: str, media_type: str) -> Json:
    content = {"description": summary, "content": {media_type: {}}}
    return _operation(operation_id, summary, "", [_FILE_ID], {"200": content}, NOT_FOUND)


def _replay() -> Json:
    numbers = {"type": "array", "items": {"type": "integer"}}
    schema = {"type": "object", "properties": {"letters": numbers}}
    return _operation(
        "replay",
        "Let handlers try again",
        "Those of these numbers, or all.",
        [],
        {"202": {"description": "They are on their way"}},
        body={"application/json": {"schema": schema}},
        needs_body=False,
    )


# --- uploads in pieces ----------------------------------------------------------------------------


def _tus_offer(operation_id: str, *parameters: Json) -> Json:
    done = {"description": "What is offered", "headers": _headers("Tus-Version", "Tus-Extension")}
    return _operation(operation_id, "tus: what is offered", "", list(parameters), {"204": done})


def _tus_create() -> Json:
    return _operation(
        "tusCreate",
        "tus: a new upload",
        "With a body, its first bytes. See https://tus.io/protocols/resumable-upload.",
        [
            _RESUMABLE,
            _header("Upload-Length", _SIZE),
            _header("Upload-Defer-Length", {"type": "string", "enum": ["1"]}),
            _header("Upload-Metadata", {"type": "string"}),
            _header("Upload-Concat", {"type": "string"}),
            _header("Upload-Checksum", {"type": "string"}),
            _IDEMPOTENCY_KEY,
        ],
        {"201": {"description": "Its address", "headers": _headers("Location", "Upload-Offset")}},
        *_TUS,
        *_UPLOAD,
        MEDIA,
        CHECKSUM,
        FORBIDDEN,
        CONFLICT,
        body={_BYTES: {"schema": _BINARY}},
        needs_body=False,
    )


def _tus_tell() -> Json:
    told = {"description": "How much is there", "headers": _headers("Upload-Offset")}
    return _operation(
        "tusTell",
        "tus: how much is there",
        "",
        [_UPLOAD_ID, _RESUMABLE],
        {"200": told},
        *_TUS,
        *_UPLOAD,
    )


def _tus_go_on() -> Json:
    return _operation(
        "tusGoOn",
        "tus: more bytes",
        "",
        [
            _UPLOAD_ID,
            _RESUMABLE,
            _header("Upload-Offset", _SIZE, required=True),
            _header("Upload-Length", _SIZE),
            _header("Upload-Checksum", {"type": "string"}),
        ],
        {"204": {"description": "They are there", "headers": _headers("Upload-Offset")}},
        *_TUS,
        *_UPLOAD,
        MEDIA,
        CHECKSUM,
        CONFLICT,
        body={_BYTES: {"schema": _BINARY}},
    )


def _tus_forget() -> Json:
    return _operation(
        "tusForget",
        "tus: forget an upload",
        "",
        [_UPLOAD_ID, _RESUMABLE],
        {"204": {"description": "It is forgotten"}},
        *_TUS,
    )


# --- those that watch -----------------------------------------------------------------------------


def _events() -> Json:
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    return _operation(
        "events",
        "What is stored and deleted, as it happens",
        "Server-sent events, each a CloudEvent in JSON; never ends.",
        [
            _header("Last-Event-ID", {"type": "string", "format": "uuid"}),
            _query("figures", {"type": "string", "enum": ["1"]}),
        ],
        {"200": {"description": "The events", "content": stream}},
        BUSY,
    )


def _plain(operation_id: str, summary: str, media_type: str, schema: Json) -> Json:
    done = {"description": summary, "content": {media_type: {"schema": schema}}}
    return _operation(operation_id, summary, "", [], {"200": done})


def _part() -> Json:
    content = {"description": "Its bytes", "content": {"*/*": {"schema": _BINARY}}}
    unchanged = {"description": "The client has it already"}
    return _operation(
        "part",
        "What the web page loads",
        "",
        [_path("name", {"type": "string", "minLength": 1})],
        {"200": content, "304": unchanged, "412": _problem("It is not what If-Match names")},
        NOT_FOUND,
    )


# --- what they are made of ------------------------------------------------------------------------


def _operation(
    operation_id: str,
    summary: str,
    description: str,
    parameters: list[Json],
    answers: Json,
    *problems: Kind,
    body: Json | None = None,
    needs_body: bool = True,
) -> Json:
    titles: dict[int, list[str]] = {}
    for kind in dict.fromkeys((*_ANY, *problems)):
        titles.setdefault(kind.status, []).append(kind.title)
    refused = {str(status): _problem("; or: ".join(said)) for status, said in titles.items()}
    made: Json = {"operationId": operation_id, "summary": summary}
    made["responses"] = dict(sorted((answers | refused).items()))
    if description:
        made["description"] = description
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {"required": needs_body, "content": body}
    return made


def _problem(title: str) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {MEDIA_TYPE: {"schema": schema}}}


def _json(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def _header(name: str, schema: Json, *, required: bool = False) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _headers(*names: str) -> Json:
    return {name: {"required": True, "schema": {"type": "string"}} for name in names}


_BINARY: Json = {"type": "string", "format": "binary"}
_SIZE: Json = {"type": "integer", "minimum": 0}
_SHA256: Json = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_UUID: Json = {"type": "string", "format": "uuid"}
_FILE_ID = _path("file_id", _UUID)
_UPLOAD_ID = _path("upload_id", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
_RESUMABLE = _header("Tus-Resumable", {"type": "string", "enum": ["1.0.0"]}, required=True)
_IDEMPOTENCY_KEY = _header(
    "Idempotency-Key", {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"}
)
_CONTENT_DIGEST = _header(
    "Content-Digest", {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"}
)

_FILE: Json = {
    "type": "object",
    "properties": {
        "file_id": _UUID,
        "name": {"type": "string"},
        "size": _SIZE,
        "sha256": _SHA256,
        "type": {"type": "string"},
        "stored_at": {"type": "string", "format": "date-time"},
    },
    "required": ["file_id", "name", "size", "sha256", "type", "stored_at"],
}
_OUTCOME: Json = {
    "type": "object",
    "properties": {
        "file_id": _UUID,
        "name": {"type": "string"},
        "size": _SIZE,
        "sha256": _SHA256,
        "duplicate": {"type": "boolean"},
        "error": {"$ref": "#/components/schemas/Problem"},
    },
    "required": ["name"],
}
_OUTCOMES: Json = {"type": "array", "items": {"$ref": "#/components/schemas/Outcome"}}
_STORED: Json = {
    "type": "object",
    "properties": {"status": {"const": "success"}, "file_id": _UUID, "files": _OUTCOMES},
    "required": ["status", "file_id", "files"],
}
_LETTER: Json = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "handler": {"type": "string"},
        "file_id": _UUID,
        "name": {"type": "string"},
        "attempts": {"type": "integer"},
        "error": {"type": "string"},
        "failed_at": {"type": "string", "format": "date-time"},
    },
    "required": ["number", "handler", "file_id", "name", "attempts", "error", "failed_at"],
}
_LETTERS = (
    "application/json",
    {
        "type": "object",
        "properties": {"letters": {"type": "array", "items": _LETTER}},
        "required": ["letters"],
    },
)
_LINKS: Json = {
    "links": {
        name: {"operationId": name, "parameters": {"file_id": "$response.body#/file_id"}}
        for name in ("download", "delete")
    }
}
_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457; `detail` is a sentence to act on.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "files": _OUTCOMES,
    },
    "required": ["type", "title", "status", "detail"],
}
_HEALTH: Json = {
    "type": "object",
    "properties": {"status": {"const": "ok"}, "receiver": _UUID},
    "required": ["status", "receiver"],
}
