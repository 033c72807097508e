"""Checks the `Authorization` header of webhooks, which a subscription in Dixa can have beside its signature."""

import hmac
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from service.dixa.signature import SignatureError


def check_authorization(header: str | None, allowed: Sequence[str]) -> None:
    """Raise SignatureError unless a header is one of those allowed. Without any, every header is.

    `allowed` has the headers with a scheme in lower case. A scheme is case-insensitive (RFC 9110).
    """
    if allowed and not is_allowed(header or "", allowed):
        raise SignatureError(
            "The Authorization header is missing or wrong.",
            "without an Authorization of DIXA_WEBHOOK_AUTHORIZATION. Enter one in the subscription in Dixa",
        )


def is_allowed(header: str, allowed: Sequence[str]) -> bool:
    """Return whether a header is one of those allowed."""
    scheme, _, credentials = header.partition(" ")
    given = f"{scheme.lower()} {credentials.strip()}".encode()
    return any(hmac.compare_digest(given, each.encode()) for each in allowed)


def dump_authorization(header: str) -> dict[str, Any]:
    """Build the part `authorization` of a subscription, which makes Dixa send this header, or none."""
    scheme, _, credentials = header.partition(" ")
    if scheme == "basic":
        user, _, password = b64decode(credentials).decode().partition(":")
        return {"_type": "BasicAuth", "username": user, "password": password}
    return {"_type": "TokenAuth", "value": credentials} if scheme else {"_type": "NoAuth"}
