"""Conversations accepted with the surveys of `SURVEYS`, and their timelines."""

from datetime import UTC, datetime
from typing import Any

from service.surveys.model import Close
from service.surveys.toml.loader import load_surveys
from tests.cli.conftest import SURVEYS, Runner
from tests.harness import Story

LATER = SURVEYS.replace('delay = "0s"', 'delay = "1h"')


def close(story: Story, surveys: str = SURVEYS, *, webhook_tags: tuple[str, ...] | None = (), **facts: Any) -> str:
    """Close a new conversation, accept it with these surveys, and return the survey's id."""
    number = story.dixa.make_conversation(**facts)
    story.dixa.close(number)
    found = story.dixa.conversation(number)
    webhook = Close(
        conversation_id=number,
        closed_at=datetime.now(UTC),
        channel=found.channel,
        direction=found.direction,
        queue_name=found.queue.name if found.queue else None,
        requester_id=found.requester.id,
        agent_id=found.agent.id if found.agent else None,
        tags=webhook_tags,
        email=found.requester.email,
    )
    story.intake(*load_surveys(surveys)).take_close(webhook)
    return str(number)


def timeline(run: Runner, survey_id: str) -> list[str]:
    """Return the lines of `afterword why`, each without its time."""
    lines = run("why", survey_id).stdout.splitlines()
    assert all(line[2:21].strip() == "" or datetime.fromisoformat(line[2:21]) for line in lines if line[:1] == " ")
    return [line[23:].strip() if line[:1] == " " else line for line in lines]
