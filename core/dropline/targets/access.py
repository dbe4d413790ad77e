"""How to get in at a target: who we are, whom we trust, and which way to go.

What is secret here goes into headers and nowhere else: not into a URL, a log, an event or the
text of an error.
"""

from __future__ import annotations

import base64
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from dropline.targets.failures import is_address

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
#: Headers that the request itself needs to be right.
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "authorization"})


@dataclass(frozen=True, slots=True)
class Access:
    """The options that all targets share.

    `token` is sent as a bearer token; `user` and `password` by basic authentication (to S3 they are
    the id of the access key and its secret). `headers` are sent with every request. `client_cert`
    and `client_key` are PEM files by which we show who we are, `ca_file` one of the authorities to
    trust in place of the usual ones: there is no way to trust just anybody. `proxy` is an http
    address; without one the environment decides.
    """

    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    client_cert: str | None = None
    client_key: str | None = None
    ca_file: str | None = None
    proxy: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence when something does not fit or cannot be used."""
        if self.token is not None and self.user is not None:
            raise ValueError("a token and a user: choose one way to get in")
        if self.token is not None and not re.fullmatch(r"[!-~]+", self.token):
            raise ValueError("the token is empty or holds characters that none can hold: check it")
        if self.user is not None and ":" in self.user:
            raise ValueError(f"“{self.user}” is no user name: a colon cannot be in one")
        for name, value in self.headers:
            if not _HEADER_NAME.fullmatch(name) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise ValueError(f"“{name}” is no header: use 'Name: value'")
            if name.lower() in _OURS:
                raise ValueError(f"the header “{name}” is set by Dropline: leave it out")
        if self.client_key and not self.client_cert:
            raise ValueError(f"{self.client_key} is a key without its certificate: give both")
        if self.proxy and not is_address(self.proxy):
            raise ValueError(
                "the proxy is no address like http://host:port: a user and a password of it "
                "belong into the environment variable HTTPS_PROXY"
            )
        self._check_files()

    def sent_headers(self) -> dict[str, bytes]:
        """The headers of every request, `Authorization` included."""
        headers = {name: value.encode() for name, value in self.headers}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}".encode()
        elif self.user is not None:
            pair = f"{self.user}:{self.password or ''}".encode()  # UTF-8: RFC 7617 §2.1
            headers["Authorization"] = b"Basic " + base64.b64encode(pair)
        return headers

    def _check_files(self) -> None:
        for path in (self.ca_file, self.client_cert, self.client_key):
            if path and not Path(path).is_file():
                raise ValueError(f"{path} is no file: name one in PEM format")
        if not (self.ca_file or self.client_cert):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:
                raise ValueError(f"{self.ca_file} holds no certificates in PEM format") from error
        if self.client_cert:
            try:
                # Without a password given here OpenSSL would ask for one on the terminal.
                context.load_cert_chain(self.client_cert, self.client_key, password="")
            except OSError as error:
                raise ValueError(
                    f"{self.client_cert} and its key cannot be used: give a certificate and its "
                    "key in PEM format, the key without a passphrase"
                ) from error
