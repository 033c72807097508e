"""Helpers for surveys with every delivery channel, and for the pauses of failed channels."""

from dataclasses import replace
from datetime import timedelta

import redis

from config.endpoints import SignedEndpoint
from service.delivery.message import MessageDelivery
from service.delivery.slack import SlackAlert
from service.delivery.webhook import WebhookDelivery
from service.records.channels import PAUSE
from service.sandbox.server import Sandbox
from service.surveys.model import Record
from service.surveys.ports import Delivery
from tests.harness import AT_ONCE, Story, open_client
from tests.receiver import SECRET, Receiver
from tests.smtp import Post

BY_MAIL = replace(AT_ONCE, deliver=("email",))
BY_MAIL_OR_MESSAGE = replace(AT_ONCE, deliver=("email", "message"))
BY_WEBHOOK = replace(AT_ONCE, deliver=("webhook",))
SUSPENDED = "554 Your account is suspended"


class ChannelStory:
    """The journeys with all channels. A test makes channels fail and ends their pauses."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox, post: Post, receiver: Receiver) -> None:
        self.post, self.receiver, self.dixa = post, receiver, dixa
        self._client, self._prefix = client, prefix
        self.deliveries: list[Delivery] = [
            MessageDelivery(open_client(dixa, client, prefix)),
            WebhookDelivery(SignedEndpoint(f"{receiver.url}/link", SECRET), "en"),
        ]
        self.story = Story(
            client,
            prefix,
            dixa,
            deliveries=self.deliveries,
            actions=[SlackAlert(f"{receiver.url}/slack")],
        )
        self.story.channels.pause = PAUSE

    def run_once(self, survey_id: str) -> Record:
        """Make the survey due and let a worker claim it once."""
        self._client.hset(f"{self._prefix}survey:{survey_id}", mapping={"offer_due": 0, "follow_up_due": 0})
        self.story.offering.run(survey_id)
        return self.story.load(survey_id)

    def follow(self, survey_id: str) -> Record:
        self._client.hset(f"{self._prefix}survey:{survey_id}", mapping={"follow_up_due": 0})
        self.story.following.run(survey_id)
        return self.story.load(survey_id)

    def end_pause(self, channel: str = "email") -> None:
        """End the channel's pause and the pauses of all surveys."""
        assert self._client.delete(f"{self._prefix}channel:{channel}:pause")
        for key in self._client.scan_iter(f"{self._prefix}channel:{channel}:pause:*"):
            self._client.delete(key)

    def end_shared_pause(self, channel: str = "email") -> None:
        """End the pause of the channel. The pauses of single surveys remain."""
        assert self._client.delete(f"{self._prefix}channel:{channel}:pause")

    def end_own_pause(self, survey_id: str, channel: str = "email") -> None:
        """End the pause of one survey only."""
        assert self._client.delete(f"{self._prefix}channel:{channel}:pause:{survey_id}")

    def pause_left(self, channel: str = "email") -> timedelta:
        return timedelta(milliseconds=self._client.pttl(f"{self._prefix}channel:{channel}:pause"))

    def offers(self, *survey_ids: str) -> list[int]:
        return [len(self.dixa.offers(int(each))) for each in survey_ids]
