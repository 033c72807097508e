"""Visits to the survey page of an app in this process: how its links are made, and what is asked and answered."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from service.surveys.links import Link, Links
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.web.app import create_app
from tests.contents import contents
from tests.processes import PUBLIC_URL, SECRET_KEY, settings_for

OLD_KEY = "an-older-key-for-the-links-of-the-tests-0123456789"
LINK = Link("81000", 81000, "default", (Offer(RatingType.CSAT, "0e2f8a44-8a7e-4f0e-9a57-0c1f6f0f2a90"),))
COMMENT = "Tak for <b>hjælpen</b> & alt 🙂"
SHOWN = "Tak for &lt;b&gt;hjælpen&lt;/b&gt; &amp; alt 🙂"


def make_client(redis_url: str, **environ: str) -> FlaskClient:
    return create_app(settings_for(redis_url, SECRET_KEYS=f"{SECRET_KEY},{OLD_KEY}", **environ)).test_client()


def sign(link: Link = LINK, key: str = SECRET_KEY, at: datetime | None = None) -> str:
    """Make a token, at a time of our choice."""
    links = Links([key], PUBLIC_URL)
    if at:
        moment = int(at.timestamp())
        links._serializer.signer = type("Then", (TimestampSigner,), {"get_timestamp": lambda _: moment})
    return links.sign(link)


NEW_ENOUGH = datetime.now(UTC) - timedelta(minutes=5)
"""When a link was made that a person has had the time to read: who answers a new one at once may be a machine."""

TOKEN = sign(at=NEW_ENOUGH)


def get(client: FlaskClient, token: str = TOKEN, **given: Any) -> TestResponse:
    return client.get(f"/s/{token}", base_url=PUBLIC_URL, **given)


def post(client: FlaskClient, form: object, token: str = TOKEN, **given: Any) -> TestResponse:
    return client.post(f"/s/{token}", base_url=PUBLIC_URL, data=form, **given)


def follow(client: FlaskClient, response: TestResponse) -> TestResponse:
    """Go where a form's answer leads, which is to us."""
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/s/")
    return client.get(response.headers["Location"], base_url=PUBLIC_URL)


def dump(keys: "redis.Redis") -> dict[bytes, Any]:
    """Everything in the database but how often links were posted to."""
    return contents(keys, but="afterword:posted:")


def words_of(html: str) -> str:
    """Give the words of a page, without its tags and with plain spaces: a date has a box of its own."""
    return re.sub(r"<[^>]*>", "", html).replace("\xa0", " ")


def chosen(response: TestResponse) -> list[str]:
    return re.findall(r"value=(\d+)[^>]* checked", response.text)
