"""A Dixa client made from the settings, for each process that asks Dixa."""

from importlib.metadata import version

import redis

from config.settings import Settings
from service.dixa.client import DixaClient
from service.dixa.pace import open_pace
from service.sessions import new_session


def open_dixa(settings: Settings, client: redis.Redis) -> DixaClient:
    """Make the client, with the shared pace. Connects to nothing yet."""
    agent = f"afterword/{version('afterword')}"
    pace = open_pace(settings, client)
    return DixaClient(new_session(agent), settings.dixa_api_url, pace, token_pause=settings.timings.token_pause)
