"""The receiver's HTTP interface, as a Flask application.

The routes stand in `files` (upload, list, download, delete), `tus` (uploads in pieces), `letters`
(what handlers did), `page` (the web page); here are those that watch:

    GET /events    server-sent events, see `feed`; `figures=1` adds the stations' every second
    GET /metrics   for Prometheus
    GET /healthz   200 while the receiver works, and its id: {"status", "receiver"}

    GET /openapi.json  the description of all of these, see `openapi`

and what all share: who may pass, how much at once, how a problem is answered. Every answer names
the receiver, by the id of its data folder, in `Dropline-Receiver`.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import ExitStack

from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from dropline.bus import EventBus
from dropline.receiver.answers import from_http, problem_answer
from dropline.receiver.feed import MAX_CLIENTS, Feed
from dropline.receiver.files import file_routes
from dropline.receiver.gate import Gate, Rate
from dropline.receiver.guard import Guard
from dropline.receiver.handling import Handling
from dropline.receiver.letters import handling_routes
from dropline.receiver.metrics import Metrics
from dropline.receiver.openapi import describe
from dropline.receiver.page import page_routes
from dropline.receiver.problems import BUSY, CUT_SHORT, INTERNAL, MALFORMED, TOO_SLOW, Problem
from dropline.receiver.store import Store
from dropline.receiver.tus import tus_routes

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("dropline.receiver.access")

_UPLOADS = ("POST", "PUT", "PATCH")


class _NameConverter(PathConverter):
    """The rest of a path, whatever it holds."""

    part_isolating = False
    regex = "(?s:.+)"


def create_app(
    store: Store,
    bus: EventBus,
    guard: Guard,
    max_size: int | None,
    *,
    gate: Gate,
    rate: Rate | None,
    feed: Feed,
    metrics: Metrics,
    handling: Handling | None = None,
) -> Flask:
    """The application over a store; uploads go to it as events on `bus`."""
    app = Flask(__name__, static_folder=None)
    app.json = _Json(app)
    app.url_map.merge_slashes = False  # a name may hold several in a row
    app.url_map.converters["name"] = _NameConverter
    app.register_blueprint(file_routes(store, bus, max_size))
    app.register_blueprint(tus_routes(store, bus, max_size))
    app.register_blueprint(handling_routes(store, handling))
    app.register_blueprint(page_routes(guard))

    @app.before_request
    def check() -> None:
        g.began = time.monotonic()
        g.held = ExitStack()
        if rate is not None:
            rate.check(request.remote_addr or "")
        guard.check(request)
        if request.method in _UPLOADS:
            g.held.enter_context(gate.upload())

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        g.held.close()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers["Dropline-Receiver"] = store.identity
        route = request.url_rule.rule if request.url_rule else "none"
        seconds = time.monotonic() - g.began
        metrics.served(request.method, route, response.status_code, seconds)
        if "problem" in g:
            metrics.refused(g.problem)
        # the path alone: a query may hold the token
        _access_log.info(
            "%s %s %r %d", request.remote_addr, request.method, request.path, response.status_code
        )
        return response

    @app.get("/events")
    def events() -> Response:
        after = _file_id("Last-Event-ID", request.headers.get("Last-Event-ID"))
        figures = request.args.get("figures") == "1"
        if feed.clients >= MAX_CLIENTS:
            raise Problem(
                BUSY, "Too many listen already. Come back in a minute.", {"Retry-After": "60"}
            )
        # an iterator's length is not known: with Content-Length: 0 nobody would read on
        response = Response(iter(()), mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would keep the events back
        if request.method == "GET":
            request.environ["dropline.hand_over"](
                lambda sock, close: feed.add(sock, close, after, figures)
            )
        return response

    @app.get("/metrics")
    def tell_metrics() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/healthz")
    def healthz() -> Response:
        store.files.last_id()
        return jsonify(status="ok", receiver=store.identity)

    @app.get("/openapi.json")
    def tell_interface() -> Response:
        return jsonify(describe())

    @app.errorhandler(Problem)
    def problem(error: Problem) -> Response:
        return problem_answer(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        return problem_answer(from_http(error))

    @app.errorhandler(OperationalError)
    def no_database(error: OperationalError) -> Response:
        _log.error("%s %r failed: %s", request.method, request.path, error)
        again = {"Retry-After": "5"}
        return problem_answer(
            Problem(BUSY, "The receiver's database does not answer. Try again shortly.", again)
        )

    @app.errorhandler(TimeoutError)
    def too_slow(_error: TimeoutError) -> Response:
        return problem_answer(
            Problem(TOO_SLOW, "The request came too slowly and was given up. Send it again.")
        )

    @app.errorhandler(ConnectionError)
    def cut_short(_error: ConnectionError) -> Response:
        return problem_answer(Problem(CUT_SHORT, "The connection broke. Send the request again."))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        _log.error("%s %r failed", request.method, request.path, exc_info=error)
        return problem_answer(
            Problem(INTERNAL, "The receiver failed; its log says why. Try again.")
        )

    return app


class _Json(DefaultJSONProvider):
    """JSON with the members in the order in which they are documented."""

    sort_keys = False
    compact = True


def _file_id(name: str, value: str | None) -> str | None:
    if not value:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise Problem(
            MALFORMED, f"{name} must be the id of the last event; it was {value!r}."
        ) from error
