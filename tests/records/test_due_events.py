"""The events of each transition are written with it, once, and stay until they are sent."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from service.records.due_events import DueEvents
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Record
from service.surveys.reasons import Reason
from service.surveys.states import Journey, SurveyEvent
from tests.harness import AT_ONCE
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, load, offer, submit
from tests.records.test_transitions import ARGS, SURVEY, ScriptRunner, cells

WITHOUT_A_LINK = {"waiting", "deciding", "offering", "offering+", "unknown"}
ALL = tuple(SurveyEvent)


def expected(journey: str, script: str, state: str, cell: str) -> set[str]:
    """Return the events of a cell, by its words."""
    outcome, _, after = (part.strip() for part in cell.partition("→"))
    if script == "erase":
        return set()
    if script.startswith("save_answer") and outcome == "saved":
        is_delivered_by_it = journey == "offer" and state in WITHOUT_A_LINK
        return {"answered", "delivered"} if is_delivered_by_it else {"answered"}
    if script == "accept (skip)" and outcome == "skipped":
        return {"skipped"}
    if script == "decide (ask)" and outcome == "ask":
        return {"asked"}
    if script in ("reminded", "delivered", "delivered (to remind)") and after:
        return {script.partition(" ")[0]}
    if after.startswith("failed"):
        return {f"failed:{journey}"}
    return {"skipped"} & {after} | ({"skipped"} if after == "cancelled" else set()) | {"submitted"} & {after}


def events_of(client: redis.Redis, prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for ending in ("", "-2"):
        found |= json.loads(str(client.hget(f"{prefix}survey:{SURVEY}{ending}", "unsent_events") or "{}"))
    return found


@pytest.mark.parametrize(("journey", "script", "state", "cell"), cells())
def test_each_transition_notes_its_events_once(
    redis_client: redis.Redis, prefix: str, journey: str, script: str, state: str, cell: str
) -> None:
    runner = ScriptRunner(redis_client, prefix, journey, events=ALL)
    runner.prepare(state)
    runner.run(script, ARGS[script](journey))
    noted = events_of(redis_client, prefix)
    assert set(noted) == expected(journey, script, state, cell)
    assert bool(redis_client.zcard(f"{prefix}due:event")) == bool(noted)
    if script != "claim":
        runner.run(script, ARGS[script](journey))
        assert events_of(redis_client, prefix) == noted


def records_with(client: redis.Redis, prefix: str, *events: SurveyEvent) -> Records:
    return Records(client, lease=MINUTE, keep=90 * DAY, prefix=prefix, events=events)


@pytest.fixture
def records(redis_client: redis.Redis, prefix: str) -> Records:
    return records_with(redis_client, prefix, *ALL)


def asked(records: Records, terms: Survey = AT_ONCE) -> Record:
    records.accept(close_of(), [terms])
    offer(records)
    return load(records)


def test_only_chosen_events_are_noted(redis_client: redis.Redis, prefix: str) -> None:
    record = asked(records_with(redis_client, prefix, SurveyEvent.DELIVERED, SurveyEvent.FAILED))
    assert set(record.unsent_events) == {"delivered"}


def test_without_events_redis_has_nothing_of_them(redis_client: redis.Redis, prefix: str) -> None:
    records = records_with(redis_client, prefix)
    asked(records)
    answer(records)
    assert not redis_client.exists(f"{prefix}due:event")
    assert not redis_client.hexists(f"{prefix}survey:{SURVEY_ID}", "unsent_events")


def test_a_survey_is_taken_by_one_worker_at_a_time(records: Records) -> None:
    asked(records)
    due, other = DueEvents.beside(records), DueEvents.beside(records)
    assert due.take() == [SURVEY_ID]
    assert other.take() == []
    due.finish(load(records), ["asked"])
    assert set(load(records).unsent_events) == {"delivered"}
    assert other.take() == [SURVEY_ID]
    due.finish(load(records), ["delivered"])
    assert (load(records).unsent_events, due.count()) == ({}, 0)


def test_a_survey_of_a_dead_worker_comes_again_after_the_lease(records: Records) -> None:
    asked(records)
    due = DueEvents.beside(records)
    due.lease = timedelta()
    assert [due.take() for _ in range(2)] == [[SURVEY_ID]] * 2


def test_an_event_that_happens_again_while_it_is_sent_is_kept(records: Records) -> None:
    terms = replace(AT_ONCE, editable_for=DAY)
    asked(records, terms)
    answer(records, 4, terms=terms)
    due = DueEvents.beside(records)
    due.take()
    taken = load(records)
    answer(records, 5, terms=terms)
    due.finish(taken, [*taken.unsent_events])
    left = load(records).unsent_events
    assert set(left) == {"answered"}
    assert left["answered"] > taken.unsent_events["answered"]
    assert due.take() == [SURVEY_ID]


def test_an_erasure_forgets_unsent_events(records: Records) -> None:
    asked(records)
    records.erase(load(records))
    assert load(records).unsent_events == {}
    due = DueEvents.beside(records)
    assert due.take() == [SURVEY_ID]
    due.finish(load(records), [])
    assert due.count() == 0


def test_a_lost_record_is_forgotten_and_not_made_again(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    taken = asked(records)
    redis_client.delete(f"{prefix}survey:{SURVEY_ID}")
    due = DueEvents.beside(records)
    due.finish(taken, [])
    assert due.count() == 0
    assert not redis_client.exists(f"{prefix}survey:{SURVEY_ID}")


def test_an_answer_with_a_lost_record_is_an_event(records: Records) -> None:
    answer(records)
    assert set(load(records).unsent_events) == {"answered"}


def test_a_retry_that_fails_again_is_a_new_event(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.fail(claim(records), Reason.REFUSED)
    first = load(records).unsent_events["failed:offer"]
    DueEvents.beside(records).finish(load(records), ["failed:offer"])
    records.retry(Journey.OFFER, SURVEY_ID)
    records.fail(claim(records), Reason.REFUSED)
    assert load(records).unsent_events["failed:offer"] > first


def test_a_result_in_dixa_is_an_event(records: Records) -> None:
    asked(records)
    answer(records)
    submit(records)
    assert set(load(records).unsent_events) == {"asked", "delivered", "answered", "submitted"}
