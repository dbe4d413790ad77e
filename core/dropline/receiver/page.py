"""The web page, which speaks to the receiver as any other client does, and what it is made of."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from dropline.receiver.guard import COOKIE, Guard

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page_routes(guard: Guard) -> Blueprint:
    """The route `/`, and below `/web/` what the page loads."""
    routes = Blueprint("page", __name__)
    root = resources.files("dropline_resources")
    files = dict(_below(root / "web")) | {"dropline.svg": root / "icons" / "dropline.svg"}

    @routes.get("/")
    def index() -> Response:
        answer = _sent("index.html", files["index.html"])
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        if guard.ticket:  # downloads and /events cannot send headers
            answer.set_cookie(COOKIE, guard.ticket, httponly=True, samesite="Strict")
        return answer

    @routes.get("/web/<path:name>")
    def part(name: str) -> Response:
        if name not in files:
            raise NotFound
        return _sent(name, files[name])

    return routes


def _sent(name: str, file: Traversable) -> Response:
    answer = Response(file.read_bytes(), mimetype=mimetypes.guess_type(name)[0])
    answer.add_etag()
    answer.cache_control.no_cache = True  # ask each time whether it changed
    answer.make_conditional(request)
    return answer


def _below(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Every file under a folder, with its path in there."""
    for each in folder.iterdir():
        if each.is_dir():
            yield from _below(each, f"{prefix}{each.name}/")
        else:
            yield f"{prefix}{each.name}", each
