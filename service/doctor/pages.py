"""Checks of PUBLIC_URL as a customer and Dixa see it: it can be reached, and leads to this installation."""

import secrets
from collections.abc import Callable, Iterator
from importlib.metadata import version
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.doctor.proof import is_proof
from service.sessions import new_session
from service.surveys.urls import LOOPBACK

PUBLIC_URL = "public_url"

_SECONDS = 10


class _Unreachable(Exception):
    """The page can't be fetched. The text says why."""


def _public_url(installation: Installation) -> Iterator[Finding]:
    settings, nonce = installation.settings, secrets.token_hex(16)
    remedy = "See DNS, the proxy and its certificate (docs/proxy.md), and that the web is running"
    try:
        response = _fetch(f"{settings.public_url}/healthz?nonce={nonce}")
    except _Unreachable as error:
        yield fail(f"{settings.public_url} can't be reached from here: {error}", remedy)
        return
    try:
        proof = str(response.json()["proof"])
    except (ValueError, KeyError, TypeError):
        proof = ""
    if not is_proof(settings.secret_keys, nonce, proof):
        yield fail(
            f"{settings.public_url} leads elsewhere: status {response.status_code}, without our proof",
            "Correct PUBLIC_URL or the proxy. All processes need the same SECRET_KEYS",
        )
    elif settings.public_url.startswith("https://"):
        yield ok(f"{settings.public_url} leads to us, with TLS")
    elif urlsplit(settings.public_url).hostname not in LOOPBACK:
        yield warn(f"{settings.public_url} leads to us, without TLS", "Write https://, with a proxy that has TLS")
    else:
        yield ok(f"{settings.public_url} leads to us, on this machine only")


def _page(path: str) -> Callable[[Installation], Iterator[Finding]]:
    """Return a check of one of our own pages."""

    def find(installation: Installation) -> Iterator[Finding]:
        own = installation.settings.privacy_url if path == "/privacy" else ""
        url = own or f"{installation.settings.public_url}{path}"
        remedy = "Correct PRIVACY_URL" if own else "Let the proxy pass this path to the web"
        try:
            status = _fetch(url).status_code
        except _Unreachable as error:
            yield warn(f"{url} can't be reached from here: {error}", remedy)
            return
        yield ok(url) if status == requests.codes.ok else warn(f"{url} returns {status}", remedy)

    return find


def _fetch(url: str) -> requests.Response:
    try:
        return new_session(f"afterword/{version('afterword')}").get(url, timeout=_SECONDS)
    except (requests.RequestException, HTTPError) as error:
        raise _Unreachable(describe_failure(error)) from error


CHECKS = (
    Check(PUBLIC_URL, _public_url),
    Check("privacy", _page("/privacy"), (PUBLIC_URL,)),
    Check("accessibility", _page("/accessibility"), (PUBLIC_URL,)),
)
