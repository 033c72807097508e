"""Tokens: every valid link survives, and every changed one is refused."""

import re
import string
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2s

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from service.surveys.definition import Survey
from service.surveys.links import SALT, Link, LinkError, Links
from service.surveys.model import Offer, OfferProgress, Record
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState

URL = "https://survey.northwind.example"
OLD_KEY, NEW_KEY = "old-key-0123456789-0123456789-0123", "new-key-0123456789-0123456789-0123"
LINKS = Links([OLD_KEY], URL)

# Dixa's ids are UUIDs, but that isn't documented. UTF-8 can't contain lone surrogates.
RATING_IDS = st.uuids().map(str) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
OFFERS = st.lists(st.builds(Offer, st.sampled_from(RatingType), RATING_IDS), min_size=1, max_size=3).map(tuple)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,19}", fullmatch=True)


def link_of(
    conversation_id: int = 48213, name: str = "default", offers: tuple[Offer, ...] | None = None, suffix: str = ""
) -> Link:
    given = (Offer(RatingType.CSAT, str(uuid.UUID(int=7))),) if offers is None else offers
    return Link(f"{conversation_id}{suffix}", conversation_id, name, given)


ALL_LINKS = st.builds(link_of, st.integers(1, 2**31), NAMES, OFFERS, st.sampled_from(["", "-2", "-17"]))
TOKEN = LINKS.sign(link_of())


@given(ALL_LINKS)
def test_a_link_survives_sign_and_read(link: Link) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    found = LINKS.read(LINKS.sign(link))
    assert (found.survey_id, found.conversation_id) == (link.survey_id, link.conversation_id)
    assert (found.survey_name, found.offers) == (link.survey_name, link.offers)
    assert found.issued_at is not None
    assert before <= found.issued_at <= before + timedelta(minutes=1)


@given(ALL_LINKS)
def test_a_token_is_safe_in_a_url_and_ends_in_a_letter_or_digit(link: Link) -> None:
    token = LINKS.sign(link)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert token[-1] in string.ascii_letters + string.digits


@given(st.tuples(st.uuids(), st.uuids(), st.uuids()), st.integers(1, 9_999_999_999))
def test_a_usual_token_has_at_most_160_characters(ids: tuple[uuid.UUID, ...], conversation_id: int) -> None:
    offers = tuple(Offer(rating, str(each)) for rating, each in zip(RatingType, ids, strict=True))
    assert len(LINKS.sign(link_of(conversation_id, "n" * 20, offers))) <= 160


def test_a_record_gives_its_link() -> None:
    offers = (Offer(RatingType.NPS, "rating"),)
    offer = OfferProgress(OfferState.OFFERED)
    record = Record("48213", 48213, datetime.now(UTC), None, Survey(name="shop"), offer, offers)
    assert Link.to(record) == Link("48213", 48213, "shop", offers)
    url = LINKS.url(Link.to(record))
    assert url.startswith(f"{URL}/s/")
    assert LINKS.read(url.rpartition("/")[2]).offers == offers


ALPHABET = string.ascii_letters + string.digits + "-_."


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(ALPHABET))
def test_a_changed_character_is_refused(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed != TOKEN:
        refuses(changed)


def test_any_other_last_character_is_refused() -> None:
    """Base64 leaves bits of the last character unused: several characters decode to the same signature."""
    for character in set(ALPHABET) - {TOKEN[-1]}:
        refuses(TOKEN[:-1] + character)


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_a_token_that_was_cut_off_is_refused(length: int) -> None:
    refuses(TOKEN[:length])


@given(st.text(min_size=1))
def test_text_before_or_after_a_token_is_refused(text: str) -> None:
    refuses(TOKEN + text)
    refuses(text + TOKEN)


@given(st.integers(1, len(TOKEN) - 1), st.sampled_from("!~ \n\t=%\0é…/+"))
def test_an_inserted_character_is_refused(position: int, character: str) -> None:
    refuses(TOKEN[:position] + character + TOKEN[position:])


@given(st.text(st.characters()) | st.text(ALPHABET) | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]{27}", fullmatch=True))
def test_any_other_text_is_refused_with_the_same_error(text: str) -> None:
    refuses(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "é" * 50, "\ud800", "a" * 1_000_000, f".{'a' * 100_000}.b.c", TOKEN.swapcase()],
    ids=["empty", "dot", "dots", "more dots", "short", "accents", "surrogate", "huge", "huge and packed", "case"],
)
def test_odd_texts_are_refused(text: str) -> None:
    refuses(text)


def test_a_token_of_another_key_is_refused() -> None:
    refuses(Links([NEW_KEY], URL).sign(link_of()))


def test_a_token_with_another_salt_is_refused() -> None:
    """With the right salt the token is valid."""
    kwargs = {"key_derivation": "hmac", "digest_method": partial(blake2s, digest_size=20)}
    payload = [48213, "", "default", []]
    for salt, is_link in ((SALT, True), ("afterword.something-else.v1", False)):
        made = URLSafeTimedSerializer(OLD_KEY, salt=salt, serializer=msgpack, signer_kwargs=kwargs).dumps(payload)
        token = made if isinstance(made, str) else made.decode()
        if is_link:
            assert LINKS.read(token).conversation_id == 48213
        else:
            refuses(token)


def test_the_error_has_no_details() -> None:
    with pytest.raises(LinkError) as forged:
        LINKS.read(TOKEN[:-1])
    with pytest.raises(LinkError) as nonsense:
        LINKS.read("nonsense")
    assert str(forged.value) == str(nonsense.value) == ""


def test_old_links_work_after_a_key_rotation() -> None:
    rotated = Links([NEW_KEY, OLD_KEY], URL)
    assert rotated.read(TOKEN).conversation_id == 48213


def test_the_first_key_signs() -> None:
    token = Links([NEW_KEY, OLD_KEY], URL).sign(link_of())
    assert Links([NEW_KEY], URL).read(token).conversation_id == 48213
    refuses(token)


def test_links_of_a_removed_key_are_refused() -> None:
    with pytest.raises(LinkError):
        Links([NEW_KEY], URL).read(TOKEN)


def refuses(token: str) -> None:
    with pytest.raises(LinkError):
        LINKS.read(token)
