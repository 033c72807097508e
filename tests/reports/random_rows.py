"""Random rows, so that every rare mixture occurs in an archive, and filters that meet some of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

from hypothesis import strategies as st

from service.archive.schema import Stage
from service.reports.selection import NONE, Period, Selection
from tests.reports.rows import row_with

NOW = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
_NAMES = {
    "survey": ("", "default", "phone"),
    "channel": (None, "Email", "Sms"),
    "queue": (None, "q-1", "q-2"),
    "agent": (None, "a-1", "a-2"),
    "language": (None, "da", "en"),
}
_RULES = (("channel", 'channels = ["Email"]'), ("asked_recently", 'cooldown = "30d"'), ("of_a_newer_version", "x = 1"))
_REACHED = {Stage.ASKED: 1, Stage.DELIVERED: 2, Stage.ANSWERED: 3, Stage.SUBMITTED: 4}


@dataclass(frozen=True, slots=True)
class Case:
    """An archive and a selection. `random` chooses what else a test needs."""

    rows: list[dict[str, Any]]
    selection: Selection
    random: Random

    @classmethod
    def of(cls, seed: int) -> Self:
        random = Random(seed)
        rows = [{**_row(random), "survey_id": f"{number}"} for number in range(random.choice((0, 1, 60, 120)))]
        return cls(rows, _selection(random), random)


cases = st.integers(0, 1_000_000).map(Case.of)


def _row(random: Random) -> dict[str, Any]:
    closed_at = NOW - random.randint(0, 60 * 24) * timedelta(hours=1)
    stage = random.choice([*Stage, Stage.DELIVERED, Stage.ANSWERED, Stage.SUBMITTED])
    row = row_with(
        survey=random.choice(_NAMES["survey"]),
        channel=random.choice(_NAMES["channel"]),
        queue_id=random.choice(_NAMES["queue"]),
        agent_id=random.choice(_NAMES["agent"]),
        language=random.choice(_NAMES["language"]),
        closed_at=closed_at,
        state=stage,
    )
    if stage in (Stage.SKIPPED, Stage.CANCELLED):
        reason, rule = random.choice(_RULES)
        row |= {"reason": reason, "rule": random.choice([rule, None])}
        row["mismatches"] = random.choice([None, [["default", reason, rule], ["phone", "queue", "queues = []"]]])
    else:
        row["mismatches"] = random.choice([None, [["phone", "queue", "queues = []"]]])
    reached = random.randint(0, 4) if stage is Stage.FAILED else _REACHED.get(stage, 0)
    if reached >= 1:
        row["asked_at"] = closed_at + timedelta(minutes=15)
    # A delivery that was never confirmed may be answered.
    if reached == 2 or (reached > 2 and random.random() < 0.9):
        seconds = random.randint(900, 90_000)
        delivered_at = closed_at + timedelta(seconds=seconds)
        row |= {"delivered_at": delivered_at, "seconds_to_delivery": seconds, "final_at": delivered_at + 20 * _DAY}
    if reached >= 3:
        row |= _answer(random, closed_at)
    if reached >= 4:
        seconds = random.randint(300, 600)
        row |= {"submitted_at": row["answered_at"] + timedelta(seconds=seconds), "seconds_to_dixa": seconds}
    if stage is Stage.FAILED or (stage is Stage.SUBMITTED and random.random() < 0.3):
        row |= {"failure": "follow_up" if reached == 4 else "offer", "reason": random.choice(["refused", None])}
    return row


def _answer(random: Random, closed_at: datetime) -> dict[str, Any]:
    return {
        # Whole days: two answers of the same moment are not rare.
        "answered_at": closed_at.replace(hour=12, minute=0) + random.randint(1, 12) * _DAY,
        "csat": random.choice([None, 1, 2, 3, 4, 5]),
        "nps": random.choice([None, *range(11)]),
        "thumbs": random.choice([None, 0, 1]),
        "has_comment": random.random() < 0.5,
        "is_suspect": random.random() < 0.3,
    }


def _selection(random: Random) -> Selection:
    """Return a period of some days until now or some days ago, the one before, and perhaps filters."""
    length, until = random.randint(7, 30) * _DAY, NOW - random.randint(0, 10) * _DAY
    # While today is not over, the period before ends earlier than this one begins.
    gap = random.choice([timedelta(), timedelta(days=4)])
    period, before = Period(until - length, until), Period(until - 2 * length, until - length - gap)
    chosen = random.sample([*_NAMES], random.choice((0, 0, 1, 2)))
    filters = {name: random.choice(_NAMES[name]) or NONE for name in chosen}
    return Selection(period, before, **filters)
