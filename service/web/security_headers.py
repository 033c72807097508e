"""Security headers of every response."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from flask import Response

from service.texts.catalog import DEFAULT

_YEAR_IN_SECONDS = 31_536_000
_OF_PAGES = {"Content-Security-Policy", "Content-Language", "Referrer-Policy"}


def add_security_headers(response: Response, *, public_url: str) -> Response:
    """Add the headers to a response. Meant for `after_request`. A page keeps its own policies and language."""
    own = _OF_PAGES.intersection(name for name, _ in response.headers)
    response.headers.extend([each for each in security_headers(public_url) if each[0] not in own])
    return response


@cache
def security_headers(public_url: str) -> Sequence[tuple[str, str]]:
    """Return the headers against loading resources, framing and caching.

    HSTS is sent over https only, and without `includeSubDomains`: the operator's other hosts may not have TLS.
    """
    headers = {
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Content-Security-Policy": policy("'none'"),
        "Content-Language": DEFAULT,
    }
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = f"max-age={_YEAR_IN_SECONDS}"
    return tuple(headers.items())


def page_policy(style_sheet: str) -> str:
    """Return the Content-Security-Policy of a page with this style sheet."""
    digest = b64encode(sha256(style_sheet.encode()).digest()).decode()
    return policy(f"'sha256-{digest}'")


def policy(style_source: str) -> str:
    """Return a Content-Security-Policy for this style source, our own forms, and pictures of this host.

    Browsers apply `form-action` to each redirect after a form, too. So a form can't redirect to another host.
    """
    return (
        f"default-src 'none'; style-src {style_source}; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
