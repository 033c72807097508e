"""A customer as the commands take one: Dixa's id of the requester, an e-mail address or a telephone number."""

import re
from dataclasses import dataclass
from uuid import UUID

import click

from service.rules.identity import Identities
from service.surveys.mailbox import read_address

HELP = "CUSTOMER is the requester's id in Dixa, an e-mail address or a telephone number with its country code."
_NUMBER = re.compile(r"(?:\+|00)(?!.*\(0\))[-0-9 ()./]+")
"""With a country code, as in Dixa. "+44 (0)20" is refused: the 0 belongs to the number in Italy, and not elsewhere."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer by one identity: the requester's id, an address or a number. The others are None."""

    requester_id: str | None = None
    email: str | None = None
    phone: str | None = None

    @classmethod
    def read(cls, text: str) -> "Customer":
        """Read a customer. Raises BadParameter for all else: a typo would go unnoticed."""
        text = text.strip()
        if address := read_address(text):
            return cls(email=address)
        try:
            return cls(requester_id=str(UUID(text)))
        except ValueError:
            number = text if _NUMBER.fullmatch(text) else ""
        if Identities([""]).hashes_of(None, phone=number):
            return cls(phone=number)
        problem = (
            "not a requester's id, an e-mail address or a telephone number. Write it like "
            "7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f, ida@example.com or +4520123456: a number begins with its country "
            "code, and has no (0)."
        )
        raise click.BadParameter(problem, param_hint="CUSTOMER")

    def hashes(self, identities: Identities) -> tuple[str, ...]:
        """Return the hashes of this identity, one for each of SECRET_KEYS."""
        return identities.hashes_of(self.requester_id, self.email, self.phone)

    def opt_out_traits(self, identities: Identities) -> tuple[str, ...]:
        """Return the identity as opt-outs have it: an id as it is, an address or a number as hashes."""
        return (self.requester_id,) if self.requester_id else self.hashes(identities)
