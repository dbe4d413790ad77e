"""How a problem becomes an answer."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from dropline.receiver.problems import MEDIA_TYPE, METHOD, NOT_FOUND, Kind, Problem


def problem_answer(problem: Problem, **members: Any) -> Response:
    """The answer of a problem, with members of its own; the request is noted to have failed."""
    g.problem = problem
    answer = jsonify(problem.to_dict() | members)
    answer.status_code = problem.status
    answer.mimetype = MEDIA_TYPE
    answer.headers.update(problem.headers)
    return answer


def from_http(error: HTTPException) -> Problem:
    """What the framework refuses, said as a problem."""
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
