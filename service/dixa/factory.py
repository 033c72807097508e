"""Makes the Dixa client from the settings."""

from importlib.metadata import version

import redis

from config.settings import Settings
from service.dixa.call_counts import CallCounts
from service.dixa.client import DixaClient
from service.dixa.outage import Outage
from service.dixa.pace import ObserverPace, open_pace
from service.dixa.token_check import TokenCheck
from service.sessions import new_session


def open_dixa(
    settings: Settings,
    client: redis.Redis,
    *,
    observes_only: bool = False,
    outage: Outage | None = None,
    counts: CallCounts | None = None,
) -> DixaClient:
    """Make a client with the shared rate limit. Does not connect yet.

    With `observes_only`, refused calls pause nobody else. With `outage`, calls wait during an outage of Dixa.
    `counts` counts the calls.
    """
    agent, shared = f"afterword/{version('afterword')}", open_pace(settings, client)
    pace = ObserverPace(shared) if observes_only else shared
    token_retry_after = settings.timings.token_retry_after
    check = TokenCheck(client, token_retry_after)
    return DixaClient(
        new_session(agent),
        settings.dixa_api_url,
        pace,
        check,
        outage=outage,
        token_retry_after=token_retry_after,
        counts=counts,
    )
