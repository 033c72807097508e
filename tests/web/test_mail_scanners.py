"""Mail scanners open every link and may press its button."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient

from tests.processes import PUBLIC_URL
from tests.web.survey_client import TOKEN, chosen, get, post, sign


def old_token() -> str:
    return sign(at=datetime.now(UTC) - timedelta(minutes=5))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_link_saves_nothing_and_preselects_score(client: FlaskClient, keys: "redis.Redis", method: str) -> None:
    """A scanner opens every link of a message, and a person may correct a slip."""
    for path in ("", "/stop"):
        for score in ("1", "2", "5", "1", "9", "x"):
            opened = client.open(f"/s/{TOKEN}{path}", method=method, base_url=PUBLIC_URL, query_string={"r": score})
            assert opened.status_code == 200
    assert list(keys.scan_iter()) == []
    for score in ("3", "4", "3"):
        response = get(client, query_string={"r": score})
        assert (response.status_code, chosen(response)) == (200, [score])


def test_posts_are_counted_and_gets_are_not(client: FlaskClient, keys: "redis.Redis") -> None:
    for _ in range(3):
        get(client, query_string={"r": "4"})
        client.head(f"/s/{TOKEN}", base_url=PUBLIC_URL)
    post(client, {"rating": "4"})
    assert keys.get("afterword:posted:81000") == b"1"


@pytest.mark.parametrize(
    ("is_new", "comment", "suspect"),
    [(True, "", b"1"), (True, "Fint", None), (True, " \n", b"1"), (False, "", None), (False, "Fint", None)],
)
def test_fast_answer_without_comment_is_suspect(
    client: FlaskClient, keys: "redis.Redis", *, is_new: bool, comment: str, suspect: bytes | None
) -> None:
    token = sign() if is_new else old_token()
    assert post(client, {"rating": "4", "comment": comment}, token).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == suspect


def test_delivery_time_counts_for_fast_answers(client: FlaskClient, keys: "redis.Redis") -> None:
    """Delivery may take long. The time to read starts with the message, not with the link."""
    post(client, {"rating": "3"}, old_token())
    moment = int(datetime.now(UTC).timestamp() * 1000)
    keys.hset("afterword:survey:81000", "delivered_at", moment)
    keys.hdel("afterword:survey:81000", "answer_state")
    assert post(client, {"rating": "4"}, old_token()).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == b"1"


def test_opening_link_changes_no_answer(client: FlaskClient, keys: "redis.Redis") -> None:
    post(client, {"rating": "2"})
    before = keys.hgetall("afterword:survey:81000")
    for score in range(1, 6):
        assert client.head(f"/s/{TOKEN}?r={score}", base_url=PUBLIC_URL).status_code == 200
        get(client, query_string={"r": str(score)})
    assert keys.hgetall("afterword:survey:81000") == before


def test_comment_makes_answer_unsuspect(client: FlaskClient, keys: "redis.Redis") -> None:
    post(client, {"rating": "4"})
    post(client, {"rating": "4", "comment": "Fint"})
    assert keys.hget("afterword:survey:81000", "suspect") is None


def test_suspect_answer_does_not_extend_link(client: FlaskClient, keys: "redis.Redis") -> None:
    """It isn't the customer's answer, so the link expires as if there were none."""
    post(client, {"rating": "1"}, sign())
    before = keys.hgetall("afterword:survey:81000")
    assert before[b"suspect"] == b"1"
    ended = sign(at=datetime.now(UTC) - timedelta(days=30))
    assert get(client, ended).status_code == 410
    assert post(client, {"rating": "5"}, ended).status_code == 410
    assert keys.hgetall("afterword:survey:81000") == before
