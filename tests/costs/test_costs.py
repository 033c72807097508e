"""The costs of each kind of request, and of a survey. A change that raises one changes this table, and says why."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from celery import Celery

from service.records.records import Records
from service.records.redis_pool import _StaleAware
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link, Links
from service.surveys.model import Close, Offer
from service.surveys.ratings import RatingType
from service.web.app import create_app
from tests.costs.meter import Cost, Meter
from tests.polling import eventually
from tests.processes import PUBLIC_URL, SECRET_KEY, RedisServer, patient, settings_for
from tests.replicas import pair
from tests.web.webhook_client import closed, send
from workers.app import build
from workers.missed import MissedLoop

SURVEYS = """
[[survey]]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
"""

COSTS = {
    "webhook": Cost(round_trips=1, commands=9, calls=0, schemas=0),
    "webhook again": Cost(round_trips=1, commands=10, calls=0, schemas=0),
    "offer and message": Cost(round_trips=11, commands=51, calls=4, schemas=0),
    "page": Cost(round_trips=1, commands=1, calls=0, schemas=0),
    "answer": Cost(round_trips=3, commands=14, calls=0, schemas=0),
    "result": Cost(round_trips=5, commands=27, calls=2, schemas=0),
}


class Installation:
    """Web and worker in this process, by the settings of production."""

    def __init__(self, redis_url: str, dixa: Sandbox, folder: Path, **environ: str) -> None:
        surveys = folder / "surveys.toml"
        surveys.write_text(SURVEYS)
        # A worker submits nothing in the first seconds: a spool may hold a later answer.
        given = {"SURVEYS_FILE": str(surveys), "DIXA_API_URL": dixa.api_url, "RECOVERY_WAIT": "1ms"} | environ
        settings = settings_for(redis_url, **given)
        self.dixa = dixa
        self.web = create_app(settings).test_client()
        self.worker: Celery = build(settings)
        self._links = Links([SECRET_KEY], PUBLIC_URL)

    def close(self) -> int:
        number = self.dixa.make_conversation()
        self.dixa.close(number)
        return number

    def webhook(self, number: int) -> None:
        requester = self.dixa.conversation(number).requester.id
        event = closed(csid=number, requester={"id": requester})
        assert send(self.web, event)[0] in (200, 202)

    def work(self, journey: str, number: int) -> None:
        self.worker.tasks[f"afterword.{journey}"](str(number))

    def page(self, number: int) -> None:
        assert self.web.get(self._path(number), base_url=PUBLIC_URL).status_code == 200

    def answer(self, number: int) -> None:
        form = {"rating": "4", "comment": "Tak"}
        assert self.web.post(self._path(number), base_url=PUBLIC_URL, data=form).status_code == 303

    def _path(self, number: int) -> str:
        (offer,) = self.dixa.offers(number)
        link = Link(str(number), number, "default", (Offer(RatingType.CSAT, offer.id),))
        return self._links.url(link).removeprefix(PUBLIC_URL)

    def steps(self, number: int) -> dict[str, Callable[[], None]]:
        """Return the steps of a survey of this conversation, in order."""
        return {
            "webhook": partial(self.webhook, number),
            "webhook again": partial(self.webhook, number),
            "offer and message": partial(self.work, "offer", number),
            "page": partial(self.page, number),
            "answer": partial(self.answer, number),
            "result": partial(self.work, "answer", number),
        }


def test_the_costs_of_a_survey_are_known(
    own_redis: RedisServer, dixa: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One look at the health of a channel is enough for all surveys of a second.
    monkeypatch.setattr("service.records.channels._QUIET_SECONDS", 3600.0)
    installation = Installation(own_redis.url, dixa, tmp_path)
    # The first survey opens connections, loads scripts, and fills caches.
    for step in installation.steps(installation.close()).values():
        step()
    meter = Meter(own_redis.url, dixa, monkeypatch)
    for name, step in installation.steps(installation.close()).items():
        cost = meter.measure(step)
        assert cost == COSTS[name], "\n".join([f"{name}: {cost}", *meter.commands])


def test_a_confirmation_costs_two_commands_and_no_round_trip(
    dixa: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pair(tmp_path / "pair") as servers:
        installation = Installation(servers.primary.url, dixa, tmp_path, REDIS_REPLICAS="1")
        installation.webhook(installation.close())
        meter = Meter(servers.primary.url, dixa, monkeypatch)
        cost = meter.measure(partial(installation.webhook, installation.close()))
        once = COSTS["webhook"]
        assert (cost.round_trips, cost.commands) == (once.round_trips, once.commands + 2), "\n".join(meter.commands)


def test_events_cost_one_command_for_each_transition_that_has_some(
    own_redis: RedisServer, dixa: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.records.channels._QUIET_SECONDS", 3600.0)
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    given = {"EVENTS_WEBHOOK_URL": "http://127.0.0.1:1/events", "EVENTS_WEBHOOK_SECRET": secret}
    installation = Installation(own_redis.url, dixa, tmp_path, **given)
    for step in installation.steps(installation.close()).values():
        step()
    meter = Meter(own_redis.url, dixa, monkeypatch)
    noted = {"offer and message": 2, "answer": 1, "result": 1}
    for name, step in installation.steps(installation.close()).items():
        cost, without = meter.measure(step), COSTS[name]
        more = replace(without, commands=without.commands + noted.get(name, 0))
        assert cost == more, "\n".join([f"{name}: {cost}", *meter.commands])


def test_the_cost_of_a_custom_card_is_known(
    own_redis: RedisServer, dixa: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "a-token-of-the-card-0123456789"
    installation = Installation(own_redis.url, dixa, tmp_path, DIXA_CARD_TOKEN=token)
    number = installation.close()
    for step in installation.steps(number).values():
        step()

    def card() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/cards/dixa?email=ida%40example.com&conversation={number}"
        assert installation.web.get(path, base_url=PUBLIC_URL, headers=headers).status_code == 200

    card()
    cost = Meter(own_redis.url, dixa, monkeypatch).measure(card)
    assert cost == Cost(round_trips=4, commands=4, calls=0, schemas=0)


def test_the_costs_of_a_look_for_missed_closes_are_known(
    own_redis: RedisServer, dixa: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 50 conversations closed, all of them on record. It comes every five minutes."""
    given = {"DIXA_API_URL": dixa.api_url, "DIXA_LAG": "1ms", "DIXA_PACE": "5000/100"}
    worker = build(settings_for(own_redis.url, **given))
    (look,) = [each.step for each in worker.background if isinstance(each, MissedLoop)]
    subscription = Subscription(f"{PUBLIC_URL}/webhooks/dixa", events=["ConversationClosed"])
    dixa.state.subscriptions = {subscription.id: subscription}
    client = patient(own_redis.url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    for _ in range(50):
        number = dixa.make_conversation(state="Closed")
        closed_at = dixa.conversation(number).closed_at = datetime.now(UTC) - timedelta(minutes=1)
        records.accept(Close(number, closed_at), [Survey()])
    meter = Meter(own_redis.url, dixa, monkeypatch)
    costs = []
    for _ in range(2):
        # The first look opens connections and loads scripts.
        before = int((datetime.now(UTC) - timedelta(minutes=10)).timestamp() * 1000)
        client.hset("afterword:missed", mapping={"until": before, "looked_at": 0})
        costs.append(meter.measure(look))
    assert costs[-1] == Cost(round_trips=9, commands=79, calls=3, schemas=0), "\n".join(meter.commands)
    assert meter.measure(look) == Cost(round_trips=1, commands=3, calls=0, schemas=0)
    client.close()


def test_webhooks_at_the_same_time_share_a_round_trip(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings_for(own_redis.url))
    records = app.extensions["afterword"].records
    open_gate, sent = Event(), []
    send_packed_command = _StaleAware.send_packed_command

    def wait_and_send(connection: Any, *args: Any, **options: Any) -> Any:
        open_gate.wait()
        sent.append(args)
        return send_packed_command(connection, *args, **options)

    def post(number: int) -> int:
        return send(app.test_client(), closed(csid=number))[0]

    assert post(10_001) == 202, "the first one opens a connection and loads the script"
    monkeypatch.setattr(_StaleAware, "send_packed_command", wait_and_send)
    with ThreadPoolExecutor(8) as threads:
        statuses = threads.map(post, range(10_002, 10_010))
        try:
            eventually(lambda: len(records._redis._gathered) == 7)
        finally:
            open_gate.set()
        assert [*statuses] == [202] * 8
    assert len(sent) == 2
