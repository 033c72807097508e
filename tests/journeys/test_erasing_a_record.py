"""Erasing a record ends its journeys and deletes all data on the customer, for every caller."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from service.records.outcomes import StaleClaim
from service.rules.timeline import describe
from service.sandbox.server import Sandbox
from service.surveys.definition import OnReclose
from service.surveys.model import Decision
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from tests.harness import AT_ONCE, CSAT, Story
from tests.journeys.erased import SECRET, asks_for_a_rewrite, assert_erased, fields, send_survey
from tests.polling import eventually
from tests.processes import RedisServer, patient


def test_worker_with_a_claim_writes_nothing_after_the_erasure(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    claim = story.records.claim(Journey.ANSWER, survey_id)
    assert claim
    story.records.begin_call(claim, CSAT, (), timedelta())
    story.records.erase(claim.record)
    with pytest.raises(StaleClaim):
        story.records.submitted(claim, CSAT, (CSAT,))
    assert_erased(story, survey_id)


def test_erased_waiting_survey_releases_its_cooldown_slot(story: Story, prefix: str) -> None:
    survey_id = story.begin()
    claim = story.records.claim(Journey.OFFER, survey_id)
    assert claim
    story.records.decide(claim, Decision(Verdict.ASK), "da", person=["hash-1"], cooldown_retention=timedelta(days=30))
    assert story.records._redis.exists(f"{prefix}asked:hash-1")
    story.records.erase(claim.record)
    assert not story.records._redis.exists(f"{prefix}asked:hash-1")
    assert_erased(story, survey_id)
    assert story.records.count_decisions(claim.at.date()) == {Reason.ERASED: 1}


def test_second_erasure_changes_nothing(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    record = story.load(survey_id)
    assert story.records.erase(record) == "erased"
    before = fields(story, survey_id)
    assert story.records.erase(record) == "erased"
    fences = {f"{journey}_fence" for journey in Journey}
    assert {name for name, value in fields(story, survey_id).items() if before[name] != value} <= fences
    assert story.records.erase(replace(record, survey_id="7")) == "missing"


@pytest.mark.parametrize(("on_reclose", "outcome"), [(OnReclose.NEVER, "duplicate"), (OnReclose.ALWAYS, "accepted")])
def test_erasing_does_not_change_later_closes(story: Story, on_reclose: OnReclose, outcome: str) -> None:
    terms = replace(AT_ONCE, on_reclose=on_reclose)
    survey_id = send_survey(story, terms)
    record = story.load(survey_id)
    assert record.close
    story.records.erase(record)
    assert story.records.accept(record.close, [terms])[0] == "duplicate"
    later = replace(record.close, closed_at=record.close.closed_at + timedelta(seconds=1), event_id="later")
    assert story.records.accept(later, [terms])[0] == outcome


@pytest.mark.parametrize("is_submitted", [True, False])
def test_why_shows_only_the_erasure(story: Story, *, is_submitted: bool) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    if is_submitted:
        story.submit(survey_id)
    story.records.erase(story.load(survey_id))
    shown = "\n".join(describe(story.load(survey_id), ""))
    assert "Matched survey default." in shown
    assert "Answered. The answer is deleted." in shown
    assert ("Its result is in Dixa." in shown) is is_submitted
    assert "Ended. All data on the customer is deleted: erased." in shown
    assert shown.endswith("Next: nothing.")
    assert "Csat 1" not in shown


def test_erased_data_is_removed_from_the_append_only_file(
    own_redis: RedisServer, dixa: Sandbox, tmp_path: Path
) -> None:
    def is_in_the_file() -> bool:
        return any(SECRET.encode() in each.read_bytes() for each in tmp_path.glob("appendonlydir/*")) or any(
            SECRET.encode() in each.read_bytes() for each in tmp_path.glob("appendonly.aof")
        )

    client = patient(own_redis.url)
    story = Story(client, "afterword:", dixa)
    survey_id = send_survey(story, replace(AT_ONCE, editable_for=timedelta(hours=1)))
    assert story.answer(survey_id, {CSAT: 1}, SECRET) == "saved"
    assert not story.records.rewrite_if_erased()
    story.records.erase(story.load(survey_id))
    assert is_in_the_file()
    assert story.records.rewrite_if_erased()
    eventually(lambda: not is_in_the_file())
    assert not story.records.rewrite_if_erased()
    client.close()


def test_erasure_during_a_rewrite_gets_a_rewrite_of_its_own(own_redis: RedisServer, dixa: Sandbox) -> None:
    client = patient(own_redis.url)
    story = Story(client, "afterword:", dixa)
    record = story.load(send_survey(story))
    client.config_set("rdb-key-save-delay", 60_000_000)  # Microseconds: the rewrite takes minutes.
    story.records.erase(record)
    assert story.records.rewrite_if_erased()
    story.records.erase(record)
    assert not story.records.rewrite_if_erased()
    assert asks_for_a_rewrite(story)
    client.shutdown(nosave=True)  # Ends the rewrite too.
    client.close()


def test_redis_without_bgrewriteaof_is_logged(story: Story) -> None:
    survey_id = send_survey(story)
    story.records.erase(story.load(survey_id))
    client = story.records._redis
    client.acl_setuser(
        "limited", enabled=True, nopass=True, categories=["+@all"], commands=["-bgrewriteaof"], keys=["*"]
    )
    kwargs = client.connection_pool.connection_kwargs | {"username": "limited", "password": ""}
    limited = redis.Redis(host=kwargs["host"], port=kwargs["port"], db=kwargs["db"], username="limited", password="x")
    records = type(story.records)(limited, lease=timedelta(1), keep=timedelta(1), prefix=story.records._prefix)
    with capture_logs() as lines:
        assert not records.rewrite_if_erased()
    assert [line["event"] for line in lines] == ["redis.not_rewritten"]
    client.acl_deluser("limited")
    limited.close()
