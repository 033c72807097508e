"""`afterword why` names the rule that excluded a conversation, and what to change."""

from datetime import UTC, datetime, timedelta

from service.sandbox.dixa.model import Person
from service.surveys.states import ChangeKind
from tests.cli.conftest import Runner
from tests.cli.timelines import LATER, close, timeline
from tests.harness import Story


def test_skipped_survey_shows_the_rules_of_all_surveys_and_what_to_change(run: Runner, story: Story) -> None:
    survey_id = close(story, webhook_tags=("spam",))
    assert timeline(run, survey_id)[3:] == [
        "Skipped: tag_excluded.",
        "It has a tag of `without_tags`.",
        "What to change: Remove the tag from the conversation or from `without_tags`.",
        "Survey vip was not used: tag_excluded (rule without_tags; found: spam).",
        "Survey default was not used: tag_excluded (rule without_tags; found: spam).",
        "Next: nothing.",
    ]


def test_channel_and_cooldown_are_shown_as_rules(run: Runner, story: Story) -> None:
    unreachable = close(story, channel="PstnPhone")
    story.ask(unreachable)
    assert (
        'Survey default was not used: unreachable (rule deliver = ["message"]; found: PstnPhone, an agent).'
        in timeline(run, unreachable)
    )
    customer = Person("Ida Holm", "ida@example.com")
    first, second = (close(story, requester=customer) for _ in range(2))
    story.ask(first)
    story.ask(second)
    why = f'asked_recently (rule cooldown = "30d"; found: survey {first} was sent less than that before)'
    assert f"Survey default was not used: {why}." in timeline(run, second)


def test_exclusion_from_all_surveys_names_no_survey(run: Runner, story: Story) -> None:
    survey_id = close(story, direction="Internal")
    assert "No survey was used: internal (found: internal)." in timeline(run, survey_id)


def test_machine_is_shown_without_its_address(run: Runner, story: Story) -> None:
    survey_id = close(story, requester=Person("Undelivered", "bounces+17@example.com"))
    lines = timeline(run, survey_id)
    assert "Skipped: machine." in lines
    assert "No survey was used: machine (found: the address of a machine)." in lines
    assert "bounces+17" not in run("why", survey_id, "--json").stdout


def test_reopened_conversation_is_cancelled(run: Runner, story: Story) -> None:
    survey_id = close(story, LATER)
    story.take_change(survey_id, ChangeKind.REOPENED, at=datetime.now(UTC) + timedelta(seconds=1))
    assert "Cancelled: reopened." in timeline(run, survey_id)
