"""HTTP sessions for all outgoing calls, and one deadline for reading from sockets.

The `timeout` of a call covers the whole call: connect, send, and read up to the last byte of the response. `requests`
applies its timeout to each `recv` instead, so a server sending one byte a second would hold a thread for ever.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from service.surveys.ports import Deadline

_CONNECT_SECONDS = 3.0
_RESPONSE_SECONDS = 10.0
_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    # Otherwise the kernel sends a lost request again for minutes, even after its connection is closed, and a call that
    # counts as not made would be made once the network works again. Only Linux has this option.
    *(
        (socket.IPPROTO_TCP, option, round(1000 * _RESPONSE_SECONDS))
        for option in [getattr(socket, "TCP_USER_TIMEOUT", None)]
        if option
    ),
]
"""From the end of the request to the last byte of the response."""


def new_session(user_agent: str) -> requests.Session:
    """Open a session for all calls of a process. It neither retries nor keeps cookies."""
    session = _Session()
    session.headers["User-Agent"] = user_agent
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Without an `auth` of its own, `requests` would replace our Authorization header with a login from ~/.netrc.
    session.auth = _keep_headers
    adapter = _Adapter()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


@cache
def tls_context() -> ssl.SSLContext:
    """Return a TLS context with the authorities of the machine (or SSL_CERT_FILE) and the public ones.

    Made once a process: reading all authorities takes about 60 ms of CPU.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def has_never_connected(error: requests.RequestException | HTTPError) -> bool:
    """Return whether the request certainly did not reach the server."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


class _DeadlineReader(RawIOBase):
    """Reads a socket until a deadline, over any number of reads. Raises TimeoutError after it."""

    def __init__(self, raw: RawIOBase, connected: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limit_socket(self._socket, self._deadline)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def limit_socket(connected: socket.socket, deadline: Deadline) -> None:
    """Limit a socket's next operation to the time left. Raises TimeoutError if there is none."""
    left = deadline.remaining()
    # A timeout of zero would make the socket non-blocking instead of ending the wait.
    if not left:
        raise TimeoutError("no response in time")
    connected.settimeout(left)


def read_until(file: BufferedReader, connected: socket.socket, deadline: Deadline) -> BufferedReader:
    """Wrap the file of a socket, so that all reads end at the deadline."""
    return BufferedReader(_DeadlineReader(file.detach(), connected, deadline))


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self._environments: dict[tuple[object, ...], dict[str, Any]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Read proxies and certificates from the environment once for each host.

        `requests` itself goes through all variables for each call, a quarter of the call's CPU. None of our calls names
        its own proxies.
        """
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, stream, verify, cert)
        if key not in self._environments:
            self._environments[key] = {**super().merge_environment_settings(url, proxies, stream, verify, cert)}
        return dict(self._environments[key])

    def get_redirect_target(self, _response: requests.Response) -> None:
        """Return no target. Even with `allow_redirects=False`, `requests` reads the whole body if there is one."""


class _Response(HTTPResponse):
    """A response read by a deadline, status line and headers included.

    urllib3 sets the socket's timeout to the time left for the response right before it creates the response. Each read
    changes that timeout afterwards, so the deadline is computed once, here.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = read_until(self.fp, sock, Deadline(timedelta(seconds=sock.gettimeout() or 0.0)))


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Turn every failure before the request is sent into NewConnectionError: a proxy's CONNECT, TLS, a certificate.

    The same exceptions also occur after the request was sent, when it may have arrived. Only here is it certain that
    nothing was sent.
    """
    try:
        yield
    except (NewConnectionError, ConnectTimeoutError):
        raise
    except (OSError, HTTPException, HTTPError) as error:
        raise NewConnectionError(connection, type(error).__name__) from error


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _TlsConnection(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes pools of our connections, and splits a call's timeout into connect and read limits.

    urllib3 has no setting for the connection class, only for the pool class per scheme of a pool manager. Managers for
    proxies are separate and made on first use, so both get our pools.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=tls_context(), socket_options=_SOCKET_OPTIONS, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        kwargs |= {"ssl_context": tls_context(), "socket_options": _SOCKET_OPTIONS}
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, timeout: Any = None, **kwargs: Any) -> Any:
        limits = Timeout(total=timeout, connect=_CONNECT_SECONDS, read=_RESPONSE_SECONDS)
        return super().send(request, *args, timeout=limits, **kwargs)  # type: ignore[misc, arg-type]
