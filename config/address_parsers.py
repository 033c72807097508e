"""Parsers of hosts, URLs and ports. The rules of config/parsers.py hold here, too."""

import re
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from config.endpoints import SmtpServer, Tls
from service.surveys.hosts import ascii_host, is_host, public_host
from service.surveys.urls import HTTP, LOOPBACK, parse_url

_MAX_PORT = 65535


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


def sentry_dsn(text: str) -> str:
    """Parse the address of a project in Sentry. Its user is the project's key."""
    problem = "is not a DSN of Sentry. Write https://key@sentry.example.com/1."
    parts = parse_url(text, HTTP, problem)
    if not parts.username or not re.fullmatch(r"(/[\w.-]+)*/[0-9]+", parts.path, re.ASCII) or parts.query:
        raise ValueError(problem)
    if find_spec("sentry_sdk") is None:
        raise ValueError("needs a package: pip install --require-hashes -r requirements-sentry.txt")
    return text


def archive_url(text: str) -> str:
    """Parse the database of the archive: a file of SQLite, PostgreSQL, or `off`."""
    if text.lower() == "off":
        return "off"
    problem = "is no database. Write sqlite:////srv/afterword/archive.db, postgresql://user:password@host/db, or off."
    parts = parse_url(text, {"sqlite", "postgresql"}, problem, needs_host=False)
    if parts.scheme == "sqlite":
        if parts.netloc or not parts.path.strip("/") or parts.query:
            raise ValueError("names no file. Write sqlite:/// and its path: sqlite:////srv/afterword/archive.db.")
        return text
    if not parts.hostname or not parts.path.strip("/"):
        raise ValueError(problem)
    if find_spec("psycopg") is None:
        raise ValueError("needs a package: pip install --require-hashes -r requirements-postgres.txt")
    return text


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
