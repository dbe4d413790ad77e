"""Who may talk to the receiver.

On loopback every program of the machine may, but no foreign web page: the Host must be a loopback
name with our port (or a page could reach us by re-binding its own name), and an Origin must be
ours. Elsewhere a token is needed as well, in a header; who opens the page gives it in the address,
once, and gets a cookie that no other site can use.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from dropline.receiver.problems import FORBIDDEN, UNAUTHORISED, Problem


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, out of reach for others."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


#: Of the page; its value is a `Guard.ticket`.
COOKIE = "dropline"


class Guard:
    """The checks for a receiver bound to `host` and `port`."""

    def __init__(self, host: str, port: int, token: str | None) -> None:
        self._loopback = is_loopback(host)
        self._port = port
        self._token = token
        #: What the page's cookie holds: made of the token, which it tells nobody; "" without one.
        self.ticket = "" if token is None else _ticket(token)

    def check(self, request: Request) -> None:
        """Raise Problem unless the request may pass."""
        host = request.headers.get("Host", "")
        if self._loopback and not self._is_ours(host):
            raise Problem(
                FORBIDDEN,
                f"The Host {host!r} is not this receiver's: use http://127.0.0.1:{self._port}.",
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise Problem(
                FORBIDDEN,
                f"The web page at {origin!r} may not use this receiver; open the receiver's own "
                "page instead.",
            )
        if self._token is not None and not _is_open(request.path):
            self._check_token(request, self._token)

    def _is_ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            return is_loopback(parts.hostname or "") and (parts.port or 80) == self._port
        except ValueError:
            return False

    def _check_token(self, request: Request, token: str) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            if hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self.ticket.encode()):
                return
            # a browser that opens the page can only put it into the address
            given = request.args.get("token", "") if _opens_page(request) else ""
        if not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise Problem(
                UNAUTHORISED,
                "This receiver needs its token: send the header `Authorization: Bearer TOKEN`.",
                {"WWW-Authenticate": "Bearer"},
            )


def _ticket(token: str) -> str:
    return hmac.digest(token.encode(), b"Dropline page", "sha256").hex()


def _is_open(path: str) -> bool:
    """Whether there is nothing to hide: the parts of the page are the same everywhere."""
    return path == "/healthz" or path.startswith("/web/")


def _opens_page(request: Request) -> bool:
    return request.path == "/" and request.method in ("GET", "HEAD")
