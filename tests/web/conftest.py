"""An app in this process with a real Redis. Each test file has its own database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from service.records.records import Records
from tests.processes import RedisServer, patient
from tests.web import webhook_client
from tests.web.states import make_app
from tests.web.survey_client import make_client


@pytest.fixture(scope="module")
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


@pytest.fixture
def keys(redis_url: str) -> Iterator["redis.Redis"]:
    """An empty database."""
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def client(redis_url: str, keys: "redis.Redis") -> FlaskClient:
    return make_client(redis_url)


@pytest.fixture
def records(redis_url: str, keys: "redis.Redis") -> Iterator[Records]:
    client = patient(redis_url)
    yield Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    client.close()


@pytest.fixture(scope="session")
def pages_app() -> Flask:
    """The app of all states. It compiles its templates once."""
    return make_app()


@pytest.fixture
def page_context(pages_app: Flask) -> Iterator[None]:
    """Let a test render pages without a client."""
    with pages_app.test_request_context():
        yield


@pytest.fixture(scope="module")
def webhooks(redis_url: str) -> FlaskClient:
    """A client for webhooks. Each event is about a new conversation, so its database needs no cleaning."""
    return webhook_client.make_client(redis_url)


@pytest.fixture
def database(redis_url: str) -> Iterator[redis.Redis]:
    """The database of the file, as it is."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    yield client
    client.close()
