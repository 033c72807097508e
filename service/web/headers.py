"""The headers that keep a customer's page to itself, and the style sheet that they vouch for."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from flask import Response

from service.web.wording import LANGUAGE

_YEAR_IN_SECONDS = 31_536_000


def add_security_headers(response: Response, *, public_url: str) -> Response:
    """Let the page load nothing, be framed by nobody and be kept nowhere; meant for `after_request`.

    HSTS is for this host only and goes out only over https: a self-hosted survey can't speak for its sister hosts.
    """
    response.headers.update(
        {
            "Content-Security-Policy": _policy(),
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Content-Language": LANGUAGE,
        }
    )
    if public_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR_IN_SECONDS}"
    return response


@cache
def style() -> str:
    """Read the page's style sheet, without its comments and spaces: it travels inside every page."""
    text = files("service.web").joinpath("templates/style.css").read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,>~]) ?", r"\1", text).replace(": ", ":")
    return text.replace(";}", "}").strip()


@cache
def _policy() -> str:
    digest = b64encode(sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
