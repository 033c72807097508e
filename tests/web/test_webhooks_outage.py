"""`POST /webhooks/dixa` while Redis is unavailable."""

import json
from pathlib import Path

import pytest

from service.sandbox.dixa.webhooks import sign
from service.web.services import Services
from tests.polling import eventually, soon
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET, RedisServer
from tests.web.webhook_client import CHANGES, PATH, change_of, closed, id_of, make_client, send


def test_without_redis_webhook_is_503_with_retry_after(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    events = [closed(), closed()]
    assert send(client, events[0])[0] == 202
    own_redis.stop()
    for event in events:
        status, response = send(client, event)
        assert (status, response["status"]) == (503, "rejected")
    body = json.dumps(events[1]).encode()
    refused = client.post(PATH, base_url=PUBLIC_URL, data=body, headers=sign(body, WEBHOOK_SECRET))
    assert refused.headers["Retry-After"] == "30"
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert [send(client, event)[0] for event in events] == [200, 202]


def test_frozen_redis_delays_webhook_little(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    event = closed()
    assert send(client, closed())[0] == 202

    def refuse() -> None:
        """The first request opens the breaker."""
        assert send(make_client(own_redis.url), event)[0] == 503

    own_redis.freeze()
    soon(refuse, within=2.5)
    own_redis.thaw()
    eventually(lambda: client.get("/readyz").status_code == 200)
    # A webhook with a lost response may have been saved: then it is a duplicate.
    assert send(client, event)[0] in {200, 202}


@pytest.mark.parametrize("name", CHANGES)
def test_change_during_outage_is_applied_later(own_redis: RedisServer, tmp_path: Path, name: str) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    event = closed()
    send(client, event)
    own_redis.stop()
    waiting: Services = client.application.extensions["afterword"]
    assert waiting.spool
    waiting.spool.prepare()
    assert send(client, change_of(event, name)) == (202, {"status": "accepted"})
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    waiting.records.ping()
    assert waiting.spool.drain(waiting.intake.take_spooled) == 1
    record = waiting.records.load(str(id_of(event)))
    assert record
    assert (record.offer.state, record.offer.reason) == CHANGES[name]
