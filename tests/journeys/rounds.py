"""Surveys with further rounds or a delay of an hour, and a new message of the customer."""

from dataclasses import replace
from datetime import timedelta

from service.sandbox.dixa.model import Message
from service.surveys.definition import OnReclose
from tests.harness import AT_ONCE, Story
from tests.moments import moment

ALWAYS = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
UNANSWERED = replace(ALWAYS, on_reclose=OnReclose.UNANSWERED)
LATER = replace(AT_ONCE, delay=timedelta(hours=1))
SECOND = timedelta(seconds=1)


def write_as_customer(story: Story, number: int) -> None:
    requester = story.dixa.conversation(number).requester
    story.dixa.state.add_message(number, Message(requester.id, "One more thing", created_at=moment()))
