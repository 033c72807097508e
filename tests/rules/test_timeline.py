"""The timeline of a record, as `afterword why` and the operator's page show it."""

from dataclasses import replace
from typing import Any

import pytest

from service.rules.identity import IdentityKind
from service.rules.timeline import describe
from service.surveys.definition import Survey
from service.surveys.model import (
    UNCONFIRMED,
    ActionProgress,
    AnswerProgress,
    FollowUp,
    Offer,
    OfferProgress,
    Record,
    RuleMismatch,
)
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, AnswerState, FollowUpState, OfferState
from tests.rules.examples import close_of
from tests.rules.timelines import ACCEPTED, ANSWER, CLOSED, DELIVERED, answered, at, lines_of, next_of, record_of


def after_close(record: Record) -> list[str]:
    assert lines_of(record)[:2] == [CLOSED, ACCEPTED]
    return lines_of(record)[2:]


def explained(reason: Reason) -> list[str]:
    return [reason.meaning, f"What to change: {reason.remedy}"]


def test_texts_have_one_column_and_indented_details() -> None:
    record = replace(record_of(OfferState.DECIDING), facts={"closed_at": "then", "channel": "Email", "state": "Closed"})
    assert list(describe(record, "")) == [
        f"  {CLOSED}",
        f"  {ACCEPTED}",
        "  2026-11-20 00:04:00  Matched survey mails.",
        "                         Facts: channel Email; state Closed.",
        "                       Next: decide.",
    ]


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"agent_id": None}, "Email, Inbound, queue Returns, no agent"),
        ({"queue_name": None}, "Email, Inbound, queue q-1, agent agent"),
        ({"queue_id": None}, "Email, Inbound, queue Returns, agent agent"),
        ({"queue_name": None, "queue_id": None}, "Email, Inbound, no queue, agent agent"),
        ({"channel": None, "direction": None}, "queue Returns, agent agent"),
    ],
)
def test_known_facts_of_the_close_are_shown(facts: dict[str, Any], shown: str) -> None:
    assert lines_of(replace(record_of(), close=close_of(**facts)))[0] == f"2026-11-20 00:00:00  Closed: {shown}."


def test_candidates_are_shown_until_the_decision() -> None:
    record = replace(record_of(OfferState.WAITING, due_at=at(15)), candidates=(Survey("one"), Survey("other")))
    undecided = replace(record, decided_at=None)
    surveys = "2026-11-20 00:01:00  Webhook accepted. Surveys that may match: one, other."
    waiting = "2026-11-20 00:15:00  Next: look up the conversation in Dixa, then decide."
    assert lines_of(undecided) == [CLOSED, surveys, waiting]
    assert lines_of(replace(undecided, candidates=())) == [CLOSED, ACCEPTED, waiting]
    assert after_close(record) == ["2026-11-20 00:04:00  Matched survey mails.", waiting]


def test_record_created_from_a_link_shows_no_close() -> None:
    made = replace(answered(), close=None, terms=None, decided_at=None, offer=OfferProgress(OfferState.DELIVERED))
    assert lines_of(made)[0] == (
        "2026-11-20 00:01:00  A customer answered after the record was lost. The link made a new one."
    )
    assert lines_of(replace(made, decided_at=at(4)))[1] == "2026-11-20 00:04:00  Matched survey none."


@pytest.mark.parametrize(
    ("state", "verb"), [(OfferState.SKIPPED, "Skipped"), (OfferState.CANCELLED, "Cancelled")], ids=["skip", "cancel"]
)
def test_survey_not_sent_shows_its_reason(state: OfferState, verb: str) -> None:
    record = record_of(state, Reason.REOPENED)
    lines = [f"{verb}: reopened.", *explained(Reason.REOPENED), "Next: nothing."]
    assert after_close(record) == [f"2026-11-20 00:04:00  {lines[0]}", *lines[1:]]
    assert after_close(replace(record, decided_at=None, candidates=())) == [
        f"2026-11-20 00:01:00  {lines[0]}",
        *lines[1:],
    ]


def test_mismatches_show_the_survey_the_rule_and_the_fact() -> None:
    mismatches = (
        RuleMismatch("chats", Reason.CHANNEL, "channels", "Email"),
        RuleMismatch("", Reason.INTERNAL, "", "internal"),
    )
    assert after_close(replace(record_of(OfferState.SKIPPED, Reason.INTERNAL), mismatches=mismatches))[3:5] == [
        "Survey chats was not used: channel (rule channels; found: Email).",
        "No survey was used: internal (found: internal).",
    ]


def test_delivery_shows_each_offer_and_each_refusing_channel() -> None:
    record = record_of(**DELIVERED, failed=("email", "webhook"), mailed_at=at(3))
    offers = (Offer(RatingType.CSAT, "r-1"), Offer(RatingType.NPS, "r-2"))
    assert after_close(replace(record, offers=offers))[1:] == [
        "2026-11-20 00:05:00  Offer created in Dixa: Csat, rating id r-1.",
        "2026-11-20 00:05:00  Offer created in Dixa: Nps, rating id r-2.",
        "Not delivered by email: refused for good.",
        "Not delivered by webhook: refused for good.",
        "2026-11-20 00:06:00  Delivered by message.",
        "Next: wait for the customer's answer.",
    ]


@pytest.mark.parametrize(
    ("offer", "line"),
    [
        ({"mailed_at": at(3)}, "2026-11-20 00:03:00  An e-mail was handed to the mail server, without a response yet."),
        (DELIVERED, "2026-11-20 00:06:00  Delivered by message."),
        (DELIVERED | {"note": UNCONFIRMED}, "2026-11-20 00:06:00  Delivered by message. Arrival not confirmed."),
        (DELIVERED | {"reminded_at": at(9)}, "2026-11-20 00:09:00  Reminded."),
        (DELIVERED | {"reminded_at": at(9), "note": UNCONFIRMED}, "2026-11-20 00:09:00  Reminded."),
        (
            DELIVERED | {"reminded_at": at(9), "note": "no reminder: answered"},
            "2026-11-20 00:09:00  Not reminded: no reminder: answered.",
        ),
    ],
    ids=["mailed", "delivered", "unconfirmed", "reminded", "unconfirmed reminder", "not reminded"],
)
def test_each_step_of_the_delivery_is_shown(offer: dict[str, Any], line: str) -> None:
    assert after_close(record_of(**offer))[-2] == line


def test_failed_offer_shows_its_reason_and_the_retry_command() -> None:
    assert after_close(record_of(OfferState.FAILED, Reason.UNREACHABLE, ended_at=at(8)))[1:] == [
        "2026-11-20 00:08:00  Failed: unreachable.",
        *explained(Reason.UNREACHABLE),
        "Next: nothing. To retry: afterword retry 48213.",
    ]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"comment_sha1": "a94a8fe5"}, ["2026-11-20 00:30:00  Answered: Csat 4, Nps 9, with a comment."]),
        (
            {"is_suspect": True},
            [
                "2026-11-20 00:30:00  Answered: Csat 4, Nps 9, without a comment.",
                "Suspect: it may be automatic. It came right after the link, or filled a hidden field.",
            ],
        ),
        (
            {"state": AnswerState.SUBMITTED, "ended_at": at(40)},
            [
                "2026-11-20 00:30:00  Answered: Csat 4, Nps 9, without a comment.",
                "2026-11-20 00:40:00  Result submitted to Dixa.",
            ],
        ),
        (
            {"state": AnswerState.FAILED, "reason": Reason.REFUSED, "ended_at": at(40)},
            [
                "2026-11-20 00:30:00  Answered: Csat 4, Nps 9, without a comment.",
                "2026-11-20 00:40:00  Result not submitted: refused.",
                *explained(Reason.REFUSED),
            ],
        ),
    ],
    ids=["commented", "suspect", "submitted", "failed"],
)
def test_answer_is_shown_without_its_comment(answer: dict[str, Any], shown: list[str]) -> None:
    assert after_close(answered(**answer))[2:-1] == shown


@pytest.mark.parametrize(
    ("state", "note"), [(AnswerState.SUBMITTED, " Its result is in Dixa."), (AnswerState.FAILED, "")], ids=["in", "out"]
)
def test_erased_answer_shows_only_the_state_of_its_result(state: AnswerState, note: str) -> None:
    record = answered(state, reason=Reason.ERASED)
    erased = replace(record, offer=replace(record.offer, reason=Reason.ERASED))
    assert after_close(erased)[2:] == [
        f"2026-11-20 00:30:00  Answered. The answer is deleted.{note}",
        "Ended. All data on the customer is deleted: erased.",
        *explained(Reason.ERASED),
        "Next: nothing.",
    ]


def test_erasure_before_the_delivery_is_shown_once() -> None:
    lines = after_close(record_of(OfferState.CANCELLED, Reason.ERASED))
    assert lines == ["2026-11-20 00:04:00  Cancelled: erased.", *explained(Reason.ERASED), "Next: nothing."]


def test_later_close_without_a_round_is_shown_unless_a_step_is_due() -> None:
    record = replace(record_of(**DELIVERED), latest_close=at(50))
    closed_again = "2026-11-20 00:50:00  Closed again. No new survey: closed_again."
    assert after_close(record)[2:5] == [closed_again, *explained(Reason.CLOSED_AGAIN)]
    assert closed_again not in lines_of(replace(record, offer=replace(record.offer, due_at=at(60))))


def test_follow_up_shows_each_action() -> None:
    actions = {
        "note": ActionProgress(ActionState.DONE),
        "slack": ActionProgress(ActionState.DONE, "outcome unknown", {RatingType.CSAT: 4}),
        "webhook": ActionProgress(ActionState.WAITING),
    }
    followed = FollowUp(FollowUpState.FOLLOWING, due_at=at(60), tries=1, actions=actions)
    record = replace(answered(AnswerState.SUBMITTED, ended_at=at(40)), follow_up=followed)
    assert after_close(record)[4:] == [
        "Follow-up note: done.",
        "Follow-up slack: done (outcome unknown). Sent: Csat 4.",
        "Follow-up webhook: waiting for a retry.",
        "2026-11-20 01:00:00  Next: run the follow-up (failed once).",
    ]
    for state in (AnswerState.EDITABLE, AnswerState.SUBMITTING):
        assert len(next_of(replace(record, answer=AnswerProgress(state, ANSWER)))) == 2


@pytest.mark.parametrize(
    ("follow_up", "is_shown"),
    [
        (FollowUp(FollowUpState.FOLLOWED), True),
        (FollowUp(FollowUpState.FOLLOWING, due_at=at(60)), False),
        (FollowUp(FollowUpState.FOLLOWED, actions={"note": ActionProgress(ActionState.DONE)}), False),
        (FollowUp(FollowUpState.FAILED, Reason.ERASED), False),
    ],
    ids=["nothing to do", "due", "done", "erased"],
)
def test_missing_follow_up_of_an_answer_is_shown(follow_up: FollowUp, *, is_shown: bool) -> None:
    assert ("No follow-up for this answer." in lines_of(replace(answered(), follow_up=follow_up))) is is_shown


def test_opt_outs_are_shown_between_the_decision_and_the_delivery() -> None:
    opt_outs = {IdentityKind.EMAIL: at(3), IdentityKind.REQUESTER: None}
    lines = [line.strip() for line in describe(record_of(**DELIVERED), "", opt_outs=opt_outs)]
    assert lines[3:6] == [
        "2026-11-20 00:03:00  This customer has opted out, by the e-mail address.",
        "This customer has opted out, by the requester's id, on an unknown date.",
        "2026-11-20 00:06:00  Delivered by message.",
    ]
