"""E-mail addresses and mailboxes."""

import re
from dataclasses import dataclass

from service.surveys.hosts import public_host

MAX_ADDRESS_LENGTH = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}@([^@\s]+)")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, with a name or without."""

    address: str
    name: str = ""


def read_address(text: str) -> str | None:
    """Return an address for envelope and header, with its domain in ASCII, or None if it isn't valid.

    The part before the @ must be ASCII: hardly any server supports more (RFC 6531).
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS_LENGTH else None
    if found is None:
        return None
    try:
        domain = public_host(found[1])
    except ValueError:
        return None
    address = f"{text[: found.start(1)]}{domain}"
    local = text[: found.start(1) - 1]
    is_valid = ".." not in local and not local.endswith(".") and len(address) <= MAX_ADDRESS_LENGTH
    return address if is_valid else None


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Parse mailboxes separated by commas."""
    found = tuple(mailbox(part.strip()) for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("has no address, only commas.")
    return found


def mailbox(text: str) -> Mailbox:
    """Parse `survey@example.com` or `Northwind <survey@example.com>`."""
    found = re.fullmatch(r"(?:\"?([^\"<>]*?)\"?\s*<([^<>]*)>|([^<>\s]*))", text)
    address = read_address(found[2] or found[3] or "") if found else None
    name = (found[1] or "") if found else ""
    if address is None or not name.isprintable():
        raise ValueError("is not an address. Write survey@example.com or Northwind <survey@example.com>.")
    return Mailbox(address, name)
