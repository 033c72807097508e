"""Who sends the survey e-mails, and through which server. How each is written in a variable, as in `config.values`."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from marshmallow import ValidationError

from config.hosts import ascii_host, is_host

LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}@([^@\s]+)")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Tls(StrEnum):
    """How the way to the server is kept secret."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in."""

    host: str
    port: int
    tls: Tls = Tls.STARTTLS
    user: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and perhaps a name that goes with it."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """All that the e-mail channel is told."""

    server: SmtpServer
    sender: Mailbox
    reply_to: Mailbox | None = None


def read_address(text: str) -> str | None:
    """Read an address that can stand in an envelope and a header; None for all else.

    Its domain becomes ASCII. What stands before the @ must be ASCII: hardly any server takes more (RFC 6531).
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST_ADDRESS else None
    if found is None:
        return None
    try:
        domain = ascii_host(found[1])
    except ValueError:
        return None
    address = f"{text[: found.start(1)]}{domain}"
    local = text[: found.start(1) - 1]
    is_sound = _HOST.fullmatch(domain) and ".." not in local and not local.endswith(".")
    return address if is_sound and len(address) <= LONGEST_ADDRESS else None


def mailbox(text: str) -> Mailbox | None:
    """Read `survey@example.com` or `Northwind <survey@example.com>`; an empty text is none."""
    if not text:
        return None
    found = re.fullmatch(r"(?:\"?([^\"<>]*?)\"?\s*<([^<>]*)>|([^<>\s]*))", text)
    address = read_address(found[2] or found[3] or "") if found else None
    name = (found[1] or "") if found else ""
    if address is None or not name.isprintable():
        raise ValidationError("is not an address. Write survey@example.com or Northwind <survey@example.com>.")
    return Mailbox(address, name)


def smtp_url(text: str) -> SmtpServer | None:
    """Read the URL of a mail server; it may hold a password, so it is a secret. An empty text is none."""
    if not text:
        return None
    parts, port = _split(text)
    tls = _tls(parts)
    usual = {Tls.IMPLICIT: 465, Tls.STARTTLS: 587, Tls.NONE: 25}[tls]
    host = parts.hostname or ""
    if (parts.username or parts.password) and tls is Tls.NONE and host not in _LOOPBACK:
        raise ValidationError("would send the password in the clear. Leave starttls=off out, or write smtps://.")
    user = unquote(parts.username) if parts.username else None
    return SmtpServer(host, port or usual, tls, user, unquote(parts.password or ""))


def _split(text: str) -> tuple[SplitResult, int | None]:
    """Take the URL apart. `from None`, since the cause's text may hold the password."""
    example = "Write smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValidationError(f"is not a URL: its host or port can't be read. {example}") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise ValidationError(f"is not the URL of a mail server. {example}")
    if not is_host(parts.hostname):
        raise ValidationError(f"has a host that no name can be. {example}")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValidationError("has white space or other than plain ASCII in it. Write such characters as %XX.")
    return parts, port


def _tls(parts: SplitResult) -> Tls:
    asked = parse_qs(parts.query, keep_blank_values=True)
    starttls = asked.pop("starttls", ["required"])
    if asked or starttls not in (["required"], ["off"]):
        raise ValidationError('ends in something else than "?starttls=off", the one thing that may stand there.')
    if parts.scheme == "smtps":
        if parts.query:
            raise ValidationError("is smtps://, which is encrypted from the start. Write it without starttls.")
        return Tls.IMPLICIT
    return Tls.NONE if starttls == ["off"] else Tls.STARTTLS
