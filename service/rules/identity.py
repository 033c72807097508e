"""Keyed hashes to recognise a customer across conversations without keeping their data.

Each key of SECRET_KEYS makes hashes of its own, so opt-outs and cooldowns stay valid while a key is being replaced.
"""

import hmac
import re
from collections.abc import Sequence
from enum import StrEnum

from service.surveys.model import Close, Record

_BY_ADDRESS = {"Email", "ContactForm"}
_BY_NUMBER = {"Sms", "WhatsApp"}
"""Dixa's channels to the requester's address, and to their number."""
_MIN_DIGITS = 7
"""With fewer digits it is no telephone number but a placeholder, such as "anonymous1"."""


class IdentityKind(StrEnum):
    """Kinds of identity."""

    REQUESTER = "requester's id"
    EMAIL = "e-mail address"
    PHONE = "telephone number"
    UNKNOWN = "address or number"
    """Older records keep both as one kind."""


class Identities:
    """The hashes of one installation."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._keys = [hmac.digest(key.encode(), b"afterword.persons", "sha256") for key in secret_keys]

    def hashes_of(
        self, requester_id: str | None, email: str | None = None, phone: str | None = None
    ) -> tuple[str, ...]:
        """Return the hashes of a person's id, address and number, as far as they are given."""
        number = re.sub(r"[^0-9]", "", phone or "").lstrip("0")
        traits = [
            *([f"id:{requester_id}"] if requester_id else ()),
            *([f"email:{email.casefold()}"] if email else ()),
            *([f"phone:{number}"] if len(number) >= _MIN_DIGITS else ()),
        ]
        return tuple(hmac.digest(key, trait.encode(), "sha256")[:16].hex() for key in self._keys for trait in traits)

    def kinds_of(self, close: Close) -> dict[str, IdentityKind]:
        """Return the kind of each id and hash of a requester."""
        of_requester = [close.requester_id, *self.hashes_of(close.requester_id)] if close.requester_id else []
        return {
            **dict.fromkeys(close.person, IdentityKind.UNKNOWN),
            **dict.fromkeys(of_requester, IdentityKind.REQUESTER),
            **dict.fromkeys(close.email_hashes, IdentityKind.EMAIL),
            **dict.fromkeys(close.phone_hashes, IdentityKind.PHONE),
        }


def recipient_hashes(record: Record) -> tuple[str, ...]:
    """Return the hashes of the link's recipient: an address or a number.

    Empty for a chat, or if unknown. In a chat anybody can type somebody else's address.
    """
    close, channel = record.close, record.offer.channel
    if not close:
        return ()
    answered_in = (close.channel or record.facts.get("channel", "")) if channel == "message" else ""
    if channel == "email" or answered_in in _BY_ADDRESS:
        return close.email_hashes
    return close.phone_hashes if answered_in in _BY_NUMBER else ()
