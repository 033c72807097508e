"""The stored form of a close, of terms and of a decision, and the defaults of a record."""

import json
from datetime import UTC, datetime

import pytest

from service.records.codec import (
    dump_close,
    from_ms,
    load_close,
    read_record,
    write_decision,
)
from service.records.terms_codec import store_terms
from service.surveys.definition import Survey
from service.surveys.model import Close, RuleMismatch
from service.surveys.reasons import Reason

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(("tags", "kept"), [((), {"tags": []}), (None, {})])
def test_empty_facts_are_not_stored_and_unknown_tags_stay_unknown(
    tags: tuple[str, ...] | None, kept: dict[str, object]
) -> None:
    close = Close(48213, NOON, channel="Email", tags=tags, odd_email="no-reply@example.com")
    text = dump_close(close)
    assert json.loads(text) == {"closed_at": 1778587200000, "channel": "Email", **kept}
    assert load_close(48213, text, "ida@example.com") == Close(
        48213, NOON, channel="Email", tags=tags, email="ida@example.com"
    )


def test_texts_are_stored_as_utf_8() -> None:
    """Escaped JSON takes three times the space."""
    survey = Survey(name="Grüße")
    mismatches = [RuleMismatch("Grüße", Reason.LANGUAGE, "languages", "dansk")]
    written = [dump_close(Close(1, NOON, tags=("Grüße",))), store_terms(survey).text]
    assert all("Grüße" in text for text in (*written, write_decision(mismatches, {})))


def test_a_fact_of_the_close_is_stored_once() -> None:
    close = Close(1, NOON, channel="Email", queue_id="q-1", agent_id="agent")
    facts = close.facts | {"agent_id": "another", "state": "Closed"}
    written = write_decision((), facts, close)
    assert json.loads(written) == {"facts": {"agent_id": "another", "state": "Closed"}}
    stored = BARE | {"close": dump_close(close)}
    # An older version has stored all facts of a decision.
    for decision in (written, write_decision((), facts)):
        found = read_record(stored | {"decision": decision}, lambda _: None).facts
        assert found == facts
        assert list(found) == ["closed_at", "channel", "state", "queue", "agent_id"]
    # A decision may know no more than the close.
    stored["decision"] = write_decision((), close.facts, close)
    assert read_record(stored, lambda _: None).facts == close.facts


def test_before_a_decision_the_time_of_the_close_is_the_only_fact() -> None:
    stored = BARE | {"close": dump_close(Close(1, NOON, channel="Email"))}
    for decision in ({}, {"decision": write_decision([RuleMismatch("a", Reason.LANGUAGE, "languages", "da")])}):
        assert read_record(stored | decision, lambda _: None).facts == {"closed_at": "2026-05-12T12:00:00+00:00"}


BARE = {
    "survey_id": "1",
    "conversation_id": "1",
    "accepted_at": "0",
    "offer_state": "delivering",
    "answer_state": "editable",
    "answered_at": "0",
    "follow_up_state": "following",
}


def test_a_journey_begins_without_a_try() -> None:
    record = read_record(BARE, lambda _: None)
    assert record.answer
    assert record.follow_up
    assert (record.offer.tries, record.answer.tries, record.follow_up.tries) == (0, 0, 0)


@pytest.mark.parametrize(("state", "mailed_ms"), [("delivering", "1000"), ("reminding", "2000")])
def test_mails_of_the_link_and_the_reminder_have_separate_times(state: str, mailed_ms: str) -> None:
    mailed = {"offer_state": state, "mailed_at": "1000", "reminder_mailed_at": "2000"}
    assert read_record(BARE | mailed, lambda _: None).offer.mailed_at == from_ms(mailed_ms)
