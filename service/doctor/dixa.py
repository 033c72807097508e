"""Checks of Dixa's API. They use the pace of all workers, and pause nobody else."""

from collections.abc import Iterator
from datetime import timedelta

from service.dixa.factory import open_dixa
from service.doctor.finding import Check, Finding, fail, ok
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
    dixa = open_dixa(settings, connect(settings.redis_url, replicas=settings.redis_replicas), observes_only=True)
    if not installation.pace.cooldown():
        dixa.take_slot(deadline)
    tokens = settings.dixa_api_tokens
    for number, token in enumerate(tokens, 1):
        which = "the token" if len(tokens) == 1 else f"token {number} of {len(tokens)}"
        try:
            yield ok(f"{which} belongs to {dixa.organization_name(Slot(token, deadline))}")
        except CallError as error:
            yield fail(str(error).removesuffix("."), "A token: Dixa, Settings, Integrations, API Tokens")


CHECKS = (Check(TOKEN, _tokens, (REACHABLE,)),)
