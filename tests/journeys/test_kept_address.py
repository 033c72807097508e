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
from tests.harness import AT_ONCE, CSAT
from tests.journeys.chain import EMAIL_FIRST, MESSAGE_FIRST, TIMINGS, Chain


def test_address_is_kept_while_a_mail_may_be_sent(chain: Chain) -> None:
    record = chain.story.load(chain.story.begin(MESSAGE_FIRST))
    assert chain.field(record, "email") == f"ida+{record.conversation_id}@example.com"
    assert "example.com" not in (chain.field(record, "close") or "")
    assert "example.com" not in repr(record)


@pytest.mark.parametrize("facts", [{}, {"channel": "PstnPhone"}])
def test_address_is_deleted_after_the_delivery(chain: Chain, facts: dict[str, object]) -> None:
    record = chain.ask(MESSAGE_FIRST, **facts)
    assert record.offer.state is OfferState.DELIVERED
    assert chain.field(record, "email") is None


def test_address_of_a_skipped_survey_is_deleted(chain: Chain) -> None:
    survey_id = chain.story.begin(MESSAGE_FIRST)
    chain.dixa.make_rating(int(survey_id))
    record = chain.story.ask(survey_id)
    assert record.offer.state is OfferState.SKIPPED
    assert chain.field(record, "email") is None


def test_address_is_deleted_after_the_answer(chain: Chain) -> None:
    survey_id = chain.story.begin(MESSAGE_FIRST)
    record = chain.story.load(survey_id)
    link = Link(survey_id, int(survey_id), "default", ())
    chain.story.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 4}, "", "en"))
    assert chain.field(record, "email") is None


ONLY_EMAIL = replace(EMAIL_FIRST, deliver=("email",))


def fail_delivery(chain: Chain) -> tuple[Record, str]:
    """Return a survey with a refused mail, and the key of its kept address."""
    chain.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    record = chain.ask(ONLY_EMAIL)
    chain.post.replies.clear()
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
    return record, f"{chain._prefix}retry:{record.survey_id}:email"


def test_address_of_a_failed_survey_expires_outside_the_record(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    assert chain.field(record, "email") is None
    assert chain._redis.get(key) == f"ida+{record.conversation_id}@example.com"
    within = TIMINGS.offer_max_age // timedelta(milliseconds=1)
    assert 0 < chain._redis.pttl(key) <= within


def test_retry_restores_the_address(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    assert chain.story.records.retry(Journey.OFFER, record.survey_id) == "retried"
    assert not chain._redis.exists(key)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, chain.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert (chain.field(record, "email"), chain._redis.exists(key)) == (None, 0)
    assert len(chain.dixa.offers(record.conversation_id)) == 1


def test_retry_after_the_expiry_has_no_address(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    chain._redis.delete(key)
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.UNREACHABLE)


def test_kept_address_is_deleted_by_an_erasure(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    chain.story.records.erase(record)
    assert not chain._redis.exists(key)


def test_kept_address_is_deleted_by_an_answer(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    chain.story.answer(record.survey_id, {CSAT: 4})
    assert not chain._redis.exists(key)


def test_kept_address_is_deleted_by_a_new_round(chain: Chain) -> None:
    record, key = fail_delivery(chain)
    chain.story.close(record.conversation_id, replace(ONLY_EMAIL, on_reclose=OnReclose.ALWAYS))
    assert len(chain.story.records.list_rounds(record.conversation_id)) == 2
    assert not chain._redis.exists(key)


def test_address_of_an_opted_out_customer_is_not_kept(chain: Chain) -> None:
    chain.post.replies["RCPT"] = "451 4.3.0 Later"
    survey_id = chain.story.begin(ONLY_EMAIL)
    chain.story.offering.run(survey_id)
    record = chain.story.load(survey_id)
    assert record.close
    assert record.close.requester_id
    chain.story.opt_outs.add(record.close.requester_id)
    record = chain.story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.OPTED_OUT)
    assert not chain._redis.exists(f"{chain._prefix}retry:{survey_id}:email")
