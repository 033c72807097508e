"""`/`, `/healthz` and `/readyz`: for people who lost their way, and for whatever watches the process."""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from service.web.readiness import Readiness, is_ready
from service.web.services import services

bp = Blueprint("health", __name__)

_PASSED_ON = {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"}
_PASSED_ON_BEGINS = "x-forwarded-"


@bp.get("/")
def home() -> ResponseReturnValue:
    """Say what this is, nothing more."""
    return Response("This host serves customer-satisfaction surveys.\n", content_type="text/plain; charset=utf-8")


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Ready is able to accept. The degraded parts are for the operator alone."""
    readiness: Readiness = current_app.extensions["afterword.readiness"]
    degraded = readiness.degraded()
    ready = is_ready(degraded)
    told = {"degraded": degraded} if _is_operator(request) else {}
    return jsonify(status="ready" if ready else "unavailable", **told), 200 if ready else 503


def _is_operator(incoming: Request) -> bool:
    """Say whether this is somebody with READYZ_TOKEN, or on this machine without a proxy between."""
    token = services().settings.readyz_token
    # Not Werkzeug's `authorization`, which fails on some headers, such as a Basic of other than ASCII.
    kind, _, given = incoming.headers.get("Authorization", "").partition(" ")
    if token and kind.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), token.encode())
    if any(map(_is_passed_on, incoming.headers.keys())):
        return False
    try:
        asked = urlsplit(f"//{incoming.host}").hostname or ""
        return _is_here(incoming.remote_addr or "") and (asked == "localhost" or _is_here(asked))
    except ValueError:
        return False


def _is_passed_on(header: str) -> bool:
    """Say whether this is a header that a proxy adds."""
    return header.lower() in _PASSED_ON or header.lower().startswith(_PASSED_ON_BEGINS)


def _is_here(address: str) -> bool:
    found = ip_address(address)
    # A socket of IPv6 that takes IPv4 too, as [::] does on Linux, shows those so.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
