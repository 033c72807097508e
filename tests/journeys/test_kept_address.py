"""The address is the only personal data in a record. It is kept no longer than needed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.records.answer_transitions import GivenAnswer
from service.surveys.definition import OnReclose
from service.surveys.links import Link
from service.surveys.model import Record
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE, CSAT, QUICK
from tests.journeys.mail_story import EMAIL_FIRST, MESSAGE_FIRST, MailStory


def test_address_is_kept_while_a_mail_may_be_sent(mail_story: MailStory) -> None:
    record = mail_story.story.load(mail_story.story.begin(MESSAGE_FIRST))
    assert mail_story.field(record, "email") == f"ida+{record.conversation_id}@example.com"
    assert "example.com" not in (mail_story.field(record, "close") or "")
    assert "example.com" not in repr(record)


@pytest.mark.parametrize("facts", [{}, {"channel": "PstnPhone"}])
def test_address_is_deleted_after_the_delivery(mail_story: MailStory, facts: dict[str, object]) -> None:
    record = mail_story.ask(MESSAGE_FIRST, **facts)
    assert record.offer.state is OfferState.DELIVERED
    assert mail_story.field(record, "email") is None


def test_address_of_a_skipped_survey_is_deleted(mail_story: MailStory) -> None:
    survey_id = mail_story.story.begin(MESSAGE_FIRST)
    mail_story.dixa.make_rating(int(survey_id))
    record = mail_story.story.ask(survey_id)
    assert record.offer.state is OfferState.SKIPPED
    assert mail_story.field(record, "email") is None


def test_address_is_deleted_after_the_answer(mail_story: MailStory) -> None:
    survey_id = mail_story.story.begin(MESSAGE_FIRST)
    record = mail_story.story.load(survey_id)
    link = Link(survey_id, int(survey_id), "default", ())
    mail_story.story.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 4}, "", "en"))
    assert mail_story.field(record, "email") is None


ONLY_EMAIL = replace(EMAIL_FIRST, deliver=("email",))


def fail_delivery(mail_story: MailStory) -> tuple[Record, str]:
    """Return a survey with a refused mail, and the key of its kept address."""
    mail_story.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    record = mail_story.ask(ONLY_EMAIL)
    mail_story.post.replies.clear()
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
    return record, f"{mail_story._prefix}retry:{record.survey_id}:email"


def test_address_of_a_failed_survey_expires_outside_the_record(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    assert mail_story.field(record, "email") is None
    assert mail_story._redis.get(key) == f"ida+{record.conversation_id}@example.com"
    within = QUICK.offer_max_age // timedelta(milliseconds=1)
    assert 0 < mail_story._redis.pttl(key) <= within


def test_retry_restores_the_address(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    assert mail_story.story.records.retry(Journey.OFFER, record.survey_id) == "retried"
    assert not mail_story._redis.exists(key)
    record = mail_story.story.ask(record.survey_id)
    assert (record.offer.state, mail_story.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert (mail_story.field(record, "email"), mail_story._redis.exists(key)) == (None, 0)
    assert len(mail_story.dixa.offers(record.conversation_id)) == 1


def test_retry_after_the_expiry_has_no_address(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    mail_story._redis.delete(key)
    mail_story.story.records.retry(Journey.OFFER, record.survey_id)
    record = mail_story.story.ask(record.survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.UNREACHABLE)


def test_kept_address_is_deleted_by_an_erasure(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    mail_story.story.records.erase(record)
    assert not mail_story._redis.exists(key)


def test_kept_address_is_deleted_by_an_answer(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    mail_story.story.answer(record.survey_id, {CSAT: 4})
    assert not mail_story._redis.exists(key)


def test_kept_address_is_deleted_by_a_new_round(mail_story: MailStory) -> None:
    record, key = fail_delivery(mail_story)
    mail_story.story.close(record.conversation_id, replace(ONLY_EMAIL, on_reclose=OnReclose.ALWAYS))
    assert len(mail_story.story.records.list_rounds(record.conversation_id)) == 2
    assert not mail_story._redis.exists(key)


def test_address_of_an_opted_out_customer_is_not_kept(mail_story: MailStory) -> None:
    mail_story.post.replies["RCPT"] = "451 4.3.0 Later"
    survey_id = mail_story.story.begin(ONLY_EMAIL)
    mail_story.story.offering.run(survey_id)
    record = mail_story.story.load(survey_id)
    assert record.close
    assert record.close.requester_id
    mail_story.story.opt_outs.add(record.close.requester_id)
    record = mail_story.story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.OPTED_OUT)
    assert not mail_story._redis.exists(f"{mail_story._prefix}retry:{survey_id}:email")
