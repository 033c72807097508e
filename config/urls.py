"""The links that a brand's pages have, and how URLs are taken apart: for variables and for surveys.toml.

Every function takes the text and raises marshmallow's ValidationError, whose message never repeats the text.
"""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError

from config.hosts import is_host

MOST_LINK_BYTES: Final = 200
"""Of a link that stands on every page."""


def link(text: str) -> str | None:
    """Read a page that the survey page links to; query and fragment are fine here. An empty text is none."""
    if not text:
        return None
    parts = split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("is not a URL. Write it whole, with http:// or https://.")
    return _short(text)


def contact(text: str) -> str | None:
    """Read a page, or an e-mail address as `mailto:`. An empty text is none."""
    if text.isprintable() and re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", text):
        return _short(text)
    if text and not text.startswith(("http://", "https://")):
        raise ValidationError("is neither a URL (https://…) nor mailto:somebody@example.com.")
    return link(text)


def split_url(text: str) -> SplitResult:
    """Take a URL apart. `from None`, since the cause's text may hold a password."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValidationError("is not a URL: its host or port can't be read.") from None
    if not text.isprintable() or " " in text:
        raise ValidationError("has white space in it. Write it without.")
    if parts.hostname and not is_host(parts.hostname):
        raise ValidationError("has a host that no name can be: a part of it is empty, over 63 characters, or odd.")
    return parts


def _short(text: str) -> str:
    if (size := len(text.encode())) > MOST_LINK_BYTES:
        raise ValidationError(
            f"has {size:,} bytes, and at most {MOST_LINK_BYTES} are taken: it is part of every page. "
            f"Write a shorter address that leads there."
        )
    return text
