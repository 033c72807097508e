"""Unmet rules are shown as surveys.toml spells them."""

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


def last_of(reason: Reason, terms: Survey = TERMS, agent_id: str | None = "agent") -> tuple[str, str]:
    """Return the rule and the fact that decided."""
    offer = OfferProgress(OfferState.SKIPPED, reason)
    last = mismatches_of(replace(SKIPPED, offer=offer, terms=terms, close=close_of(agent_id=agent_id)))[-1]
    assert (last.survey, last.reason) == ("mails", reason)
    return last.rule, last.fact


def test_the_deciding_rule_comes_last() -> None:
    assert mismatches_of(SKIPPED) == (
        EARLIER,
        RuleMismatch("mails", Reason.DAILY_CAP, "daily_cap = 20", "reached that day"),
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(replace(SKIPPED, terms=None), id="no survey was chosen"),
        pytest.param(replace(SKIPPED, offer=replace(SKIPPED.offer, state=OfferState.DELIVERED)), id="sent"),
        pytest.param(replace(SKIPPED, offer=replace(SKIPPED.offer, reason="")), id="no reason"),
        pytest.param(replace(SKIPPED, offer=replace(SKIPPED.offer, reason=Reason.OPTED_OUT)), id="no rule's reason"),
    ],
)
def test_only_a_rule_of_the_chosen_survey_comes_last(record: Record) -> None:
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
def test_a_duration_is_spelled_as_in_surveys_toml(length: timedelta, spelled: str) -> None:
    rule, fact = last_of(Reason.ASKED_RECENTLY, replace(TERMS, cooldown=length))
    assert (rule, fact) == (f'cooldown = "{spelled}"', "survey calls was sent less than that before")


@pytest.mark.parametrize(("agent_id", "named"), [("agent", "an agent"), (None, "no agent")])
def test_an_unreachable_customer_is_shown_by_channel_and_agent(agent_id: str | None, named: str) -> None:
    assert last_of(Reason.UNREACHABLE, agent_id=agent_id) == ('deliver = ["message", "email"]', f"Email, {named}")
