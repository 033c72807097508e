"""Refuses posts that another site has caused. A browser sends a Basic login along with them, as it would a cookie."""

from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

_OWN = {"same-origin", "none"}
_PORTS = {"http": 80, "https": 443}


def is_from_own_page(headers: Headers, own_url: str) -> bool:
    """Return whether a post comes from our own page.

    Browsers of today send `Sec-Fetch-Site` to https and to localhost (Safari since 2023). Without it `Origin` counts,
    and `Referer` without that. A post without any of them is refused: Firefox sent none before 2019, if the other site
    hid its `Referer`.
    """
    if site := headers.get("Sec-Fetch-Site"):
        return site in _OWN
    origin = headers.get("Origin") or headers.get("Referer") or ""
    return _origin_of(origin) == _origin_of(own_url)


def _origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port. None for `null` and other texts that are no URL: our own URL is one."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
