"""The headers that keep a customer's page to itself, and the style sheets that they vouch for."""

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import ascii_lowercase

from flask import Response

from config.brand import DEFAULT_LOOK, Look
from service.surveys.languages import DEFAULT

_YEAR_IN_SECONDS = 31_536_000
_MEDIA = re.compile(r"^@media (.*?) \{\n(.*?)^\}\n", re.MULTILINE | re.DOTALL)


def add_security_headers(response: Response, *, public_url: str) -> Response:
    """Let the page load nothing, be framed by nobody and be kept nowhere; meant for `after_request`.

    HSTS is for this host only and goes out only over https: a self-hosted survey can't speak for its sister hosts.
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
    """Give the Content-Security-Policy of a page with this style sheet."""
    digest = b64encode(sha256(style_sheet.encode()).digest()).decode()
    return policy(f"'sha256-{digest}'")


def policy(style_source: str) -> str:
    """Give the Content-Security-Policy that allows this style sheet, and our own forms, and nothing else.

    Browsers hold each hop of a form's answer against `form-action`, so no form may be answered by a foreign host.
    """
    return (
        f"default-src 'none'; style-src {style_source}; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def style(parts: tuple[str, ...], look: Look = DEFAULT_LOOK) -> str:
    """Make the style sheet of a page that has these parts. It travels inside the page, so it is made small."""
    text = _merge_media("".join(_parts()[part] for part in ("page", *parts)))
    for designed, ours in ((DEFAULT_LOOK.light, look.light), (DEFAULT_LOOK.dark, look.dark)):
        text = text.replace(designed.css, ours.css)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,>~]) ?", r"\1", text).replace(": ", ":").replace(";}", "}").strip()
    text = text.replace("@media (", "@media(")
    text = re.sub(r"(?<=[a-z]) \+ (?=[a-z])", "+", text)
    for letter, name in zip(ascii_lowercase, sorted(set(re.findall(r"--[a-z-]+", text))), strict=False):
        text = re.sub(rf"{name}(?![a-z-])", f"--{letter}", text)
    return text


@cache
def _parts() -> Mapping[str, str]:
    text = files("service.web").joinpath("templates/style.css").read_text(encoding="utf-8")
    _, *found = re.split(r"/\* part: ([a-z]+) \*/", text)
    rules = (re.sub(r"/\*.*?\*/", "", each, flags=re.DOTALL) for each in found[1::2])
    return dict(zip(found[::2], rules, strict=True))


def _merge_media(text: str) -> str:
    """Put what the parts say of the same screens together, behind everything that holds for all."""
    merged: dict[str, str] = {}
    for screens, rules in _MEDIA.findall(text):
        merged[screens] = merged.get(screens, "") + rules
    return _MEDIA.sub("", text) + "".join(f"@media {screens}{{{rules}}}" for screens, rules in merged.items())
