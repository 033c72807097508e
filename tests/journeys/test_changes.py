"""A change of the conversation in Dixa ends a waiting survey."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from service.intake.intake import NotKept
from service.intake.spool import Spool
from service.intake.spool_codec import write_entry
from service.sandbox.server import Sandbox
from service.surveys.model import Change
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, OfferState
from tests.harness import AT_ONCE, Story, without_redis
from tests.journeys.rounds import ALWAYS, LATER, SECOND
from tests.moments import moment

ENDS = {
    ChangeKind.REOPENED: (OfferState.CANCELLED, Reason.REOPENED),
    ChangeKind.RATED: (OfferState.SKIPPED, Reason.ALREADY_SURVEYED),
}


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_event_ends_a_waiting_survey(story: Story, kind: ChangeKind) -> None:
    survey_id = story.begin(LATER)
    assert story.take_change(survey_id, kind)
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.reason) == ENDS[kind]
    assert record.offer.due_at is None
    assert not story.take_change(survey_id, kind)
    assert story.load(survey_id) == record
    assert story.records.count_decisions(datetime.now(UTC).date()) == {ENDS[kind][1]: 1}


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_before_the_close_is_ignored(story: Story, kind: ChangeKind) -> None:
    survey_id = story.begin(LATER)
    assert not story.take_change(survey_id, kind, at=moment() - timedelta(minutes=1))
    assert story.load(survey_id).offer.state is OfferState.WAITING


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_after_the_delivery_is_ignored(story: Story, kind: ChangeKind) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    assert not story.take_change(survey_id, kind)
    assert story.load(survey_id).offer.state is OfferState.DELIVERED


def test_change_of_an_unknown_conversation_is_ignored(story: Story) -> None:
    assert not story.take_change("4711", ChangeKind.REOPENED)


def test_change_during_a_claim_prevents_the_offer(story: Story) -> None:
    survey_id = story.begin()
    story.after("ratings", lambda: story.take_change(survey_id, ChangeKind.REOPENED))
    assert story.ask(survey_id).offer.reason == Reason.REOPENED
    assert story.dixa.offers() == []


def test_change_ends_only_the_last_round(story: Story) -> None:
    number = story.dixa.make_conversation()
    story.ask(story.close(number, ALWAYS))
    second = story.close(number, replace(ALWAYS, delay=timedelta(hours=1)))
    assert story.take_change(second, ChangeKind.REOPENED)
    assert story.load(second).offer.state is OfferState.CANCELLED
    assert story.load(str(number)).offer.state is OfferState.DELIVERED


def test_spooled_change_counts_from_its_own_time(story: Story, tmp_path: Path) -> None:
    survey_id = story.begin(LATER)
    spool = Spool(tmp_path / "spool", max_bytes=100_000)
    spool.prepare()
    away = story.intake(spool=spool)
    away._records = without_redis(story.records)
    change = Change(int(survey_id), ChangeKind.REOPENED, moment())
    assert away.take_change(replace(change, happened_at=change.happened_at - timedelta(hours=1)))
    assert away.take_change(change)
    assert story.load(survey_id).offer.state is OfferState.WAITING
    assert spool.drain(story.intake().take_spooled) == 2
    assert story.load(survey_id).offer.reason == Reason.REOPENED


def test_change_without_storage_is_refused(story: Story) -> None:
    away = story.intake()
    away._records = without_redis(story.records)
    with pytest.raises(NotKept):
        away.take_change(Change(1, ChangeKind.RATED, moment()))


def test_change_drained_twice_counts_once(story: Story) -> None:
    survey_id = story.begin(LATER)
    change = Change(int(survey_id), ChangeKind.RATED, moment())
    for _ in range(2):
        story.intake().take_spooled(write_entry(change))
    assert story.records.count_decisions(datetime.now(UTC).date()) == {Reason.ALREADY_SURVEYED: 1}


def test_change_between_two_closes_does_not_end_the_later_survey(story: Story) -> None:
    number = story.dixa.make_conversation()
    survey_id = story.close(number, LATER, closed_at=moment() - timedelta(minutes=10))
    story.close(number, LATER)
    assert not story.take_change(survey_id, ChangeKind.REOPENED, at=moment() - timedelta(minutes=5))
    assert story.take_change(survey_id, ChangeKind.REOPENED)


def test_last_closing_agent_is_rated_despite_a_late_reopening_event(story: Story, dixa: Sandbox) -> None:
    terms = replace(AT_ONCE, delay=timedelta(milliseconds=500))
    number = dixa.make_conversation()
    opened_at = moment() - SECOND
    story.close(number, terms, closed_at=opened_at - SECOND)
    other = str(uuid4())
    survey_id = story.close(number, terms, agent_id=other)
    assert not story.take_change(survey_id, ChangeKind.REOPENED, at=opened_at)
    story.ask(survey_id)
    assert [each.agent_id for each in dixa.offers(number)] == [other]
