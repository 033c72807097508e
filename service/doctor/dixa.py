"""Checks of Dixa's API. They use the pace of all workers, and pause nobody else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from threading import Event
from typing import Any

from service.dixa.client import DixaClient
from service.dixa.factory import open_dixa
from service.dixa.low_priority import LowPriorityDixa
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE
from service.records.redis import connect
from service.surveys.errors import CallError
from service.surveys.ports import Deadline, Slot

TOKEN = "dixa.token"  # noqa: S105 - an id

_BUDGET = timedelta(seconds=15)


def _tokens(installation: Installation) -> Iterator[Finding]:
    """Name the organisation of each token. During a cooldown of the workers, too: it may be a new token."""
    settings = installation.settings
    deadline = Deadline(_BUDGET)
    dixa, _ = open_calls(installation)
    if not installation.pace.cooldown():
        dixa.take_slot(deadline)
    tokens = settings.dixa_api_tokens
    for number, token in enumerate(tokens, 1):
        which = "the token" if len(tokens) == 1 else f"token {number} of {len(tokens)}"
        try:
            yield ok(f"{which} belongs to {dixa.organization_name(Slot(token, deadline))}")
        except CallError as error:
            yield fail(str(error).removesuffix("."), "A token: Dixa, Settings, Integrations, API Tokens")


@lru_cache(1)
def open_calls(installation: Installation) -> tuple[DixaClient, Callable[[Callable[[Slot], Any]], Any]]:
    """Return the client of all checks, and a function to make its queries at low priority."""
    settings = installation.settings
    dixa = open_dixa(settings, connect(settings.redis_url, replicas=settings.redis_replicas), observes_only=True)
    return dixa, LowPriorityDixa(dixa, settings.dixa_pace.rate, Event().wait).call


def _clock(installation: Installation) -> Iterator[Finding]:
    """Compare this host's clock with Dixa's, to the second: a webhook's signature has a time."""
    dixa, call = open_calls(installation)
    call(dixa.organization_name)
    tolerance = installation.settings.webhook_tolerance
    if dixa.date is None:
        yield ok("Dixa tells no time")
        return
    apart = datetime.now(UTC) - dixa.date
    which = "ahead of" if apart > timedelta() else "behind"
    text = f"this host's clock is {abs(apart.total_seconds()):.0f} s {which} Dixa's"
    if abs(apart) > tolerance / 2:
        yield fail(text, "Set it with NTP: webhooks are refused beyond WEBHOOK_TOLERANCE")
    else:
        yield ok(text)


def _tags(installation: Installation) -> Iterator[Finding]:
    dixa, call = open_calls(installation)
    surveys = installation.settings.surveys
    required = {tag for each in surveys for tag in each.match.with_tags}
    required |= {rule.tag for each in surveys for rule in each.on_answer if rule.tag}
    excluded = {tag for each in surveys for tag in each.match.without_tags}
    if not required | excluded:
        yield ok("surveys.toml names none")
        return
    known = {each.casefold() for each in call(dixa.tags)}
    missing = sorted(tag for tag in required | excluded if tag.casefold() not in known)
    for tag in missing:
        yield (fail if tag in required else warn)(
            f'surveys.toml names the tag "{tag}", which Dixa does not have', "Make it in Dixa, or correct surveys.toml"
        )
    if not missing:
        yield ok("all that surveys.toml names exist")


def _queues(installation: Installation) -> Iterator[Finding]:
    """Compare queues by name or id, and contact points that are addresses or numbers: Dixa lists no others."""
    dixa, call = open_calls(installation)
    matches = [each.match for each in installation.settings.surveys]
    queues = {name for each in matches for name in each.queues}
    points = {name for each in matches for name in each.contact_points if "@" in name or name.startswith("+")}
    missing: list[str] = []
    if queues:
        found = call(dixa.queues)
        known = {text.casefold() for text in (*found, *found.values())}
        missing += (f'the queue "{name}"' for name in sorted(queues) if name.casefold() not in known)
    if points:
        known = {each.casefold() for each in call(dixa.contact_points)}
        missing += (f'the contact point "{name}"' for name in sorted(points) if name.casefold() not in known)
    for each in missing:
        yield fail(f"surveys.toml names {each}, which Dixa does not have", "Correct it: no conversation matches it")
    if not missing:
        yield ok("all that surveys.toml names exist" if queues or points else "surveys.toml names none")


def _agents(installation: Installation) -> Iterator[Finding]:
    senders = {
        sender.agent for each in installation.settings.surveys for sender in each.senders.values() if sender.agent
    }
    if not senders:
        yield ok("surveys.toml names no sender")
        return
    dixa, call = open_calls(installation)
    known: dict[str, str] = {}
    key: str | None = None
    while True:
        found, key = call(partial(dixa.agents, page_key=key))
        known |= found
        if key is None or senders <= known.keys():
            break
    missing = sorted(senders - known.keys())
    for each in missing:
        yield fail(f"surveys.toml names {each} as a sender, and Dixa has no such agent", "Write the id of an agent")
    if not missing:
        yield ok(f"senders: {', '.join(sorted(known[each] for each in senders))}")


CHECKS = (
    Check(TOKEN, _tokens, (REACHABLE,)),
    Check("dixa.clock", _clock, (TOKEN,)),
    Check("dixa.tags", _tags, (TOKEN,)),
    Check("dixa.queues", _queues, (TOKEN,)),
    Check("dixa.agents", _agents, (TOKEN,)),
)
