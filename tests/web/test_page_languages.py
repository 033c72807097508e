"""Which language a page speaks, and that all of it does."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from config.languages import LANGUAGES
from config.surveys import Survey
from service.surveys.languages import language
from service.surveys.model import Close, Decision, Journey
from service.surveys.records import Records
from service.web import wording
from service.web.app import create_app
from service.web.language import choose_language
from tests.running import settings_for
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES, make_app, show
from tests.web.visits import COMMENT, TOKEN, follow, get, make_client, post

APP = create_app(settings_for("redis://127.0.0.1:1/0"))


def speak(records: Records, spoken: str) -> None:
    """Decide to ask the customer of a conversation in this language, as Dixa tells it."""
    records.accept(Close(81000, datetime.now(UTC)), [Survey(delay=timedelta())])
    claim = records.claim(Journey.OFFER, "81000")
    assert claim
    records.decide(claim, Decision(None), spoken)


@pytest.mark.parametrize(
    ("lang", "spoken", "accepted", "code"),
    [
        ("de", "da", "fr", "de"),
        ("de-AT", "da", "fr", "de"),
        ("xx", "da", "fr", "da"),
        ("", "da", "fr", "da"),
        (None, "da-DK", "fr", "da"),
        (None, "Danish", "fr", "da"),
        (None, "pt-BR", "fr", "pt"),
        (None, "ja", "fr", "fr"),
        (None, "", "fr;q=0.5, nl-BE;q=0.9", "nl"),
        (None, "", "ja, ko;q=0.9, is;q=0.1", "is"),
        (None, "", "fr;q=0, sv;q=0.1", "sv"),
        (None, "", "nb-NO", "nb"),
        (None, "", "no", "nb"),
        (None, "", "*", "el"),
        (None, "", None, "el"),
        (None, "", "\x00;;q=x,,,", "el"),
    ],
)
def test_a_page_speaks_the_first_of_the_wishes_that_it_can(
    lang: str | None, spoken: str, accepted: str | None, code: str
) -> None:
    query = {} if lang is None else {"lang": lang}
    headers = {} if accepted is None else {"Accept-Language": accepted}
    with APP.test_request_context(query_string=query, headers=headers):
        assert choose_language(spoken, "el").code == code


@given(st.text(), st.text(), st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_whatever_is_asked_for_is_answered(lang: str, spoken: str, accepted: str) -> None:
    environ = {"HTTP_ACCEPT_LANGUAGE": accepted}
    with APP.test_request_context(query_string={"lang": lang.encode("utf-8", "replace")}, environ_overrides=environ):
        assert choose_language(spoken, "en").code in LANGUAGES


def test_the_conversations_language_is_the_pages(client: FlaskClient, records: Records) -> None:
    speak(records, "da-DK")
    answer = get(client, headers={"Accept-Language": "fr"})
    assert '<html lang="da" dir="ltr">' in answer.text
    assert answer.headers["Content-Language"] == "da"
    assert "Hvor tilfreds er du" in answer.text
    assert '<html lang="fr"' in get(client, query_string={"lang": "fr"}).text


def test_the_brands_language_is_the_last_resort(redis_url: str, keys: "redis.Redis") -> None:
    danish = make_client(redis_url, DEFAULT_LANGUAGE="Danish")
    assert '<html lang="da"' in get(danish).text
    assert '<html lang="da"' in get(danish, "not-a-token").text
    assert '<html lang="sv"' in get(danish, "not-a-token", headers={"Accept-Language": "sv"}).text


def test_the_chosen_language_stays_through_form_error_thanks_and_change(client: FlaskClient, records: Records) -> None:
    lang = {"lang": "ar"}
    here = f"/s/{TOKEN}?lang=ar"
    assert f'action="{here}"' in get(client, query_string=lang).text
    wrong = post(client, {}, query_string=lang)
    assert (wrong.status_code, f'action="{here}"' in wrong.text) == (422, True)
    assert '<html lang="ar" dir="rtl">' in wrong.text
    saved = post(client, {"rating": "4"}, query_string=lang)
    assert (saved.status_code, saved.headers["Location"]) == (303, here)
    thanks = get(client, query_string=lang)
    change = post(client, {"rating": "4", "more": "change"}, query_string=lang)
    assert change.headers["Location"] in {f"{here}&change=1", f"/s/{TOKEN}?change=1&lang=ar"}
    assert '<html lang="ar" dir="rtl">' in follow(client, change).text
    assert f'action="{here}"' in thanks.text
    kept = records.load("81000")
    assert kept
    assert kept.answered.language == "ar"


def test_the_answers_language_is_the_pages_that_it_was_given_on(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4"}, headers={"Accept-Language": "fi"})
    kept = records.load("81000")
    assert kept
    assert kept.answered.language == "fi"


@pytest.mark.parametrize(
    ("query", "kept"),
    [({}, ""), ({"r": "4"}, "r=4&amp;"), ({"change": "1", "r": "4"}, "change=1&amp;"), ({"r": "<"}, "")],
)
def test_a_page_links_to_itself_in_every_language(client: FlaskClient, query: dict[str, str], kept: str) -> None:
    html = get(client, query_string=query).text
    for code, (name, _) in LANGUAGES.items():
        current = ' aria-current="true"' if code == "en" else ""
        link = f'<a href="?{kept}lang={code}" lang={code} hreflang={code}{current}>{name}</a>'
        assert html.count(link) == 1


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_page_says_nothing_in_english(code: str) -> None:
    english = {text for text in _all_texts() if len(text) > 12 and "%" not in text}
    for name in ("form", "error-comment", "saved", "closed-expired"):
        with make_app().test_request_context():
            html = show(name, language(code)).get_data(as_text=True)
        assert f'<html lang="{code}" dir="{language(code).direction}">' in html
        assert [text for text in english if f">{text}<" in html] == []


def _all_texts() -> list[str]:
    values = [value for name, value in vars(wording).items() if name.isupper()]
    return [text for value in values for text in ([value] if isinstance(value, str) else _leaves(value))]


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _leaves(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", STATES)
def test_in_the_pseudo_language_every_text_is_in_brackets(name: str) -> None:
    """What isn't would be a text that no catalog has, or a sentence joined from pieces."""
    with make_app().test_request_context():
        html = show(name, PSEUDO).get_data(as_text=True)
    body = re.sub(r"<(details|textarea|blockquote|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    texts = [unescape(text).strip() for text in re.findall(r">([^<]+)<", body) if text.strip()]
    ours = [text for text in texts if text != "Northwind" and not re.fullmatch(r"\d+", text)]
    assert ours
    for text in ours:
        assert re.fullmatch(r"(\[.*\] ?)+( – Northwind)?", text), text


def test_in_arabic_a_comment_keeps_its_own_direction(client: FlaskClient) -> None:
    html = post(client, {"comment": COMMENT}, query_string={"lang": "ar"}).text
    assert 'dir="auto"' in html
    assert '<html lang="ar" dir="rtl">' in html
