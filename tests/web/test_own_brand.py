"""A survey's own brand on its pages, from the record or else from surveys.toml."""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.records.records import Records
from service.records.redis import Breaker, connect
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.surveys.model import Close, Decision
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from service.surveys.theme import Logo
from service.web.services import Services
from tests.web.survey_client import LINK, TOKEN, get, make_client, post, sign
from tests.web.test_brand import SVG

URI = f"data:image/svg+xml;base64,{b64encode(SVG.encode()).decode()}"
TIDEWATER = OwnBrand(
    name="Tidewater & Søn",
    accent="#9d174d",
    logo=Logo(URI, adapts=False),
    support_url="https://tidewater.example/help",
    privacy_url="https://tidewater.example/privacy",
)
FILE = """
[[survey]]
name = "default"
[survey.brand]
name = "Newer"
accent = "#1d4ed8"
support_url = "https://newer.example/help"
"""
ELSEWHERE = sign(replace(LINK, survey_name="gone"))


@pytest.fixture
def branded(redis_url: str, keys: "redis.Redis", tmp_path: Path) -> FlaskClient:
    """An installation with another brand than its survey's."""
    file = tmp_path / "surveys.toml"
    file.write_text(FILE, encoding="utf-8")
    return make_client(
        redis_url,
        SURVEYS_FILE=str(file),
        BRAND_NAME="Holding",
        SUPPORT_URL="https://holding.example/help",
        PRIVACY_URL="https://holding.example/privacy",
    )


def accept(records: Records, **terms: object) -> None:
    close = Close(81000, datetime.now(UTC), requester_id="requester-1")
    records.accept(close, [Survey(delay=timedelta(), brand=TIDEWATER, **terms)])  # type: ignore[arg-type]


def brand_of(html: str) -> tuple[str, str]:
    """Return the brand name and the accent of a page."""
    shown = re.search(r'<header>(?:<bdi>(.*?)</bdi>|<img(?: class=plate)? src="[^"]*" alt="([^"]*)">)</header>', html)
    assert shown
    accents = set(re.findall("#9d174d|#1d4ed8|#0b5d56", html))
    assert len(accents) == 1, accents
    return shown[1] or shown[2], accents.pop()


def test_every_page_has_brand_of_record(branded: FlaskClient, records: Records) -> None:
    accept(records)
    pages = [
        get(branded),
        get(branded, f"{TOKEN}?r=4"),
        post(branded, {}),
        post(branded, {"rating": "4"}, follow_redirects=True),
        get(branded, f"{TOKEN}?change=1"),
        get(branded, f"{TOKEN}/stop"),
        post(branded, {}, f"{TOKEN}/stop"),
        get(branded, f"{TOKEN}/stop"),
        get(branded),
    ]
    for page in pages:
        assert brand_of(page.text) == ("Tidewater &amp; Søn", "#9d174d")
        assert URI in page.text
        assert "Tidewater &amp; Søn</title>" in page.text
        assert "https://tidewater.example/privacy" in page.text
        assert not re.search(r"Holding|holding\.example|Newer|newer\.example", page.text)


def test_closed_page_has_brand_of_record(branded: FlaskClient, records: Records) -> None:
    accept(records)
    claim = records.claim(Journey.OFFER, "81000")
    assert claim
    records.decide(claim, Decision(Verdict.CANCEL, Reason.ERASED), "")
    page = get(branded)
    assert (page.status_code, brand_of(page.text)) == (410, ("Tidewater &amp; Søn", "#9d174d"))
    assert 'href="https://tidewater.example/help"' in page.text


def test_without_record_brand_is_the_surveys_in_file(branded: FlaskClient, keys: "redis.Redis") -> None:
    for page in (get(branded), get(branded, f"{TOKEN}/stop"), post(branded, {"rating": "4"}, follow_redirects=True)):
        assert brand_of(page.text) == ("Newer", "#1d4ed8")
        assert "https://holding.example/privacy" in page.text
    keys.flushdb()
    old = sign(at=datetime.now(UTC) - timedelta(days=60))
    assert 'href="https://newer.example/help"' in get(branded, old).text


def test_answer_without_record_saves_shown_brand(branded: FlaskClient, records: Records) -> None:
    post(branded, {"rating": "4"})
    record = records.load("81000")
    assert record
    assert record.terms
    assert record.terms.brand == OwnBrand(name="Newer", accent="#1d4ed8", support_url="https://newer.example/help")


def test_without_redis_brand_is_the_surveys_in_file(branded: FlaskClient) -> None:
    core: Services = branded.application.extensions["afterword"]
    broken = Records(connect("redis://127.0.0.1:1/0"), lease=timedelta(1), keep=timedelta(1), breaker=Breaker())
    branded.application.extensions["afterword"] = replace(core, records=broken)
    assert brand_of(get(branded).text) == ("Newer", "#1d4ed8")


def test_unknown_survey_has_installations_brand(branded: FlaskClient) -> None:
    assert brand_of(get(branded, ELSEWHERE).text) == ("Holding", "#0b5d56")


def test_not_found_page_has_installations_brand(branded: FlaskClient) -> None:
    """A suffix of a valid token is cut off. So no not-found page belongs to a survey."""
    assert brand_of(get(branded, f"{TOKEN}/nowhere", follow_redirects=True).text) == ("Newer", "#1d4ed8")
    page = get(branded, "not-a-token")
    assert (page.status_code, brand_of(page.text)) == (404, ("Holding", "#0b5d56"))


def test_failed_form_has_surveys_brand(branded: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.intake.intake.Intake.take_answer", lambda *_, **__: 1 / 0)
    page = post(branded, {"rating": "4"})
    assert (page.status_code, brand_of(page.text)) == (500, ("Newer", "#1d4ed8"))
