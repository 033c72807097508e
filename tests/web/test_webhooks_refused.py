"""`POST /webhooks/dixa`: refused events."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from service.intake.intake import Intake
from service.sandbox.dixa.webhooks import sign
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET
from tests.web.webhook_client import OTHER_SECRET, PATH, closed, id_of, make_client, send


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "body"),
        (b"{}", "body.event_fqn"),
        (b'{"event_fqn": "CONVERSATION_CLOSED"}', "body.data"),
        (b'{"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {}}}', "body.data.conversation.csid"),
    ],
)
def test_invalid_event_is_400_with_reason(webhooks: FlaskClient, body: bytes, problem: str) -> None:
    status, response = send(webhooks, body)
    assert (status, response["status"]) == (400, "rejected")
    assert problem in response["problem"]


def test_wrong_key_is_401(webhooks: FlaskClient, database: redis.Redis) -> None:
    event = closed()
    status, response = send(webhooks, event, OTHER_SECRET)
    assert (status, response["status"]) == (401, "rejected")
    assert "keys" in response["problem"]
    assert not database.exists(f"afterword:survey:{id_of(event)}")


def test_changed_body_is_401(webhooks: FlaskClient) -> None:
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET)
    assert webhooks.post(PATH, base_url=PUBLIC_URL, data=body + b" ", headers=headers).status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
def test_old_or_future_signature_is_401(webhooks: FlaskClient, minutes: int) -> None:
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert webhooks.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code == 401


def test_tolerance_can_be_set(redis_url: str) -> None:
    client = make_client(redis_url, WEBHOOK_TOLERANCE="1h")
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET, at=datetime.now(UTC) - timedelta(minutes=59))
    assert client.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code == 202


def test_several_keys_are_tried(redis_url: str) -> None:
    client = make_client(redis_url, DIXA_WEBHOOK_SECRETS=f"{OTHER_SECRET},{WEBHOOK_SECRET}")
    assert [send(client, closed(), secret)[0] for secret in (OTHER_SECRET, WEBHOOK_SECRET)] == [202, 202]


def test_body_over_256_kib_is_413(webhooks: FlaskClient) -> None:
    body = json.dumps(closed()).encode()
    largest = body + b" " * (256 * 1024 - len(body))
    assert send(webhooks, largest)[0] == 202
    status, response = send(webhooks, largest + b" ")
    assert (status, response["status"]) == (413, "rejected")
    assert "256 KiB" in response["problem"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "é/ü"])
def test_other_type_than_json_is_415(webhooks: FlaskClient, kind: str) -> None:
    status, response = send(webhooks, closed(), **{"Content-Type": kind})
    assert (status, response["status"]) == (415, "rejected")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_spellings_of_json_type_are_accepted(webhooks: FlaskClient, kind: str) -> None:
    assert send(webhooks, closed(), **{"Content-Type": kind})[0] == 202


def test_unexpected_error_is_500_and_logged_without_its_text(
    webhooks: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("Ida Holm")

    monkeypatch.setattr(Intake, "take_close", fail)
    with capture_logs() as logs:
        status, response = send(webhooks, closed())
    assert (status, response["status"]) == (500, "rejected")
    assert [each["event"] for each in logs] == ["webhook.failed"]
    assert "Ida Holm" not in json.dumps(response)


def test_get_is_405(webhooks: FlaskClient) -> None:
    response = webhooks.get(PATH, base_url=PUBLIC_URL)
    assert response.status_code == 405
    assert response.json
    assert response.json["status"] == "rejected"
