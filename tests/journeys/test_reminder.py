"""The reminder: off by default, and never after an answer, an opt-out or a new message of the customer."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as modern

import pytest
import redis
from structlog.testing import capture_logs

from service.delivery.email.text import message_id
from service.journeys.reminder import _is_too_late
from service.records.codec import to_ms
from service.records.terms_codec import dump_terms
from service.sandbox.dixa.model import Message
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.errors import OutcomeUnknown
from service.surveys.model import UNCONFIRMED
from service.surveys.states import ChangeKind, OfferState
from tests.harness import AT_ONCE, CSAT, QUICK, Story
from tests.journeys.mail_story import BRANDING, EMAIL_FIRST, MailStory
from tests.journeys.test_attempt import attempt_of
from tests.journeys.test_reasons import FailingChannel
from tests.journeys.test_waiting import window_in
from tests.moments import moment
from tests.polling import eventually

REMINDED = replace(AT_ONCE, reminder=timedelta(minutes=30))
MAILED = replace(EMAIL_FIRST, reminder=timedelta(minutes=30))


def delivered(story: Story, terms: Survey = REMINDED) -> str:
    """Return a delivered survey before its reminder is due."""
    survey_id = story.begin(terms)

    def step() -> bool:
        story.offering.run(survey_id)
        return story.load(survey_id).offer.delivered_at is not None

    eventually(step)
    assert story.load(survey_id).offer.state is OfferState.REMINDING
    return survey_id


def reminding(story: Story, terms: Survey = REMINDED) -> str:
    """Return a delivered survey with a due reminder."""
    survey_id = delivered(story, terms)
    write(story, survey_id, "offer_due", str(to_ms(datetime.now(UTC))))
    return survey_id


def write(story: Story, survey_id: str, name: str, value: str) -> None:
    story.records._redis.hset(story.records._key(survey_id), name, value)


def sent(story: Story, survey_id: str) -> list[str]:
    found = [each.external_id or "" for each in story.dixa.messages(int(survey_id))]
    return [each.removeprefix(f"afterword-{survey_id}") for each in found]


def test_no_reminder_is_sent_by_default(story: Story) -> None:
    survey_id = story.begin()
    assert story.ask(survey_id).offer.reminded_at is None
    assert sent(story, survey_id) == [""]


def test_silent_customer_is_reminded_once(story: Story) -> None:
    survey_id = reminding(story)
    record = story.ask(survey_id)
    assert record.offer.reminded_at is not None
    assert record.offer.note == ""
    story.offering.run(survey_id)
    assert sent(story, survey_id) == ["", "-reminder"]


def test_reminder_waits_for_its_configured_time(story: Story) -> None:
    survey_id = delivered(story)
    due_at = story.load(survey_id).offer.due_at
    assert due_at is not None
    assert abs(due_at - datetime.now(UTC) - timedelta(minutes=30)) < timedelta(minutes=1)
    story.offering.run(survey_id)
    assert sent(story, survey_id) == [""]


def write_as_customer(story: Story, number: int, *, at: datetime | None = None) -> None:
    story.dixa.reopen(number)
    requester = story.dixa.conversation(number).requester
    story.dixa.state.add_message(number, Message(requester.id, "One more thing", created_at=at or moment()))


OUTDATED: dict[str, tuple[Callable[[Story, str], object], str]] = {
    "customer wrote": (lambda story, survey_id: write_as_customer(story, int(survey_id)), "in touch again"),
    "opted out": (
        lambda story, survey_id: story.opt_outs.add(story.dixa.conversation(int(survey_id)).requester.id),
        "opted out",
    ),
    "deleted": (lambda story, survey_id: story.dixa.state.conversations.pop(int(survey_id)), "404"),
    "refused": (lambda story, _: story.dixa.fails(1, 422, call="message"), "422"),
}


@pytest.mark.parametrize("case", OUTDATED)
def test_outdated_survey_gets_no_reminder(story: Story, case: str) -> None:
    happens, note = OUTDATED[case]
    survey_id = reminding(story)
    happens(story, survey_id)
    record = story.ask(survey_id)
    assert record.offer.state is OfferState.DELIVERED
    assert note in record.offer.note
    assert not any("reminder" in (each.external_id or "") for each in story.dixa.messages())


def test_answered_survey_gets_no_reminder(story: Story) -> None:
    survey_id = reminding(story)
    story.answer(survey_id, {CSAT: 4})
    assert story.load(survey_id).offer.state is OfferState.DELIVERED
    story.offering.run(survey_id)
    story.submit(survey_id)
    story.assert_once(survey_id)


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_event_cancels_the_reminder(story: Story, kind: ChangeKind) -> None:
    survey_id = delivered(story)
    assert story.take_change(survey_id, kind, at=moment() + timedelta(minutes=3))
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.due_at) == (OfferState.DELIVERED, None)
    assert record.offer.note.startswith("no reminder: ")
    assert not story.take_change(survey_id, kind)


def test_conversation_opened_by_our_message_gets_a_reminder(story: Story) -> None:
    story.dixa.state.message_reopens = True
    survey_id = delivered(story)
    assert story.dixa.conversation(int(survey_id)).state == "Open"
    assert not story.take_change(survey_id, ChangeKind.REOPENED)
    write(story, survey_id, "offer_due", str(to_ms(datetime.now(UTC))))
    story.ask(survey_id)
    assert sent(story, survey_id) == ["", "-reminder"]


def test_no_reminder_is_sent_while_a_spool_may_contain_the_answer(story: Story) -> None:
    survey_id = reminding(story)
    story.records.delay_answers(timedelta(minutes=1))
    story.offering.run(survey_id)
    story.records.delay_answers(timedelta())
    assert sent(story, survey_id) == [""]
    story.ask(survey_id)
    assert sent(story, survey_id) == ["", "-reminder"]


def test_no_reminder_is_sent_right_after_a_redis_outage(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    story = Story(redis_client, prefix, dixa, timings=replace(QUICK, recovery_wait=timedelta(minutes=1)))
    survey_id = reminding(story)
    story.offering.run(survey_id)
    assert sent(story, survey_id) == [""]
    assert story.load(survey_id).offer.state is OfferState.REMINDING


def test_reminder_waits_for_the_send_window(story: Story) -> None:
    survey_id = reminding(story)
    write(story, survey_id, "terms", json.dumps(dump_terms(replace(REMINDED, send_window=window_in(3)))))
    story.offering.run(survey_id)
    due_at = story.load(survey_id).offer.due_at
    assert due_at is not None
    assert due_at > datetime.now(UTC) + timedelta(days=1)
    assert sent(story, survey_id) == [""]


@pytest.mark.parametrize("trouble", ["503", "lost", "executed and lost"])
def test_reminder_with_a_failed_call_is_sent_once(story: Story, trouble: str) -> None:
    """A crash between the call and its record looks like a lost response."""
    survey_id = reminding(story)
    story.dixa.fails(1, 503, call="conversation")
    if trouble == "503":
        story.dixa.fails(1, 503, call="message")
    elif trouble == "lost":
        story.dixa.drops_before(1, call="message")
    else:
        story.dixa.executes_then_drops(1, call="message")
    assert story.ask(survey_id).offer.reminded_at is not None
    assert story.dixa.faults.pending() == []
    assert sent(story, survey_id) == ["", "-reminder"]
    story.assert_no_doubles()


def test_reminder_mail_has_its_own_message_id(mail_story: MailStory) -> None:
    survey_id = reminding(mail_story.story, MAILED)
    record = mail_story.story.ask(survey_id)
    assert record.offer.channel == "email"
    names = [message_from_bytes(mail, policy=modern)["Message-ID"] for mail in mail_story.post.mails]
    url = BRANDING.public_url
    assert names == [message_id(url, survey_id), message_id(url, survey_id, is_reminder=True)]
    assert len({*names}) == 2
    assert mail_story.field(record, "email") is None


def test_address_is_kept_until_the_reminder_is_sent(mail_story: MailStory) -> None:
    survey_id = reminding(mail_story.story, MAILED)
    assert mail_story.field(mail_story.story.load(survey_id), "email")


def test_possible_reminder_mail_is_not_repeated(mail_story: MailStory) -> None:
    """A worker crashed between the last dot and the server's reply."""
    survey_id = reminding(mail_story.story, MAILED)
    assert mail_story.story.records.begin_email(survey_id)
    record = mail_story.story.ask(survey_id)
    assert record.offer.note == UNCONFIRMED
    assert len(mail_story.post.mails) == 1


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "dot"])
def test_busy_server_gets_the_reminder_later_and_once(mail_story: MailStory, place: str) -> None:
    survey_id = reminding(mail_story.story, MAILED)
    mail_story.post.replies[place] = "451 4.3.0 Later"
    mail_story.story.offering.run(survey_id)
    between = mail_story.story.load(survey_id).offer
    assert (between.state, between.failed, between.tries) == (OfferState.REMINDING, (), 1)
    assert len(mail_story.post.mails) == 1
    mail_story.post.replies.clear()
    record = mail_story.story.ask(survey_id)
    assert (record.offer.note, len(mail_story.post.mails)) == ("", 2)


def test_unknown_delivery_counts_as_delivered_after_the_deadline(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    """The customer may have the link, so the survey neither fails nor is sent again."""
    story = Story(redis_client, prefix, dixa, deliveries=[FailingChannel(OutcomeUnknown("lost"))])
    survey_id = story.begin()
    story.run_until(story.offering, survey_id, lambda record: record.offer.tries > 1)
    write(story, survey_id, "accepted_at", str(to_ms(moment() - timedelta(hours=73))))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, UNCONFIRMED)


def test_no_reminder_is_sent_after_a_new_message_and_a_reclose(story: Story) -> None:
    """The webhook of the reopening was lost, or our own message might have caused it."""
    survey_id = reminding(story)
    number = int(survey_id)
    write_as_customer(story, number)
    assert story.close(number, REMINDED) == survey_id
    record = story.ask(survey_id)
    assert "in touch again" in record.offer.note
    assert sent(story, survey_id) == ["", ""]


def test_reminder_mail_is_not_repeated_after_a_restore(mail_story: MailStory) -> None:
    """The mail may have been sent after the backup, and a mail server doesn't list sent mails."""
    survey_id = reminding(mail_story.story, MAILED)
    mail_story.story.records.mark_restored()
    record = mail_story.story.ask(survey_id)
    assert (record.offer.note, len(mail_story.post.mails)) == (UNCONFIRMED, 1)


def test_message_before_the_delivery_cancels_no_reminder(story: Story) -> None:
    """The customer has not written since the delivery."""
    survey_id = reminding(story)
    delivered_at = story.load(survey_id).offer.delivered_at
    assert delivered_at
    write_as_customer(story, int(survey_id), at=delivered_at)
    assert story.ask(survey_id).offer.note == ""
    assert "-reminder" in sent(story, survey_id)


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_event_during_a_claim_cancels_the_reminder(story: Story, kind: ChangeKind) -> None:
    survey_id = reminding(story)
    later = moment() + timedelta(minutes=3)
    story.after("conversation", lambda: story.take_change(survey_id, kind, at=later))
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.DELIVERED
    assert sent(story, survey_id) == [""]


def test_lost_reminder_counts_as_a_try(story: Story) -> None:
    survey_id = reminding(story)
    story.dixa.drops_before(1, call="message")
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.tries == 1


def test_log_shows_a_sent_reminder_or_the_reason_against_it(mail_story: MailStory) -> None:
    sent, possible, opted_out = (reminding(mail_story.story, MAILED) for _ in range(3))
    mail_story.story.records.begin_email(possible)
    mail_story.story.opt_outs.add(mail_story.dixa.conversation(int(opted_out)).requester.id)
    with capture_logs() as logs:
        for survey_id in (sent, possible, opted_out):
            mail_story.story.ask(survey_id)
    found = [(each["event"], each.get("channel"), each.get("problem")) for each in logs if "reminded" in each["event"]]
    assert found == [
        ("survey.reminded", "email", None),
        ("survey.reminded", "email", None),
        ("survey.not_reminded", None, "no reminder: opted out"),
    ]


@pytest.mark.parametrize(
    ("terms", "has_link", "is_late"),
    [(REMINDED, True, True), (REMINDED, False, False), (AT_ONCE, True, False), (None, True, False)],
)
def test_only_a_reminder_of_a_delivered_link_can_be_too_late(
    terms: Survey | None, *, has_link: bool, is_late: bool
) -> None:
    long_ago = moment() - timedelta(days=900)
    found = attempt_of(accepted_at=long_ago, delivered_at=long_ago if has_link else None)
    assert _is_too_late(found.with_record(replace(found.record, terms=terms))) is is_late


@pytest.mark.parametrize("is_removed", [True, False], ids=["removed channel", "channel without reminders"])
def test_channel_without_reminders_ends_the_survey(story: Story, *, is_removed: bool) -> None:
    survey_id = reminding(story)
    if is_removed:
        story.deliveries.clear()
    else:
        story.deliveries["message"].sends_reminders = False
    story.offering.run(survey_id)
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, "no reminder by this channel")
    assert sent(story, survey_id) == [""]
