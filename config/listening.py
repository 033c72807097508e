"""Where the web listens, as BIND and PORT say. How each is written in a variable, as in `config.values`."""

import re
from urllib.parse import urlsplit

from marshmallow import ValidationError

from config.hosts import is_host

_HIGHEST_PORT = 65535


def port(text: str) -> str:
    """Read the number of a port; an empty text is none."""
    if text and not (re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= _HIGHEST_PORT):
        raise ValidationError(f"is not a port. Write a number up to {_HIGHEST_PORT}.")
    return text


def addresses(text: str) -> tuple[str, ...]:
    """Read where to listen, separated by commas: each is a host or an address with a port, or a socket's file."""
    found = tuple(filter(None, (each.strip() for each in text.split(","))))
    if not found or not all(map(_is_address, found)):
        way_out = "Write 127.0.0.1:8000, [::]:8000 or unix:/run/afterword.sock; several with commas between."
        raise ValidationError(f"is not where one can listen. {way_out}")
    return found


def _is_address(text: str) -> bool:
    if text.startswith("unix:"):
        return text.startswith("unix:/")
    try:
        parts = urlsplit(f"//{text}")
        return parts.netloc == text and parts.port is not None and is_host(parts.hostname or "") and "@" not in text
    except ValueError:
        return False
