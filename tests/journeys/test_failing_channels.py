"""Several failures in a row pause a channel, even if each may be due to its customer."""

from collections.abc import Callable

import pytest

from service.records.channels import PAUSE
from service.surveys.definition import Survey
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE
from tests.journeys.channel_story import BY_MAIL, BY_WEBHOOK, ChannelStory
from tests.receiver import DROP


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410, 302])
def test_misconfigured_receiver_of_links_gets_no_offer(channel_story: ChannelStory, status: int) -> None:
    channel_story.receiver.next["/link"] = [status]
    first, second = channel_story.story.begin(BY_WEBHOOK), channel_story.story.begin(BY_WEBHOOK)
    assert channel_story.run_once(first).offer.state is OfferState.OFFERED
    assert channel_story.run_once(second).offer.state is OfferState.DECIDING
    channel_story.end_pause("webhook")
    assert [channel_story.run_once(each).offer.state for each in (first, second)] == [OfferState.DELIVERED] * 2
    assert channel_story.offers(first, second) == [1, 1]


def break_receiver(channel_story: ChannelStory, status: int) -> Survey:
    channel_story.receiver.next["/link"] = [status] * MANY
    return BY_WEBHOOK


def break_mail_server(channel_story: ChannelStory, reply: str) -> Survey:
    channel_story.post.replies["MAIL"] = reply
    return BY_MAIL


def refuse_recipients(channel_story: ChannelStory, reply: str) -> Survey:
    channel_story.post.replies["RCPT"] = reply
    return BY_MAIL


def forbid_messages(channel_story: ChannelStory, status: int) -> Survey:
    channel_story.dixa.fails(MANY, status, call="message")
    return AT_ONCE


MANY, ENOUGH = 12, 5
BROKEN = [
    *((break_receiver, each) for each in (500, 502, 503, 504, 429, DROP)),
    *((break_mail_server, each) for each in ("421 4.3.2 Not available", "451 4.3.0 Later")),
    (forbid_messages, 403),
]


@pytest.mark.parametrize(("breaks", "how"), BROKEN)
def test_several_failures_in_a_row_pause_the_channel(
    channel_story: ChannelStory, breaks: Callable[..., Survey], how: object
) -> None:
    """Each refusal may be due to its customer, but further offers would be wasted."""
    terms = breaks(channel_story, how)
    channel, ids = terms.deliver[0], [channel_story.story.begin(terms) for _ in range(MANY)]
    for each in ids:
        channel_story.run_once(each)
    assert sum(channel_story.offers(*ids)) == ENOUGH
    assert len(channel_story.story.channels.troubles()) == 1
    assert channel_story.pause_left(channel) <= PAUSE
    assert {channel_story.run_once(each).offer.tries for each in ids[ENOUGH:]} == {0}
    channel_story.receiver.next.clear()
    channel_story.post.replies.clear()
    channel_story.dixa.faults.clear()
    channel_story.end_pause(channel)
    assert channel_story.run_once(ids[-1]).offer.state is OfferState.DELIVERED
    assert channel_story.story.channels.troubles() == []
    assert {channel_story.run_once(each).offer.state for each in ids} == {OfferState.DELIVERED}
    assert channel_story.offers(*ids) == [1] * MANY


REFUSES_ALL = [
    (break_receiver, 400),
    (refuse_recipients, "550 relay not permitted"),
    (refuse_recipients, "550 5.1.1 No such mailbox"),
]


@pytest.mark.parametrize(("breaks", "how"), REFUSES_ALL)
def test_channel_refusing_every_customer_fails_only_few_surveys(
    channel_story: ChannelStory, breaks: Callable[..., Survey], how: object
) -> None:
    """Each refusal seems due to its customer, but not all of them can be."""
    terms = breaks(channel_story, how)
    channel, ids = terms.deliver[0], [channel_story.story.begin(terms) for _ in range(MANY)]
    states = [channel_story.run_once(each).offer.state for each in ids]
    assert states == [OfferState.FAILED] * ENOUGH + [OfferState.DECIDING] * (MANY - ENOUGH)
    assert sum(channel_story.offers(*ids)) == ENOUGH
    channel_story.receiver.next.clear()
    channel_story.post.replies.clear()
    channel_story.end_pause(channel)
    for each in ids[:ENOUGH]:
        channel_story.story.records.retry(Journey.OFFER, each)
    assert {channel_story.run_once(each).offer.state for each in ids} == {OfferState.DELIVERED}
    assert channel_story.offers(*ids) == [1] * MANY


def test_occasional_success_keeps_a_channel_up(channel_story: ChannelStory) -> None:
    channel_story.receiver.next["/link"] = ([502] * (ENOUGH - 1) + [204]) * 3
    ids = [channel_story.story.begin(BY_WEBHOOK) for _ in range(3 * ENOUGH)]
    for each in ids:
        channel_story.run_once(each)
    assert channel_story.offers(*ids) == [1] * len(ids)
    assert channel_story.story.channels.troubles() == []


def test_repeated_failure_of_one_survey_affects_no_other(channel_story: ChannelStory) -> None:
    channel_story.receiver.next["/link"] = [502] * MANY
    survey_id = channel_story.story.begin(BY_WEBHOOK)
    for _ in range(MANY):
        channel_story.run_once(survey_id)
    assert channel_story.story.channels.troubles() == []


def test_survey_with_an_unknown_outcome_keeps_its_channel(channel_story: ChannelStory) -> None:
    channel_story.receiver.next["/link"] = [502, 404]
    first = channel_story.story.begin(BY_WEBHOOK)
    for _ in range(2):
        assert channel_story.run_once(first).offer.state is OfferState.DELIVERING
    assert channel_story.run_once(channel_story.story.begin(BY_WEBHOOK)).offer.state is OfferState.DECIDING
