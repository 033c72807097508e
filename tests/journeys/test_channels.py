"""A failed channel pauses for all workers. It gets no offers meanwhile, and no survey is lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.delivery.slack import SlackAlert
from service.delivery.webhook import AnswerWebhook
from service.journeys.follow_up import OUTCOME_UNKNOWN
from service.records.channels import PAUSE, Channels, name_receiver
from service.sandbox.dixa.model import Person
from service.surveys.mailbox import Mailbox
from service.surveys.on_answer import OnAnswer
from service.surveys.ports import Action
from service.surveys.states import OfferState
from service.surveys.words import Sender
from tests.harness import AT_ONCE, CSAT
from tests.journeys.channel_story import BY_MAIL, BY_MAIL_OR_MESSAGE, SUSPENDED, ChannelStory
from tests.receiver import DROP

REFUSALS = [
    ("MAIL", "550 5.7.60 May not send as this sender"),
    ("RCPT", "550 5.7.1 Relaying denied"),
    ("dot", SUSPENDED),
]


@pytest.mark.parametrize(("place", "reply"), REFUSALS)
def test_no_offer_is_made_while_the_channel_is_down(channel_story: ChannelStory, place: str, reply: str) -> None:
    channel_story.post.replies[place] = reply
    first, second = channel_story.story.begin(BY_MAIL), channel_story.story.begin(BY_MAIL)
    assert channel_story.run_once(first).offer.state is OfferState.OFFERED
    for _ in range(3):
        record = channel_story.run_once(second)
        assert (record.offer.state, record.offer.tries) == (OfferState.DECIDING, 0)
    assert channel_story.offers(first, second) == [1, 0]
    assert channel_story.post.commands.count("MAIL") == 1


def test_waiting_surveys_are_sent_once_after_the_repair(channel_story: ChannelStory) -> None:
    channel_story.post.replies["dot"] = SUSPENDED
    ids = [channel_story.story.begin(BY_MAIL) for _ in range(3)]
    for each in ids:
        channel_story.run_once(each)
    channel_story.post.replies.clear()
    channel_story.end_pause()
    assert [channel_story.run_once(each).offer.state for each in ids] == [OfferState.DELIVERED] * 3
    assert (channel_story.offers(*ids), len(channel_story.post.mails)) == ([1, 1, 1], 3)
    assert channel_story.story.channels.troubles() == []


def test_waiting_surveys_make_no_call_while_the_channel_is_down(channel_story: ChannelStory) -> None:
    channel_story.post.replies["dot"] = SUSPENDED
    first, second = channel_story.story.begin(BY_MAIL), channel_story.story.begin(BY_MAIL)
    channel_story.run_once(first)
    before = len(channel_story.dixa.calls)
    for each in (first, second):
        channel_story.run_once(each)
    assert len(channel_story.dixa.calls) == before


def test_link_is_delivered_by_the_next_channel(channel_story: ChannelStory) -> None:
    """Nothing was delivered, so nobody is asked twice. The channel stays paused."""
    channel_story.post.replies["dot"] = SUSPENDED
    records = [channel_story.run_once(channel_story.story.begin(BY_MAIL_OR_MESSAGE)) for _ in range(3)]
    assert {(each.offer.state, each.offer.channel, each.offer.failed) for each in records} == {
        (OfferState.DELIVERED, "message", ())
    }
    assert channel_story.post.commands.count("dot") == 1
    assert channel_story.offers(*(each.survey_id for each in records)) == [1, 1, 1]


def test_refused_message_waits_for_the_mail_server(channel_story: ChannelStory) -> None:
    channel_story.post.replies["dot"] = SUSPENDED
    channel_story.dixa.fails(1, 422, call="message")
    survey_id = channel_story.story.begin(BY_MAIL_OR_MESSAGE)
    record = channel_story.run_once(survey_id)
    assert (record.offer.state, record.offer.failed) == (OfferState.OFFERED, ("message",))
    channel_story.post.replies.clear()
    channel_story.end_pause()
    record = channel_story.run_once(survey_id)
    assert (record.offer.state, record.offer.channel, len(channel_story.post.mails)) == (
        OfferState.DELIVERED,
        "email",
        1,
    )


def test_one_survey_at_a_time_tries_the_channel_after_the_pause(channel_story: ChannelStory) -> None:
    channels = channel_story.story.channels
    channels.failed("email", "1", "no")
    assert channels.begin("email", "1")
    channel_story.end_pause()
    assert channels.begin("email", "2") is None
    assert channels.begin("email", "2") is None
    assert channels.wait("email", "2") is None
    assert channels.begin("email", "3")
    channels.works("email", "2")
    assert channels.begin("email", "3") is None


def test_other_surveys_wait_ten_seconds_for_the_first_try(channel_story: ChannelStory) -> None:
    channels = channel_story.story.channels
    channels.failed("email", "1", "no")
    channel_story.end_pause()
    assert channels.begin("email", "2") is None
    assert channels.begin("email", "3") == timedelta(seconds=10)


def test_only_another_failed_survey_doubles_the_pause(channel_story: ChannelStory) -> None:
    channels, minutes = channel_story.story.channels, []
    for each in "1112233456":
        assert channels.begin("email", each) is None
        channels.failed("email", each, "no")
        minutes.append(round(channel_story.pause_left() / timedelta(minutes=1)))
        channel_story.end_pause()
    assert minutes == [1, 1, 1, 2, 2, 4, 4, 8, 10, 10]


def test_concurrent_failures_lengthen_the_pause_once(channel_story: ChannelStory) -> None:
    for each in "123456":
        channel_story.story.channels.failed("email", each, "no")
    assert channel_story.pause_left() <= PAUSE


REFUSED_CUSTOMER = Person("Ida Holm", "ida@example.com")
REFUSED = "550 5.7.1 Not from you"


def test_failed_survey_leaves_the_next_try_to_another_survey(channel_story: ChannelStory) -> None:
    """A survey with a refused customer must not be the only survey to test the channel."""
    channel_story.post.refuses = {str(REFUSED_CUSTOMER.email): REFUSED}
    poisoned, other = channel_story.story.begin(BY_MAIL, requester=REFUSED_CUSTOMER), channel_story.story.begin(BY_MAIL)
    channel_story.run_once(poisoned)
    channel_story.end_shared_pause()
    assert channel_story.run_once(poisoned).offer.state is OfferState.OFFERED
    assert channel_story.post.commands.count("RCPT") == 1
    assert channel_story.run_once(other).offer.state is OfferState.DELIVERED
    assert channel_story.story.channels.troubles() == []


def test_survey_failing_alone_does_not_pause_the_channel_again(channel_story: ChannelStory) -> None:
    channel_story.post.refuses = {str(REFUSED_CUSTOMER.email): REFUSED}
    poisoned = channel_story.story.begin(BY_MAIL, requester=REFUSED_CUSTOMER)
    others = [channel_story.story.begin(BY_MAIL) for _ in range(3)]
    channel_story.run_once(poisoned)
    channel_story.end_shared_pause()
    for tries, each in enumerate(others, start=1):
        assert channel_story.run_once(each).offer.state is OfferState.DELIVERED
        assert channel_story.post.commands.count("dot") == tries
        channel_story.end_own_pause(poisoned)
        assert channel_story.run_once(poisoned).offer.state is OfferState.OFFERED
        assert channel_story.story.channels.troubles() == []
        # The refused survey still waits, without a call to Dixa.
        before = len(channel_story.dixa.calls)
        assert channel_story.run_once(poisoned).offer.tries == 0
        assert len(channel_story.dixa.calls) == before
    channel_story.post.refuses.clear()
    channel_story.end_own_pause(poisoned)
    assert channel_story.run_once(poisoned).offer.state is OfferState.DELIVERED
    assert channel_story.offers(poisoned) == [1]


def test_survey_failing_alone_is_sent_by_the_next_channel(channel_story: ChannelStory) -> None:
    channel_story.story.channels.failed("email", "1", "no")
    channel_story.end_pause()
    channel_story.post.refuses = {str(REFUSED_CUSTOMER.email): REFUSED}
    poisoned = channel_story.story.begin(BY_MAIL_OR_MESSAGE, requester=REFUSED_CUSTOMER)
    channel_story.story.channels.failed("email", poisoned, "no")
    channel_story.story.channels.works("email", "1")
    channel_story.end_own_pause(poisoned)
    record = channel_story.run_once(poisoned)
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "message")
    assert channel_story.story.channels.troubles() == []


def test_failure_after_a_success_pauses_the_channel_again(channel_story: ChannelStory) -> None:
    channels = channel_story.story.channels
    for each in "12":
        channels.failed("email", each, "no")
        channel_story.end_pause()
    channels.works("email", "2")
    channels.works("email", "1")
    channels.failed("email", "1", "no")
    assert channels.begin("email", "3")


def test_survey_without_another_channel_makes_no_call_during_the_pause(channel_story: ChannelStory) -> None:
    """A phone call takes no message, although `message` is the first channel."""
    channel_story.post.replies["dot"] = SUSPENDED
    by_message_or_mail = replace(AT_ONCE, deliver=("message", "email"))
    ids = [channel_story.story.begin(by_message_or_mail, channel="PstnPhone") for _ in range(3)]
    channel_story.run_once(ids[0])
    before = len(channel_story.dixa.calls)
    for each in ids:
        channel_story.run_once(each)
    assert len(channel_story.dixa.calls) == before


def test_agent_for_one_language_makes_another_channel_possible(channel_story: ChannelStory) -> None:
    """The sender depends on the language, and only Dixa knows the language."""
    channel_story.story.channels.failed("email of own", "1", "no")
    sender = {"da": Sender(agent="7e3c2a10-5d4b-4c6a-8b1f-9f2d0e6c4b51")}
    own = replace(AT_ONCE, name="own", deliver=("email", "message"), senders=sender)
    record = channel_story.run_once(channel_story.story.begin(own, agent=False, language="da"))
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "message")


def test_unknown_or_busy_mailbox_does_not_pause_the_channel(channel_story: ChannelStory) -> None:
    channel_story.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    channel_story.run_once(channel_story.story.begin(BY_MAIL))
    channel_story.post.replies["RCPT"] = "451 4.3.0 Later"
    channel_story.run_once(channel_story.story.begin(BY_MAIL))
    assert channel_story.story.channels.troubles() == []


def test_refused_own_sender_affects_no_other_survey(channel_story: ChannelStory) -> None:
    own = replace(BY_MAIL, name="own", senders={"": Sender(email=Mailbox("other@example.com"))})
    channel_story.post.replies["MAIL"] = "550 5.7.60 May not send as this sender"
    channel_story.run_once(channel_story.story.begin(own))
    channel_story.post.replies.clear()
    assert channel_story.run_once(channel_story.story.begin(BY_MAIL)).offer.state is OfferState.DELIVERED
    assert channel_story.run_once(channel_story.story.begin(own)).offer.state is OfferState.DECIDING


def test_alert_waits_while_its_receiver_is_down(channel_story: ChannelStory) -> None:
    terms = replace(AT_ONCE, on_answer=(OnAnswer((1,), CSAT, slack=True),))
    ids = [channel_story.story.begin(terms) for _ in range(2)]
    for each in ids:
        channel_story.story.ask(each)
        channel_story.story.answer(each, {CSAT: 1}, "Too slow")
        channel_story.story.submit(each)
    channel_story.receiver.next["/slack"] = [404]
    channel_story.follow(ids[0])
    before = len(channel_story.dixa.calls)
    for each in ids:
        channel_story.follow(each)
    # Dixa is queried for an anonymised conversation only right before an alert is sent.
    assert len(channel_story.dixa.calls) == before
    assert [post.status for post in channel_story.receiver.of("/slack")] == [404]
    assert channel_story.story.channels.troubles()[0].startswith('channel "slack after an answer" is down since ')
    channel_story.end_pause(name_receiver("slack"))
    for each in ids:
        channel_story.follow(each)
    assert len(channel_story.receiver.taken("/slack")) == 2


def test_alert_with_a_lost_response_is_not_repeated(channel_story: ChannelStory) -> None:
    survey_id = channel_story.story.begin(replace(AT_ONCE, on_answer=(OnAnswer((1,), CSAT, slack=True),)))
    channel_story.story.ask(survey_id)
    channel_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    channel_story.story.submit(survey_id)
    channel_story.receiver.next["/slack"] = [DROP]
    for _ in range(2):
        channel_story.follow(survey_id)
    assert [post.status for post in channel_story.receiver.of("/slack")] == [DROP]
    follow_up = channel_story.story.load(survey_id).follow_up
    assert follow_up
    assert follow_up.actions["slack"].problem == OUTCOME_UNKNOWN


def test_reminder_waits_while_its_channel_is_down(channel_story: ChannelStory) -> None:
    terms = replace(BY_MAIL, reminder=timedelta(hours=1))
    survey_id = channel_story.story.begin(terms)
    assert channel_story.run_once(survey_id).offer.state is OfferState.REMINDING
    channel_story.post.replies["dot"] = SUSPENDED
    assert channel_story.run_once(survey_id).offer.state is OfferState.REMINDING
    before = len(channel_story.dixa.calls)
    assert channel_story.run_once(survey_id).offer.state is OfferState.REMINDING
    assert len(channel_story.dixa.calls) == before
    assert channel_story.post.commands.count("dot") == 2
    channel_story.post.replies.clear()
    channel_story.end_pause()
    assert channel_story.run_once(survey_id).offer.state is OfferState.DELIVERED
    assert len(channel_story.post.mails) == 2


def test_outage_of_a_channel_is_logged_at_its_start_and_end(channel_story: ChannelStory) -> None:
    channel_story.post.replies["dot"] = SUSPENDED
    ids = [channel_story.story.begin(BY_MAIL) for _ in range(2)]
    with capture_logs() as logs:
        for each in ids:
            channel_story.run_once(each)
        channel_story.end_pause()
        channel_story.run_once(ids[1])
        channel_story.post.replies.clear()
        channel_story.end_pause()
        channel_story.run_once(ids[0])
    events = [each["event"] for each in logs if each["event"].startswith("channel.")]
    assert events == ["channel.down", "channel.recovered"]


def test_failed_channel_is_reported_with_its_reason(redis_client: redis.Redis, prefix: str) -> None:
    channels = Channels(redis_client, prefix=prefix)
    channels.failed("email", "1", "the mail server replied to the text with 554")
    (trouble,) = channels.troubles()
    assert trouble.startswith('channel "email" is down since 20')
    assert trouble.endswith(
        ": the mail server replied to the text with 554. Surveys use their next channel, or wait. "
        "One at a time tries this one"
    )


def test_sender_of_a_survey_named_answers_is_no_receiver_of_answers(redis_client: redis.Redis, prefix: str) -> None:
    channels = Channels(redis_client, prefix=prefix)
    channels.failed("email of answers", "1", "the mail server returned 535")
    assert "Surveys use their next channel" in channels.troubles()[0]


@pytest.mark.parametrize("action", [SlackAlert, AnswerWebhook])
def test_failed_receiver_of_answers_is_reported_as_no_problem_of_surveys(
    redis_client: redis.Redis, prefix: str, action: type[Action]
) -> None:
    channels = Channels(redis_client, prefix=prefix)
    channels.failed(name_receiver(action.kind), "1", "the receiver returned 404")
    assert channels.troubles()[0].endswith("404. Follow-ups wait, and are retried for a day. Surveys are not affected")
    assert action.max_age == timedelta(days=1)
