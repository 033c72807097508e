"""The language of a page, and the completeness of its translation."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from werkzeug.test import TestResponse

from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import Close, Decision
from service.surveys.ratings import RatingType
from service.surveys.states import Journey, Verdict
from service.texts.catalog import load_language
from service.web import page_texts
from service.web.app import create_app
from service.web.language import choose_language, requested_language
from tests.processes import PUBLIC_URL, settings_for
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES, make_app, show
from tests.web.survey_client import COMMENT, TOKEN, chosen, dump, follow, get, make_client, post
from tests.web.test_survey import begin_to_submit

APP = create_app(settings_for("redis://127.0.0.1:1/0"))


def decide_in_language(records: Records, spoken: str) -> None:
    """Decide to send a survey in this language of Dixa's."""
    records.accept(Close(81000, datetime.now(UTC)), [Survey(delay=timedelta())])
    claim = records.claim(Journey.OFFER, "81000")
    assert claim
    records.decide(claim, Decision(Verdict.ASK), spoken)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        (f"{'xx,' * 100}da", "da"),
        (f"{'xx,' * 10_000}da", "en"),
        (f"da,{'xx,' * 10_000}", "da"),
        (f"{'x' * 497},da-x", "en"),
        ("d" * 10_000, "en"),
    ],
    ids=["many", "very many", "first of very many", "cut in two", "one without end"],
)
def test_only_beginning_of_long_accept_language_is_read(client: FlaskClient, accepted: str, code: str) -> None:
    """Parsing all of them would take a worker a second."""
    assert f"<html lang={code}" in get(client, "not-a-token", headers={"Accept-Language": accepted}).text


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
def test_page_language_is_first_available(lang: str | None, spoken: str, accepted: str | None, code: str) -> None:
    query = {} if lang is None else {"lang": lang}
    headers = {} if accepted is None else {"Accept-Language": accepted}
    with APP.test_request_context(query_string=query, headers=headers):
        assert choose_language(requested_language(), spoken, "el").code == code


@given(st.text(), st.text(), st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_any_header_gives_a_language(lang: str, spoken: str, accepted: str) -> None:
    environ = {"HTTP_ACCEPT_LANGUAGE": accepted}
    with APP.test_request_context(query_string={"lang": lang.encode("utf-8", "replace")}, environ_overrides=environ):
        assert choose_language(requested_language(), spoken, "en").code in LANGUAGES


def test_page_has_language_of_conversation(client: FlaskClient, records: Records) -> None:
    decide_in_language(records, "da-DK")
    response = get(client, headers={"Accept-Language": "fr"})
    assert "<html lang=da dir=ltr>" in response.text
    assert response.headers["Content-Language"] == "da"
    assert "Hvor tilfreds er du" in response.text
    assert "<html lang=fr" in get(client, query_string={"lang": "fr"}).text


def test_default_language_is_last(redis_url: str, keys: "redis.Redis") -> None:
    danish = make_client(redis_url, DEFAULT_LANGUAGE="Danish")
    assert "<html lang=da" in get(danish).text
    assert "<html lang=da" in get(danish, "not-a-token").text
    assert "<html lang=sv" in get(danish, "not-a-token", headers={"Accept-Language": "sv"}).text


def test_chosen_language_stays_on_every_page(client: FlaskClient, records: Records) -> None:
    lang = {"lang": "ar"}
    here, action = f"/s/{TOKEN}?lang=ar", 'action="?lang=ar"'
    assert action in get(client, query_string=lang).text
    wrong = post(client, {}, query_string=lang)
    assert (wrong.status_code, action in wrong.text) == (422, True)
    assert "<html lang=ar dir=rtl>" in wrong.text
    saved = post(client, {"rating": "4"}, query_string=lang)
    assert (saved.status_code, saved.headers["Location"]) == (303, here)
    thanks = get(client, query_string=lang)
    change = post(client, {"rating": "4", "more": "change"}, query_string=lang)
    assert change.headers["Location"] in {f"{here}&change=1", f"/s/{TOKEN}?change=1&lang=ar"}
    assert "<html lang=ar dir=rtl>" in follow(client, change).text
    assert action in thanks.text
    kept = records.load("81000")
    assert kept
    assert kept.answered.language == "ar"


def test_answer_has_language_of_its_page(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4"}, headers={"Accept-Language": "fi"})
    kept = records.load("81000")
    assert kept
    assert kept.answered.language == "fi"


def test_page_without_form_links_to_every_other_language(client: FlaskClient, records: Records) -> None:
    begin_to_submit(records)
    html = get(client).text
    for code, (name, _) in LANGUAGES.items():
        assert html.count(f'<a href="?lang={code}" lang={code}>{name}</a>') == (code != "en")


def test_form_has_button_for_every_other_language(client: FlaskClient) -> None:
    html = get(client).text
    for code, (name, _) in LANGUAGES.items():
        assert html.count(f"<button name=lang value={code} lang={code}>{name}</button>") == (code != "en")


TYPED = {"rating": "2", "comment": f"\n {COMMENT}"}


def change_language(client: FlaskClient, typed: dict[str, str], lang: str = "da", **given: Any) -> TestResponse:
    """Post the form with the button of a language."""
    return post(client, {**typed, "lang": lang}, **given)


@pytest.mark.parametrize("typed", [TYPED, {}, {"comment": COMMENT}, {"rating": "7"}, {"comment": "x" * 2001}])
def test_language_change_keeps_typed_text_and_saves_nothing(
    client: FlaskClient, keys: redis.Redis, typed: dict[str, str]
) -> None:
    before = dump(keys)
    shown = change_language(client, typed, query_string={"lang": "fi"})
    assert shown.status_code == 200
    assert "<html lang=da" in shown.text
    assert chosen(shown) == [score for score in typed.values() if score == "2"]
    assert f">\n{escape(typed.get('comment', ''))}</textarea>" in shown.text
    assert 'action="?lang=da"' in shown.text
    assert f'href="/s/{TOKEN}/stop?lang=da"' in shown.text
    assert "role=alert" not in shown.text
    assert dump(keys) == before


def test_unknown_language_shows_form_unchanged(client: FlaskClient, records: Records) -> None:
    for lang in ("", "xx", "<"):
        shown = change_language(client, TYPED, lang, query_string={"lang": "fi"})
        assert (shown.status_code, chosen(shown)) == (200, ["2"])
        assert "<html lang=fi" in shown.text
    assert records.load("81000") is None


def test_language_change_keeps_comment_to_be_added(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4"})
    shown = change_language(client, {"rating": "4", "comment": COMMENT})
    assert load_language("da").translate(page_texts.THANKS) in shown.text
    assert f">\n{escape(COMMENT)}</textarea>" in shown.text
    assert '<input type="hidden" name="rating" value="4">' in shown.text
    kept = records.load("81000")
    assert kept
    assert kept.answer
    assert not kept.answer.has_comment
    assert post(client, {"rating": "4", "comment": COMMENT}, query_string={"lang": "da"}).status_code == 303
    assert load_language("da").translate(page_texts.COMMENT_SAVED) in get(client, query_string={"lang": "da"}).text


def test_language_change_keeps_unsaved_change(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4", "comment": "first"})
    assert 'action="?change=1"' in get(client, query_string={"change": "1"}).text
    shown = change_language(client, TYPED, query_string={"change": "1"})
    assert chosen(shown) == ["2"]
    assert load_language("da").translate(page_texts.COMMENT_KEPT) in shown.text
    assert f">\n{escape(TYPED['comment'])}</textarea>" in shown.text
    assert 'action="?lang=da&amp;change=1"' in shown.text
    kept = records.load("81000")
    assert kept
    assert kept.answered.scores == {RatingType.CSAT: 4}


def test_language_change_keeps_receipt_of_spooled_answer(tmp_path: Path) -> None:
    client = make_client("redis://127.0.0.1:1/0", SPOOL_DIR=str(tmp_path))
    path = post(client, {"rating": "4"}).headers["Location"]
    page = client.get(path, base_url=PUBLIC_URL).text
    action = re.search(r'<form method=post action="([^"]*)"', page)
    assert action
    form = {"rating": "4", "comment": COMMENT, "lang": "da"}
    shown = client.post(f"/s/{TOKEN}{unescape(action[1])}", base_url=PUBLIC_URL, data=form)
    assert load_language("da").translate(page_texts.THANKS) in shown.text
    assert f">\n{escape(COMMENT)}</textarea>" in shown.text


def test_language_change_is_rate_limited_and_same_site(client: FlaskClient) -> None:
    foreign = change_language(client, TYPED, headers={"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, "<html lang=da" in foreign.text) == (403, True)
    codes = [change_language(client, TYPED).status_code for _ in range(300)]
    assert (codes[0], codes[-1]) == (200, 429)


def test_language_change_makes_no_answer_suspect(client: FlaskClient, records: Records) -> None:
    change_language(client, {**TYPED, "website": "x"})
    post(client, TYPED)
    kept = records.load("81000")
    assert kept
    assert kept.answer
    assert not kept.answer.is_suspect


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_page_has_no_english_text(code: str) -> None:
    english = {text for text in _all_texts() if len(text) > 12 and "%" not in text}
    for name in ("form", "error-comment", "saved", "closed-expired"):
        with make_app().test_request_context():
            html = show(name, load_language(code)).get_data(as_text=True)
        assert f"<html lang={code} dir={load_language(code).direction}>" in html
        assert [text for text in english if f">{text}<" in html] == []


def _all_texts() -> list[str]:
    values = [value for name, value in vars(page_texts).items() if name.isupper()]
    return [text for value in values for text in ([value] if isinstance(value, str) else _leaves(value))]


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _leaves(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", STATES)
def test_every_text_is_translated_to_pseudo_language(name: str) -> None:
    """Text outside brackets isn't in the catalogs, or is joined from pieces."""
    with make_app().test_request_context():
        html = show(name, PSEUDO).get_data(as_text=True)
    body = re.sub(r"<(details|textarea|blockquote|style)\b.*?</\1>|</?span>", "", html, flags=re.DOTALL)
    texts = [unescape(text).strip() for text in re.findall(r">([^<]+)<", body) if text.strip()]
    ours = [text for text in texts if text != "Northwind" and not re.fullmatch(r"\d+", text)]
    assert ours
    for text in ours:
        assert re.fullmatch(r"(\[.*\] ?)+( – Northwind)?", text), text


def test_comment_keeps_its_direction_in_arabic(client: FlaskClient) -> None:
    html = post(client, {"comment": COMMENT}, query_string={"lang": "ar"}).text
    assert "dir=auto" in html
    assert "<html lang=ar dir=rtl>" in html
