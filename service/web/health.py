"""`/`, `/healthz` and `/readyz`: for visitors without a link, and for monitoring."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from service.doctor.proof import make_proof
from service.web.bearer_token import given_token, has_token
from service.web.readiness import Readiness
from service.web.services import services

bp = Blueprint("health", __name__)

_PROXY_HEADERS = {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"}
_PROXY_PREFIX = "x-forwarded-"


@bp.get("/")
def home() -> ResponseReturnValue:
    """Describe this host."""
    return Response("This host serves customer-satisfaction surveys.\n", content_type="text/plain; charset=utf-8")


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Respond while the process is alive. `afterword doctor` sends a nonce, and gets a proof that we are us."""
    proof = make_proof(services().settings.secret_keys, request.args.get("nonce", ""))
    return jsonify(status="ok", **({"proof": proof} if proof else {}))


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Respond whether webhooks and answers can be saved. Only operators get the degraded parts."""
    readiness: Readiness = current_app.extensions["afterword.readiness"]
    is_ready, degraded = readiness.look()
    details = {"degraded": degraded} if _is_operator(request) else {}
    return jsonify(status="ready" if is_ready else "unavailable", **details), 200 if is_ready else 503


def _is_operator(incoming: Request) -> bool:
    """Return whether the request has READYZ_TOKEN, or comes from this machine without a proxy."""
    token = services().settings.readyz_token
    if token and given_token(incoming) is not None:
        return has_token(incoming, token)
    if any(map(_is_from_proxy, incoming.headers.keys())):
        return False
    try:
        hostname = urlsplit(f"//{incoming.host}").hostname or ""
        return _is_loopback(incoming.remote_addr or "") and (hostname == "localhost" or _is_loopback(hostname))
    except ValueError:
        return False


def _is_from_proxy(header: str) -> bool:
    """Return whether a proxy adds this header."""
    return header.lower() in _PROXY_HEADERS or header.lower().startswith(_PROXY_PREFIX)


def _is_loopback(address: str) -> bool:
    found = ip_address(address)
    # An IPv6 socket that also accepts IPv4, such as [::] on Linux, reports IPv4 peers as ::ffff:127.0.0.1.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
