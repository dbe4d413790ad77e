"""The routes of what handlers found out, and of what they could not do.

GET  /files/<file_id>/facts       what handlers noted of a file
GET  /files/<file_id>/thumbnail   a small picture of it
GET  /dead-letters                what was given up: {"letters": [...]}
POST /dead-letters/replay         {"letters": [number, …]}, or nothing for all: done again
"""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, jsonify, request

from dropline.receiver.handling import Handling
from dropline.receiver.problems import MALFORMED, NOT_FOUND, Problem
from dropline.receiver.store import Store


def handling_routes(store: Store, handling: Handling | None) -> Blueprint:
    """The routes; without handlers there are no letters."""
    routes = Blueprint("handling", __name__)

    def noted(file_id: uuid.UUID) -> tuple[str, bytes | None]:
        found = store.files.facts(str(file_id))
        if found is None:
            raise Problem(NOT_FOUND, f"Nothing is known of a file with the id {file_id} (yet).")
        return found

    @routes.get("/files/<uuid:file_id>/facts")
    def facts(file_id: uuid.UUID) -> Response:
        return Response(noted(file_id)[0], mimetype="application/json")

    @routes.get("/files/<uuid:file_id>/thumbnail")
    def thumbnail(file_id: uuid.UUID) -> Response:
        picture = noted(file_id)[1]
        if picture is None:
            raise Problem(NOT_FOUND, f"There is no picture of the file {file_id}.")
        answer = Response(picture, mimetype="image/png")
        answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return answer

    @routes.get("/dead-letters")
    def letters() -> Response:
        return jsonify(
            letters=[
                {
                    "number": letter.number,
                    "handler": letter.handler,
                    "file_id": letter.file.file_id,
                    "name": letter.file.name,
                    "attempts": letter.attempts,
                    "error": letter.error,
                    "failed_at": letter.failed_at,
                }
                for letter in (handling.letters() if handling else [])
            ]
        )

    @routes.post("/dead-letters/replay")
    def replay() -> Response:
        asked = request.get_json(silent=True) if request.content_length else {}
        numbers = asked.get("letters") if isinstance(asked, dict) else asked
        if asked is None or not (
            numbers is None
            or (isinstance(numbers, list) and all(type(number) is int for number in numbers))
        ):
            raise Problem(MALFORMED, 'Send {"letters": [NUMBER, …]} as JSON, or nothing for all.')
        if handling is not None:
            handling.replay(numbers)
        return Response(status=202)

    return routes
