"""The time of a survey (delay by channel, send window, first day) and the choice among several."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from service.rules.decision import is_too_late
from service.rules.mismatches import mismatches_of
from service.rules.send_window import next_opening
from service.sandbox.dixa.model import Message
from service.surveys.definition import SendWindow, Survey
from service.surveys.match import Match
from service.surveys.model import Close, OfferProgress, Record
from service.surveys.reasons import Reason
from service.surveys.states import OfferState, Verdict
from tests.harness import AT_ONCE, Story

HOUR = timedelta(hours=1)
DANISH = replace(AT_ONCE, name="danish", match=Match(languages=("da",)))
OTHERS = replace(AT_ONCE, name="others", delay=HOUR)


def is_about(found: datetime | None, wanted: datetime) -> bool:
    return found is not None and abs(found - wanted) < timedelta(seconds=20)


def window_in(days: int) -> SendWindow:
    """Return a window of one whole day, some days ahead, in a zone far from midnight."""
    zone = "UTC" if datetime.now(UTC).hour < 22 else "Etc/GMT+12"
    today = datetime.now(ZoneInfo(zone)).weekday()
    return SendWindow(((today + days) % 7,), time(0), time(23, 59), zone)


@pytest.mark.parametrize(("channel", "hours"), [("WidgetChat", 0.25), ("Email", 24), ("Sms", 1)])
def test_each_channel_has_its_own_delay(story: Story, channel: str, hours: float) -> None:
    terms = Survey(delay=HOUR, delays={"WidgetChat": HOUR / 4, "Email": 24 * HOUR})
    record = story.load(story.close(story.dixa.make_conversation(channel=channel), terms))
    assert is_about(record.offer.due_at, datetime.now(UTC) + hours * HOUR)
    assert record.terms
    assert (record.terms.delay, record.terms.delays) == (hours * HOUR, {})


def closed_in(story: Story, language: str | None, *surveys: Survey) -> str:
    return story.close(story.dixa.make_conversation(language=language), *surveys)


def test_first_matching_survey_is_sent_after_its_delay(story: Story) -> None:
    record = story.ask(closed_in(story, "da", DANISH, OTHERS))
    assert record.offer.state is OfferState.DELIVERED
    assert record.terms
    assert record.terms.name == "danish"


def test_chosen_survey_sets_the_reminder(story: Story) -> None:
    reminded = replace(AT_ONCE, name="others", reminder=HOUR)
    survey_id = closed_in(story, "en", DANISH, reminded)
    story.run_until(story.offering, survey_id, lambda record: record.offer.delivered_at is not None)
    assert story.load(survey_id).offer.state is OfferState.REMINDING


def test_second_matching_survey_waits_for_its_own_delay(story: Story) -> None:
    survey_id = closed_in(story, "en", DANISH, OTHERS)
    story.offering.run(survey_id)
    record = story.load(survey_id)
    assert record.offer.state is OfferState.WAITING
    assert is_about(record.offer.due_at, datetime.now(UTC) + HOUR)
    assert [survey.name for survey in record.candidates] == ["others"]
    assert [(each.survey, each.rule, each.fact) for each in record.mismatches] == [("danish", "languages", "en")]
    assert story.dixa.offers() == []
    story.offering.run(survey_id)
    assert len(story.dixa.calls) == 2


def test_survey_with_a_longer_delay_is_sent_when_due(story: Story) -> None:
    later = replace(OTHERS, delay=timedelta(milliseconds=400))
    record = story.ask(closed_in(story, "en", DANISH, later))
    assert record.terms
    assert (record.offer.state, record.terms.name) == (OfferState.DELIVERED, "others")
    assert [each.survey for each in record.mismatches] == ["danish"]


def test_each_mismatching_survey_has_its_reason(story: Story) -> None:
    wordy = replace(AT_ONCE, name="wordy", match=Match(min_agent_messages=1))
    record = story.ask(closed_in(story, "en", DANISH, wordy))
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.NO_SURVEY_MATCHES)
    assert [(each.survey, each.reason) for each in record.mismatches] == [
        ("danish", Reason.LANGUAGE),
        ("wordy", Reason.FEW_AGENT_MESSAGES),
    ]
    assert record.facts["language"] == "en"
    assert record.facts["agent_messages"] == "0"


def test_missing_tags_are_fetched(story: Story) -> None:
    terms = replace(AT_ONCE, match=Match(with_tags=("vip",)))
    plain, vip = story.dixa.make_conversation(), story.dixa.make_conversation(tags=["VIP"])
    assert story.ask(story.close(plain, terms, tags=None)).offer.reason == Reason.TAG_MISSING
    record = story.ask(story.close(vip, terms, tags=None))
    assert record.offer.state is OfferState.DELIVERED
    assert record.facts["tags"] == "VIP"


def test_offer_needs_only_two_queries(story: Story) -> None:
    story.ask(story.close(story.dixa.make_conversation(), AT_ONCE))
    assert [each.call for each in story.dixa.calls] == ["conversation", "ratings", "offer", "message"]


def test_conversation_with_enough_messages_gets_a_survey(story: Story) -> None:
    terms = replace(AT_ONCE, match=Match(min_customer_messages=1, min_agent_messages=1))
    number = story.dixa.make_conversation()
    conversation = story.dixa.conversation(number)
    assert conversation.agent
    conversation.messages.append(Message(conversation.requester.id, "Hi", "Inbound"))
    conversation.messages.append(Message(conversation.agent.id, "Hello", "Outbound"))
    assert story.ask(story.close(number, terms)).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize("surveys", [1, 2])
def test_survey_waits_for_its_send_window(story: Story, surveys: int) -> None:
    """The send window of a single survey is known without a call to Dixa."""
    windowed = replace(AT_ONCE, send_window=window_in(3))
    survey_id = closed_in(story, "en", *[DANISH, windowed][-surveys:])
    story.offering.run(survey_id)
    record = story.load(survey_id)
    assert is_about(record.offer.due_at, next_opening(windowed.send_window, datetime.now(UTC)))
    assert record.offer.state in (OfferState.WAITING, OfferState.DECIDING)
    assert len(story.dixa.calls) == (0 if surveys == 1 else 2)


def test_send_window_of_another_candidate_delays_no_survey(story: Story) -> None:
    survey_id = closed_in(story, "en", replace(DANISH, send_window=window_in(3)), AT_ONCE)
    story.offering.run(survey_id)
    assert is_delivered(story.load(survey_id))


def test_survey_is_sent_inside_its_send_window(story: Story) -> None:
    survey_id = closed_in(story, "en", replace(AT_ONCE, send_window=window_in(0)))
    assert is_delivered(story.ask(survey_id))


def test_time_outside_the_send_window_does_not_make_a_survey_late(story: Story) -> None:
    """The survey was due five days ago. Its send window opened for the first time today."""
    today = replace(AT_ONCE, send_window=window_in(0))
    number = story.dixa.make_conversation()
    survey_id = story.close(number, today, closed_at=datetime.now(UTC) - timedelta(days=5))
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize(("ahead", "reason"), [(HOUR, Reason.BEFORE_START), (-HOUR, "")])
def test_close_before_not_before_is_skipped(story: Story, ahead: timedelta, reason: str) -> None:
    terms = replace(AT_ONCE, not_before=datetime.now(UTC) + ahead)
    record = story.load(story.close(story.dixa.make_conversation(), terms))
    assert record.offer.reason == reason
    assert record.offer.state is (OfferState.SKIPPED if reason else OfferState.WAITING)


def is_delivered(record: Record) -> bool:
    return record.offer.state is OfferState.DELIVERED


TOO_LATE: list[tuple[str, str, bool]] = [
    # The survey was due on Friday at 09:00. 72 hours later the window opens on Monday.
    ("paused all Friday, as Monday begins", "2026-11-23T08:00:01", False),
    ("at the end of Monday", "2026-11-23T16:00:00", False),
    ("on Tuesday", "2026-11-24T08:00:00", True),
]


@pytest.mark.parametrize(("moment", "is_late"), [line[1:] for line in TOO_LATE], ids=[line[0] for line in TOO_LATE])
def test_weekend_does_not_make_a_survey_late(story: Story, moment: str, *, is_late: bool) -> None:
    office = replace(AT_ONCE, send_window=SendWindow((0, 1, 2, 3, 4), time(9), time(17), "Europe/Copenhagen"))
    thursday_evening = datetime(2026, 11, 19, 18, tzinfo=UTC)
    close = Close(1, thursday_evening)
    record = Record("1", 1, thursday_evening, close, office, OfferProgress(OfferState.WAITING))
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert is_too_late(record, close, office, at, timedelta(hours=72)) is is_late


def test_record_keeps_the_language_from_dixa(story: Story) -> None:
    assert story.ask(closed_in(story, "da", AT_ONCE)).offer.language == "da"
    assert story.ask(closed_in(story, None, AT_ONCE)).offer.language == ""


def test_late_survey_has_a_mismatch_without_a_decision(story: Story) -> None:
    number = story.dixa.make_conversation()
    record = story.ask(story.close(number, DANISH, closed_at=datetime.now(UTC) - timedelta(days=30)))
    assert [(each.survey, each.reason) for each in mismatches_of(record)] == [("danish", Reason.TOO_LATE)]


def test_log_shows_the_decision_with_its_reason(story: Story) -> None:
    with capture_logs() as logs:
        for language in ("da", "en"):
            story.ask(closed_in(story, language, DANISH))
    decided = [(each["decision"], each["reason"], each["survey"]) for each in logs if each["event"] == "survey.decided"]
    assert decided == [(Verdict.ASK, None, "danish"), (Verdict.SKIP, Reason.LANGUAGE, None)]
