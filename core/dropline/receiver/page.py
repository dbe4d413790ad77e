"""The web page."""

from __future__ import annotations

import secrets
from importlib import resources

from flask import Blueprint, Response, render_template_string, request

from dropline.receiver.store import Store

#: Files that the page shows.
_SHOWN = 20


def page_routes(store: Store) -> Blueprint:
    """The route `/`."""
    routes = Blueprint("page", __name__)
    page = resources.files("dropline_resources").joinpath("web", "index.html").read_text("utf-8")

    @routes.get("/")
    def index() -> Response:
        nonce = secrets.token_urlsafe(16)
        response = Response(
            render_template_string(
                page,
                files=store.files.page(_SHOWN, newest_first=True),
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

    return routes
