"""`afterword why`: one conversation's whole story, as an operator reads it."""

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.intake.intake import Intake
from service.records.outcomes import Outcome
from service.rules.identity import Identities
from service.sandbox.dixa.model import Person
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Change, Close
from service.surveys.states import ChangeKind, Journey
from service.surveys.toml.loader import load_surveys
from tests.cli.conftest import SURVEYS, Runner
from tests.harness import AT_ONCE, CSAT, Story
from tests.processes import SECRET_KEY

LATER = SURVEYS.replace('delay = "0s"', 'delay = "1h"')


class _Queue:
    """A worker is driven by hand."""

    def hint(self, journey: Journey, survey_id: str) -> None:
        return


def _intake(story: Story, surveys: str) -> Intake:
    return Intake(story.records, _Queue(), load_surveys(surveys), None, Identities([SECRET_KEY]))


def close(story: Story, surveys: str = SURVEYS, *, told_tags: tuple[str, ...] | None = (), **facts: Any) -> str:
    """Close a new conversation and take it in by its surveys; returns the survey's id."""
    number = story.dixa.make_conversation(**facts)
    story.dixa.close(number)
    found = story.dixa.conversation(number)
    given = Close(
        conversation_id=number,
        closed_at=datetime.now(UTC),
        channel=found.channel,
        direction=found.direction,
        queue_name=found.queue.name if found.queue else None,
        requester_id=found.requester.id,
        agent_id=found.agent.id if found.agent else None,
        tags=told_tags,
        email=found.requester.email,
    )
    _intake(story, surveys).take_close(given)
    return str(number)


def told(run: Runner, survey_id: str) -> list[str]:
    """What is told, each line without its time."""
    lines = run("why", survey_id).stdout.splitlines()
    assert all(line[2:21].strip() == "" or datetime.fromisoformat(line[2:21]) for line in lines if line[:1] == " ")
    return [line[23:].strip() if line[:1] == " " else line for line in lines]


def test_one_that_was_asked_and_answered(run: Runner, story: Story) -> None:
    survey_id = close(story, language="da")
    rating_id = story.ask(survey_id).offers[0].rating_id
    agent = story.dixa.state.agents[0].id
    until_delivered = [
        f"Conversation {survey_id} (times in UTC)",
        f"Closed: Email, Inbound, queue Support, agent {agent}.",
        "Webhook accepted.",
        "Matched survey default.",
        "Survey vip was not used: tag_missing (rule with_tags; found: without vip).",
        f"Facts: channel Email; state Closed; language da; queue Support; agent_id {agent}.",
        f"Offer created in Dixa: Csat, rating id {rating_id}.",
        "Delivered by message.",
    ]
    assert told(run, survey_id) == [*until_delivered, "Next: wait for the customer's answer."]
    assert story.answer(survey_id, {CSAT: 4}, "Tak for hjælpen") == Outcome.SAVED
    answered = [*until_delivered, "Answered: Csat 4, with a comment."]
    assert told(run, survey_id) == [
        *answered,
        "Next: submit the result; until then the customer can change the answer.",
    ]
    story.submit(survey_id)
    assert told(run, survey_id) == [*answered, "Result submitted to Dixa.", "Next: nothing, the survey is complete."]
    assert "Tak" not in run("why", survey_id, "--json").output


@pytest.mark.parametrize(
    "forged",
    [
        "Support\n  2026-01-01 00:00:00  Result submitted to Dixa.",
        "Support\r\x1b[1A\x1b[2KDecided",
        "\x9b2J\x7f\x08",
        "\u202eetorw\u2066",
        "a\u2028b\x85c",
    ],
)
def test_what_others_have_named_neither_forges_a_line_nor_moves_the_cursor(
    run: Runner, story: Story, forged: str
) -> None:
    survey_id = close(story, queue=forged)
    story.ask(survey_id)
    lines = len(told(run, close(story, queue="Support")))
    printed, data = run("why", survey_id).stdout, run("why", survey_id, "--json").stdout
    assert len(told(run, survey_id)) >= lines
    assert len([line for line in printed.split("\n") if "Closed: " in line]) == 1
    assert not [char for char in printed + data if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl"}]
    assert forged in json.loads(data)["facts"].values()


def test_one_that_was_not_asked_tells_the_rules_of_all_surveys_and_what_to_change(run: Runner, story: Story) -> None:
    survey_id = close(story, told_tags=("spam",))
    assert told(run, survey_id)[3:] == [
        "Skipped: tag_excluded.",
        "It has a tag of `without_tags`.",
        "What to change: Remove the tag from the conversation or from `without_tags`.",
        "Survey vip was not used: tag_excluded (rule without_tags; found: spam).",
        "Survey default was not used: tag_excluded (rule without_tags; found: spam).",
        "Next: nothing.",
    ]


def test_what_decides_after_the_rules_is_spelled_too(run: Runner, story: Story) -> None:
    unreachable = close(story, channel="PstnPhone")
    story.ask(unreachable)
    assert 'Survey default was not used: unreachable (rule deliver = ["message"]; found: PstnPhone, an agent).' in told(
        run, unreachable
    )
    customer = Person("Ida Holm", "ida@example.com")
    first, second = (close(story, requester=customer) for _ in range(2))
    story.ask(first)
    story.ask(second)
    why = f'asked_recently (rule cooldown = "30d"; found: survey {first} was sent less than that before)'
    assert f"Survey default was not used: {why}." in told(run, second)


def test_a_rule_that_holds_for_all_surveys(run: Runner, story: Story) -> None:
    survey_id = close(story, direction="Internal")
    assert "No survey was used: internal (found: internal)." in told(run, survey_id)


def test_a_machine(run: Runner, story: Story) -> None:
    survey_id = close(story, requester=Person("Undelivered", "bounces+17@example.com"))
    lines = told(run, survey_id)
    assert "Skipped: machine." in lines
    assert "No survey was used: machine (found: the address of a machine)." in lines
    assert "bounces+17" not in run("why", survey_id, "--json").stdout


def test_one_that_waits_tells_what_for_and_that_it_is_held(run: Runner, story: Story) -> None:
    survey_id = close(story, LATER, told_tags=None)
    due = story.load(survey_id).offer.due_at
    assert due
    told_of = run("why", survey_id).output
    assert "Surveys that may match: vip, default." in told_of
    assert f"{due:%Y-%m-%d %H:%M:%S}  Next: look up the conversation in Dixa" in told_of
    run("pause")
    since = story.records.paused_since()
    assert f"PAUSED since {since}: no survey is sent. To resume: afterword resume" in told(run, survey_id)


def test_a_held_answer_is_not_held_by_a_pause(run: Runner, story: Story) -> None:
    survey_id = close(story)
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    run("pause")
    assert not [line for line in told(run, survey_id) if "PAUSED" in line]


def test_one_that_was_opened_again(run: Runner, story: Story) -> None:
    survey_id = close(story, LATER)
    at = datetime.now(UTC) + timedelta(seconds=1)
    _intake(story, SURVEYS).take_change(Change(int(survey_id), ChangeKind.REOPENED, at))
    assert "Cancelled: reopened." in told(run, survey_id)


def test_failed_survey_shows_the_retry_command(run: Runner, story: Story) -> None:
    survey_id = close(story)
    story.dixa.fails(status=400, call="offer")
    story.ask(survey_id)
    assert "Failed: refused." in told(run, survey_id)
    assert told(run, survey_id)[-1] == f"Next: nothing. To retry: afterword retry {survey_id}."
    run("retry", survey_id)
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    story.dixa.fails(status=400, call="submit")
    story.submit(survey_id)
    assert "Result not submitted: refused." in told(run, survey_id)
    assert told(run, survey_id)[-1] == f"Next: nothing. To retry: afterword retry {survey_id}."


def _two_rounds(story: Story) -> str:
    terms = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    survey_id = story.begin(terms)
    story.ask(survey_id)
    again = Close(int(survey_id), datetime.now(UTC) + timedelta(minutes=1), channel="Email", direction="Inbound")
    story.records.accept(again, [terms])
    return survey_id


def test_every_round_is_told_in_order(run: Runner, story: Story) -> None:
    survey_id = _two_rounds(story)
    titles = [line for line in told(run, survey_id) if line.startswith("Conversation")]
    assert titles == [f"Conversation {survey_id}, round {number} of 2 (times in UTC)" for number in (1, 2)]
    found = json.loads(run("why", survey_id, "--json").output)
    assert (found["survey_id"], found["state"]) == (f"{survey_id}-2", "waiting")
    assert [(each["survey_id"], each["state"]) for each in found["earlier_rounds"]] == [(survey_id, "delivered")]


def test_for_machines(run: Runner, story: Story) -> None:
    survey_id = close(story, told_tags=("spam",))
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


def test_nothing_is_known(run: Runner) -> None:
    assert "There is no record of conversation 7" in run("why", "7", fails=True).output


@pytest.mark.parametrize(
    "terms", [AT_ONCE, Survey(reminder=timedelta(days=3), delay=timedelta(), editable_for=timedelta())]
)
def test_no_address_is_told(run: Runner, story: Story, terms: Survey) -> None:
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
    assert "This customer has opted out, by the e-mail address." in told(run, first)
    assert json.loads(run("why", first, "--json").output)["opted_out_by"] == {
        "e-mail address": noon.isoformat(timespec="seconds")
    }
    assert record.close.requester_id
    story.opt_outs._redis.set(story.opt_outs._names(record.close.requester_id, ())[0], "1")
    assert "This customer has opted out, by the requester's id, on an unknown date." in told(run, first)
    story.opt_outs.remove(record.close.requester_id)
    story.opt_outs.remove(record.close.email_hashes[0])
    assert not any("has opted out" in line for line in told(run, first))
