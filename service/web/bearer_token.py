"""Checks bearer tokens of monitoring and of programs, in constant time."""

import hmac

from flask import Request


def given_token(incoming: Request) -> str | None:
    """Return the bearer token of a request, or None without one."""
    # Not Werkzeug's `authorization`: it raises an error for a Basic header that isn't ASCII.
    kind, _, given = incoming.headers.get("Authorization", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else None


def has_token(incoming: Request, token: str) -> bool:
    """Return whether a request has this bearer token."""
    given = given_token(incoming)
    return given is not None and hmac.compare_digest(given.encode(), token.encode())
