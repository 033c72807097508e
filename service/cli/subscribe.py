"""`afterword subscribe`: makes or repairs the webhook subscription in Dixa."""

import secrets
from collections.abc import Callable
from threading import Event
from typing import Any

import click

from config.settings import Settings
from service.cli.context import open_client, open_settings
from service.cli.output import say
from service.dixa.authorization import dump_authorization, is_allowed
from service.dixa.client import DixaClient
from service.dixa.factory import open_dixa
from service.dixa.low_priority import LowPriorityDixa
from service.dixa.subscriptions import EVENTS, PATH, Subscription, find_own, is_known
from service.surveys.errors import CallError
from service.surveys.ports import Slot

_SECRETS = "DIXA_WEBHOOK_SECRETS"


@click.command(short_help="Make or repair the webhook subscription.")
@click.option("--url", help="Where Dixa sends webhooks. Default: PUBLIC_URL and /webhooks/dixa.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
def subscribe(url: str | None, *, dry_run: bool) -> None:
    """Subscribe this installation to Dixa's webhooks, or repair its subscription. Others are never touched.

    Prints the secret key if it is not among DIXA_WEBHOOK_SECRETS, which needs not be set yet.
    """
    # A first-time operator has no key before the subscription exists. This one opens nothing.
    stand_in = secrets.token_hex(32)
    settings = open_settings({_SECRETS: stand_in})
    dixa = open_dixa(settings, open_client(settings), observes_only=True)
    call = LowPriorityDixa(dixa, settings.dixa_pace.rate, Event().wait).call
    target = url or f"{settings.public_url}{PATH}"
    try:
        found = find_own(call(dixa.subscriptions), target, settings.webhook_secrets)
        if found is None:
            _create(call, dixa, target, settings, dry_run=dry_run)
        else:
            _repair(call, dixa, found, target, settings, dry_run=dry_run)
            _show_key(found, settings)
    except CallError as error:
        raise click.ClickException(f"Dixa: {error} A repeated command changes nothing that is right.") from error


def _create(
    call: Callable[[Callable[[Slot], Any]], Any], dixa: DixaClient, url: str, settings: Settings, *, dry_run: bool
) -> None:
    if dry_run:
        say(f"Would subscribe {url} to {', '.join(sorted(EVENTS))}.")
        return
    made = call(lambda slot: dixa.subscribe(slot, url, EVENTS, next(iter(settings.webhook_authorizations or ()), "")))
    say(f"Subscribed {url} to {', '.join(sorted(EVENTS))}.")
    _show_key(made, settings)


def _repair(
    call: Callable[[Callable[[Slot], Any]], Any],
    dixa: DixaClient,
    found: Subscription,
    url: str,
    settings: Settings,
    *,
    dry_run: bool,
) -> None:
    change: dict[str, Any] = {}
    if found.url != url:
        change["url"] = url
    if not found.events >= EVENTS:
        change["events"] = sorted(found.events | EVENTS)
    if not found.enabled:
        change["enabled"] = True
    allowed = settings.webhook_authorizations
    if allowed and not is_allowed(found.authorization, allowed):
        change["authorization"] = dump_authorization(allowed[0])
    if found.is_filtered:
        say(f'"{found.name}" has a filter, which was left alone: Afterword sees only a part of all closes.', err=True)
    if not change:
        say(f'"{found.name}" is as it should be: {url}, with all events.')
        return
    what = "; ".join(f"{name}: {_shown(each)}" for name, each in change.items())
    if dry_run:
        say(f'Would change "{found.name}": {what}.')
        return
    call(lambda slot: dixa.change_subscription(slot, found.id, change))
    say(f'Changed "{found.name}": {what}.')


def _shown(value: Any) -> str:
    """Return a changed value for the output. An authorization is a secret that the settings have."""
    if isinstance(value, dict):
        return "the first of DIXA_WEBHOOK_AUTHORIZATION"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _show_key(subscription: Subscription, settings: Settings) -> None:
    """Print what to store. Only here a secret is printed, and only one that the settings lack."""
    if is_known(subscription, settings.webhook_secrets):
        say(f"Its secret key is among {_SECRETS}.")
        return
    say("Store its secret key, in front of any other, and send a HUP to the web:")
    say(f"{_SECRETS}={subscription.secret_key}")
