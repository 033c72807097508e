"""Parsers of hosts, URLs and ports. The rules of config/parsers.py hold here, too."""

import re
import ssl
from urllib.parse import parse_qs, unquote, urlsplit

from config.endpoints import SmtpServer, Tls
from service.surveys.hosts import ascii_host, is_host, public_host
from service.surveys.urls import HTTP, LOOPBACK, parse_url

_MAX_PORT = 65535
_REDIS_OPTIONS = {
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


def listen_addresses(text: str) -> tuple[str, ...]:
    """Parse where to listen, separated by commas: each a host or an address with a port, or the file of a socket."""
    found = tuple(filter(None, (each.strip() for each in text.split(","))))
    if not found or not all(map(_is_listen_address, found)):
        way_out = "Write 127.0.0.1:8000, [::]:8000 or unix:/run/afterword.sock; several with commas between."
        raise ValueError(f"is not an address to listen at. {way_out}")
    return found


def _is_listen_address(text: str) -> bool:
    if text.startswith("unix:"):
        return text.startswith("unix:/")
    try:
        parts = urlsplit(f"//{text}")
        return parts.netloc == text and parts.port is not None and is_host(parts.hostname or "") and "@" not in text
    except ValueError:
        return False


def port(text: str) -> int:
    """Parse the number of a port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _MAX_PORT:
        raise ValueError(f"is not a port. Write a number up to {_MAX_PORT}.")
    return int(text)


def hosts(text: str) -> tuple[str, ...]:
    """Parse names of hosts, separated by commas."""
    try:
        return tuple(public_host(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        problem = "has something other than host names. Write reviews.example.com, shop.example.com."
        raise ValueError(problem) from None


def http_url(text: str) -> str:
    """Parse the base of a URL: scheme, host and perhaps a path, without a slash at the end."""
    parts = parse_url(text, HTTP)
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user name or password in it. Write it without.")
    if "?" in text or "#" in text:
        raise ValueError('has a "?" or "#" in it. Write it without.')
    return text.rstrip("/")


def public_url(text: str) -> str:
    """Parse the URL of the survey pages: scheme and host, in ASCII as e-mail headers need it."""
    parts = urlsplit(http_url(text))
    if parts.path:
        raise ValueError("has a path. The pages are served at the top of a host: write it without.")
    name, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=(f"[{name}]" if ":" in name else ascii_host(name)) + port).geturl()


def endpoint_url(text: str) -> str:
    """Parse the URL of a receiver of webhooks. Plain HTTP is for this machine only."""
    problem = "is not a URL that can be posted to. Write https://sender.example.com/hooks/survey."
    parts = parse_url(text, HTTP, problem, is_ascii=True)
    if parts.fragment or parts.username is not None:
        raise ValueError(problem)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("would send customers' links or answers unencrypted. Write https://.")
    return text


def smtp_url(text: str) -> SmtpServer:
    """Parse the URL of a mail server."""
    example = "Write smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465."
    problem = f"is not the URL of a mail server. {example}"
    parts = parse_url(text, {"smtp", "smtps"}, problem, is_ascii=True)
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError(problem)
    if parts.query and parts.scheme == "smtps":
        raise ValueError("is smtps://, which is encrypted from the start. Write it without starttls.")
    if parts.query not in {"", "starttls=required", "starttls=off"}:
        raise ValueError('has an option other than "?starttls=off". Write no other.')
    has_tls = parts.query != "starttls=off"
    host = parts.hostname or ""
    if (parts.username or parts.password) and not has_tls and host not in LOOPBACK:
        raise ValueError("would send the password unencrypted. Leave starttls=off out, or write smtps://.")
    tls, usual_port = (
        (Tls.IMPLICIT, 465) if parts.scheme == "smtps" else (Tls.STARTTLS, 587) if has_tls else (Tls.NONE, 25)
    )
    user = unquote(parts.username) if parts.username else None
    return SmtpServer(host, parts.port or usual_port, tls, user, unquote(parts.password or ""))


def redis_url(text: str) -> str:
    """Parse the URL of a Redis."""
    problem = "is not the URL of a Redis. Write redis://host:6379/0, rediss://… or unix:///path."
    parts = parse_url(text, {"redis", "rediss", "unix"}, problem, needs_host=False)
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("names no socket. Write unix:///run/redis/redis.sock.")
    if parts.scheme != "unix" and not re.fullmatch(r"(/\d{0,4})?", parts.path, re.ASCII):
        raise ValueError("names no database after the host. Write its number, such as redis://host:6379/0.")
    _check_redis_options(parts.scheme, parts.query)
    return text


def _check_redis_options(scheme: str, query: str) -> None:
    given = parse_qs(query, keep_blank_values=True)
    unknown = [name for name in given if name not in _REDIS_OPTIONS]
    if unknown and ("@" in query or not all(re.fullmatch(r"[a-z_]+", name) for name in unknown)):
        # It may be the rest of a password.
        raise ValueError('has options after its "?" that can\'t be read. Write a "?" in a password as %3F.')
    if unknown:
        way_out = f"Afterword sets it itself: leave it out. Allowed are {', '.join(_REDIS_OPTIONS)}."
        raise ValueError(f"has the option {unknown[0]}. {way_out}")
    for name, values in given.items():
        pattern, right = _REDIS_OPTIONS[name]
        if name.startswith("ssl_") and scheme != "rediss":
            raise ValueError(f"has the option {name}, which is for TLS. Write rediss://…, or leave it out.")
        if len(values) > 1:
            raise ValueError(f"has the option {name} more than once. Write it once.")
        if not re.fullmatch(pattern, values[0]):
            raise ValueError(f"has an option {name} that can't be read. Write {right}.")
    _check_tls_files({name: values[0] for name, values in given.items()})


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
