"""The parser of REDIS_URL: one Redis, or sentinels that know it. The rules of config/parsers.py hold here, too."""

import re
import ssl
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from service.surveys.urls import parse_url

_OPTIONS = {
    "db": (r"[0-9]{1,4}", "a number"),
    "username": (r".+", "a name"),
    "password": (r".+", "a password"),
    "protocol": (r"[23]", "2 or 3"),
    "ssl_cert_reqs": (r"none|optional|required", "none, optional or required"),
    "ssl_ca_certs": (r".+", "a file"),
    "ssl_certfile": (r".+", "a file"),
    "ssl_keyfile": (r".+", "a file"),
    "ssl_check_hostname": (r"true|false", "true or false"),
}
"""Options accepted by both redis-py and kombu. Afterword sets all others itself."""
_SENTINEL_OPTIONS = _OPTIONS | {
    "sentinel_username": (r".+", "a name"),
    "sentinel_password": (r".+", "a password"),
}
_SENTINEL_URL = re.compile(
    r"(sentinels?)://(?:([^/?#]*)@)?([^/?#@]*)(?:/([^/?#]*))?(?:/([^?#]*))?(?:\?(.*))?", re.DOTALL
)
_SENTINEL_PORT = 26379
_EXAMPLE = "sentinel://a:26379,b:26379,c:26379/mymaster/0"


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The Redis Sentinels of an installation."""

    primary: str
    """The name under which they know the primary."""
    primary_url: str = field(repr=False)
    """The URL of the primary, with its name in place of the host."""
    urls: tuple[str, ...] = field(repr=False)
    """The URL of each sentinel."""


def redis_url(text: str) -> str:
    """Parse the URL of a Redis, or of sentinels."""
    if text.startswith(("sentinel://", "sentinels://")):
        _read_sentinels(text)
        return text
    problem = "is not the URL of a Redis. Write redis://host:6379/0, rediss://…, unix:///path or " + _EXAMPLE + "."
    parts = parse_url(text, {"redis", "rediss", "unix"}, problem, needs_host=False)
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("names no socket. Write unix:///run/redis/redis.sock.")
    if parts.scheme != "unix" and not re.fullmatch(r"(/\d{0,4})?", parts.path, re.ASCII):
        raise ValueError("names no database after the host. Write its number, such as redis://host:6379/0.")
    _check_options(parts.query, _OPTIONS, secure=parts.scheme == "rediss", secure_scheme="rediss")
    return text


def find_sentinels(url: str) -> Sentinels | None:
    """Return the sentinels of a URL that `redis_url` has accepted, or None for a single Redis."""
    return _read_sentinels(url) if url.startswith("sentinel") else None


def _read_sentinels(text: str) -> Sentinels:
    found = _SENTINEL_URL.fullmatch(text)
    if not found:
        raise ValueError(f"is not the URL of Redis Sentinels. Write {_EXAMPLE}.")
    scheme, login, hosts, name, database, query = (part or "" for part in found.groups())
    addresses = [*_read_addresses(hosts)]
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise ValueError(f"names no primary after the sentinels. Write the name that they know it by: {_EXAMPLE}.")
    if not re.fullmatch(r"\d{0,4}", database, re.ASCII):
        raise ValueError(f"names no database after the primary. Write its number: {_EXAMPLE}.")
    is_secure = scheme == "sentinels"
    _check_options(query, _SENTINEL_OPTIONS, secure=is_secure, secure_scheme="sentinels")
    if not login.isprintable() or " " in login:
        raise ValueError("has white space in it. Write it without.")
    given = dict(parse_qsl(query))
    user, password = given.pop("sentinel_username", ""), given.pop("sentinel_password", "")
    if user and not password:
        raise ValueError("has the option sentinel_username without sentinel_password. Write both.")
    plain = "rediss" if is_secure else "redis"
    shared = {option: value for option, value in given.items() if option.startswith("ssl_") or option == "protocol"}
    own_login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    return Sentinels(
        primary=name,
        primary_url=f"{plain}://{f'{login}@' if login else ''}{name}/{database or 0}{_query(given)}",
        urls=tuple(f"{plain}://{own_login}{address}/0{_query(shared)}" for address in addresses),
    )


def _read_addresses(text: str) -> Iterator[str]:
    problem = f"has a sentinel that isn't a host with a port. Write {_EXAMPLE}."
    for each in text.split(","):
        parts = parse_url(f"redis://{each}", {"redis"}, problem)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        yield f"{name}:{parts.port or _SENTINEL_PORT}"


def _query(options: dict[str, str]) -> str:
    return f"?{urlencode(options)}" if options else ""


def _check_options(query: str, known: dict[str, tuple[str, str]], *, secure: bool, secure_scheme: str) -> None:
    given = parse_qs(query, keep_blank_values=True)
    unknown = [name for name in given if name not in known]
    _refuse_unknown(query, unknown, known)
    for name, values in given.items():
        pattern, right = known[name]
        if name.startswith("ssl_") and not secure:
            raise ValueError(f"has the option {name}, which is for TLS. Write {secure_scheme}://…, or leave it out.")
        if len(values) > 1:
            raise ValueError(f"has the option {name} more than once. Write it once.")
        if not re.fullmatch(pattern, values[0]):
            raise ValueError(f"has an option {name} that can't be read. Write {right}.")
    _check_tls_files({name: values[0] for name, values in given.items()})


def _refuse_unknown(query: str, unknown: list[str], known: Collection[str]) -> None:
    if unknown and ("@" in query or not all(re.fullmatch(r"[a-z_]+", name) for name in unknown)):
        # It may be the rest of a password.
        raise ValueError('has options after its "?" that can\'t be read. Write a "?" in a password as %3F.')
    if unknown:
        way_out = f"Afterword sets it itself: leave it out. Allowed are {', '.join(known)}."
        raise ValueError(f"has the option {unknown[0]}. {way_out}")


def _check_tls_files(given: dict[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # The default one would read all authorities: 30 ms.
    if authorities := given.get("ssl_ca_certs"):
        try:
            context.load_verify_locations(authorities)
        except (OSError, ValueError):
            raise ValueError("has an option ssl_ca_certs that names no file of certificates (PEM).") from None
    certificate, key = given.get("ssl_certfile"), given.get("ssl_keyfile")
    if key and not certificate:
        raise ValueError("has the option ssl_keyfile without ssl_certfile. Write both.")
    if certificate:
        try:
            # Without this argument, OpenSSL asks for a password at the terminal, and the start hangs.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError):
            way_out = "Write files in PEM, the key without a password."
            raise ValueError(f"has options ssl_certfile and ssl_keyfile that don't fit. {way_out}") from None
