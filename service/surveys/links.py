"""Survey links: what a token carries, and how it is signed and read. The token in the URL is the only authority."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2s
from typing import Any, Self

import msgpack
from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from service.surveys.model import Offer, Record
from service.surveys.ratings import RatingType

SALT = "afterword.survey-link.v1"
RECEIPT_SALT = "afterword.receipt.v1"
_TYPES = tuple(RatingType)
_TOKEN = re.compile(r"\.?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]")
"""How our own tokens are spelled. Reading Base64 passes over characters and bits that don't belong there."""

_IN_TEXT = re.compile(rf"[^A-Za-z0-9_.-]*({_TOKEN.pattern})(?![-_]*[A-Za-z0-9])(.*)", re.DOTALL)
"""A token and what other programs glued to it. Letters and digits may belong to a token, so they are never cut off."""


class LinkError(Exception):
    """The token is not one of ours. One kind only: a stranger learns nothing from it."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a survey link says: enough to show the page and to submit the answer with Redis empty."""

    survey_id: str
    conversation_id: int
    survey_name: str
    offers: tuple[Offer, ...]
    issued_at: datetime | None = None

    @classmethod
    def to(cls, record: Record) -> Self:
        """Make the link to an offered survey."""
        name = record.terms.name if record.terms else ""
        return cls(record.survey_id, record.conversation_id, name, record.offers)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a customer was told is saved."""

    survey_id: str
    scores: Mapping[RatingType, int]
    has_comment: bool


def find_token(text: str) -> tuple[str, str] | None:
    """Return the token that a mangled link begins with, and what follows it. Whether it is valid isn't known yet."""
    found = _IN_TEXT.match(text)
    return (found[1], found[2]) if found else None


def is_token(text: str) -> bool:
    """Return whether this is spelled like a token, and nothing else. Whether it is valid isn't known yet."""
    return _TOKEN.fullmatch(text) is not None


def _pack(link: Link) -> list[Any]:
    """Lay a link out for msgpack; a rating id that is a UUID as its 16 bytes keeps it short."""
    offers = [[_TYPES.index(each.rating), _pack_id(each.rating_id)] for each in link.offers]
    return [link.conversation_id, link.survey_id.removeprefix(str(link.conversation_id)), link.survey_name, offers]


def _unpack(packed: Any, issued_at: datetime) -> Link:
    conversation_id, suffix, name, offers = packed
    return Link(
        survey_id=f"{conversation_id}{suffix}",
        conversation_id=conversation_id,
        survey_name=name,
        offers=tuple(Offer(_TYPES[index], _unpack_id(rating_id)) for index, rating_id in offers),
        issued_at=issued_at,
    )


def _pack_id(rating_id: str) -> bytes | str:
    try:
        packed = uuid.UUID(rating_id)
    except ValueError:
        return rating_id
    return packed.bytes if str(packed) == rating_id else rating_id


def _unpack_id(packed: bytes | str) -> str:
    return str(uuid.UUID(bytes=packed)) if isinstance(packed, bytes) else packed


class Links:
    """Signs with the first key and reads with all of them."""

    def __init__(self, secret_keys: Sequence[str], public_url: str) -> None:
        # itsdangerous wants the newest key last.
        self._serializer: URLSafeTimedSerializer = URLSafeTimedSerializer(
            [*reversed(secret_keys)],
            salt=SALT,
            serializer=msgpack,
            signer_kwargs={"key_derivation": "hmac", "digest_method": partial(blake2s, digest_size=20)},
        )
        self._receipts = URLSafeSerializer([*reversed(secret_keys)], salt=RECEIPT_SALT)
        self._public_url = public_url

    def url(self, link: Link) -> str:
        """Where the customer answers."""
        return f"{self._public_url}/s/{self.sign(link)}"

    def sign(self, link: Link) -> str:
        """Make the token. Its last character is a letter or digit, so no mail program cuts it off."""
        token = self._serializer.dumps(_pack(link))
        return token if isinstance(token, str) else token.decode()

    def sign_receipt(self, receipt: Receipt) -> str:
        """Sign what was saved, so that the thanks can be shown while the records can't be asked."""
        return str(self._receipts.dumps([receipt.survey_id, dict(receipt.scores), receipt.has_comment]))

    def read_receipt(self, text: str) -> Receipt | None:
        """Read a receipt; None when it isn't one of ours."""
        try:
            survey_id, scores, has_comment = self._receipts.loads(text)
            return Receipt(survey_id, {RatingType(rating): score for rating, score in scores.items()}, has_comment)
        except (BadData, UnicodeError, ValueError, TypeError, AttributeError):
            return None

    def read(self, token: str) -> Link:
        """Read a token of any age. Raises LinkError."""
        if not is_token(token):
            raise LinkError
        try:
            packed, issued_at = self._serializer.loads(token, return_timestamp=True)
            return _unpack(packed, issued_at)
        except (BadData, UnicodeError, ValueError, TypeError, IndexError) as error:
            raise LinkError from error
