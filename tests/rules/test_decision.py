"""The decision about one due conversation: the order of the reasons, and the queries it needs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.rules.decision import DecisionInput, Lookups, decide, due_at, has_news, is_too_late
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close, Decision, OfferProgress, Record
from service.surveys.ports import Message, Rating
from service.surveys.reasons import Reason
from service.surveys.states import OfferState, Verdict
from tests.rules.examples import close_of, conversation_of, survey_of

CLOSED = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = survey_of(terms='delay = "0s"')
RECLOSED = Record("48213", 48213, CLOSED, None, None, OfferProgress(OfferState.DECIDING), earlier=("first",))
FIRST = replace(RECLOSED, earlier=())


def never(*_: object) -> Any:
    pytest.fail("unneeded query")


def decide_with(
    survey: Survey = ONE,
    record: Record = FIRST,
    *,
    close: Close | None = None,
    rated: bool = False,
    **lookups_given: Any,
) -> Decision:
    """Decide with these lookups. Any other lookup fails the test, apart from the lookups of every decision."""
    close = close or close_of()
    record = replace(record, close=close, terms=survey, candidates=(survey,))
    known: dict[str, Any] = {"is_too_late": False, "is_opted_out": False, "reserve_channel": True} | lookups_given
    lookups: dict[str, Any] = dict.fromkeys(Lookups.__dataclass_fields__, never)
    lookups |= {name: (lambda *_, value=value: value) for name, value in known.items()}
    ratings = [Rating("first", "Csat", "Rated" if rated else "Offered")] if record.earlier else []
    return decide(DecisionInput(record, close, conversation_of(), ratings, record.earlier, CLOSED), Lookups(**lookups))


def test_survey_without_rules_needs_no_tags_or_messages() -> None:
    found = decide_with()
    assert (found.verdict, found.reason, found.survey) == (Verdict.ASK, None, ONE)


@pytest.mark.parametrize(
    ("lookups_given", "reason"),
    [
        ({"reserve_channel": False}, Reason.UNREACHABLE),
        ({"reserve_channel": False, "is_opted_out": True}, Reason.OPTED_OUT),
        ({"reserve_channel": False, "is_opted_out": True, "is_too_late": True}, Reason.TOO_LATE),
    ],
)
def test_first_of_several_reasons_is_shown(lookups_given: dict[str, Any], reason: Reason) -> None:
    found = decide_with(**lookups_given)
    assert (found.verdict, found.reason, found.survey) == (Verdict.SKIP, reason, ONE)


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        ({"state": "Open"}, Verdict.CANCEL, Reason.REOPENED),
        ({"is_erased": True}, Verdict.CANCEL, Reason.ERASED),
        ({"direction": "Internal"}, Verdict.SKIP, Reason.INTERNAL),
        ({"link": "EmailForward"}, Verdict.SKIP, Reason.SIDE_CONVERSATION),
    ],
)
def test_reopening_or_erasure_cancels_and_rule_skips(facts: dict[str, Any], verdict: Verdict, reason: Reason) -> None:
    lookups = Lookups(**dict.fromkeys(Lookups.__dataclass_fields__, never))
    found = decide(DecisionInput(FIRST, close_of(), conversation_of(**facts), [], [], CLOSED), lookups)
    assert (found.verdict, found.reason, found.survey) == (verdict, reason, None)


def test_tags_are_queried_only_if_missing_in_the_webhook() -> None:
    vip = survey_of('with_tags = ["vip"]', terms='delay = "0s"')
    assert decide_with(vip).verdict is Verdict.ASK
    assert decide_with(vip, tags=("vip",), close=close_of(tags=None)).verdict is Verdict.ASK
    assert decide_with(vip, tags=(), close=close_of(tags=None)).reason is Reason.TAG_MISSING


def test_survey_with_a_closed_send_window_waits_for_the_opening() -> None:
    windowed = survey_of(
        terms='delay = "0s"\nsend_window = { days = ["sat"], from = "09:00", to = "17:00", zone = "UTC" }'
    )
    found = decide_with(windowed)
    assert (found.verdict, found.due_at) == (Verdict.WAIT, CLOSED + 33 * HOUR)


@pytest.mark.parametrize(
    ("on_reclose", "is_answered", "rated", "reason"),
    [
        (OnReclose.NEVER, False, False, Reason.CLOSED_AGAIN),
        (OnReclose.UNANSWERED, False, False, None),
        (OnReclose.UNANSWERED, True, False, Reason.CLOSED_AGAIN),
        (OnReclose.UNANSWERED, False, True, Reason.CLOSED_AGAIN),
        (OnReclose.ALWAYS, True, True, None),
    ],
)
def test_new_round_needs_on_reclose(
    on_reclose: OnReclose,
    is_answered: bool,  # noqa: FBT001
    rated: bool,  # noqa: FBT001
    reason: Reason | None,
) -> None:
    survey = replace(ONE, on_reclose=on_reclose)
    assert decide_with(survey, RECLOSED, rated=rated, is_answered=is_answered).reason is reason


@pytest.mark.parametrize(
    ("written", "reason"), [(-HOUR, Reason.NOTHING_NEW), (timedelta(), Reason.NOTHING_NEW), (HOUR, None)]
)
def test_new_round_needs_a_message_since_the_last_survey(written: timedelta, reason: Reason | None) -> None:
    messages = (Message("1", None, "Inbound", created_at=CLOSED + written),)
    record = replace(RECLOSED, delivered_before=CLOSED)
    assert decide_with(replace(ONE, on_reclose=OnReclose.ALWAYS), record, messages=messages).reason is reason


def test_our_own_message_and_a_bot_are_no_news() -> None:
    ours = Message("1", "afterword-48213", "Outbound", created_at=CLOSED + HOUR)
    machines = Message("2", None, "Inbound", is_automated=True, created_at=CLOSED + HOUR)
    assert not has_news([ours, machines], CLOSED)


def test_rule_about_messages_queries_and_counts_them() -> None:
    messages = (*(Message(each, None, "Inbound") for each in "12"), Message("3", None, "Outbound"))
    found = decide_with(survey_of("min_customer_messages = 2", terms='delay = "0s"'), messages=messages)
    assert found.verdict is Verdict.ASK
    assert (found.facts["customer_messages"], found.facts["agent_messages"]) == ("2", "1")
    assert decide_with(survey_of("min_customer_messages = 3"), messages=messages).survey is None


def test_close_in_the_future_counts_from_its_arrival() -> None:
    later = replace(close_of(), closed_at=CLOSED + HOUR)
    assert due_at(FIRST, later, ONE) == CLOSED
    assert due_at(FIRST, close_of(), replace(ONE, delay=HOUR)) == CLOSED + HOUR


def test_maximum_age_counts_from_the_due_time_or_the_retry() -> None:
    last, retried = CLOSED + HOUR, CLOSED + 5 * HOUR
    assert not is_too_late(FIRST, close_of(), ONE, last, HOUR)
    assert is_too_late(FIRST, close_of(), ONE, last + timedelta(microseconds=1), HOUR)
    again = replace(FIRST, offer=replace(FIRST.offer, retried_at=retried))
    assert not is_too_late(again, close_of(), ONE, retried + HOUR, HOUR)


SHOWN = {
    "closed_at": "2026-11-20T00:00:00+00:00",
    "channel": "Email",
    "state": "Closed",
    "queue": "Returns",
    "contact_point": "help@nordlys.example",
    "user_type": "Contact",
    "assignee_type": "Member",
    "agent_id": "agent",
}


@pytest.mark.parametrize(
    ("webhook", "dixa", "changed"),
    [
        ({}, {"language": "da", "link": "FollowUp"}, {"language": "da", "link": "FollowUp"}),
        ({"tags": ("vip", "new")}, {}, {"tags": "vip, new"}),
        ({}, {"agent_id": "other"}, {}),
        ({"agent_id": None}, {"agent_id": "other"}, {"agent_id": "other"}),
        ({"channel": "Sms"}, {}, {"channel": "Sms"}),
        ({"channel": None}, {}, {}),
        ({"queue_name": None}, {}, {"queue": "q-1"}),
        ({"queue_id": None}, {}, {}),
    ],
)
def test_facts_of_the_webhook_take_precedence_over_dixa(
    webhook: dict[str, Any], dixa: dict[str, Any], changed: dict[str, str]
) -> None:
    close, record = close_of(**webhook), replace(FIRST, candidates=(ONE,))
    lookups: dict[str, Any] = dict.fromkeys(Lookups.__dataclass_fields__, lambda *_: False)
    given = DecisionInput(record, close, conversation_of(**dixa), [], [], CLOSED)
    assert decide(given, Lookups(**lookups)).facts == SHOWN | changed


def test_facts_show_queried_tags_and_ratings_of_other_systems() -> None:
    vip = survey_of('with_tags = ["vip"]', terms='delay = "0s"')
    assert decide_with(vip, tags=("vip", "new"), close=close_of(tags=None)).facts["tags"] == "vip, new"
    ratings = [Rating("ours", "Csat", "Rated"), Rating("a", "Csat", "Offered"), Rating("b", "Nps", "Cancelled")]
    lookups = Lookups(**dict.fromkeys(Lookups.__dataclass_fields__, never))
    found = decide(DecisionInput(FIRST, close_of(), conversation_of(), ratings, ["ours"], CLOSED), lookups)
    assert (found.reason, found.facts["ratings"]) == (Reason.ALREADY_SURVEYED, "Csat Offered, Nps Cancelled")
