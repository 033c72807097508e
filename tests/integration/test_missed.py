"""Running workers find the closes whose webhook never arrived, and ask about exactly those, once."""

import json
from datetime import timedelta
from functools import partial
from itertools import pairwise

import requests

from service.records.missed import MissedBookmark
from service.records.records import Records
from service.sandbox.dixa.model import Exchange
from service.sandbox.dixa.webhooks import closed_event, sign
from service.sandbox.server import Sandbox
from service.surveys.model import Record
from service.surveys.states import FoundBy, OfferState
from tests.integration.conftest import SURVEYS, Starter
from tests.polling import eventually
from tests.processes import WEBHOOK_SECRET, patient

FOUND_BY = [FoundBy.SEARCH, None, FoundBy.DELIVERY_LOG] * 3
OFTEN = {"RECOVER_INTERVAL": "300ms", "DIXA_LAG": "1ms"}


def is_over(dixa: Sandbox, number: int) -> bool:
    """Return whether the webhook has been delivered or lost."""
    return all(each.is_done for each in dixa.deliveries(number))


def delivered(records: Records, number: int) -> Record | None:
    record = records.load(str(number))
    return record if record and record.offer.state is OfferState.DELIVERED else None


def send_late(dixa: Sandbox, number: int, url: str) -> tuple[int, str]:
    """Send the event of a close: the one in the delivery log, or one as it would have been, a little later."""
    conversation, sent = dixa.conversation(number), dixa.deliveries(number)
    assert conversation.closed_at
    at = conversation.closed_at + timedelta(seconds=1)
    body = sent[-1].body if sent else json.dumps(closed_event(conversation, dixa.state.organization, at=at)).encode()
    response = requests.post(url, body, headers=sign(body, WEBHOOK_SECRET), timeout=30)
    return response.status_code, response.json()["status"]


def searches(dixa: Sandbox) -> list[Exchange]:
    return [each for each in dixa.calls if each.call == "search"]


def test_two_workers_ask_about_exactly_the_lost_closes_once(start: Starter, dixa: Sandbox) -> None:
    web = start(SURVEYS, "web")
    client = patient(web.redis_url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    bookmark = MissedBookmark.beside(records)
    bookmark.claim(every=timedelta(seconds=1), lag=timedelta(), max_age=timedelta(days=1))
    numbers = [dixa.make_conversation() for _ in range(9)]
    dixa.sends_webhooks_to(web.webhook_url)
    for number, found_by in zip(numbers, FOUND_BY, strict=True):
        if found_by:
            dixa.loses_webhooks(is_logged=found_by is FoundBy.DELIVERY_LOG)
        dixa.close(number)
        eventually(partial(is_over, dixa, number))
    before = len(searches(dixa))
    workers = [start(SURVEYS, "worker", REDIS_URL=web.redis_url, PUBLIC_URL=web.url, **OFTEN) for _ in range(2)]
    found = [eventually(partial(delivered, records, number)) for number in numbers]
    assert [each.close.found_by for each in found if each and each.close] == FOUND_BY
    # Further looks change nothing, and none is at a stretch of time that was looked at.
    looks = len(searches(dixa))
    eventually(lambda: len(searches(dixa)) >= looks + 4)
    # The webhooks arrive after all.
    assert {send_late(dixa, number, web.webhook_url) for number in numbers} == {(200, "duplicate")}
    for each in (*workers, web):
        each.stop()
    dixa.sends_webhooks_to(None)
    assert sum(each.log_of("worker").count('"close.recovered"') for each in workers) == 6
    status = bookmark.status()
    assert status
    assert sum(status.missed.values()) == 6
    assert [len(dixa.offers(number)) for number in numbers] == [1] * 9
    assert [len([*records.load_rounds(number)]) for number in numbers] == [1] * 9
    bodies = [each.request_json for each in searches(dixa)[before:]]
    stretches = [body["filters"]["conditions"][0]["field"]["operator"] for body in bodies]
    assert all(later["timestampFrom"] == earlier["timestampTo"] for earlier, later in pairwise(stretches))
    assert dixa.report.second_offers == []
    client.close()
