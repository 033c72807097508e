"""Why somebody couldn't be reached, in words for an operator: an error's kind, and what is behind it.

Never a library's own text: it may quote a server, an address or a password.
"""

import socket
import ssl
from collections.abc import Iterator

_EXPIRED, _OTHER_HOST = 10, (62, 64)
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH; most others: not trusted."""

_SYSTEM: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "no such host"),
    (ConnectionRefusedError, "nobody listens there"),
    (ConnectionResetError, "the connection was cut"),
    (BrokenPipeError, "the connection was cut"),
    (FileNotFoundError, "no such file"),
    (PermissionError, "the file can't be used by this user"),
    (TimeoutError, "no answer in time"),
)
_TOLD = {
    "The handshake operation timed out": "no TLS: nothing answers in it",
    "max number of clients reached": "all connections that Redis takes are taken",
    "DB index is out of range": "Redis has no database of that number",
    "invalid username-password pair": "Redis takes no such user and password",
    "must be called with the client already authenticated": "Redis wants a password",
    "Authentication required": "Redis wants a password",
}
"""What OpenSSL and Redis say where an error's kind doesn't tell."""


def describe_failure(error: BaseException) -> str:
    """Name an error, and the reason behind it where there is one that can be told."""
    reason = next(filter(None, map(_reason, _causes(error))), "")
    return f"{type(error).__name__} ({reason})" if reason else type(error).__name__


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return "its certificate has expired"
        is_other = error.verify_code in _OTHER_HOST
        return "its certificate is for another host" if is_other else "its certificate is not trusted"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS: {error.reason.lower().replace('_', ' ')}"
    told = next((words for theirs, words in _TOLD.items() if theirs in str(error)), "")
    return told or next((words for kind, words in _SYSTEM if isinstance(error, kind)), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error, and what it was raised for, however the libraries between have wrapped that."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]
