"""Refuses requests for another host than PUBLIC_URL's."""

import re
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest

HostCheck = Callable[[str], None]

_PORT = re.compile(r":[0-9]*\Z")


def host_check(public_url: str) -> HostCheck:
    """Return a function that raises BadRequest for a foreign `Host`.

    Werkzeug's own check handles neither IPv6 nor capital letters.
    """
    hostname = urlsplit(public_url).hostname or ""
    own_host = _normalize(f"[{hostname}]" if ":" in hostname else hostname)

    def refuse_other_hosts(host: str) -> None:
        if _normalize(_PORT.sub("", host)) != own_host:
            raise BadRequest("This host is not known here. PUBLIC_URL names the one that is.")

    return refuse_other_hosts


def _normalize(host: str) -> str:
    """Return the canonical form of a host: lower case, no final dot, the shortest IPv6."""
    host = host.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        with suppress(ValueError):
            return f"[{IPv6Address(host[1:-1])}]"
    return host
