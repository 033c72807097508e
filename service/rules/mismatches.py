"""The rules that a conversation did not meet, as surveys.toml spells them."""

from datetime import timedelta

from service.surveys.model import Record, RuleMismatch
from service.surveys.reasons import Reason
from service.surveys.states import OfferState


def mismatches_of(record: Record) -> tuple[RuleMismatch, ...]:
    """Return the rules that the conversation did not meet, the deciding one last."""
    last = _spell_last(record)
    return (*record.mismatches, last) if last else record.mismatches


def _spell_last(record: Record) -> RuleMismatch | None:
    """Return the rule that decided after `[survey.match]` was met, as this survey has it."""
    terms, reason = record.terms, record.offer.reason
    if terms is None or record.offer.state is not OfferState.SKIPPED:
        return None
    spelled = {
        Reason.ASKED_RECENTLY: (
            f'cooldown = "{_spell(terms.cooldown)}"',
            f"survey {record.cooldown_survey} was sent less than that before",
        ),
        Reason.DAILY_CAP: (f"daily_cap = {terms.daily_cap}", "reached that day"),
        Reason.NOTHING_NEW: (
            f'on_reclose = "{terms.on_reclose}"',
            "no customer message since the last survey",
        ),
        Reason.UNREACHABLE: (f"deliver = [{_quoted(terms.deliver)}]", _reach(record)),
        Reason.TOO_LATE: (
            "OFFER_MAX_AGE (a setting)",
            f"it was due {_spell(terms.delay)} after the close, longer ago than that",
        ),
    }
    if not reason or (found := spelled.get(Reason(reason))) is None:
        return None
    rule, fact = found
    return RuleMismatch(terms.name, Reason(reason), rule, fact)


def _reach(record: Record) -> str:
    close = record.close
    agent = "an agent" if close and close.agent_id else "no agent"
    return f"{record.facts.get('channel', 'an unknown channel')}, {agent}"


def _spell(length: timedelta) -> str:
    """Write a duration as surveys.toml does."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
