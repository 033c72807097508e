"""Fixtures for the tests of the journeys."""

from collections.abc import Iterator

import pytest
import redis

from config.endpoints import SignedEndpoint
from service.delivery.email.smtp import EmailDelivery
from service.delivery.note import AnswerNote
from service.delivery.slack import SlackAlert
from service.delivery.webhook import AnswerWebhook
from service.sandbox.server import Sandbox
from service.surveys.ports import Action
from tests.harness import QUICK, Story
from tests.journeys.action_story import ActionStory
from tests.journeys.channel_story import ChannelStory
from tests.journeys.mail_story import BRANDING, MailStory
from tests.journeys.robot_story import RobotStory
from tests.receiver import SECRET, Receiver, receiving
from tests.smtp import post_office


@pytest.fixture
def action_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[ActionStory]:
    with receiving() as receiver:
        yield ActionStory(redis_client, prefix, dixa, receiver)


@pytest.fixture
def mail_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[MailStory]:
    with post_office() as (post, server):
        made = MailStory(redis_client, prefix, dixa, post)
        email = EmailDelivery(server, BRANDING, made.story.records, budget=QUICK.step_budget)
        made.story.deliveries["email"] = email
        yield made


@pytest.fixture
def channel_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[ChannelStory]:
    with post_office() as (post, server), receiving() as receiver:
        made = ChannelStory(redis_client, prefix, dixa, post, receiver)
        email = EmailDelivery(server, BRANDING, made.story.records, budget=QUICK.step_budget)
        made.story.deliveries["email"] = email
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def robot_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> RobotStory:
    actions: list[Action] = [
        SlackAlert(f"{receiver.url}/slack"),
        AnswerWebhook(SignedEndpoint(f"{receiver.url}/answer", SECRET)),
    ]
    story = Story(redis_client, prefix, dixa)
    story.actions.update({each.kind: each for each in (*actions, AnswerNote(story.calls))})
    return RobotStory(story, redis_client)
