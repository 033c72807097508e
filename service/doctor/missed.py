"""The check of missed closes: whether the workers look for them, and how many there were."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.doctor.finding import Check, Finding, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE
from service.records.missed import MissedBookmark

_BEHIND = timedelta(hours=1)


def _missed(installation: Installation) -> Iterator[Finding]:
    settings, now = installation.settings, datetime.now(UTC)
    status = MissedBookmark.beside(installation.records).status()
    if not settings.recover_closes:
        yield ok("RECOVER_CLOSES is off, so a webhook that never arrives costs its survey")
        return
    if status is None:
        yield ok("the first worker begins to look for closes without a webhook")
        return
    if status.problem:
        yield warn(
            f"not looking: {status.problem}",
            "See webhook.subscription. To take what was missed meanwhile: afterword recover --since 6h",
        )
        return
    recent = sum(count for day, count in status.missed.items() if day >= (now - timedelta(days=1)).date())
    until = f"{status.until:%Y-%m-%d %H:%M} UTC"
    is_behind = now - status.until > _BEHIND + settings.timings.recover_interval + settings.timings.dixa_lag
    if is_behind:
        yield warn(
            f"Dixa's closes are compared up to {until} only",
            "See worker.alive and dixa.token, and recover.failed in the workers' log",
        )
    if recent:
        yield warn(
            f"{recent} webhooks never arrived since yesterday; their closes were found in Dixa and taken",
            "See webhook.delivery, webhook.secret, webhook.refused and public_url",
        )
    elif not is_behind:
        yield ok(f"no webhook was missed since yesterday; compared with Dixa up to {until}")


CHECKS = (Check("missed", _missed, (REACHABLE,)),)
