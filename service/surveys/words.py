"""A survey's own words for customers, and the senders of its messages and e-mails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from service.surveys.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Words:
    """What a survey says in one language in place of the neutral texts; `questions` are by rating type."""

    questions: Mapping[str, str] = field(default_factory=dict, hash=False)
    message: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a survey's e-mails are from and answered to, and the id of the agent who sends its messages."""

    email: Mailbox | None = None
    reply_to: Mailbox | None = None
    agent: str | None = None


NEUTRAL: Final = Words()
