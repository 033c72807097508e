"""The names of hosts, as DNS knows them: IDNA 2008, for which straße isn't strasse, which belongs to somebody else."""

import re

import idna

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST = 253


def ascii_host(host: str) -> str:
    """Write a host's name in ASCII and small letters. Raises ValueError for what no name can be."""
    try:
        # What is ASCII may have what IDNA knows nothing of, such as the underscores of a private network.
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError("not a name of a host") from error
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError("not a name of a host")
    return name


def is_host(name: str) -> bool:
    """Say whether this, a name or an address, can be a host."""
    if ":" in name:
        return True  # An IPv6 address: whoever took the URL apart has looked at it.
    try:
        ascii_host(name)
    except ValueError:
        return False
    return True
