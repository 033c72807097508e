"""All checks, in the order in which an operator reads them."""

from collections.abc import Iterator, Sequence

from service.doctor import channels, cheap, dixa, missed, pages, redis, settings, webhooks
from service.doctor.finding import Check, Finding, fail, ok
from service.doctor.installation import Installation
from service.queue import QueueUnavailable, check_connection, make_app


def _queue(installation: Installation) -> Iterator[Finding]:
    """Celery connects with a client of its own, kombu."""
    try:
        check_connection(make_app(installation.settings.redis_url))
    except QueueUnavailable as error:
        yield fail(str(error), "Check REDIS_URL")
    else:
        yield ok("Celery can use it, too")


CHECKS: Sequence[Check] = (
    *settings.OWN,
    *cheap.CHECKS,
    *redis.THOROUGH,
    Check("redis.queue", _queue, (redis.REACHABLE, "redis.cluster")),
    *dixa.CHECKS,
    *webhooks.CHECKS,
    *missed.CHECKS,
    *channels.CHECKS,
    *pages.CHECKS,
)


def with_needed(ids: Sequence[str]) -> list[Check]:
    """Return the checks of these ids or groups (`redis`), and those that they need, in order."""
    wanted = {each.id for each in CHECKS if any(each.id == name or each.id.startswith(f"{name}.") for name in ids)}
    for each in reversed(CHECKS):
        if each.id in wanted:
            wanted.update(each.needs)
    return [each for each in CHECKS if each.id in wanted]
