"""Limits the failed requests of an address: `service.records.failure_guard`. It responds to the others with 429."""

from flask import Response, request

from service.records.failure_guard import MAX_FAILURES, PERIOD_SECONDS
from service.web.services import services

PROBLEM = f"Over {MAX_FAILURES} requests a minute from your address have failed."


def is_over_limit() -> bool:
    """Count the current request, which has failed. Return whether its address has failed too often."""
    # A Unix socket has no address.
    return bool(request.remote_addr) and services().failure_guard.count_failure(request.remote_addr or "")


def refuse(response: Response) -> Response:
    """Make a response a 429."""
    response.status_code = 429
    response.headers["Retry-After"] = str(PERIOD_SECONDS)
    return response
