"""Mismatching rules are shown in the spelling of surveys.toml."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.rules.mismatches import mismatches_of
from service.surveys.definition import Survey
from service.surveys.model import OfferProgress, Record, RuleMismatch
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from tests.rules.examples import close_of

EARLIER = RuleMismatch("chats", Reason.CHANNEL, 'channels = ["Chat"]', "Email")
TERMS = Survey(name="mails", daily_cap=20, deliver=("message", "email"))
SKIPPED = Record(
    "48213",
    48213,
    datetime(2026, 11, 20, tzinfo=UTC),
    close_of(),
    TERMS,
    OfferProgress(OfferState.SKIPPED, Reason.DAILY_CAP),
    mismatches=(EARLIER,),
    facts={"channel": "Email"},
    cooldown_survey="calls",
)


def deciding_mismatch(reason: Reason, terms: Survey = TERMS, agent_id: str | None = "agent") -> tuple[str, str]:
    """Return the deciding rule and its fact."""
    offer = OfferProgress(OfferState.SKIPPED, reason)
    last = mismatches_of(replace(SKIPPED, offer=offer, terms=terms, close=close_of(agent_id=agent_id)))[-1]
    assert (last.survey, last.reason) == ("mails", reason)
    return last.rule, last.fact


def test_deciding_rule_is_the_last_mismatch() -> None:
    assert mismatches_of(SKIPPED) == (
        EARLIER,
        RuleMismatch("mails", Reason.DAILY_CAP, "daily_cap = 20", "reached that day"),
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(replace(SKIPPED, terms=None), id="no chosen survey"),
        pytest.param(replace(SKIPPED, offer=replace(SKIPPED.offer, state=OfferState.DELIVERED)), id="sent"),
        pytest.param(replace(SKIPPED, offer=replace(SKIPPED.offer, reason="")), id="no reason"),
        pytest.param(
            replace(SKIPPED, offer=replace(SKIPPED.offer, reason=Reason.OPTED_OUT)), id="reason without a rule"
        ),
    ],
)
def test_record_without_a_deciding_rule_has_no_further_mismatch(record: Record) -> None:
    assert mismatches_of(record) == (EARLIER,)


@pytest.mark.parametrize(
    ("length", "spelled"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=90), "90m"),
        (timedelta(hours=36), "36h"),
        (timedelta(days=30), "30d"),
    ],
)
def test_duration_is_shown_as_in_surveys_toml(length: timedelta, spelled: str) -> None:
    rule, fact = deciding_mismatch(Reason.ASKED_RECENTLY, replace(TERMS, cooldown=length))
    assert (rule, fact) == (f'cooldown = "{spelled}"', "survey calls was sent less than that before")


def test_too_late_offer_is_shown_with_its_delay() -> None:
    assert deciding_mismatch(Reason.TOO_LATE, replace(TERMS, delay=timedelta(minutes=15))) == (
        "OFFER_MAX_AGE (a setting)",
        "due 15m after the close, and later than OFFER_MAX_AGE allows",
    )


@pytest.mark.parametrize(("agent_id", "shown"), [("agent", "an agent"), (None, "no agent")])
def test_unreachable_customer_is_shown_with_channel_and_agent(agent_id: str | None, shown: str) -> None:
    assert deciding_mismatch(Reason.UNREACHABLE, agent_id=agent_id) == (
        'deliver = ["message", "email"]',
        f"Email, {shown}",
    )
