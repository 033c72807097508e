"""Checks of what sends: the length of SMS, the mail server, Slack, and the team's own receivers of webhooks."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial

from service.delivery.outbound import Outbound
from service.delivery.segments import Size
from service.delivery.short_text import measure_texts
from service.delivery.webhook import SignedWebhooks
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.surveys.definition import Survey
from service.surveys.errors import CallError
from service.surveys.ports import Deadline

_TEST = "This is a test by afterword doctor."
_BUDGET = timedelta(seconds=15)


def _sms(installation: Installation) -> Iterator[Finding]:
    """Name the languages whose SMS takes more than one segment.

    Warn for DEFAULT_LANGUAGE and for each language with words of the survey's own.
    """
    settings = installation.settings
    others: dict[str, Size] = {}
    is_any_short = False
    for survey in filter(_may_be_sms, settings.surveys):
        long = {code: size for code, size in measure_texts(settings, survey).items() if size.segments > 1}
        if {settings.default_language, *survey.words}.isdisjoint(long):
            others |= long
            is_any_short = True
        else:
            remedy = "" if settings.short_links else "SHORT_LINKS=on makes it shorter"
            yield warn(f'survey "{survey.name}": an SMS takes more than one segment in {_segments(long)}', remedy)
    if is_any_short:
        more = f"; more in {_segments(others)}" if others else ""
        yield ok(f"one segment in {settings.default_language}{more}")


def _may_be_sms(survey: Survey) -> bool:
    return "message" in survey.deliver and (not survey.match.channels or "Sms" in survey.match.channels)


def _segments(sizes: Mapping[str, Size]) -> str:
    return ", ".join(f"{code} ({size.segments})" for code, size in sizes.items())


def _smtp(installation: Installation) -> Iterator[Finding]:
    """Connect, encrypt and log in. Nothing is sent."""
    mail = installation.settings.mail
    if mail is None:
        return
    from service.delivery.email.smtp import try_server  # noqa: PLC0415 - 3 MB, only for those who send e-mails

    place = f"{mail.server.host}:{mail.server.port}"
    try:
        try_server(mail.server, Deadline(_BUDGET))
    except CallError as error:
        yield fail(f"{place}: {error}", "Correct SMTP_URL, or see the mail server")
    else:
        yield ok(f"{place}: greeting, encryption and login work")


def _slack(installation: Installation) -> Iterator[Finding]:
    settings = installation.settings
    for url, name in (
        (settings.slack_url, "SLACK_WEBHOOK_URL"),
        (settings.digest_slack_url, "DIGEST_SLACK_WEBHOOK_URL"),
    ):
        if url:
            send = partial(Outbound(url).post, json.dumps({"text": _TEST}).encode(), {})
            yield from _reach(name, Outbound(url).reach, send if installation.sends else None)


def _receivers(installation: Installation) -> Iterator[Finding]:
    settings = installation.settings
    for endpoint, name in (
        (settings.delivery_webhook, "DELIVERY_WEBHOOK_URL"),
        (settings.answer_webhook, "ANSWER_WEBHOOK_URL"),
        (settings.events_webhook, "EVENTS_WEBHOOK_URL"),
    ):
        if endpoint:
            send = SignedWebhooks(endpoint).send_test
            yield from _reach(name, Outbound(endpoint.url).reach, send if installation.sends else None)


def _reach(
    name: str, reach: Callable[[Deadline], object], send: Callable[[Deadline], object] | None
) -> Iterator[Finding]:
    try:
        (send or reach)(Deadline(_BUDGET))
    except CallError as error:
        yield fail(f"{name}: {error}", "Correct it, or see the receiver")
    else:
        yield ok(f"{name}: {'a test message was taken' if send else 'can be reached; nothing was sent'}")


CHECKS: tuple[Check, ...] = tuple(
    Check(name, find) for name, find in (("sms", _sms), ("smtp", _smtp), ("slack", _slack), ("webhook.out", _receivers))
)
