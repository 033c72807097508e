"""The rules that a conversation did not meet, as surveys.toml spells them."""

import json
from datetime import timedelta

from service.surveys.model import Record, RuleMismatch
from service.surveys.reasons import Reason
from service.surveys.states import OfferState


def mismatches_of(record: Record) -> tuple[RuleMismatch, ...]:
    """Return the rules that the conversation did not meet, the deciding one last."""
    terms, reason = record.terms, record.offer.reason
    if terms is None or record.offer.state is not OfferState.SKIPPED:
        return record.mismatches
    channel = record.facts.get("channel", "an unknown channel")
    agent = "an agent" if record.close and record.close.agent_id else "no agent"
    # The rules that decide after `[survey.match]` is met, and the facts about them.
    later: dict[str, tuple[str, str]] = {
        Reason.ASKED_RECENTLY: (
            f'cooldown = "{_spell(terms.cooldown)}"',
            f"survey {record.cooldown_survey} was sent less than that before",
        ),
        Reason.DAILY_CAP: (f"daily_cap = {terms.daily_cap}", "reached that day"),
        Reason.NOTHING_NEW: (f'on_reclose = "{terms.on_reclose}"', "no customer message since the last survey"),
        Reason.UNREACHABLE: (f"deliver = {json.dumps(terms.deliver)}", f"{channel}, {agent}"),
        Reason.TOO_LATE: (
            "OFFER_MAX_AGE (a setting)",
            f"due {_spell(terms.delay)} after the close, and later than OFFER_MAX_AGE allows",
        ),
    }
    if reason not in later:
        return record.mismatches
    return (*record.mismatches, RuleMismatch(terms.name, Reason(reason), *later[reason]))


def _spell(length: timedelta) -> str:
    """Write a duration as surveys.toml does."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
