"""Running workers find the closes whose webhook never arrived, and ask about exactly those, once."""

from datetime import timedelta
from functools import partial
from itertools import pairwise

from service.records.missed import MissedBookmark
from service.records.records import Records
from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from service.surveys.model import Record
from service.surveys.states import FoundBy, OfferState
from tests.integration.conftest import SURVEYS, Starter
from tests.polling import eventually
from tests.processes import patient

OFTEN = {"RECOVER_INTERVAL": "300ms", "DIXA_LAG": "1ms"}


def close(dixa: Sandbox, number: int, webhook_url: str | None) -> None:
    """Close a conversation, with or without its webhook."""
    dixa.sends_webhooks_to(webhook_url)
    dixa.close(number)
    if webhook_url:
        eventually(lambda: dixa.deliveries(number)[-1].is_done)


def delivered(records: Records, number: int) -> Record | None:
    record = records.load(str(number))
    return record if record and record.offer.state is OfferState.DELIVERED else None


def searches(dixa: Sandbox) -> list[Exchange]:
    return [each for each in dixa.calls if each.call == "search"]


def test_two_workers_ask_about_exactly_the_lost_closes_once(start: Starter, dixa: Sandbox) -> None:
    web = start(SURVEYS, "web")
    client = patient(web.redis_url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    bookmark = MissedBookmark.beside(records)
    bookmark.claim(every=timedelta(seconds=1), lag=timedelta(), max_age=timedelta(days=1))
    numbers = [dixa.make_conversation() for _ in range(9)]
    for place, number in enumerate(numbers):
        close(dixa, number, web.webhook_url if place % 3 else None)
    dixa.sends_webhooks_to(None)
    before = len(searches(dixa))
    workers = [start(SURVEYS, "worker", REDIS_URL=web.redis_url, PUBLIC_URL=web.url, **OFTEN) for _ in range(2)]
    found = [eventually(partial(delivered, records, number)) for number in numbers]
    found_by = [each.close.found_by for each in found if each and each.close]
    assert found_by == [FoundBy.SEARCH, None, None] * 3
    # Further looks change nothing, and none is at a stretch of time that was looked at.
    looks = len(searches(dixa))
    eventually(lambda: len(searches(dixa)) >= looks + 4)
    for each in (*workers, web):
        each.stop()
    status = bookmark.status()
    assert status
    assert sum(status.missed.values()) == 3
    assert [len(dixa.offers(number)) for number in numbers] == [1] * 9
    assert [len([*records.load_rounds(number)]) for number in numbers] == [1] * 9
    bodies = [each.request_json for each in searches(dixa)[before:]]
    stretches = [body["filters"]["conditions"][0]["field"]["operator"] for body in bodies]
    assert all(later["timestampFrom"] == earlier["timestampTo"] for earlier, later in pairwise(stretches))
    assert dixa.report.second_offers == []
    client.close()
