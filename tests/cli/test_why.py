"""`afterword why`: the timeline of one conversation."""

import json
import unicodedata

import pytest

from service.records.outcomes import Outcome
from tests.cli.conftest import Runner
from tests.cli.timelines import LATER, close, timeline
from tests.harness import CSAT, Story


def test_timeline_of_an_answered_survey(run: Runner, story: Story) -> None:
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
    assert timeline(run, survey_id) == [*until_delivered, "Next: wait for the customer's answer."]
    assert story.answer(survey_id, {CSAT: 4}, "Tak for hjælpen") == Outcome.SAVED
    answered = [*until_delivered, "Answered: Csat 4, with a comment."]
    assert timeline(run, survey_id) == [
        *answered,
        "Next: submit the result; until then the customer can change the answer.",
    ]
    story.submit(survey_id)
    assert timeline(run, survey_id) == [
        *answered,
        "Result submitted to Dixa.",
        "Next: nothing, the survey is complete.",
    ]
    assert "Tak" not in run("why", survey_id, "--json").output


@pytest.mark.parametrize(
    "name",
    [
        "Support\n  2026-01-01 00:00:00  Result submitted to Dixa.",
        "Support\r\x1b[1A\x1b[2KDecided",
        "\x9b2J\x7f\x08",
        "\u202eetorw\u2066",
        "a\u2028b\x85c",
    ],
)
def test_name_from_dixa_cannot_forge_a_line_or_move_the_cursor(run: Runner, story: Story, name: str) -> None:
    survey_id = close(story, queue=name)
    story.ask(survey_id)
    lines = len(timeline(run, close(story, queue="Support")))
    printed, data = run("why", survey_id).stdout, run("why", survey_id, "--json").stdout
    assert len(timeline(run, survey_id)) >= lines
    assert len([line for line in printed.split("\n") if "Closed: " in line]) == 1
    assert not [char for char in printed + data if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl"}]
    assert name in json.loads(data)["facts"].values()


def test_waiting_survey_shows_its_next_step_and_a_pause(run: Runner, story: Story) -> None:
    survey_id = close(story, LATER, webhook_tags=None)
    due = story.load(survey_id).offer.due_at
    assert due
    text = run("why", survey_id).output
    assert "Surveys that may match: vip, default." in text
    assert f"{due:%Y-%m-%d %H:%M:%S}  Next: look up the conversation in Dixa" in text
    run("pause")
    since = story.records.paused_since()
    assert f"PAUSED since {since}: no survey is sent. To resume: afterword resume" in timeline(run, survey_id)


def test_pause_does_not_hold_back_an_answer(run: Runner, story: Story) -> None:
    survey_id = close(story)
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    run("pause")
    assert not [line for line in timeline(run, survey_id) if "PAUSED" in line]


def test_failed_survey_shows_the_retry_command(run: Runner, story: Story) -> None:
    survey_id = close(story)
    story.dixa.fails(status=400, call="offer")
    story.ask(survey_id)
    assert "Failed: refused." in timeline(run, survey_id)
    assert timeline(run, survey_id)[-1] == f"Next: nothing. To retry: afterword retry {survey_id}."
    run("retry", survey_id)
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    story.dixa.fails(status=400, call="submit")
    story.submit(survey_id)
    assert "Result not submitted: refused." in timeline(run, survey_id)
    assert timeline(run, survey_id)[-1] == f"Next: nothing. To retry: afterword retry {survey_id}."


def test_conversation_without_a_record_is_reported(run: Runner) -> None:
    assert "There is no record of conversation 7" in run("why", "7", fails=True).output
