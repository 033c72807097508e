"""`/privacy` and `/accessibility`: their brand, their language, and the links to them."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config.loader import SettingsError
from service.surveys.brand import Brand
from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language
from service.web import page_texts, statements
from tests.processes import PUBLIC_URL
from tests.web.outline import Outline, html_of
from tests.web.survey_client import TOKEN, get, make_client, words_of

NOWHERE = "redis://127.0.0.1:1/0"
"""Neither page needs Redis."""
SURVEYS = """
[[survey]]
name = "default"

[[survey]]
name = "returns"
expires = "200d"
[survey.brand]
name = "Tidewater"
accent = "#9d174d"
support_url = "https://tidewater.example/help"

[[survey]]
name = "own-notice"
[survey.brand]
privacy_url = "https://tidewater.example/privacy"
"""


@pytest.fixture(name="file")
def write_surveys(tmp_path: Path) -> str:
    file = tmp_path / "surveys.toml"
    file.write_text(SURVEYS, encoding="utf-8")
    return str(file)


def open_page(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    return client.get(path, base_url=PUBLIC_URL, headers=headers)


def links_of(html: str) -> list[str]:
    """Return the links of a page, except those to other languages."""
    return [attrs["href"] or "" for attrs in Outline(html).of("a") if "lang" not in attrs]


@pytest.mark.parametrize("path", ["/privacy", "/accessibility"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_page_is_in_every_language(path: str, code: str) -> None:
    client = make_client(NOWHERE, BRAND_NAME="Northwind", OPERATOR="Northwind Ltd, 1 High Street, Leeds")
    response = open_page(client, f"{path}?lang={code}")
    say = load_language(code).translate
    assert response.status_code == 200
    assert f"<html lang={code} dir={load_language(code).direction}>" in response.text
    assert words_of(say(statements.RESPONSIBLE, operator="Northwind Ltd, 1 High Street, Leeds")) in words_of(
        response.text
    )
    assert say(statements.AS_BEFORE) in words_of(response.text)
    title = page_texts.PRIVACY_LINK if path == "/privacy" else page_texts.ACCESSIBILITY
    assert f"<h1>{say(title)}</h1>" in response.text


def test_page_has_language_of_browser_or_default() -> None:
    client = make_client(NOWHERE, DEFAULT_LANGUAGE="da")
    assert "<html lang=da" in open_page(client, "/privacy").text
    assert "<html lang=fi" in open_page(client, "/accessibility", **{"Accept-Language": "fi"}).text


def test_contact_is_support_url() -> None:
    client = make_client(NOWHERE, SUPPORT_URL="mailto:help@northwind.example")
    for path in ("/privacy", "/accessibility"):
        html = open_page(client, path).text
        assert "mailto:help@northwind.example" in links_of(html)
        assert statements.AS_BEFORE not in html


def test_privacy_notice_has_time_of_longest_survey(file: str) -> None:
    client = make_client(NOWHERE, SURVEYS_FILE=file, RECORD_RETENTION="100d")
    assert "Our copy is deleted 201 days after" in words_of(open_page(client, "/privacy").text)
    assert "Our copy is deleted 100 days after" in words_of(open_page(client, "/privacy?survey=default").text)


def test_own_privacy_notice_replaces_ours(file: str) -> None:
    ours = make_client(NOWHERE, SURVEYS_FILE=file)
    own = make_client(NOWHERE, SURVEYS_FILE=file, PRIVACY_URL="https://northwind.example/privacy")
    assert open_page(ours, "/privacy").status_code == 200
    for client, path, target in (
        (own, "/privacy?lang=da", "https://northwind.example/privacy"),
        (own, "/privacy?survey=returns", "https://northwind.example/privacy"),
        (own, "/privacy?survey=own-notice", "https://tidewater.example/privacy"),
        (ours, "/privacy?survey=own-notice", "https://tidewater.example/privacy"),
    ):
        response = open_page(client, path)
        assert (response.status_code, response.headers["Location"]) == (302, target)


@pytest.mark.parametrize("path", ["/privacy", "/accessibility"])
def test_survey_with_own_brand_has_pages_of_its_brand(file: str, path: str) -> None:
    client = make_client(NOWHERE, SURVEYS_FILE=file, BRAND_NAME="Holding")
    html = open_page(client, f"{path}?survey=returns&lang=da").text
    assert "Tidewater" in html
    assert "#9d174d" in html
    assert "Holding" not in html
    assert "https://tidewater.example/help" in links_of(html)
    other = {"/privacy": "/accessibility", "/accessibility": "/privacy"}[path]
    assert f"{other}?lang=da&survey=returns" in links_of(html)
    assert '<a href="?survey=returns&amp;lang=de" lang=de>' in html


@pytest.mark.parametrize("name", ["gone", "", "<b>", "%00", "x" * 5000])
def test_unknown_survey_has_brand_of_installation(file: str, name: str) -> None:
    client = make_client(NOWHERE, SURVEYS_FILE=file, BRAND_NAME="Holding")
    response = open_page(client, f"/privacy?survey={name}")
    assert response.status_code == 200
    assert "Holding" in response.text
    assert "survey=" not in response.text


def test_every_page_links_to_both_pages() -> None:
    client = make_client(NOWHERE)
    both = ["/privacy?lang=en", "/accessibility?lang=en"]
    for path in (TOKEN, f"{TOKEN}/stop", "not-a-token"):
        assert [each for each in links_of(get(client, path).text) if not each.startswith("/s/")] == both
    danish = links_of(get(client, f"{TOKEN}?lang=da").text)
    assert {"/privacy?lang=da", "/accessibility?lang=da"} <= set(danish)
    assert links_of(open_page(client, "/privacy").text) == both[1:]
    assert links_of(open_page(client, "/accessibility").text) == both[:1]


def test_survey_page_links_to_own_privacy_notice() -> None:
    client = make_client(NOWHERE, PRIVACY_URL="https://northwind.example/privacy")
    found = links_of(get(client).text)
    assert "https://northwind.example/privacy" in found
    assert not [each for each in found if each.startswith("/privacy")]


def test_page_of_branded_survey_links_to_pages_of_its_brand(file: str) -> None:
    # The default token names the survey "default", so the file's first survey gets a brand.
    Path(file).write_text('[[survey]]\nname = "default"\n[survey.brand]\nname = "Tidewater"', encoding="utf-8")
    found = links_of(get(make_client(NOWHERE, SURVEYS_FILE=file)).text)
    assert {"/privacy?lang=en&survey=default", "/accessibility?lang=en&survey=default"} <= set(found)


def test_operator_is_brand_by_default_and_one_line() -> None:
    html = open_page(make_client(NOWHERE, BRAND_NAME="Northwind"), "/privacy").text
    assert "Responsible for this survey: Northwind." in words_of(html)
    with pytest.raises(SettingsError, match="OPERATOR: has more than 200 characters, or a line break"):
        make_client(NOWHERE, OPERATOR="x" * 201)


@pytest.mark.usefixtures("page_context")
def test_longest_statement_fits_a_phone() -> None:
    """A privacy notice that nobody reads to its end informs nobody."""
    brand = Brand("Northwind")
    pages = [
        page
        for code in LANGUAGES
        for page in (
            statements.privacy_page(load_language(code), brand, None, timedelta(days=90)),
            statements.accessibility_page(load_language(code), brand, None),
        )
    ]
    texts = [re.sub(r"<(style|title|footer)\b.*?</\1>", "", html_of(page), flags=re.DOTALL) for page in pages]
    assert max(len(words_of(text)) for text in texts) <= 1400
