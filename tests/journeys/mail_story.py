"""Helpers for surveys delivered by message or e-mail, with a real mail server."""

from dataclasses import replace

import redis

from service.delivery.email.text import EmailBranding
from service.delivery.message import MessageDelivery
from service.sandbox.server import Sandbox
from service.surveys.mailbox import Mailbox
from service.surveys.model import Record
from tests.harness import AT_ONCE, Story, open_client
from tests.smtp import Post

BRANDING = EmailBranding(Mailbox("survey@northwind.example"), None, "Northwind", "https://survey.example")
MESSAGE_FIRST = replace(AT_ONCE, deliver=("message", "email"))
EMAIL_FIRST = replace(AT_ONCE, deliver=("email", "message"))


class MailStory:
    """The journeys with both channels and a mail server."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox, post: Post) -> None:
        messages = MessageDelivery(open_client(dixa, client, prefix))
        self.story = Story(client, prefix, dixa, deliveries=[messages])
        self.post = post
        self.dixa = dixa
        self._redis = client
        self._prefix = prefix

    def ask(self, terms: object, **facts: object) -> Record:
        return self.story.ask(self.story.begin(terms, **facts))  # type: ignore[arg-type]

    def field(self, record: Record, name: str) -> str | None:
        return self._redis.hget(f"{self._prefix}survey:{record.survey_id}", name)  # type: ignore[return-value]

    def sent_counts(self, record: Record) -> tuple[int, int]:
        """Return how many messages and mails were sent."""
        messages = [each for each in self.dixa.messages(record.conversation_id) if each.external_id]
        return len(messages), len(self.post.mails)
