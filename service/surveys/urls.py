"""Parsers of URLs, for variables and for surveys.toml.

Each raises ValueError. Its message never repeats the text: it may contain a password or a token.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from service.surveys.hosts import is_host

HTTP: Final = frozenset({"http", "https"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_LINK_BYTES: Final = 200
"""Such a link is part of every page."""


def parse_url(
    text: str,
    schemes: Collection[str],
    problem: str = "is not a URL. Write it whole, with http:// or https://.",
    *,
    is_ascii: bool = False,
    needs_host: bool = True,
) -> SplitResult:
    """Split a URL of one of these schemes. `problem` is the message for other texts."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # Raises ValueError, too.
    except ValueError:
        # `from None`, since the cause's text may hold the password.
        raise ValueError("is not a URL: its host or port can't be read.") from None
    if is_ascii and not text.isascii():
        raise ValueError("has other than plain ASCII characters in it. Write those as %XX.")
    if not text.isprintable() or " " in text:
        raise ValueError("has white space in it. Write it without.")
    if parts.scheme not in schemes or (needs_host and not parts.hostname):
        raise ValueError(problem)
    if parts.hostname and not is_host(parts.hostname):
        raise ValueError(
            "has no valid host: a part of it is empty, over 63 characters, or has other characters than a host name."
        )
    return parts


def link(text: str) -> str:
    """Parse a link of the survey page. Query and fragment are allowed."""
    parse_url(text, HTTP)
    return _short(text)


def contact(text: str) -> str:
    """Parse a page, or an e-mail address as `mailto:`."""
    if text.isprintable() and re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", text):
        return _short(text)
    if not text.startswith(("http://", "https://")):
        raise ValueError("is neither a URL (https://…) nor mailto:somebody@example.com.")
    return link(text)


def _short(text: str) -> str:
    if (size := len(text.encode())) > MAX_LINK_BYTES:
        raise ValueError(
            f"has {size:,} bytes, and at most {MAX_LINK_BYTES} are taken: it is part of every page. "
            f"Write a shorter address that leads there."
        )
    return text
