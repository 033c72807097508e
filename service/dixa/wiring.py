"""A Dixa client made from the settings, for each process that asks Dixa."""

from importlib.metadata import version

import redis

from config.settings import Settings
from service.dixa.client import DixaClient
from service.dixa.outage import Outage
from service.dixa.pace import ObserverPace, open_pace
from service.dixa.token_check import TokenCheck
from service.sessions import new_session


def open_dixa(
    settings: Settings, client: redis.Redis, *, observes_only: bool = False, outage: Outage | None = None
) -> DixaClient:
    """Make the client, with the shared pace; one that only looks pauses nobody else. Connects to nothing yet.

    `outage` is told of what Dixa answers, and keeps calls back while Dixa is down.
    """
    agent, shared = f"afterword/{version('afterword')}", open_pace(settings, client)
    pace = ObserverPace(shared) if observes_only else shared
    token_retry_after = settings.timings.token_retry_after
    check = TokenCheck(client, token_retry_after)
    return DixaClient(
        new_session(agent), settings.dixa_api_url, pace, check, outage=outage, token_retry_after=token_retry_after
    )
