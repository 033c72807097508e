"""Checks of the work: whether workers run, and whether surveys wait, fail or are held back."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE

_LATE = timedelta(minutes=1)
_MUCH_TOO_LATE = timedelta(minutes=15)
_LONG_WITHOUT_WEBHOOKS = timedelta(hours=1)
_SHOWN = 5

PAUSED = "to continue: afterword resume"


def _workers(installation: Installation) -> Iterator[Finding]:
    workers = [each for each in installation.running if each.role == "worker"]
    if not workers:
        yield fail("no worker is running, so no survey is sent", "Start the worker of the Procfile, and see its log")
    for each in workers:
        if each.queue_problem:
            yield fail(
                f"{each.place} can't read the queue: {each.queue_problem}", "See redis.rights, and the worker's log"
            )
    reading = [each for each in workers if not each.queue_problem]
    if reading:
        versions = Counter(f"{each.place}, version {each.version or 'older'}" for each in reading)
        listed = "; ".join(f"{text} ({times})" if times > 1 else text for text, times in sorted(versions.items()))
        oldest = max(each.age for each in reading)
        yield ok(f"{listed}; heard from within the last {oldest:.0f} s")


def _queue(installation: Installation) -> Iterator[Finding]:
    late = installation.records.longest_overdue()
    if late < _LATE:
        yield ok("no survey is overdue")
        return
    text = f"a survey has been due for {_say(late)}"
    remedy = "See worker.alive, dixa.outage and pause. With many surveys at once DIXA_PACE is the limit"
    yield (fail if late >= _MUCH_TOO_LATE else warn)(text, remedy)


def _failed(installation: Installation) -> Iterator[Finding]:
    records = installation.records
    count = records.count_failed()
    if not count:
        yield ok("no survey has failed")
        return
    shown = ", ".join(records.list_failed(_SHOWN))
    more = ", …" if count > _SHOWN else ""
    yield warn(
        f"{count} failed for good: {shown}{more}",
        "The reason: afterword why <id>. To try again: afterword retry <id>, or --all-failed",
    )


def _last_webhook(installation: Installation) -> Iterator[Finding]:
    at = installation.processes.last_webhook()
    if at is None:
        yield warn("none has come yet", "Close a conversation in Dixa. If none comes then, see webhook.subscription")
        return
    ago = datetime.now(UTC) - at
    if ago >= _LONG_WITHOUT_WEBHOOKS:
        yield warn(f"the last one came {_say(ago)} ago", "If that is unusual, see webhook.subscription and public_url")
    else:
        yield ok(f"the last one came {_say(ago)} ago")


def _pause(installation: Installation) -> Iterator[Finding]:
    if since := installation.records.paused_since():
        yield warn(f"paused since {since}: no surveys are sent", PAUSED)
    else:
        yield ok("not paused")


def _channels(installation: Installation) -> Iterator[Finding]:
    troubles = installation.channels.troubles()
    for each in troubles:
        yield warn(each)
    if not troubles:
        yield ok("none is down")


def _outage(installation: Installation) -> Iterator[Finding]:
    if trouble := installation.outage.problem():
        yield warn(trouble)
    elif trouble := installation.pace.problem():
        left = installation.pace.cooldown()
        again = f"The workers try again in {left[1].total_seconds():.0f} s" if left else "The other tokens are used"
        yield warn(trouble.removesuffix("."), again)
    else:
        yield ok("the workers reach Dixa")


def _say(length: timedelta) -> str:
    if length < timedelta(minutes=2):
        return f"{length.total_seconds():.0f} s"
    minutes = round(length / timedelta(minutes=1))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - two hours


CHEAP = tuple(
    Check(name, find, (REACHABLE,))
    for name, find in (
        ("worker.alive", _workers),
        ("queue.age", _queue),
        ("failed", _failed),
        ("webhook.last", _last_webhook),
        ("pause", _pause),
        ("channels", _channels),
        ("dixa.outage", _outage),
    )
)
