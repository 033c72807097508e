"""How we call out over HTTP, whomever: a session whose calls end in time, and what a failure says of who was reached.

A call's `timeout` is that of the whole: connecting, sending, and the answer to its last byte. To `requests` it would be
that of every single `recv`: whoever drips an answer, its status line and headers too, would keep a thread for good.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from socket import socket
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 10.0
"""How long an answer may take, from the request to its last byte."""


def new_session(user_agent: str) -> requests.Session:
    """Open the session that a process uses for all its calls: no retries of its own, no cookies."""
    session = _Session()
    session.headers["User-Agent"] = user_agent
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # What comes from the environment (~/.netrc above all) must neither replace a token nor be sent along.
    session.auth = _keep_headers
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def new_context() -> ssl.SSLContext:
    """Make what TLS needs: trusted are those whom this machine or SSL_CERT_FILE trusts, and the public authorities."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def has_never_connected(error: requests.RequestException | HTTPError) -> bool:
    """Say whether a request certainly reached nobody."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    def get_redirect_target(self, _answer: requests.Response) -> None:
        """Look for none: of an answer that has one `requests` reads all there is, though nobody wants to follow it."""


class _Reader(RawIOBase):
    """Reads a socket until what is its timeout now is over, however often it has to ask for more."""

    def __init__(self, raw: RawIOBase, connected: socket) -> None:
        self._raw = raw
        self._socket = connected
        self._ends_at = monotonic() + (connected.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer that is over in time, from the first byte of its status line on.

    urllib3 sets the socket's timeout to what may be left for the answer right before it makes one.
    """

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Reader(self.fp.detach(), sock))


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Let whatever fails on the way to a connection be the failure of one: a proxy's CONNECT, TLS, a certificate.

    A request is sent when all that is done. The same errors come later too, when it may have arrived.
    """
    try:
        yield
    except (NewConnectionError, ConnectTimeoutError):
        raise
    except (OSError, HTTPException, HTTPError) as error:
        raise NewConnectionError(connection, type(error).__name__) from error


class _Connection(HTTPConnection):
    response_class = _Answer

    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _TlsConnection(HTTPSConnection):
    response_class = _Answer

    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes of a call's one timeout the limits of its parts."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=new_context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, ssl_context=new_context(), **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, timeout: Any = None, **kwargs: Any) -> Any:
        limits = Timeout(total=timeout, connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)
        return super().send(request, *args, timeout=limits, **kwargs)  # type: ignore[misc, arg-type]
