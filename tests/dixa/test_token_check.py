"""After a refused call the token is checked once for all processes."""

from datetime import timedelta

import pytest
import redis

from service.dixa.client import DixaClient
from service.dixa.errors import TokenRefused
from service.dixa.token_check import TokenCheck
from service.sandbox.server import Sandbox
from service.surveys.errors import Forbidden, RetryLater
from service.surveys.ports import Deadline
from tests.harness import open_client

MINUTE = timedelta(minutes=1)


def query(client: DixaClient, number: int) -> None:
    client.ratings(client.take_slot(Deadline(MINUTE), timedelta(seconds=1)), number)


@pytest.fixture
def number(dixa: Sandbox) -> int:
    return dixa.make_conversation()


def test_many_forbidden_calls_cause_one_token_check(
    dixa: Sandbox, redis_client: redis.Redis, prefix: str, number: int
) -> None:
    clients = [open_client(dixa, redis_client, prefix) for _ in range(3)]
    for client in clients:
        client._token_check = TokenCheck(redis_client, MINUTE, prefix=prefix)
    dixa.fails(30, 403, call="ratings")
    for index in range(30):
        with pytest.raises(Forbidden):
            query(clients[index % 3], number)
    assert [each.call for each in dixa.calls].count("organization") == 1
    query(clients[0], number)


def test_the_result_of_a_check_expires(redis_client: redis.Redis, prefix: str) -> None:
    check = TokenCheck(redis_client, MINUTE, prefix=prefix)
    assert check.check("a-token", lambda: True)
    (key,) = redis_client.keys(f"{prefix}*")
    assert "a-token" not in key
    assert 50_000 < redis_client.pttl(key) <= 60_000


def test_a_refused_token_begins_its_cooldown(client: DixaClient, dixa: Sandbox, number: int) -> None:
    dixa.fails(1, 403, call="ratings")
    dixa.fails(1, 401, call="organization")
    with pytest.raises(TokenRefused, match=r"Dixa returned 403: is DIXA_API_TOKEN right\?"):
        query(client, number)
    assert "is DIXA_API_TOKEN right?" in client._pace.problem()  # type: ignore[attr-defined]


def test_a_call_is_retried_while_the_token_check_has_no_result(client: DixaClient, dixa: Sandbox, number: int) -> None:
    """After a failed check, or the death of the checking process, the next check follows in some seconds."""
    dixa.fails(3, 403, call="ratings")
    dixa.fails(1, 503, call="organization")
    for _ in range(3):
        with pytest.raises(RetryLater):
            query(client, number)
    assert [each.call for each in dixa.calls].count("organization") == 1
