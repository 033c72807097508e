"""Wires the worker: settings → records, Dixa, deliveries, journeys → a Celery app with its tasks and the relay."""

from celery import Celery

from config.settings import Settings
from service.delivery.message import MessageDelivery
from service.dixa.wiring import open_dixa
from service.queue import RELAY_SECONDS, CeleryQueue, make_app
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
    dixa = open_dixa(settings, client)
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
        CeleryQueue(make_app(settings.redis_url, socket_timeout=RELAY_SECONDS)),
        timings,
    )
    return app
