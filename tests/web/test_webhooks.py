"""`POST /webhooks/dixa`: accepted events, and the record after them."""

import json
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.sandbox.dixa.webhooks import sign
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET
from tests.web.webhook_client import CHANGES, PATH, change_of, closed, id_of, make_client, send


def test_close_is_accepted_and_saved(webhooks: FlaskClient, database: redis.Redis) -> None:
    event = closed()
    assert send(webhooks, event) == (202, {"status": "accepted"})
    record = database.hgetall(f"afterword:survey:{id_of(event)}")
    assert record["offer_state"] == "waiting"
    assert database.zscore("afterword:due:offer", str(id_of(event)))


def test_repeated_event_is_a_duplicate(webhooks: FlaskClient, database: redis.Redis) -> None:
    event = closed()
    send(webhooks, event)
    record = database.hgetall(f"afterword:survey:{id_of(event)}")
    assert send(webhooks, event) == (200, {"status": "duplicate"})
    assert database.hgetall(f"afterword:survey:{id_of(event)}") == record


def test_skipped_close_is_accepted_with_reason(webhooks: FlaskClient, database: redis.Redis) -> None:
    event = closed(tags=["spam"])
    assert send(webhooks, event) == (202, {"status": "accepted"})
    assert database.hget(f"afterword:survey:{id_of(event)}", "offer_reason") == "tag_excluded"


SENDERS = """
[[survey]]
name = "one"
[survey.sender]
email = "returns@northwind.example"
[survey.sender.da]
reply_to = "Retur <retur@northwind.example>"
[survey.brand]
support_url = "mailto:ret@northwind.example"
"""


@pytest.mark.parametrize(
    "address",
    [
        *("survey@northwind.example", "HELP@northwind.example", "returns@northwind.example", "retur@northwind.example"),
        *("desk@northwind.example", "ret@northwind.example"),
        *("no-reply@shop.example", "MAILER-DAEMON", "noreply@my_host.example", "não-responda@shop.example"),
    ],
)
def test_automated_or_own_address_is_skipped_and_not_saved(
    redis_url: str, database: redis.Redis, tmp_path: Path, address: str
) -> None:
    surveys = tmp_path / "surveys.toml"
    surveys.write_text(SENDERS, encoding="utf-8")
    ours = {
        "MAIL_FROM": "Northwind <survey@northwind.example>",
        "MAIL_REPLY_TO": "help@northwind.example",
        "SUPPORT_URL": "mailto:desk@northwind.example?subject=Hi",
    }
    client = make_client(redis_url, SURVEYS_FILE=str(surveys), **ours)
    event = closed(requester={"id": "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90", "email": address})
    assert send(client, event) == (202, {"status": "accepted"})
    record = database.hgetall(f"afterword:survey:{id_of(event)}")
    assert record["offer_reason"] == "machine"
    assert address.casefold() not in json.dumps(record, ensure_ascii=False).casefold()


@pytest.mark.parametrize("name", ["CONVERSATION_OPEN", "CONVERSATION_RATED", "TOMORROW"])
def test_other_event_is_ignored(webhooks: FlaskClient, database: redis.Redis, name: str) -> None:
    event = closed() | {"event_fqn": name}
    assert send(webhooks, event) == (200, {"status": "ignored", "event": name})
    assert not database.exists(f"afterword:survey:{id_of(event)}")


@pytest.mark.parametrize("name", CHANGES)
def test_change_that_ends_survey_is_accepted_once(webhooks: FlaskClient, database: redis.Redis, name: str) -> None:
    event = closed()
    send(webhooks, event)
    assert send(webhooks, change_of(event, name)) == (202, {"status": "accepted"})
    record = database.hgetall(f"afterword:survey:{id_of(event)}")
    assert (record["offer_state"], record["offer_reason"]) == CHANGES[name]
    assert database.zscore("afterword:due:offer", str(id_of(event))) is None
    assert send(webhooks, change_of(event, name)) == (200, {"status": "ignored", "event": name})
    assert database.hgetall(f"afterword:survey:{id_of(event)}") == record


@pytest.mark.parametrize("name", CHANGES)
def test_change_before_close_is_ignored(webhooks: FlaskClient, database: redis.Redis, name: str) -> None:
    event = closed()
    send(webhooks, event)
    assert send(webhooks, change_of(event, name, minutes=-1)) == (200, {"status": "ignored", "event": name})
    assert database.hget(f"afterword:survey:{id_of(event)}", "offer_state") == "waiting"


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("data", [{}, {"conversation": {"csid": "x"}}, None])
def test_change_of_unknown_conversation_is_ignored(webhooks: FlaskClient, name: str, data: object) -> None:
    event = closed() | {"event_fqn": name, "data": data}
    assert send(webhooks, event) == (200, {"status": "ignored", "event": name})


def test_replayed_webhook_changes_nothing(webhooks: FlaskClient, database: redis.Redis) -> None:
    """The same bytes with the same signature, while its time is still accepted."""
    event = closed()
    body = json.dumps(event).encode()
    headers = sign(body, WEBHOOK_SECRET)
    statuses = [webhooks.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code]
    record = database.hgetall(f"afterword:survey:{id_of(event)}")
    statuses += [webhooks.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code for _ in range(3)]
    assert statuses == [202, 200, 200, 200]
    assert database.hgetall(f"afterword:survey:{id_of(event)}") == record
