"""Checks the `Authorization` header of webhooks, which a subscription in Dixa can have beside its signature."""

import hmac
from collections.abc import Sequence

from service.dixa.signature import SignatureError


def check_authorization(header: str | None, allowed: Sequence[str]) -> None:
    """Raise SignatureError unless a header is one of those allowed. Without any, every header is.

    `allowed` has the headers with a scheme in lower case. A scheme is case-insensitive (RFC 9110).
    """
    if not allowed:
        return
    scheme, _, credentials = (header or "").partition(" ")
    given = f"{scheme.lower()} {credentials.strip()}".encode()
    if not any(hmac.compare_digest(given, each.encode()) for each in allowed):
        raise SignatureError(
            "The Authorization header is missing or wrong.",
            "without an Authorization of DIXA_WEBHOOK_AUTHORIZATION. Enter one in the subscription in Dixa",
        )
