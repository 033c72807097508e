"""Steps of a record, such as a close, a claim or an answer."""

from datetime import datetime, timedelta

import redis

from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Claim, Close, Decision, Offer, Record
from service.surveys.states import Journey, Verdict
from tests.harness import AT_ONCE, CSAT
from tests.moments import moment

SURVEY_ID = "48213"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def close_of(conversation_id: int = 48213, ago: timedelta = timedelta()) -> Close:
    return Close(conversation_id, moment() - ago, channel="Email", agent_id="agent", tags=("a", "ü"))


def link_of(conversation_id: int = 48213) -> Link:
    return Link(str(conversation_id), conversation_id, "default", (Offer(CSAT, "rating"),))


def answer(
    records: Records,
    score: int = 4,
    comment: str | None = "",
    terms: Survey = AT_ONCE,
    *,
    is_suspect: bool = False,
    answered_at: datetime | None = None,
) -> str:
    given = GivenAnswer(link_of(), terms, {CSAT: score}, comment, "en", is_suspect)
    return records.save_answer(given, answered_at)


def claim(records: Records, journey: Journey = Journey.OFFER) -> Claim:
    found = records.claim(journey, SURVEY_ID)
    assert found is not None
    return found


def records_with_short_leases(redis_client: redis.Redis, prefix: str, lease_ms: int = 80) -> Records:
    """Return records with short leases."""
    return Records(redis_client, lease=timedelta(milliseconds=lease_ms), keep=timedelta(days=90), prefix=prefix)


def load(records: Records) -> Record:
    found = records.load(SURVEY_ID)
    assert found is not None
    return found


def saved_answer(records: Records) -> tuple[dict[str, int], str]:
    found = load(records).answered
    return {str(rating): score for rating, score in found.scores.items()}, found.comment


def submit(records: Records) -> None:
    found = claim(records, Journey.ANSWER)
    records.begin_call(found, CSAT, [], timedelta())
    records.submitted(found, CSAT, [CSAT])


def offer(records: Records) -> None:
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    records.begin_call(found, CSAT, [], timedelta())
    records.offered(found, CSAT, "rating")
    records.begin_delivery(found, "message")
    records.delivered(found)


def is_about(found: timedelta | None, wanted: timedelta) -> bool:
    return found is not None and wanted - MINUTE < found <= wanted
