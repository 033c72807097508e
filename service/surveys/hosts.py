"""Host names by IDNA 2008. IDNA 2003 would turn straße into strasse, another domain."""

import re

import idna

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_LENGTH = 253


def ascii_host(host: str) -> str:
    """Return a host name in ASCII and small letters. Raise ValueError if it isn't valid."""
    try:
        # IDNA refuses the underscores of private networks, so ASCII names skip it.
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError("not a name of a host") from error
    if not _NAME.fullmatch(name) or len(name) > _MAX_LENGTH:
        raise ValueError("not a name of a host")
    return name


def public_host(host: str) -> str:
    """Return a host name in ASCII. Raise ValueError if it isn't valid, or has an underscore or a final dot."""
    name = ascii_host(host)
    if "_" in name or name.endswith("."):
        raise ValueError("not a name of a public host")
    return name


def is_host(name: str) -> bool:
    """Return whether a name or an IP address is a valid host."""
    if ":" in name:
        return True  # An IPv6 address, checked by urlsplit.
    try:
        ascii_host(name)
    except ValueError:
        return False
    return True
