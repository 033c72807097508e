"""Alerts for Slack, and for whatever takes its incoming webhooks (Mattermost, Rocket.Chat, Zulip …).

They know no idempotence, so an alert whose answer is lost isn't sent again: at most once.
"""

import json
from datetime import timedelta

from service.delivery.answer_text import describe
from service.delivery.outbound import Outbound
from service.surveys.ports import Deadline, Told


class SlackAlert:
    """Says what came of a survey as soon as it is known, before the answer is final."""

    kind = "slack"
    is_at_once = True
    is_repeatable = False
    within: timedelta | None = timedelta(days=1)

    def __init__(self, url: str) -> None:
        self._outbound = Outbound(url)

    def act(self, told: Told, deadline: Deadline, *, again: bool) -> None:
        """Post the alert."""
        _ = again
        self._outbound.post(json.dumps({"text": write_alert(told)}).encode(), {}, deadline)


def write_alert(told: Told) -> str:
    """Write the text so that nobody is mentioned and no link is hidden: Slack's three control characters are escaped.

    Others that take the same webhooks mention whoever stands after an @, so that is kept apart from what follows.
    """
    record = told.record
    agent = record.close.agent_id if record.close else None
    facts = (
        f"conversation {record.conversation_id}",
        *((f"survey {record.terms.name}",) if record.terms else ()),
        *((f"agent {agent}",) if agent else ()),
    )
    text = f"{describe(told)}\n{', '.join(facts)}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
