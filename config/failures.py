"""Describes errors to operators: the error's type, and its reason where a safe one is known.

The library's own text is never used. It may quote a server, an address or a password.
"""

import socket
import ssl
from collections.abc import Iterator

_X509_EXPIRED, _X509_OTHER_HOST = 10, (62, 64)
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""

_BY_TYPE: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "no such host"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "the connection was cut"),
    (BrokenPipeError, "the connection was cut"),
    (FileNotFoundError, "no such file"),
    (PermissionError, "the file can't be used by this user"),
    (TimeoutError, "no response in time"),
)
_BY_TEXT = {
    "The handshake operation timed out": "no response to the TLS handshake",
    "max number of clients reached": "all connections that Redis takes are taken",
    "DB index is out of range": "Redis has no database of that number",
    "invalid username-password pair": "Redis takes no such user and password",
    "must be called with the client already authenticated": "Redis wants a password",
    "Authentication required": "Redis wants a password",
    "No master found for": "no sentinel knows a working primary of that name",
}
"""Texts of OpenSSL and Redis, for errors whose type is too general."""


def describe_failure(error: BaseException) -> str:
    """Return the type of an error, with the reason in brackets if one is known."""
    reason = next(filter(None, map(_reason, causes_of(error))), "")
    return f"{type(error).__name__} ({reason})" if reason else type(error).__name__


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors behind it, nearest first.

    Python chains errors as cause and context. urllib3 and requests also keep them in `args` and `reason`.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        grouped = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        wrapped = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__, *grouped)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _X509_EXPIRED:
            return "its certificate has expired"
        is_other = error.verify_code in _X509_OTHER_HOST
        return "its certificate is for another host" if is_other else "its certificate is not trusted"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS: {error.reason.lower().replace('_', ' ')}"
    told = next((words for text, words in _BY_TEXT.items() if text in str(error)), "")
    return told or next((words for kind, words in _BY_TYPE if isinstance(error, kind)), "")
