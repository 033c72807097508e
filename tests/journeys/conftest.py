"""Fixtures for the tests of the journeys."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

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
from tests.journeys.bench import Bench
from tests.journeys.chain import BRANDING, TIMINGS, Chain
from tests.journeys.scene import Scene
from tests.journeys.team import Team
from tests.receiver import SECRET, Receiver, receiving
from tests.smtp import post_office


@pytest.fixture
def team(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Team]:
    with receiving() as receiver:
        yield Team(redis_client, prefix, dixa, receiver)


@pytest.fixture
def chain(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Chain]:
    with post_office() as (post, server):
        made = Chain(redis_client, prefix, dixa, post)
        email = EmailDelivery(server, BRANDING, made.story.records, budget=TIMINGS.step_budget)
        made.story.deliveries["email"] = email
        yield made


@pytest.fixture
def bench(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Bench]:
    with post_office() as (post, server), receiving() as receiver:
        made = Bench(redis_client, prefix, dixa, post, receiver)
        email = EmailDelivery(server, BRANDING, made.story.records, budget=TIMINGS.step_budget)
        made.story.deliveries["email"] = email
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def scene(redis_client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> Scene:
    actions: list[Action] = [
        SlackAlert(f"{receiver.url}/slack"),
        AnswerWebhook(SignedEndpoint(f"{receiver.url}/answer", SECRET)),
    ]
    story = Story(redis_client, prefix, dixa, timings=replace(QUICK, step_budget=timedelta(seconds=2)))
    story.actions.update({each.kind: each for each in (*actions, AnswerNote(story.calls))})
    return Scene(story, redis_client)
