"""Cooldowns of single tokens, and the pauses of an operator's command."""

import pytest
import redis
from structlog.testing import capture_logs

from service.dixa.errors import NoSlot, TokenRefused
from service.dixa.pace import ObserverPace
from service.surveys.ports import Deadline
from tests.dixa.paces import SECOND, TOKENS, pace_of, refused_for


def test_the_cooldown_is_reported_while_all_tokens_have_one(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(30 * SECOND)
    assert pace.cooldown() is None
    with capture_logs() as logs:
        pace.cool_down(TOKENS[0], 40 * SECOND, "Dixa returned 401")
    assert [each["event"] for each in logs] == ["dixa.token_refused"]
    reported = "Dixa returned 401: is DIXA_API_TOKEN right?"
    problem, wait = pace.cooldown() or ("", SECOND)
    assert problem == reported
    assert 30 * SECOND < wait <= 40 * SECOND
    redis_client.delete(*redis_client.keys(f"{prefix}pace:*:cooldown"))
    assert (pace.problem(), pace.cooldown()) == (reported, None)


def test_a_refused_token_cools_down_alone(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=1000, burst=100, tokens=2)
    pace.cool_down(TOKENS[1], 40 * SECOND, "Dixa returned 401")
    assert {pace.take_slot(Deadline(SECOND), SECOND).token for _ in range(20)} == {TOKENS[0]}
    assert 900 < pace.count_free(SECOND)[0] <= 1001
    assert pace.problem() == "Dixa returned 401 to token 2 of DIXA_API_TOKEN: is it right?"
    assert pace.cooldown() is None
    pace.cool_down(TOKENS[0], 30 * SECOND, "Dixa returned 403")
    assert 20 * SECOND < refused_for(pace) <= 30 * SECOND
    problem, wait = pace.cooldown() or ("", SECOND)
    assert problem.startswith("Dixa returned 403 to token 1 of DIXA_API_TOKEN")
    assert wait <= 30 * SECOND


def test_an_observer_pauses_only_itself(redis_client: redis.Redis, prefix: str) -> None:
    shared = pace_of(redis_client, prefix, rate=1000, burst=100)
    observer = ObserverPace(shared)
    observer.take_slot(Deadline(SECOND), SECOND)
    observer.cool_down(TOKENS[0], 30 * SECOND, "Dixa returned 401")
    observer.pause(SECOND)
    assert 20 * SECOND < refused_for(observer) <= 30 * SECOND
    shared.take_slot(Deadline(SECOND), SECOND)
    assert shared.problem() == ""


def test_an_observer_gets_the_reason_of_the_cooldown(redis_client: redis.Redis, prefix: str) -> None:
    shared = pace_of(redis_client, prefix)
    observer = ObserverPace(shared)
    shared.pause(30 * SECOND)
    with pytest.raises(NoSlot, match="used up"):
        observer.take_slot(Deadline(SECOND), SECOND)
    shared.cool_down(TOKENS[0], 40 * SECOND, "Dixa returned 401")
    with pytest.raises(TokenRefused, match=r"is DIXA_API_TOKEN right\? Everybody waits for another (40|[123]\d) s"):
        observer.take_slot(Deadline(SECOND), SECOND)
