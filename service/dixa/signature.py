"""Verifies the `X-DIXA-SIGNATURE` header of webhooks.

Source: Dixa's developer documentation, "Verifying webhook signatures": the header is `t=<milliseconds>,v1=<hex>`,
and the signature is an HMAC-SHA256 over `<t>`, a full stop and the raw body.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HEADER = "X-DIXA-SIGNATURE"

_MAX_HEADER = 1024
_MAX_SIGNATURES = 8
_TIME = re.compile(r"[0-9]{1,14}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class SignatureError(Exception):
    """A webhook is not verified. The text names the problem without quoting the header.

    `hint` is for the operator, if our settings may be wrong.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed header. `time` is kept as text, since the signature covers the text."""

    time: str
    values: tuple[bytes, ...]


def read_signature(header: str | None, *, now: datetime, tolerance: timedelta) -> Signature:
    """Parse the header and check its time, before the body is read. Raises SignatureError."""
    signature = _load(header)
    if abs(now - datetime.fromtimestamp(0, UTC) - timedelta(milliseconds=int(signature.time))) > tolerance:
        raise SignatureError(
            "The signature's time is too far from now.",
            "signed at a time too far from ours. Check the clock of the web's host",
        )
    return signature


def verify(raw: bytes, signature: Signature, secrets: Sequence[bytes]) -> None:
    """Verify the signature of the raw body with each of the secrets. Raises SignatureError."""
    signed = signature.time.encode("ascii") + b"." + raw
    # With an empty secret anybody could sign.
    made = [hmac.digest(secret, signed, "sha256") for secret in secrets if secret]
    if not any(hmac.compare_digest(ours, theirs) for ours in made for theirs in signature.values):
        raise SignatureError(
            "The signature is not made with any of our keys.",
            "signed with an unknown key. Copy the key that Dixa shows into DIXA_WEBHOOK_SECRETS",
        )


def _load(header: str | None) -> Signature:
    """Parse the header. All patterns are ASCII and bounded, so a hostile header cannot make later steps fail."""
    if not header:
        raise SignatureError("There is no signature header.")
    if len(header) > _MAX_HEADER:
        raise SignatureError("The signature header is too long.")
    pairs = [part.strip(" \t").partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise SignatureError("The signature header has no time, or a malformed one.")
    signatures = [value for name, _, value in pairs if name == "v1"]
    if not 0 < len(signatures) <= _MAX_SIGNATURES or not all(_HEX.fullmatch(each) for each in signatures):
        raise SignatureError("The signature header has no v1 signature, or a malformed one.")
    return Signature(times[0], tuple(map(bytes.fromhex, signatures)))
