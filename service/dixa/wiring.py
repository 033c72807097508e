"""A Dixa client made from the settings, for each process that asks Dixa."""

from importlib.metadata import version

import redis

from config.settings import Settings
from service.dixa.client import DixaClient
from service.dixa.pace import OnlookersPace, open_pace
from service.dixa.token_check import TokenCheck
from service.sessions import new_session


def open_dixa(settings: Settings, client: redis.Redis, *, only_looks: bool = False) -> DixaClient:
    """Make the client, with the shared pace; one that only looks pauses nobody else. Connects to nothing yet."""
    agent, shared = f"afterword/{version('afterword')}", open_pace(settings, client)
    pace = OnlookersPace(shared) if only_looks else shared
    token_pause = settings.timings.token_pause
    check = TokenCheck(client, token_pause)
    return DixaClient(new_session(agent), settings.dixa_api_url, pace, check, token_pause=token_pause)
