"""Link scanners open every link of a message. The real web process records no answer."""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests
from playwright.sync_api import Page

from service.surveys.links import Link
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from tests.processes import Afterword, RedisServer
from tests.web.survey_client import NEW_ENOUGH, sign

METHODS = ("HEAD", "GET")
ROUNDS = 5


@pytest.fixture
def afterword(tmp_path: Path, redis_server: RedisServer) -> Iterator[Afterword]:
    afterword = Afterword(tmp_path, {"REDIS_URL": redis_server.new_database()})
    afterword.start("web")
    yield afterword
    afterword.stop()


@pytest.fixture
def keys(afterword: Afterword) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(afterword.redis_url)
    yield client
    client.close()


def rating_links(afterword: Afterword) -> list[str]:
    """Return every link of messages and e-mails for each kind of survey: to rate, to open, and to opt out."""
    links = []
    for number, rating in enumerate(RatingType, start=81000):
        link = Link(str(number), number, "default", (Offer(rating, str(uuid.uuid4())),))
        page = f"{afterword.url}/s/{sign(link, at=NEW_ENOUGH)}"
        links += [page, f"{page}/stop", f"{page}?change=1", *(f"{page}?r={score}" for score in rating.scores)]
    return links


def test_many_requests_to_every_link_record_nothing(afterword: Afterword, keys: "redis.Redis") -> None:
    calls = [(method, link) for link in rating_links(afterword) for method in METHODS] * ROUNDS
    with ThreadPoolExecutor(8) as crowd:
        responses = list(crowd.map(lambda each: requests.request(*each, timeout=30), calls))
    assert Counter(response.status_code for response in responses) == {200: len(calls)}
    assert all(response.headers.get("Set-Cookie") is None for response in responses)
    # The process writes a probe to test Redis, a report about itself, and its surveys.toml.
    written = {each.split(b":")[1] for each in keys.scan_iter()}
    assert written <= {b"probe", b"processes", b"surveys_file"}


def test_only_confirm_saves_an_answer(afterword: Afterword, keys: "redis.Redis", page: Page) -> None:
    """JavaScript is off, and only the keyboard is used."""
    link = rating_links(afterword)[0]
    page.goto(f"{link}?r=4")
    assert not keys.exists("afterword:survey:81000")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Satisfied” is saved.").wait_for()
    assert keys.hget("afterword:survey:81000", f"score:{RatingType.CSAT}") == b"4"
    assert page.url == link
    assert page.context.cookies() == []
