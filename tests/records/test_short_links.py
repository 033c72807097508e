"""Short links: one code a survey, even after crashes and duplicates, for as long as its link works."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
import redis

from service.records.records import Records
from service.records.redis import RecordsUnavailable, connect
from service.records.short_links import LENGTH, ShortLinks, find_code, is_code
from service.surveys.links import Link, Links
from service.surveys.model import Offer
from tests.harness import AT_ONCE, CSAT
from tests.processes import SECRET_KEY, free_port

URL = "https://survey.example"
LINKS = Links([SECRET_KEY], URL)
LINK = Link("48203", 48203, "default", (Offer(CSAT, "0e2f8a44-8a7e-4f0e-9a57-0c1f6f0f2a90"),))
SIGNED = LINKS.url(LINK)
TOKEN = SIGNED.rpartition("/")[2]
KEEP = timedelta(days=91)
CODE = "aB3dE6gH9jK2"


@pytest.fixture
def short_links(redis_client: redis.Redis, prefix: str) -> ShortLinks:
    return ShortLinks(redis_client, URL, prefix=prefix)


def code_of(link: str) -> str:
    return link.removeprefix(f"{URL}/s/")


def test_a_code_resolves_to_the_signed_token(short_links: ShortLinks) -> None:
    link = short_links.shorten("48203", SIGNED, KEEP)
    assert re.fullmatch(rf"{URL}/s/[A-Za-z0-9]{{12}}", link)
    assert short_links.find(code_of(link)) == TOKEN
    assert is_code(code_of(link))


def test_codes_differ_and_use_the_whole_alphabet(short_links: ShortLinks) -> None:
    codes = [code_of(short_links.shorten(str(number), SIGNED, KEEP)) for number in range(200)]
    assert len(set(codes)) == 200
    assert len(set("".join(codes))) == 62
    assert {len(code) for code in codes} == {LENGTH}


def test_the_only_code_of_a_survey_resolves_to_the_latest_token(
    short_links: ShortLinks, redis_client: redis.Redis, prefix: str
) -> None:
    """A reminder has a newer token with a later expiry."""
    first = short_links.shorten("48203", SIGNED, KEEP)
    later = LINKS.url(replace(LINK, survey_name="later"))
    assert short_links.shorten("48203", later, KEEP) == first
    assert short_links.find(code_of(first)) == later.rpartition("/")[2]
    assert len([*redis_client.scan_iter(f"{prefix}short:*")]) == 1


def test_concurrent_requests_get_the_same_code(short_links: ShortLinks, redis_client: redis.Redis, prefix: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = {*pool.map(lambda _: short_links.shorten("48203", SIGNED, KEEP), range(64))}
    assert len(found) == 1
    assert len([*redis_client.scan_iter(f"{prefix}short:*")]) == 1


def test_a_code_of_another_survey_is_never_reused(short_links: ShortLinks) -> None:
    drawn = iter("a" * LENGTH + "a" * LENGTH + "b" * LENGTH)
    with patch("service.records.short_links.secrets.choice", lambda _: next(drawn)):
        first, second = (short_links.shorten(each, f"{URL}/s/{each}", KEEP) for each in ("1", "2"))
    assert (code_of(first), code_of(second)) == ("a" * LENGTH, "b" * LENGTH)
    assert (short_links.find("a" * LENGTH), short_links.find("b" * LENGTH)) == ("1", "2")


def test_both_keys_expire_after_the_latest_link(
    short_links: ShortLinks, redis_client: redis.Redis, prefix: str
) -> None:
    link = short_links.shorten("48203", SIGNED, timedelta(days=1))
    assert short_links.shorten("48203", SIGNED, KEEP) == link
    for name in (f"short_of:{48203}", f"short:{code_of(link)}"):
        left = timedelta(milliseconds=redis_client.pttl(prefix + name))
        assert KEEP - timedelta(minutes=1) < left <= KEEP


@pytest.mark.parametrize(
    ("keep", "expires", "editable_for", "least"),
    [(90, 28, 0, 91), (1, 28, 0, 30), (1, 28, 7, 36), (90, 365, 7, 373)],
)
def test_a_link_works_until_its_answer_is_final(
    redis_client: redis.Redis, keep: int, expires: int, editable_for: int, least: int
) -> None:
    """An answer on the last day is editable for its usual time, a suspect answer for a day.

    Afterwards the page still confirms the recorded answer.
    """
    records = Records(redis_client, lease=timedelta(seconds=60), keep=timedelta(days=keep))
    terms = replace(AT_ONCE, expires=timedelta(days=expires), editable_for=timedelta(days=editable_for))
    assert records.link_lifetime(terms) == timedelta(days=least)


def test_a_lookup_writes_nothing(short_links: ShortLinks, redis_client: redis.Redis, prefix: str) -> None:
    code = code_of(short_links.shorten("48203", SIGNED, KEEP))
    assert redis_client.persist(f"{prefix}short:{code}")
    assert (short_links.find(code), short_links.find(CODE)) == (TOKEN, None)
    assert redis_client.pttl(f"{prefix}short:{code}") == -1
    assert {*redis_client.scan_iter(f"{prefix}*")} == {f"{prefix}short:{code}", f"{prefix}short_of:48203"}


def test_an_unavailable_redis_makes_no_code_unknown() -> None:
    unavailable = ShortLinks(connect(f"redis://127.0.0.1:{free_port()}/0"), URL)
    with pytest.raises(RecordsUnavailable):
        unavailable.find(CODE)
    with pytest.raises(RecordsUnavailable):
        unavailable.shorten("48203", SIGNED, KEEP)


@pytest.mark.parametrize(
    "text",
    [
        CODE[:-1],
        f"{CODE}x",
        f"{CODE}.",
        f" {CODE}",
        f"{CODE}\n",
        "",
        "ÆØÅæøåÆØÅæøå",
        "١٢٣٤٥٦٧٨٩٠١٢",
        pytest.param(TOKEN, id="token"),
        f"{CODE[:-1]}-",
    ],
)
def test_other_texts_are_no_codes(text: str) -> None:
    assert not is_code(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *((CODE + rest, (CODE, rest)) for rest in ("", ".", ")", "…", "\u200b", ".Thanks", "_", "-.", "/stop")),
        (f"“{CODE}”", (CODE, "”")),
        (f"{CODE}_x", None),
        (f"{CODE}-x", None),
        (f"{CODE}x", None),
        pytest.param(TOKEN, None, id="token"),
    ],
)
def test_a_code_is_found_in_a_mangled_link(text: str, found: tuple[str, str] | None) -> None:
    assert find_code(text) == found
