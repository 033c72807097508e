"""Security headers of every response."""

from base64 import b64encode
from hashlib import sha256

from flask import Response

from service.texts.catalog import DEFAULT

_YEAR_IN_SECONDS = 31_536_000


def add_security_headers(response: Response, *, public_url: str) -> Response:
    """Add headers against loading resources, framing and caching. Meant for `after_request`.

    HSTS is sent over https only, and without `includeSubDomains`: the operator's other hosts may not have TLS.
    """
    response.headers.update(
        {
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
    )
    response.headers.setdefault("Content-Security-Policy", policy("'none'"))
    response.headers.setdefault("Content-Language", DEFAULT)
    if public_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR_IN_SECONDS}"
    return response


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
