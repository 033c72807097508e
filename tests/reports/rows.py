"""Rows of a plausible archive: a webshop's support, with its queues, agents, hours, and reasons of not asking."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any

from service.archive.schema import SURVEY, Stage

_QUEUES = {
    "Orders": (34, 0.86),
    "Returns": (24, 0.78),
    "Delivery": (20, 0.69),
    "Technical": (14, 0.82),
    "VIP": (8, 0.93),
}
"""Each with its share of conversations in percent, and its share of satisfied customers."""
_CHANNELS = {"Email": (52, 0.15), "WidgetChat": (26, 0.24), "PstnPhone": (14, 0.09), "WhatsApp": (8, 0.27)}
"""Each with its share of conversations in percent, and its response rate."""
_LANGUAGES = {"da": 40, "en": 28, "de": 17, "sv": 10, "nb": 5}
_AGENTS_OF_A_QUEUE = 8


def _id(letter: str, number: int) -> str:
    return f"{letter}{number:07}-550c-4942-98b9-e60cf736acd9"


_QUEUE_IDS = {name: _id("b", place) for place, name in enumerate(_QUEUES)}
_AGENTS_OF = {
    name: [_id("a", 10 * place + each) for each in range(_AGENTS_OF_A_QUEUE)] for place, name in enumerate(_QUEUES)
}
QUEUES = {queue_id: name for name, queue_id in _QUEUE_IDS.items()}
AGENTS = [agent_id for ids in _AGENTS_OF.values() for agent_id in ids]
"""Their ids, and the names of the queues."""

_SKIPS = (
    ("asked_recently", 'cooldown = "30d"', 16),
    ("channel", 'channels = ["Email", "WidgetChat", "PstnPhone"]', 9),
    ("few_customer_messages", "min_customer_messages = 2", 8),
    ("tag_excluded", 'without_tags = ["spam", "duplicate"]', 6),
    ("unassigned", "assigned = true", 4),
    ("queue", 'queues = ["Orders", "Returns", "Delivery", "VIP"]', 3),
    ("nothing_new", 'on_reclose = "unanswered"', 2),
)
_CANCELS = (("reopened", 3), ("already_surveyed", 1), ("opted_out", 1))
_EXPIRES = timedelta(days=28)
_COLUMNS: dict[str, Any] = {column.name: None for column in SURVEY.columns} | {
    "is_unconfirmed": False,
    "has_comment": False,
    "is_suspect": False,
    "version": 1,
    "direction": "Inbound",
    "brand": "Northwind",
}


def plausible_rows(size: int, since: datetime, until: datetime, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield rows of conversations closed evenly from `since` to `until`. The same seed gives the same rows."""
    random = Random(seed)
    queues, queue_weights = [*_QUEUES], [*accumulate(share for share, _ in _QUEUES.values())]
    channels, channel_weights = [*_CHANNELS], [*accumulate(share for share, _ in _CHANNELS.values())]
    languages, language_weights = [*_LANGUAGES], [*accumulate(_LANGUAGES.values())]
    step = (until - since) / size
    for number in range(size):
        queue = random.choices(queues, cum_weights=queue_weights)[0]
        channel = random.choices(channels, cum_weights=channel_weights)[0]
        row = _COLUMNS | {
            "survey_id": str(10_000 + number),
            "conversation_id": 10_000 + number,
            "survey": "phone" if channel == "PstnPhone" else "default",
            "channel": channel,
            "queue_id": _QUEUE_IDS[queue],
            "queue_name": queue,
            "agent_id": random.choice(_AGENTS_OF[queue]),
            "language": random.choices(languages, cum_weights=language_weights)[0],
            "closed_at": since + number * step,
        }
        _decide(row, random, until)
        yield row


def _decide(row: dict[str, Any], random: Random, now: datetime) -> None:
    closed_at = row["closed_at"]
    if now - closed_at < timedelta(minutes=15):
        row["state"] = Stage.WAITING
        return
    row["decided_at"] = closed_at + timedelta(minutes=15, seconds=random.random() * 5)
    drawn = random.random() * 100
    for reason, rule, share in _SKIPS:
        drawn -= share
        if drawn < 0:
            other = "default" if row["survey"] == "phone" else "phone"
            row |= {"state": Stage.SKIPPED, "reason": reason, "rule": rule}
            row["mismatches"] = [[row["survey"], reason, rule], [other, "channel", 'channels = ["PstnPhone"]']]
            return
    for reason, share in _CANCELS:
        drawn -= share
        if drawn < 0:
            row |= {"state": Stage.CANCELLED, "reason": reason}
            return
    row["asked_at"] = row["decided_at"]
    if drawn < 0.4:
        row |= {"state": Stage.FAILED, "reason": "refused", "failure": "offer"}
        return
    _deliver(row, random, now)


def _deliver(row: dict[str, Any], random: Random, now: datetime) -> None:
    delay = 900 + random.expovariate(1 / 12)
    delivered_at = row["closed_at"] + timedelta(seconds=delay)
    if delivered_at > now:
        row["state"] = Stage.ASKED
        return
    row |= {
        "state": Stage.DELIVERED,
        "delivered_at": delivered_at,
        "final_at": delivered_at + _EXPIRES,
        "delivered_by": "email" if row["channel"] == "PstnPhone" else "message",
        "seconds_to_delivery": int(delay),
    }
    answered_at = delivered_at + timedelta(seconds=random.expovariate(1 / 14_000))
    if random.random() < _CHANNELS[row["channel"]][1] and answered_at < now:
        _answer(row, random, answered_at, now)


def _answer(row: dict[str, Any], random: Random, answered_at: datetime, now: datetime) -> None:
    satisfied = _QUEUES[row["queue_name"]][1] - 0.05 * (row["agent_id"][7] in "37")
    csat = random.choice((4, 5, 5)) if random.random() < satisfied else random.choice((1, 1, 2, 3, 3))
    is_suspect, has_comment = random.random() < 0.02, random.random() < (0.2 if csat > 3 else 0.6)
    row |= {
        "state": Stage.ANSWERED,
        "answered_at": answered_at,
        "is_suspect": is_suspect,
        "has_comment": has_comment,
        "csat": csat,
    }
    if row["survey"] == "phone":
        row |= {"nps": min(10, csat * 2 + random.choice((-1, 0, 0, 1))), "thumbs": int(csat > 2)}
    seconds = 300 + random.expovariate(1 / 6) + is_suspect * 86_400
    if answered_at + timedelta(seconds=seconds) > now:
        return
    if random.random() < 0.003:
        row |= {"state": Stage.FAILED, "reason": "not_found", "failure": "answer"}
        return
    row |= {
        "state": Stage.SUBMITTED,
        "submitted_at": answered_at + timedelta(seconds=seconds),
        "seconds_to_dixa": int(seconds),
    }


def row_with(**columns: Any) -> dict[str, Any]:
    """Return a row with these columns and what a row needs."""
    return _COLUMNS | {"conversation_id": 1} | columns
