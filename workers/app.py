"""Builds the worker from the settings: records, Dixa, deliveries, journeys, and a Celery app with tasks and relay."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from celery import Celery

from config.settings import Settings
from service.delivery.message import Shorten
from service.delivery.note import AnswerNote
from service.delivery.registry import open_deliveries
from service.delivery.slack import SlackAlert
from service.delivery.tag import AnswerTag
from service.delivery.webhook import AnswerWebhook
from service.dixa.call_counts import CallCounts
from service.dixa.client import DixaClient
from service.dixa.factory import open_dixa
from service.dixa.outage import Outage, RelayPace
from service.dixa.pace import open_pace
from service.journeys.answer import AnswerJourney
from service.journeys.delivery import LinkSender
from service.journeys.follow_up import FollowUpJourney
from service.journeys.offer import OfferJourney
from service.journeys.runner import JourneyRunner
from service.queue import make_app
from service.records.channels import Channels
from service.records.confirmation import ConfirmingRedis
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.records.redis import connect
from service.records.short_links import ShortLinks
from service.rules.identity import Identities
from service.rules.suppression import MAX_EARLIER, SuppressionPolicy
from service.surveys.links import Links
from service.surveys.model import Record
from service.surveys.ports import Action
from workers.events import open_event_loop
from workers.missed import open_missed_loop
from workers.names import open_names_loop
from workers.relay import Relay
from workers.steps import BackgroundStep, RelayStep, WakeStep
from workers.tasks import register_tasks


def build(settings: Settings) -> Celery:
    """Build the worker's Celery app. Opens no connection."""
    client = connect(settings.redis_url, replicas=settings.redis_replicas)
    timings = settings.timings
    records = Records(
        client,
        lease=timings.lease,
        keep=timings.record_retention,
        retention=settings.retention,
        is_archived=settings.archive_url is not None,
        events=settings.sent_events,
        mail_budget=timings.mail_budget,
    )
    outage = Outage(client, on_recovery=records.end_backoff)
    counts = CallCounts()
    dixa = open_dixa(settings, client, outage=outage, counts=counts)
    short_links = ShortLinks(client, settings.public_url)
    shorten = _shortener(short_links, records) if settings.short_links else None
    app = make_app(settings.redis_url)
    app.call_counts = counts
    channels = Channels.beside(records)
    sender = LinkSender(
        records,
        Links(settings.secret_keys, settings.public_url),
        open_deliveries(settings, dixa, records, shorten=shorten),
        SuppressionPolicy(
            opt_outs=HashedOptOuts(client),
            identities=Identities(settings.secret_keys),
            cooldown_retention=_slot_retention(settings),
            max_earlier=MAX_EARLIER if settings.dixa_card_token else 0,
        ),
        channels,
    )
    journeys = (
        OfferJourney(sender),
        AnswerJourney(records),
        FollowUpJourney(records, actions=_actions(settings, dixa), channels=channels),
    )
    app.relay = relay = Relay(records, timings, RelayPace(open_pace(settings, client), outage))
    register_tasks(app, [JourneyRunner(each, records, dixa, timings) for each in journeys], relay.task_ended)
    app.background = [*_open_background(settings, client, records, counts)]
    app.steps["worker"].update((RelayStep, WakeStep, BackgroundStep))
    return app


class _Background(Protocol):
    """A loop in a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def _open_background(
    settings: Settings, client: ConfirmingRedis, records: Records, counts: CallCounts
) -> Iterator[_Background]:
    """Yield the loops that these settings need. What only they use is imported with them: SQLAlchemy takes 15 MB."""

    def observe() -> DixaClient:
        return open_dixa(settings, client, observes_only=True, counts=counts)

    if settings.archive_url:
        from workers.archive import open_archive_loop  # noqa: PLC0415

        yield open_archive_loop(settings.archive_url, settings, records)
        yield open_names_loop(settings, records, observe())
    if settings.events_webhook:
        yield open_event_loop(settings, records)
    if settings.has_digest:
        from workers.digest import open_digest_loop  # noqa: PLC0415

        yield open_digest_loop(settings, client, records)
    if settings.recover_closes:
        yield open_missed_loop(settings, records, observe())


def _slot_retention(settings: Settings) -> timedelta:
    """Return how long a cooldown slot is kept. The Custom Card needs it for as long as the records that it names."""
    cooldown = max(survey.cooldown for survey in settings.surveys)
    return max(cooldown, settings.timings.record_retention) if settings.dixa_card_token else cooldown


def _shortener(short_links: ShortLinks, records: Records) -> Shorten:
    """Return the function to shorten the link of a record."""

    def shorten(record: Record, link: str) -> str:
        return short_links.shorten(record.survey_id, link, records.link_lifetime(record.terms))

    return shorten


def _actions(settings: Settings, dixa: DixaClient) -> list[Action]:
    """Return the follow-up actions configured in the settings."""
    found: list[Action] = [AnswerNote(dixa), AnswerTag(dixa)]
    if settings.slack_url:
        found.append(SlackAlert(settings.slack_url))
    if settings.answer_webhook:
        found.append(AnswerWebhook(settings.answer_webhook))
    return found
