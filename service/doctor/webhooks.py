"""Checks of the webhook subscription in Dixa, and of its deliveries."""

from collections.abc import Iterator
from functools import lru_cache

from service.dixa.authorization import is_allowed
from service.dixa.subscriptions import EVENTS, PATH, Subscription, find_own, is_known
from service.doctor.dixa import TOKEN, open_calls
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation

SUBSCRIPTION = "webhook.subscription"

_REPAIR = "Run: afterword subscribe"


def _subscription(installation: Installation) -> Iterator[Finding]:
    url = f"{installation.settings.public_url}{PATH}"
    found = _find(installation)
    if found is None:
        yield fail(f"Dixa has no webhook subscription for {url}", _REPAIR)
        return
    if not found.enabled:
        yield fail(f'the subscription "{found.name}" is disabled', _REPAIR)
    if found.url != url:
        yield fail(f'the subscription "{found.name}" has another URL than {url}', _REPAIR)
    if missing := EVENTS - found.events:
        yield fail(f'the subscription "{found.name}" lacks the events {", ".join(sorted(missing))}', _REPAIR)
    if found.is_filtered:
        yield warn(f'the subscription "{found.name}" has a filter: Afterword sees only a part of all closes')
    allowed = installation.settings.webhook_authorizations
    if allowed and not is_allowed(found.authorization, allowed):
        yield fail(f'the subscription "{found.name}" sends no Authorization of DIXA_WEBHOOK_AUTHORIZATION', _REPAIR)
    if found.enabled and found.url == url and not missing:
        yield ok(f'"{found.name}" sends all events that Afterword needs')


def _secret(installation: Installation) -> Iterator[Finding]:
    found = _find(installation)
    if found is None:
        return
    if is_known(found, installation.settings.webhook_secrets):
        yield ok("the subscription's key is among DIXA_WEBHOOK_SECRETS")
    else:
        yield fail(
            "the subscription's key is not among DIXA_WEBHOOK_SECRETS, so its webhooks are refused",
            "Store what `afterword subscribe` prints, and send a HUP to the web",
        )


def _delivery(installation: Installation) -> Iterator[Finding]:
    found = _find(installation)
    if found is None:
        return
    dixa, call = open_calls(installation)
    made = [
        each for each in call(lambda slot: dixa.last_deliveries(slot, found.id)) if each.at and each.event in EVENTS
    ]
    failed = [each for each in made if not each.succeeded]
    for each in failed:
        status = f"got {each.status}" if each.status else "got no response"
        yield fail(
            f"the last {each.event} of {each.at:%Y-%m-%d %H:%M} UTC {status}",
            "See public_url, webhook.secret and the web's log. To fetch what was missed: afterword recover --since 6h",
        )
    if not failed:
        yield ok("the last one of each event arrived" if made else "Dixa has sent none of late")


@lru_cache(1)
def _find(installation: Installation) -> Subscription | None:
    dixa, call = open_calls(installation)
    url = f"{installation.settings.public_url}{PATH}"
    return find_own(call(dixa.subscriptions), url, installation.settings.webhook_secrets)


CHECKS = (
    Check(SUBSCRIPTION, _subscription, (TOKEN,)),
    Check("webhook.secret", _secret, (TOKEN,)),
    Check("webhook.delivery", _delivery, (TOKEN,)),
)
