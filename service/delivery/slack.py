"""Alerts for Slack, and for whatever takes its incoming webhooks (Mattermost, Rocket.Chat, Zulip …).

They know no idempotence, so an alert whose answer is lost isn't sent again: at most once.
"""

import json
import re
from datetime import timedelta

from service.delivery.answer_text import describe, describe_scores, quote
from service.delivery.outbound import Outbound
from service.surveys.ports import Deadline, Told

_APART = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b", "]": "]\u200b"})

_MOST = 4000
"""Characters of one message, escapes included: Slack takes a longer one apart or refuses it."""

_CUT = "…\nThe comment is longer: see the rating in Dixa."


class SlackAlert:
    """Says what came of a survey as soon as it is known, before the answer is final."""

    kind = "slack"
    is_at_once = True
    is_repeatable = False
    within: timedelta | None = timedelta(days=1)

    def __init__(self, url: str) -> None:
        self._outbound = Outbound(url)

    def act(self, told: Told, deadline: Deadline, *, again: bool) -> None:
        """Post the alert or, where it is about that, its correction or the comment that came after it."""
        _ = again
        text = _WRITERS[told.subject](told)
        self._outbound.post(json.dumps({"text": text}).encode(), {}, deadline)


def write_alert(told: Told) -> str:
    """Write the scores, and the comment or that there is one."""
    return _write(describe(told), told)


def write_comment(told: Told) -> str:
    """Write what the alert couldn't say yet. A comment that is only in Dixa by now was deleted here before a retry."""
    return _write(f"A comment was added{'.' if told.comment else ': see the rating in Dixa.'}", told)


def write_correction(told: Told) -> str:
    """Write the scores that count, those of the alert, and a comment that came after it."""
    now, before = describe_scores(told.record.answered.scores), describe_scores(told.before)
    return _write(f"The customer changed the answer. Now: {now}. The alert said: {before}.", told)


_WRITERS = {"": write_alert, "comment": write_comment, "correction": write_correction}
"""By what they are about."""


def _write(said: str, told: Told) -> str:
    """Write our own words first, then the comment, so that nobody is mentioned and no link is hidden.

    Slack's three control characters are escaped.
    Others that take the same webhooks mention whoever stands after an @ and hide links as [words](link), so those
    characters are kept apart from what follows.
    """
    record = told.record
    agent = record.close.agent_id if record.close else None
    facts = (
        f"conversation {record.conversation_id}",
        *((f"survey {record.terms.name}",) if record.terms else ()),
        *((f"agent {agent}",) if agent else ()),
    )
    text = f"{said}\n{', '.join(facts)}{quote(told.comment)}".translate(_APART)
    return _cut(re.sub("(?m)^&gt; ", "> ", text))  # These are our own: they quote.


def _cut(text: str) -> str:
    """Cut a long text, which ends with the comment, and no escape in half."""
    if len(text) <= _MOST:
        return text
    return re.sub("&[a-z]*$", "", text[: _MOST - len(_CUT)]) + _CUT
