"""A Dixa client made from the settings, for each process that asks Dixa."""

from importlib.metadata import version
from threading import Event

import redis

from config.settings import Settings
from service.dixa.client import DixaClient, new_session
from service.dixa.pace import SharedPace


def open_dixa(settings: Settings, client: redis.Redis) -> DixaClient:
    """Make the client, with the pace that all processes share through Redis. Connects to nothing yet."""
    pace = SharedPace(
        client,
        settings.dixa_api_tokens,
        rate=settings.dixa_pace.rate,
        burst=settings.dixa_pace.burst,
        wait=Event().wait,
    )
    return DixaClient(new_session(f"afterword/{version('afterword')}"), settings.dixa_api_url, pace)
