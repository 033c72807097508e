"""The next step at the end of a timeline, with its time, its tries and the send window."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from service.rules.timeline import is_paused, is_waiting
from service.surveys.definition import SendWindow, Survey
from service.surveys.model import (
    AnswerProgress,
    Call,
    FollowUp,
    Record,
)
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, FollowUpState, OfferState
from tests.rules.timelines import ANSWER, DELIVERED, MIDNIGHT, answered, at, lines_of, next_of, record_of


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            {"due_at": at(35)},
            "2026-11-20 00:35:00  Next: submit the result; until then the customer can change the answer.",
        ),
        (
            {"due_at": at(35), "is_suspect": True},
            "2026-11-20 00:35:00  Next: submit the result; until then any other answer replaces it.",
        ),
        ({"state": AnswerState.SUBMITTING, "tries": 1}, "Next: submit the result (failed once)."),
        ({"state": AnswerState.SUBMITTING, "tries": 2}, "Next: submit the result (failed 2 times)."),
        ({"state": AnswerState.SUBMITTED}, "Next: nothing, the survey is complete."),
    ],
    ids=["editable", "suspect", "failed once", "failed twice", "submitted"],
)
def test_next_step_of_an_answer_is_shown(answer: dict[str, Any], line: str) -> None:
    assert next_of(answered(**answer)) == [line]


def test_reminder_after_a_suspect_answer_is_shown() -> None:
    suspect = answered(is_suspect=True)
    reminding = replace(suspect.offer, state=OfferState.REMINDING, due_at=at(90))
    remind = "2026-11-20 01:30:00  Next: remind the customer, unless there is an answer by then."
    assert next_of(replace(suspect, offer=reminding))[1:] == [remind]
    assert next_of(replace(answered(), offer=reminding))[1:] == []


@pytest.mark.parametrize(
    ("state", "due_at", "line"),
    [
        (FollowUpState.FOLLOWING, at(60), "2026-11-20 01:00:00  Next: run the follow-up."),
        (FollowUpState.FAILED, None, "Next: nothing. To retry: afterword retry 48213."),
        (FollowUpState.FOLLOWED, None, "Next: nothing, the survey is complete."),
    ],
)
def test_next_step_after_the_result_is_shown(state: FollowUpState, due_at: datetime | None, line: str) -> None:
    record = replace(answered(AnswerState.SUBMITTED), follow_up=FollowUp(state, due_at=due_at))
    assert next_of(record) == [line]


def test_failed_offer_with_an_answer_needs_no_retry() -> None:
    record = replace(record_of(OfferState.FAILED, Reason.REFUSED), answer=AnswerProgress(AnswerState.SUBMITTED, ANSWER))
    assert next_of(record) == ["Next: nothing, the survey is complete."]


def test_pause_and_outage_are_shown_while_a_step_waits() -> None:
    waiting = record_of(OfferState.DECIDING, due_at=at(15))
    assert lines_of(waiting, "PAUSED", "Dixa is down")[-2:] == ["PAUSED", "Dixa is down."]
    assert lines_of(waiting)[-1].endswith("Next: decide.")
    calling = replace(waiting, offer=replace(waiting.offer, call=Call(RatingType.CSAT, at(5))))
    assert lines_of(calling, "PAUSED", "Dixa is down")[-1] == "Dixa is down."
    assert "PAUSED" not in lines_of(calling, "PAUSED")
    assert lines_of(record_of(**DELIVERED), "PAUSED", "Dixa is down")[-1].endswith("wait for the customer's answer.")


def test_record_waits_while_any_journey_is_due() -> None:
    assert not is_waiting(record_of())
    assert is_waiting(record_of(OfferState.DECIDING, due_at=at(15)))
    assert is_waiting(answered(due_at=at(35)))
    assert is_waiting(replace(answered(), follow_up=FollowUp(FollowUpState.FOLLOWING, due_at=at(60))))


def test_due_offer_without_a_call_is_paused() -> None:
    due = record_of(OfferState.OFFERING, due_at=at(15))
    assert is_paused(due)
    assert not is_paused(record_of())
    assert not is_paused(replace(due, offer=replace(due.offer, call=Call(RatingType.CSAT, at(5)))))


MONDAYS = SendWindow((0,), time(9), time(17), "Europe/Copenhagen")
SATURDAY, MONDAY = datetime(2026, 11, 21, 12, tzinfo=UTC), datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = SendWindow((1,), time(9), time(17), "Europe/Copenhagen")


def waiting_for(
    *windows: SendWindow | None, state: OfferState = OfferState.WAITING, due_at: datetime = SATURDAY
) -> Record:
    surveys = tuple(Survey(f"survey {number}", send_window=window) for number, window in enumerate(windows))
    return replace(record_of(state, due_at=due_at), candidates=surveys)


@pytest.mark.parametrize(
    "due_at",
    [SATURDAY, MONDAY, MONDAY + timedelta(milliseconds=20), MONDAY + timedelta(milliseconds=999)],
    ids=["before", "at the opening", "a moment after", "almost a second after"],
)
def test_one_survey_waits_for_its_send_window(due_at: datetime) -> None:
    """A survey after its wait is due up to a second after the opening."""
    assert next_of(waiting_for(MONDAYS, due_at=due_at)) == [
        "2026-11-23 08:00:00  Next: look up the conversation in Dixa, then decide (its send window opens then)."
    ]


def test_open_send_window_is_not_shown() -> None:
    after = next_of(waiting_for(MONDAYS, due_at=MONDAY + timedelta(seconds=1, milliseconds=500)))
    assert after == ["2026-11-23 08:00:01  Next: look up the conversation in Dixa, then decide."]


def test_first_send_window_of_several_surveys_is_shown() -> None:
    """The facts of Dixa decide about the survey, so the decision is first."""
    first = " (the first send window opens at 2026-11-23 08:00)."
    decide = "2026-11-21 12:00:00  Next: look up the conversation in Dixa, then decide"
    assert next_of(waiting_for(LATER, MONDAYS)) == [decide + first]
    assert next_of(waiting_for(MONDAYS, None)) == [f"{decide}."]


@pytest.mark.parametrize(
    ("state", "has_call", "waits"),
    [
        (OfferState.REMINDING, False, True),
        (OfferState.OFFERED, False, True),
        (OfferState.OFFERING, False, False),
        (OfferState.UNKNOWN, True, False),
        (OfferState.DECIDING, True, False),
    ],
)
def test_only_a_step_with_a_delivery_waits_for_the_send_window(
    state: OfferState, *, has_call: bool, waits: bool
) -> None:
    record = waiting_for(MONDAYS, state=state)
    call = Call(RatingType.CSAT, MIDNIGHT) if has_call else None
    (line,) = next_of(replace(record, offer=replace(record.offer, call=call)))
    assert line.startswith("2026-11-23 08:00:00" if waits else "2026-11-21 12:00:00")


def test_send_window_is_not_shown_without_a_due_time() -> None:
    record = waiting_for(MONDAYS)
    assert next_of(replace(record, offer=replace(record.offer, due_at=None))) == [
        "Next: look up the conversation in Dixa, then decide."
    ]
