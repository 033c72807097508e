"""E-mail addresses, and the names beside them."""

import re
from dataclasses import dataclass

from marshmallow import ValidationError

from service.surveys.hosts import ascii_host

LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""


_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}@([^@\s]+)")


_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and perhaps a name that goes with it."""

    address: str
    name: str = ""


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


def mailbox(text: str) -> Mailbox:
    """Parse `survey@example.com` or `Northwind <survey@example.com>`."""
    found = re.fullmatch(r"(?:\"?([^\"<>]*?)\"?\s*<([^<>]*)>|([^<>\s]*))", text)
    address = read_address(found[2] or found[3] or "") if found else None
    name = (found[1] or "") if found else ""
    if address is None or not name.isprintable():
        raise ValidationError("is not an address. Write survey@example.com or Northwind <survey@example.com>.")
    return Mailbox(address, name)
