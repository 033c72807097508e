"""Parsers of secrets: tokens and keys. The rules of config/parsers.py hold here, too."""

import base64
import re
from collections.abc import Callable

from config.parsers import matching

MAKE_A_KEY = """python3 -c "import secrets; print(secrets.token_hex(32))\""""
MAKE_A_WHSEC_KEY = (
    """python3 -c "import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""""
)
_MIN_AUTHORIZATION = 16
_ONE_BYTE = "is a single byte, repeated."

bearer_token = matching(
    r"[A-Za-z0-9._~+/=-]{16,200}",
    f"is not 16 to 200 of A-Z, a-z, 0-9 and ._~+/=-. Write what this prints: {MAKE_A_KEY}",
    str,
)


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


def authorizations(text: str) -> tuple[str, ...]:
    """Parse the Authorization headers of webhooks, as they are sent, with the scheme in lower case."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise ValueError("has no header, only commas.")
    return tuple(_authorization(part, number) for number, part in enumerate(found, start=1))


def _authorization(text: str, number: int) -> str:
    scheme, _, credentials = text.partition(" ")
    credentials = credentials.strip()
    secret = credentials.partition(":")[2] if scheme.lower() == "basic" else credentials
    if scheme.lower() not in {"basic", "bearer"} or not re.fullmatch(r"[!-~]+", secret):
        raise ValueError(f"number {number} is neither Basic user:password nor Bearer token, in plain ASCII.")
    if len(secret) < _MIN_AUTHORIZATION:
        what = f"has a secret of fewer than {_MIN_AUTHORIZATION} characters"
        raise ValueError(f"number {number} {what}. Make one: {MAKE_A_KEY}.")
    if scheme.lower() == "basic":
        credentials = base64.b64encode(credentials.encode()).decode()
    return f"{scheme.lower()} {credentials}"


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
