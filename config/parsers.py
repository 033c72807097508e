"""Parsers of the settings: each turns the text of an environment variable into a value.

Each raises ValueError or ValidationError. The message never repeats the text: it may be a secret.
"""

import base64
import re
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from config.endpoints import SmtpServer, Tls
from service.surveys.definition import Survey
from service.surveys.hosts import ascii_host, is_host, public_host
from service.surveys.language_codes import LANGUAGES, find_language
from service.surveys.toml.fields import Duration, read_zone
from service.surveys.toml.loader import read_surveys
from service.surveys.urls import HTTP, LOOPBACK, parse_url

T = TypeVar("T")

MAKE_A_KEY = """python3 -c "import secrets; print(secrets.token_hex(32))\""""
MAKE_A_WHSEC_KEY = (
    """python3 -c "import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""""
)
_ONE_BYTE = "is a single byte, repeated."
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


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one token may call Dixa: `rate` requests per second, `burst` of them at once."""

    rate: float
    burst: int


def matching(pattern: str, problem: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser of texts matching a whole pattern."""
    check = validate.Regexp(rf"(?:{pattern})\Z", error=problem)
    return lambda text: convert(check(text))


def one_of(choices: Collection[str], fold: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser of one of a few words, in capitals or not."""
    check = validate.OneOf(choices, error=f"is not one of: {', '.join(choices)}.")
    return lambda text: str(check(fold(text)))


count = matching(r"[0-9]{1,2}", "is not a whole number from 0 to 99. Write 0, 1, 2 …", int)
megabytes = matching(
    r"[1-9][0-9]{0,5}", "is not a size in MB. Write a whole number such as 256.", lambda text: int(text) * 1024 * 1024
)
bearer_token = matching(
    r"[A-Za-z0-9._~+/=-]{16,200}",
    f"is not 16 to 200 of A-Z, a-z, 0-9 and ._~+/=-. Write what this prints: {MAKE_A_KEY}",
    str,
)
log_format = one_of(("json", "console"), str.lower)
log_level = one_of(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), str.upper)
switch: Callable[[str], bool] = fields.Boolean(
    error_messages={"invalid": "is neither on nor off. Write on or off."}
).deserialize


def port(text: str) -> int:
    """Parse the number of a port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _MAX_PORT:
        raise ValueError(f"is not a port. Write a number up to {_MAX_PORT}.")
    return int(text)


def pace(text: str) -> Pace:
    """Parse requests per second and burst, such as `9.5/3`."""
    found = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*/\s*([0-9]{1,4})", text)
    if not found or float(found[1]) == 0 or int(found[2]) == 0:
        raise ValueError("is not a pace. Write requests per second and burst, such as 9.5/3.")
    return Pace(float(found[1]), int(found[2]))


def duration(text: str) -> timedelta:
    """Parse a duration as surveys.toml spells it; here it must be more than zero."""
    value = Duration(maximum=timedelta(days=3650)).deserialize(text)
    if not value:
        raise ValueError('must be more than zero. Write a number with a unit, such as "1s".')
    return value


def language(text: str) -> str:
    """Parse one of our languages: its code or its name."""
    code = find_language(text)
    if code is None:
        raise ValueError(f"is not one of: {', '.join(LANGUAGES)}.")
    return code


def time_zone(text: str) -> ZoneInfo:
    """Parse the name of a time zone."""
    try:
        return read_zone(text)
    except ValueError as error:
        way_out = f"Did you mean {error}?" if str(error) else "Write one such as Europe/Copenhagen or UTC."
        raise ValueError(f"is not a time zone. {way_out}") from None


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def folder(text: str) -> Path | None:
    """Parse a folder; `off` means none."""
    return None if text.lower() == "off" else Path(text)


def certificates(text: str) -> Path:
    """Parse the path of a file of certificates."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except (OSError, ValueError):
        raise ValueError("names no file of certificates (PEM).") from None
    return Path(text)


def surveys_file(text: str) -> tuple[Survey, ...]:
    """Read the surveys of a file. Its mistakes become those of the variable."""
    return read_surveys(Path(text))


# ── Keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys(text: str) -> tuple[str, ...]:
    """Parse secrets separated by commas. Spaces around them and empty ones don't count."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("has no key, only commas.")
    for number, key in enumerate(found, start=1):
        if not re.fullmatch(r"[!-~]+", key):
            raise ValueError(f"number {number} has white space or other than plain ASCII characters inside.")
    return found


def api_tokens(text: str) -> tuple[str, ...]:
    """Parse the API tokens. Dixa takes the raw token, so a copied `Bearer` is a mistake."""
    if re.search(r"(^|,)\s*bearer\b", text, re.IGNORECASE):
        raise ValueError('starts with "Bearer". Write the token alone, as Dixa expects it.')
    return keys(text)


def signing_keys(text: str) -> tuple[str, ...]:
    """Parse the signing keys of our links."""
    return _strong_keys(text, len, 32, "characters", f"Make one: {MAKE_A_KEY}.")


def webhook_keys(text: str) -> tuple[bytes, ...]:
    """Parse the keys of Dixa's signatures. HMAC pads a key with zeros, so a key of zeros signs like no key at all."""
    way_out = f"Copy the whole key that Dixa shows. It is as random as the output of {MAKE_A_KEY}."
    return tuple(map(key_bytes, _strong_keys(text, lambda key: len(key_bytes(key)), 16, "bytes", way_out)))


def _strong_keys(text: str, size: Callable[[str], int], min_size: int, unit: str, way_out: str) -> tuple[str, ...]:
    found = keys(text)
    for number, key in enumerate(found, start=1):
        if size(key) < min_size:
            raise ValueError(f"number {number} has fewer than {min_size} {unit}. {way_out}")
        if len(set(key)) == 1 or len(set(key_bytes(key))) == 1:
            raise ValueError(f"number {number} {_ONE_BYTE} {way_out}")
    return found


def key_bytes(key: str) -> bytes:
    """Decode a key from hex, or take its characters if it isn't hex, as the example in Dixa's documentation."""
    try:
        return bytes.fromhex(key)
    except ValueError:
        return key.encode()


def webhook_secret(text: str) -> str:
    """Parse a receiver's key (Standard Webhooks): `whsec_` and Base64 of 24 bytes or more."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    is_whole = text.startswith("whsec_") and len(key) >= 24  # noqa: PLR2004 - the number stands in the message below
    if not is_whole or len(set(key)) == 1:
        problem = _ONE_BYTE if is_whole else "is not whsec_ and Base64 of 24 bytes or more."
        raise ValueError(f"{problem} Make one: {MAKE_A_WHSEC_KEY}")
    return text


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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
