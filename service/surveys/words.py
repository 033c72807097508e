"""A survey's own words for customers, and the senders of its messages and e-mails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from service.surveys.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Words:
    """A survey's own texts in one language. `questions` are by rating type."""

    questions: Mapping[str, str] = field(default_factory=dict, hash=False)
    message: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """The mailboxes of a survey's e-mails, and the id of the agent for its messages."""

    email: Mailbox | None = None
    reply_to: Mailbox | None = None
    agent: str | None = None


NEUTRAL: Final = Words()
