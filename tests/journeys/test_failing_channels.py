"""Several failures in a row pause a channel, even if each may be due to its customer."""

from collections.abc import Callable

import pytest

from service.records.channels import PAUSE
from service.surveys.definition import Survey
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE
from tests.journeys.bench import BY_MAIL, BY_WEBHOOK, Bench
from tests.receiver import DROP


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410, 302])
def test_misconfigured_receiver_of_links_gets_no_offer(bench: Bench, status: int) -> None:
    bench.receiver.next["/link"] = [status]
    first, second = bench.story.begin(BY_WEBHOOK), bench.story.begin(BY_WEBHOOK)
    assert bench.run_once(first).offer.state is OfferState.OFFERED
    assert bench.run_once(second).offer.state is OfferState.DECIDING
    bench.end_pause("webhook")
    assert [bench.run_once(each).offer.state for each in (first, second)] == [OfferState.DELIVERED] * 2
    assert bench.offers(first, second) == [1, 1]


def break_receiver(bench: Bench, status: int) -> Survey:
    bench.receiver.next["/link"] = [status] * MANY
    return BY_WEBHOOK


def break_mail_server(bench: Bench, reply: str) -> Survey:
    bench.post.replies["MAIL"] = reply
    return BY_MAIL


def refuse_recipients(bench: Bench, reply: str) -> Survey:
    bench.post.replies["RCPT"] = reply
    return BY_MAIL


def forbid_messages(bench: Bench, status: int) -> Survey:
    bench.dixa.fails(MANY, status, call="message")
    return AT_ONCE


MANY, ENOUGH = 12, 5
BROKEN = [
    *((break_receiver, each) for each in (500, 502, 503, 504, 429, DROP)),
    *((break_mail_server, each) for each in ("421 4.3.2 Not available", "451 4.3.0 Later")),
    (forbid_messages, 403),
]


@pytest.mark.parametrize(("breaks", "how"), BROKEN)
def test_several_failures_in_a_row_pause_the_channel(bench: Bench, breaks: Callable[..., Survey], how: object) -> None:
    """Each refusal may be due to its customer, but further offers would be wasted."""
    terms = breaks(bench, how)
    channel, ids = terms.deliver[0], [bench.story.begin(terms) for _ in range(MANY)]
    for each in ids:
        bench.run_once(each)
    assert sum(bench.offers(*ids)) == ENOUGH
    assert len(bench.story.channels.troubles()) == 1
    assert bench.pause_left(channel) <= PAUSE
    assert {bench.run_once(each).offer.tries for each in ids[ENOUGH:]} == {0}
    bench.receiver.next.clear()
    bench.post.replies.clear()
    bench.dixa.faults.clear()
    bench.end_pause(channel)
    assert bench.run_once(ids[-1]).offer.state is OfferState.DELIVERED
    assert bench.story.channels.troubles() == []
    assert {bench.run_once(each).offer.state for each in ids} == {OfferState.DELIVERED}
    assert bench.offers(*ids) == [1] * MANY


REFUSES_ALL = [
    (break_receiver, 400),
    (refuse_recipients, "550 relay not permitted"),
    (refuse_recipients, "550 5.1.1 No such mailbox"),
]


@pytest.mark.parametrize(("breaks", "how"), REFUSES_ALL)
def test_channel_refusing_every_customer_fails_only_few_surveys(
    bench: Bench, breaks: Callable[..., Survey], how: object
) -> None:
    """Each refusal seems due to its customer, but not all of them can be."""
    terms = breaks(bench, how)
    channel, ids = terms.deliver[0], [bench.story.begin(terms) for _ in range(MANY)]
    states = [bench.run_once(each).offer.state for each in ids]
    assert states == [OfferState.FAILED] * ENOUGH + [OfferState.DECIDING] * (MANY - ENOUGH)
    assert sum(bench.offers(*ids)) == ENOUGH
    bench.receiver.next.clear()
    bench.post.replies.clear()
    bench.end_pause(channel)
    for each in ids[:ENOUGH]:
        bench.story.records.retry(Journey.OFFER, each)
    assert {bench.run_once(each).offer.state for each in ids} == {OfferState.DELIVERED}
    assert bench.offers(*ids) == [1] * MANY


def test_occasional_success_keeps_a_channel_up(bench: Bench) -> None:
    bench.receiver.next["/link"] = ([502] * (ENOUGH - 1) + [204]) * 3
    ids = [bench.story.begin(BY_WEBHOOK) for _ in range(3 * ENOUGH)]
    for each in ids:
        bench.run_once(each)
    assert bench.offers(*ids) == [1] * len(ids)
    assert bench.story.channels.troubles() == []


def test_repeated_failure_of_one_survey_affects_no_other(bench: Bench) -> None:
    bench.receiver.next["/link"] = [502] * MANY
    survey_id = bench.story.begin(BY_WEBHOOK)
    for _ in range(MANY):
        bench.run_once(survey_id)
    assert bench.story.channels.troubles() == []


def test_survey_with_an_unknown_outcome_keeps_its_channel(bench: Bench) -> None:
    bench.receiver.next["/link"] = [502, 404]
    first = bench.story.begin(BY_WEBHOOK)
    for _ in range(2):
        assert bench.run_once(first).offer.state is OfferState.DELIVERING
    assert bench.run_once(bench.story.begin(BY_WEBHOOK)).offer.state is OfferState.DECIDING
