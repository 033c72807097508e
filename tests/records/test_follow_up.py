"""The due time of a follow-up."""

from dataclasses import replace

import redis

from service.records.records import Records
from service.surveys.on_answer import OnAnswer
from service.surveys.states import Journey
from tests.harness import AT_ONCE, CSAT
from tests.records.steps import MINUTE, SURVEY_ID, answer

NOTED = replace(AT_ONCE, on_answer=(OnAnswer((4,), CSAT, note=True),), suspect_editable_for=MINUTE)


def test_the_follow_up_of_a_suspect_answer_waits_for_the_final_answer(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    answer(records, terms=NOTED, is_suspect=True)
    assert records.claim(Journey.FOLLOW_UP, SURVEY_ID) is None
    times = redis_client.hmget(f"{prefix}survey:{SURVEY_ID}", ["follow_up_due", "answer_due"])
    assert times[0] == times[1]
    answer(records, terms=NOTED)
    assert records.claim(Journey.FOLLOW_UP, SURVEY_ID)
