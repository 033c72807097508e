"""`afterword why` shows every round and opt-out, as text and as JSON, and no address."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.sandbox.dixa.model import Person
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close
from tests.cli.conftest import Runner
from tests.cli.timelines import close, timeline
from tests.harness import AT_ONCE, Story


def _survey_with_two_rounds(story: Story) -> str:
    terms = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    survey_id = story.begin(terms)
    story.ask(survey_id)
    second = Close(int(survey_id), datetime.now(UTC) + timedelta(minutes=1), channel="Email", direction="Inbound")
    story.records.accept(second, [terms])
    return survey_id


def test_every_round_is_shown_in_order(run: Runner, story: Story) -> None:
    survey_id = _survey_with_two_rounds(story)
    titles = [line for line in timeline(run, survey_id) if line.startswith("Conversation")]
    assert titles == [f"Conversation {survey_id}, round {number} of 2 (times in UTC)" for number in (1, 2)]
    found = json.loads(run("why", survey_id, "--json").output)
    assert (found["survey_id"], found["state"]) == (f"{survey_id}-2", "waiting")
    assert [(each["survey_id"], each["state"]) for each in found["earlier_rounds"]] == [(survey_id, "delivered")]


def test_json_has_the_rules_and_the_remedy(run: Runner, story: Story) -> None:
    survey_id = close(story, webhook_tags=("spam",))
    found = json.loads(run("why", survey_id, "--json").output)
    assert (found["state"], found["reason"], found["paused_since"]) == ("skipped", "tag_excluded", None)
    assert found["mismatches"][0] == {
        "survey": "vip",
        "reason": "tag_excluded",
        "rule": "without_tags",
        "fact": "spam",
    }
    assert found["meaning"]
    assert found["to_change_it"]
    assert "closed_at" in found["facts"]


@pytest.mark.parametrize(
    "terms", [AT_ONCE, Survey(reminder=timedelta(days=3), delay=timedelta(), editable_for=timedelta())]
)
def test_no_address_is_shown(run: Runner, story: Story, terms: Survey) -> None:
    survey_id = story.begin(replace(terms, deliver=("email",)), requester=Person("Ida Holm", "ida@example.com"))
    for options in ([], ["--json"]):
        assert "ida@" not in run("why", survey_id, *options).output


def test_an_opt_out_is_shown_with_its_date(run: Runner, story: Story) -> None:
    first = close(story)
    record = story.ask(first)
    assert record.close
    noon = datetime(2026, 5, 12, 12, tzinfo=UTC)
    story.opt_outs.add(record.close.email_hashes[0], at=noon)
    assert any(
        "2026-05-12 12:00:00  This customer has opted out" in line for line in run("why", first).output.splitlines()
    )
    assert "This customer has opted out, by the e-mail address." in timeline(run, first)
    assert json.loads(run("why", first, "--json").output)["opted_out_by"] == {
        "e-mail address": noon.isoformat(timespec="seconds")
    }
    assert record.close.requester_id
    story.opt_outs._redis.set(story.opt_outs._names(record.close.requester_id, ())[0], "1")
    assert "This customer has opted out, by the requester's id, on an unknown date." in timeline(run, first)
    story.opt_outs.remove(record.close.requester_id)
    story.opt_outs.remove(record.close.email_hashes[0])
    assert not any("has opted out" in line for line in timeline(run, first))
