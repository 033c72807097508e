"""How the text of an environment variable becomes a value. Which variables there are is in `config.settings`.

Every function takes the text and raises marshmallow's ValidationError, whose message never repeats the text:
it may be a secret. An empty text only comes from the default of an optional variable.
"""

import re
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from marshmallow import ValidationError

from config.hosts import ascii_host
from config.languages import LANGUAGES, find_language
from config.surveys import Survey, SurveysFileError, read_surveys
from config.toml_fields import Duration, read_zone
from config.urls import split_url

_LONGEST = timedelta(days=3650)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS = ("json", "console")
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
_LEAST_KEY_BYTES = 16
MAKE_A_KEY = """python3 -c "import secrets; print(secrets.token_hex(32))\""""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one token may call Dixa: `rate` requests per second, `burst` of them at once."""

    rate: float
    burst: int


@dataclass(frozen=True, slots=True)
class SurveysFile:
    """A surveys.toml: where it is, and what it says."""

    path: Path
    surveys: tuple[Survey, ...]


def keys(text: str) -> tuple[str, ...]:
    """Read secrets that are separated by commas; spaces around them and empty ones don't count."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise ValidationError("holds no key, only commas.")
    for number, key in enumerate(found, start=1):
        if not re.fullmatch(r"[!-~]+", key):
            raise ValidationError(f"number {number} has white space or other than plain ASCII characters inside.")
    return found


def tokens(text: str) -> tuple[str, ...]:
    """Read the API tokens. Dixa takes the raw token, so a copied `Bearer` is a mistake."""
    if re.search(r"(^|,)\s*bearer\b", text, re.IGNORECASE):
        raise ValidationError('starts with "Bearer". Write the token alone: Dixa wants no such word.')
    return keys(text)


def signing_keys(text: str) -> tuple[str, ...]:
    """Read the keys of the links, each of at least 32 characters."""
    found = keys(text)
    for number, key in enumerate(found, start=1):
        if len(key) < 32:  # noqa: PLR2004 - the number stands in the message below
            raise ValidationError(f"number {number} is shorter than 32 characters. Make one: {MAKE_A_KEY}.")
        if is_one_byte(key.encode()) or is_one_byte(key_bytes(key)):
            raise ValidationError(f"number {number} is one byte again and again. Make one: {MAKE_A_KEY}.")
    return found


def webhook_keys(text: str) -> tuple[str, ...]:
    """Read the keys that Dixa signs with. A short one can be guessed, and zeros sign like no key at all."""
    found = keys(text)
    for number, key in enumerate(found, start=1):
        way_out = f"Copy the whole key that Dixa shows. It is as random as what this prints: {MAKE_A_KEY}."
        if len(key_bytes(key)) < _LEAST_KEY_BYTES:
            raise ValidationError(f"number {number} has fewer than {_LEAST_KEY_BYTES} bytes. {way_out}")
        if is_one_byte(key.encode()) or is_one_byte(key_bytes(key)):
            raise ValidationError(f"number {number} is one byte again and again. {way_out}")
    return found


def key_bytes(key: str) -> bytes:
    """Decode a key from hex; of one that isn't hex, the characters are the key."""
    try:
        return bytes.fromhex(key)
    except ValueError:
        return key.encode()


def is_one_byte(key: bytes) -> bool:
    """Say whether a key is one byte, repeated."""
    return len(set(key)) == 1


def http_url(text: str) -> str:
    """Read the base of a URL: scheme, host and perhaps a path, without a slash at the end."""
    parts = split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("is not a URL. Write it whole, with http:// or https://.")
    if parts.username is not None or parts.password is not None:
        raise ValidationError("has a user name or password in it. Write it without.")
    if "?" in text or "#" in text:
        raise ValidationError('has a "?" or "#" in it. Write it without.')
    return text.rstrip("/")


def public_url(text: str) -> str:
    """Read where customers reach us: scheme and host, in ASCII as e-mail headers need it."""
    parts = urlsplit(http_url(text))
    if parts.path:
        raise ValidationError("has a path. The pages are served at the top of a host: write it without.")
    name, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=(f"[{name}]" if ":" in name else ascii_host(name)) + port).geturl()


def redis_url(text: str) -> str:
    """Read the URL of a Redis; it may hold a password, so it is a secret."""
    parts = split_url(text)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValidationError("is not the URL of a Redis. Write redis://host:6379/0, rediss://… or unix:///path.")
    if parts.scheme == "unix" and not parts.path:
        raise ValidationError("names no socket. Write unix:///run/redis/redis.sock.")
    if parts.scheme != "unix" and not re.fullmatch(r"(/\d{0,4})?", parts.path, re.ASCII):
        raise ValidationError("names no database after the host. Write its number, such as redis://host:6379/0.")
    _check_redis_options(parts.scheme, parts.query)
    return text


def _check_redis_options(scheme: str, query: str) -> None:
    """Refuse what one of our two clients of Redis wouldn't take, or what is ours to set."""
    given = parse_qs(query, keep_blank_values=True)
    unknown = [name for name in given if name not in _REDIS_OPTIONS]
    if unknown and ("@" in query or not all(re.fullmatch(r"[a-z_]+", name) for name in unknown)):
        # It may be the rest of a password.
        raise ValidationError('has options after its "?" that can\'t be read. Write a "?" in a password as %3F.')
    if unknown:
        way_out = f"Afterword sets it itself: leave it out. Taken are {', '.join(_REDIS_OPTIONS)}."
        raise ValidationError(f"has the option {unknown[0]}. {way_out}")
    for name, values in given.items():
        pattern, right = _REDIS_OPTIONS[name]
        if name.startswith("ssl_") and scheme != "rediss":
            raise ValidationError(f"has the option {name}, which is for TLS. Write rediss://…, or leave it out.")
        if len(values) > 1:
            raise ValidationError(f"has the option {name} more than once. Write it once.")
        if not re.fullmatch(pattern, values[0]):
            raise ValidationError(f"has an option {name} that can't be read. Write {right}.")
    _check_tls_files({name: values[0] for name, values in given.items()})


def _check_tls_files(given: dict[str, str]) -> None:
    context = ssl.create_default_context()
    if authorities := given.get("ssl_ca_certs"):
        try:
            context.load_verify_locations(authorities)
        except (OSError, ValueError):
            raise ValidationError("has an option ssl_ca_certs that names no file of certificates (PEM).") from None
    certificate, key = given.get("ssl_certfile"), given.get("ssl_keyfile")
    if key and not certificate:
        raise ValidationError("has the option ssl_keyfile without ssl_certfile. Write both.")
    if certificate:
        try:
            context.load_cert_chain(certificate, key, password="")  # never asks at a terminal
        except (OSError, ValueError):
            way_out = "Write files in PEM, the key without a password."
            raise ValidationError(f"has options ssl_certfile and ssl_keyfile that don't fit. {way_out}") from None


def certificates(text: str) -> Path | None:
    """Read a file of certificates."""
    if not text:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except (OSError, ValueError):
        raise ValidationError("names no file of certificates (PEM).") from None
    return Path(text)


def surveys_file(text: str) -> SurveysFile:
    """Read the surveys; their mistakes become this variable's."""
    path = Path(text)
    try:
        return SurveysFile(path, read_surveys(path))
    except SurveysFileError as error:
        raise ValidationError([line.strip() for line in str(error).splitlines()]) from error


def folder(text: str) -> Path | None:
    """Read a folder; `off` means none."""
    return None if text.lower() == "off" else Path(text)


def pace(text: str) -> Pace:
    """Read requests per second and burst, written `9.5/3`."""
    found = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*/\s*([0-9]{1,4})", text)
    if not found or float(found[1]) == 0 or int(found[2]) == 0:
        raise ValidationError("is not a pace. Write requests per second and burst, such as 9.5/3.")
    return Pace(float(found[1]), int(found[2]))


def duration(text: str) -> timedelta:
    """Read a duration, written as in surveys.toml; here it must be more than zero."""
    value = Duration(most=_LONGEST).deserialize(text)
    if not value:
        raise ValidationError('must be more than zero. Write a number with a unit, such as "1s".')
    return value


def count(text: str) -> int:
    """Read a small whole number."""
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValidationError("is not a whole number from 0 to 99. Write 0, 1, 2 …")
    return int(text)


def megabytes(text: str) -> int:
    """Read a size in MB; gives bytes."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise ValidationError("is not a size in MB. Write a whole number such as 256.")
    return int(text) * 1024 * 1024


def switch(text: str) -> bool:
    """Read whether something is on."""
    found = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
    if text.lower() not in found:
        raise ValidationError("is neither on nor off. Write on or off.")
    return found[text.lower()]


def bearer(text: str) -> str:
    """Read a token that we make ourselves, and others send us in a header."""
    if text and not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,200}", text):
        way_out = f"Write what this prints: {MAKE_A_KEY}"
        raise ValidationError(f"is not 16 to 200 of A-Z, a-z, 0-9 and ._~+/=-. {way_out}")
    return text


def language(text: str) -> str:
    """Read one of our languages, by its code or its name."""
    code = find_language(text)
    if code is None:
        raise ValidationError(f"is not one of: {', '.join(LANGUAGES)}.")
    return code


def time_zone(text: str) -> ZoneInfo:
    """Read a time zone by its name."""
    try:
        return read_zone(text)
    except ValueError as error:
        way_out = f"Did you mean {error}?" if str(error) else "Write one such as Europe/Copenhagen or UTC."
        raise ValidationError(f"is not a time zone. {way_out}") from None


def log_format(text: str) -> str:
    """Read how log lines look."""
    if text.lower() not in _FORMATS:
        raise ValidationError(f"is not one of: {', '.join(_FORMATS)}.")
    return text.lower()


def log_level(text: str) -> str:
    """Read the lowest level that is logged."""
    if text.upper() not in _LEVELS:
        raise ValidationError(f"is not one of: {', '.join(_LEVELS)}.")
    return text.upper()
