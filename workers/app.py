"""Wires the worker: settings → records, Dixa, deliveries, journeys → a Celery app with its tasks and the relay."""

from importlib.metadata import version
from threading import Event

import requests
from celery import Celery

from config.settings import Settings
from service.delivery.message import MessageDelivery
from service.dixa.client import DixaClient
from service.dixa.pace import SharedPace
from service.queue import CeleryQueue, make_app
from service.surveys.answering import AnswerJourney
from service.surveys.links import Links
from service.surveys.offering import OfferJourney
from service.surveys.records import Records, connect
from workers.relay import Relay, RelayStep
from workers.tasks import register_tasks


def build(settings: Settings) -> Celery:
    """Build the worker's Celery app. Connects to nothing yet."""
    client = connect(settings.redis_url)
    timings = settings.timings
    records = Records(client, lease=timings.lease, keep=timings.keep_records)
    pace = SharedPace(
        client,
        settings.dixa_api_tokens,
        rate=settings.dixa_pace.rate,
        burst=settings.dixa_pace.burst,
        wait=Event().wait,
    )
    dixa = DixaClient(
        requests.Session(), settings.dixa_api_url, pace, user_agent=f"afterword/{version('afterword')}"
    )
    links = Links(settings.secret_keys, settings.public_url)
    app = make_app(settings.redis_url)
    register_tasks(
        app,
        OfferJourney(records, dixa, timings, links=links, deliveries=[MessageDelivery(dixa)]),
        AnswerJourney(records, dixa, timings),
    )
    app.steps["worker"].add(RelayStep)
    app.relay = Relay(
        records,
        CeleryQueue(make_app(settings.redis_url, socket_timeout=2.0)),
        every=timings.relay_every,
        again_after=timings.hint_again,
    )
    return app
