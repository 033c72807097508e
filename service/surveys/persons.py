"""Who is the same person: keyed hashes of what a requester can be known by. Nothing else of it is kept.

Every key of SECRET_KEYS makes hashes of its own, so that nobody is forgotten while a key is being replaced.
"""

import hmac
import re
from collections.abc import Sequence

_FEWEST_DIGITS = 7
"""What has fewer is no telephone number but a word for a hidden one."""


class Persons:
    """The hashes of one installation."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._keys = [hmac.digest(key.encode(), b"afterword.persons", "sha256") for key in secret_keys]

    def known_by(self, requester_id: str | None, email: str | None = None, phone: str | None = None) -> tuple[str, ...]:
        """Give the hashes of a person's id, address and number, as far as they are known."""
        number = re.sub(r"[^0-9]", "", phone or "").lstrip("0")
        traits = [
            *([f"id:{requester_id}"] if requester_id else ()),
            *([f"email:{email.casefold()}"] if email else ()),
            *([f"phone:{number}"] if len(number) >= _FEWEST_DIGITS else ()),
        ]
        return tuple(hmac.digest(key, trait.encode(), "sha256")[:16].hex() for key in self._keys for trait in traits)
