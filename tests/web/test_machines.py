"""What a mail scanner's visits look like, and what the page makes of them."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient

from tests.running import PUBLIC_URL, RedisServer
from tests.web.visits import TOKEN, chosen, get, make_client, post, sign

OPENED = "afterword:opened:81000"


def old_token() -> str:
    return sign(at=datetime.now(UTC) - timedelta(minutes=5))


def test_a_link_that_is_opened_with_two_scores_is_no_longer_preselected(client: FlaskClient) -> None:
    assert chosen(get(client, query_string={"r": "1"})) == ["1"]
    for score in ("2", "3", "1"):
        answer = get(client, query_string={"r": score})
        assert (answer.status_code, chosen(answer)) == (200, [])
        assert "not saved yet" not in answer.text


def test_the_same_score_again_is_a_person_who_reloads(client: FlaskClient) -> None:
    for _ in range(3):
        assert chosen(get(client, query_string={"r": "4"})) == ["4"]
    get(client, query_string={"r": "9"})
    get(client)
    assert chosen(get(client, query_string={"r": "4"})) == ["4"]


def test_an_opening_counts_for_a_minute_and_a_machine_as_long_as_the_link(
    client: FlaskClient, keys: "redis.Redis"
) -> None:
    get(client, query_string={"r": "1"})
    assert 59_000 < keys.pttl(OPENED) <= 60_000
    get(client, query_string={"r": "2"})
    assert timedelta(milliseconds=keys.pttl(OPENED)) > timedelta(days=27)


def test_openings_of_another_survey_are_its_own(client: FlaskClient, keys: "redis.Redis") -> None:
    keys.sadd("afterword:opened:81001", "1", "2")
    assert chosen(get(client, query_string={"r": "4"})) == ["4"]


def test_without_redis_a_score_is_preselected(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    own_redis.stop()
    for score in ("1", "2"):
        assert chosen(get(client, query_string={"r": score})) == [score]


@pytest.mark.parametrize(
    ("is_new", "comment", "suspect"),
    [(True, "", b"1"), (True, "Fint", None), (True, " \n", b"1"), (False, "", None), (False, "Fint", None)],
)
def test_an_answer_without_a_comment_right_after_the_link_was_made_is_suspect(
    client: FlaskClient, keys: "redis.Redis", *, is_new: bool, comment: str, suspect: bytes | None
) -> None:
    token = sign() if is_new else old_token()
    assert post(client, {"rating": "4", "comment": comment}, token).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == suspect


def test_an_old_link_that_was_just_delivered_is_as_new(client: FlaskClient, keys: "redis.Redis") -> None:
    """Delivering may take longer than making the link: the customer's clock starts with the message."""
    post(client, {"rating": "3"}, old_token())
    moment = int(datetime.now(UTC).timestamp() * 1000)
    keys.hset("afterword:survey:81000", "delivered_at", moment)
    assert post(client, {"rating": "4"}, old_token()).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == b"1"


def test_a_scanner_that_looks_changes_no_answer(client: FlaskClient, keys: "redis.Redis") -> None:
    post(client, {"rating": "2"})
    before = keys.hgetall("afterword:survey:81000")
    for score in range(1, 6):
        assert client.head(f"/s/{TOKEN}?r={score}", base_url=PUBLIC_URL).status_code == 200
        get(client, query_string={"r": str(score)})
    assert keys.hgetall("afterword:survey:81000") == before


def test_who_comes_back_with_a_comment_is_a_person(client: FlaskClient, keys: "redis.Redis") -> None:
    post(client, {"rating": "4"})
    post(client, {"rating": "4", "comment": "Fint"})
    assert keys.hget("afterword:survey:81000", "suspect") is None
