"""Survey links: signs and reads the token in the URL. It is the only authorisation."""

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
"""The exact form of a token. Python's Base64 decoder ignores foreign characters and spare bits: a token would
have twins."""

_IN_TEXT = re.compile(rf"[^A-Za-z0-9_.-]*({_TOKEN.pattern})(?![-_]*[A-Za-z0-9])(.*)", re.DOTALL)
"""A token between characters added by mail programs. A letter or digit after it may belong to it: no match then."""


class LinkError(Exception):
    """The token is invalid. There is one kind only, so an attacker learns nothing."""


@dataclass(frozen=True, slots=True)
class Link:
    """The content of a survey link. It is enough to show the page and submit the answer without Redis."""

    survey_id: str
    conversation_id: int
    survey_name: str
    offers: tuple[Offer, ...]
    issued_at: datetime | None = None

    @classmethod
    def to(cls, record: Record) -> Self:
        """Return the link of an offered survey."""
        name = record.terms.name if record.terms else ""
        return cls(record.survey_id, record.conversation_id, name, record.offers)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The saved answer, as the thank-you page showed it."""

    survey_id: str
    scores: Mapping[RatingType, int]
    has_comment: bool


def find_token(text: str) -> tuple[str, str] | None:
    """Return the token of a mangled link and the text behind it. The signature isn't checked."""
    found = _IN_TEXT.match(text)
    return (found[1], found[2]) if found else None


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token. The signature isn't checked."""
    return _TOKEN.fullmatch(text) is not None


def _pack(link: Link) -> list[Any]:
    """Return a link's fields for msgpack. A UUID becomes 16 bytes, for a short link."""
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
    """Signs with the first key, and accepts signatures of all keys."""

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
        """Return the URL of the survey page."""
        return f"{self._public_url}/s/{self.sign(link)}"

    def sign(self, link: Link) -> str:
        """Return the token. It ends in a letter or digit: mail programs leave out punctuation at the end of a URL."""
        token = self._serializer.dumps(_pack(link))
        return token if isinstance(token, str) else token.decode()

    def sign_receipt(self, receipt: Receipt) -> str:
        """Sign a receipt. The thank-you page shows it while Redis is down."""
        return str(self._receipts.dumps([receipt.survey_id, dict(receipt.scores), receipt.has_comment]))

    def read_receipt(self, text: str) -> Receipt | None:
        """Read a receipt. Return None if it is invalid."""
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
