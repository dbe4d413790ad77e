"""HTTP by `requests`, made so that another thread can end a request within a second.

`requests` offers no way to stop a request that hangs in connecting, sending or receiving. Shutting
down its socket does it at once, so a session made here knows the socket that it is using.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from dropline.targets.access import Access

#: Bytes that one `send` hands to the socket.
BLOCK = 256 * 1024
#: Seconds for connecting, and for each send and each wait for an answer.
Timeouts = tuple[float, float]
TIMEOUTS: Timeouts = (10.0, 60.0)


class StoppableSession(requests.Session):
    """A session for one thread at a time, whose running request any thread can `stop`."""

    def __init__(self, url: str, access: Access) -> None:
        """`url`: where the session will go; proxies are looked up for it once, not per request."""
        super().__init__()
        self.proxies.update(
            {"all": access.proxy}
            if access.proxy
            else requests.utils.get_environ_proxies(url, no_proxy=None)
        )
        self.trust_env = False
        self.headers.update(access.sent_headers())
        self.verify = access.ca_file or True
        if access.client_cert:
            key = access.client_key
            self.cert = (access.client_cert, key) if key else access.client_cert
        self._wire = _Wire()
        adapter = _Adapter(self._wire)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def close(self) -> None:
        """Close the connection, too, which `requests` leaves to the garbage collector."""
        super().close()
        self._wire.close()

    def stop(self) -> None:
        """End the request that is running, if one is, and refuse more until `ready`."""
        self._wire.stop()

    def ready(self) -> None:
        """Take requests again."""
        self._wire.stopped = False


class _Wire:
    """The connection that a session is using."""

    def __init__(self) -> None:
        self.stopped = False
        self._connection: HTTPConnection | None = None

    def stop(self) -> None:
        self.stopped = True
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # closed in the meantime
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def open(self, connection: HTTPConnection) -> socket.socket:
        """Connect, raising what urllib3 expects of it: other errors it takes for later ones."""
        self._connection = connection
        try:
            return self._connect(connection)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except OSError as error:
            raise NewConnectionError(connection, str(error)) from error

    def _connect(self, connection: HTTPConnection) -> socket.socket:
        """`socket.create_connection`, but the socket can be stopped while it connects."""
        error = OSError(f"{connection.host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            connection._dns_host, connection.port, type=socket.SOCK_STREAM
        ):
            connection.sock = sock = socket.socket(family, kind, protocol)
            try:
                for option in connection.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(connection.timeout)
                if self.stopped:
                    raise ConnectionAbortedError("stopped")
                sock.connect(address)
            except OSError as problem:
                connection.sock = None
                sock.close()
                error = problem
            else:
                return sock
        raise error


class _Adapter(HTTPAdapter):
    """Makes connections by the wire, which send in larger blocks than 16 KiB."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=BLOCK, **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, blocksize=BLOCK, **kwargs)
        self._watch(manager)
        return manager

    def _watch(self, manager: urllib3.PoolManager) -> None:
        wire = self._wire

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return wire.open(self)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return wire.open(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
