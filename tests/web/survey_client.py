"""Helpers to open and post the survey page of an app in this process."""

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
    """Sign a token as of any time."""
    links = Links([key], PUBLIC_URL)
    if at:
        moment = int(at.timestamp())
        links._serializer.signer = type("Then", (TimestampSigner,), {"get_timestamp": lambda _: moment})
    return links.sign(link)


NEW_ENOUGH = datetime.now(UTC) - timedelta(minutes=5)
"""The issue time of a link that a person has had time to read. A fast answer would be suspect."""

TOKEN = sign(at=NEW_ENOUGH)


def get(client: FlaskClient, token: str = TOKEN, **given: Any) -> TestResponse:
    return client.get(f"/s/{token}", base_url=PUBLIC_URL, **given)


def post(client: FlaskClient, form: object, token: str = TOKEN, **given: Any) -> TestResponse:
    return client.post(f"/s/{token}", base_url=PUBLIC_URL, data=form, **given)


def follow(client: FlaskClient, response: TestResponse) -> TestResponse:
    """Follow the redirect after a form."""
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/s/")
    return client.get(response.headers["Location"], base_url=PUBLIC_URL)


def dump(keys: "redis.Redis") -> dict[bytes, Any]:
    """Return everything in the database except the counts of posts and of failed requests."""
    return contents(keys, but=("afterword:posted:", "afterword:failures:"))


def words_of(html: str) -> str:
    """Return the text of a page, without tags and with plain spaces."""
    return re.sub(r"<[^>]*>", "", html).replace("\xa0", " ")


def chosen(response: TestResponse) -> list[str]:
    return re.findall(r"value=(\d+)[^>]* checked", response.text)
