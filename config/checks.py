"""Checks across settings: mistakes prevent the start, warnings go to the log."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from config.parsers import Pace
from config.secret_parsers import key_bytes, keys
from config.settings import Settings, Timings
from service.surveys.definition import Survey
from service.surveys.dixa_names import DIXA_CHANNELS, USER_TYPES
from service.surveys.urls import LOOPBACK

_LIMIT_OF_DIXA = Pace(rate=10, burst=4)
_WRITABLE_BY_OTHERS = 0o002


def find_mistakes(settings: Settings, is_set: Callable[[str], bool]) -> Iterator[str]:
    """Yield a line for each contradiction. Invalid values are None here; `Environment` reports them."""
    yield from _find_contradictions(settings.timings)
    if settings.smtp_server and not is_set("MAIL_FROM"):
        yield "  MAIL_FROM is not set, and SMTP_URL is. Example: MAIL_FROM=Northwind <survey@northwind.example>"
    for name in ("DELIVERY_WEBHOOK", "ANSWER_WEBHOOK", "EVENTS_WEBHOOK"):
        if is_set(f"{name}_URL") != is_set(f"{name}_SECRET"):
            missing, given = ("SECRET", "URL") if is_set(f"{name}_URL") else ("URL", "SECRET")
            yield f"  {name}_{missing} is not set, and {name}_{given} is. Set both, or neither."
    if settings.operator_proxy_act and not is_set("OPERATOR_PROXY_SECRET"):
        yield "  OPERATOR_PROXY_SECRET is not set, and OPERATOR_PROXY_ACT is. Set both, or neither."
    if settings.operator_url and not (is_set("OPERATOR_LOGINS") or is_set("OPERATOR_PROXY_SECRET")):
        yield "  OPERATOR_URL is set, and nobody can log in there. Set OPERATOR_LOGINS or OPERATOR_PROXY_SECRET."
    yield from _find_missing_of_digest(settings, is_set)
    for survey in settings.surveys or ():
        for problem in _find_unmet_needs(survey, is_set, settings.thank_you_hosts or ()):
            yield f"  SURVEYS_FILE: survey {survey.name!r} has {problem}"


def _find_missing_of_digest(settings: Settings, is_set: Callable[[str], bool]) -> Iterator[str]:
    if is_set("DIGEST_TO") and not is_set("SMTP_URL"):
        yield "  DIGEST_TO is set, and SMTP_URL is not. Set SMTP_URL and MAIL_FROM, or leave DIGEST_TO out."
    if (is_set("DIGEST_TO") or is_set("DIGEST_SLACK_WEBHOOK_URL")) and settings.archive_url is None:
        yield "  ARCHIVE_URL: the weekly digest needs the archive, and there is none. Set it, or leave DIGEST_TO out."


def _find_contradictions(timings: Timings) -> Iterator[str]:
    if timings.lease and timings.step_budget and timings.lease < 2 * timings.step_budget:
        yield "  LEASE: must be at least twice STEP_BUDGET, or a lease could expire during a step. Example: 60s."
    if timings.mail_budget and timings.mail_budget > timedelta(minutes=30):
        yield "  MAIL_BUDGET: must be at most 30m: one e-mail can occupy a thread that long. Example: 5m."
    if timings.backoff_min and timings.backoff_max and timings.backoff_max < timings.backoff_min:
        yield "  BACKOFF_MAX: must not be shorter than BACKOFF_MIN. Example: 15m."


def _find_unmet_needs(survey: Survey, is_set: Callable[[str], bool], hosts: Sequence[str]) -> Iterator[str]:
    if "email" in survey.deliver and not is_set("SMTP_URL"):
        yield '"email" in deliver, which needs SMTP_URL and MAIL_FROM. Set them, or leave "email" out.'
    for is_needed, key, variable in (
        ("webhook" in survey.deliver, '"webhook" in deliver', "DELIVERY_WEBHOOK_URL"),
        (any(each.slack for each in survey.on_answer), "slack = true in on_answer", "SLACK_WEBHOOK_URL"),
        (any(each.webhook for each in survey.on_answer), "webhook = true in on_answer", "ANSWER_WEBHOOK_URL"),
    ):
        if is_needed and not is_set(variable):
            yield f"{key}, which needs {variable}."
    for host in sorted({each.thank_you_host for each in survey.on_answer if each.thank_you} - set(hosts)):
        yield f"a thank_you at {host}, which is not in THANK_YOU_HOSTS. Add it there."


def find_warnings(settings: Settings, webhook_secrets: str) -> Iterator[str]:
    """Yield a warning for each risky setting. `webhook_secrets` is the raw text of DIXA_WEBHOOK_SECRETS."""
    for number, key in enumerate(keys(webhook_secrets), start=1):
        if key_bytes(key) == key.encode():
            yield f"DIXA_WEBHOOK_SECRETS: number {number} is not hex, so its characters are the key."
    yield from _find_exposures(settings)
    yield from _find_risks(settings.timings, settings.dixa_pace)
    yield from _find_longer_retentions(settings)
    for survey in settings.surveys:
        yield from (f'survey "{survey.name}": {warning}' for warning in _find_oddities(survey, settings))


def _find_exposures(settings: Settings) -> Iterator[str]:
    """Warn of eavesdropping, replay and forgery."""
    for name, url, content in (
        ("PUBLIC_URL", settings.public_url, "links and answers"),
        ("DIXA_API_URL", settings.dixa_api_url, "the token and what customers say"),
    ):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield f"{name} is http://, so {content} cross the network unencrypted. Write https://."
    window = urlsplit(settings.window_url)
    if settings.operator_logins and window.scheme == "http" and window.hostname not in LOOPBACK:
        name = "OPERATOR_URL" if settings.operator_url else "PUBLIC_URL"
        yield f"{name} is http://, so OPERATOR_LOGINS work on this machine only. Write https://."
    if settings.webhook_tolerance > timedelta(hours=1):
        yield "WEBHOOK_TOLERANCE is over 1h: an intercepted webhook can be replayed that long. Example: 5m."
    if settings.spool_dir and _is_writable_by_others(settings.spool_dir):
        yield f"SPOOL_DIR is writable by all users, who could forge answers there. Run: chmod o-w {settings.spool_dir}"


def _is_writable_by_others(folder: Path) -> bool:
    """Return whether any account may write into a folder. The spool reports errors at start."""
    try:
        return folder.is_dir() and bool(folder.stat().st_mode & _WRITABLE_BY_OTHERS)
    except OSError:
        return False


def _find_risks(timings: Timings, pace: Pace) -> Iterator[str]:
    """Warn of duplicate offers and results, and of calls refused by Dixa."""
    if timings.reconcile_after < timings.step_budget:
        yield "RECONCILE_AFTER is under STEP_BUDGET: a slow call to Dixa may be made twice. Example: 60s."
    if timings.step_budget < timedelta(seconds=5):
        yield "STEP_BUDGET is under 5s: calls may be cut off before Dixa responds. Example: 15s."
    if pace.rate > _LIMIT_OF_DIXA.rate or pace.burst > _LIMIT_OF_DIXA.burst:
        yield "DIXA_PACE is over 10/4, Dixa's limit for a token: calls will be refused with 429. Example: 9.9/3."
    if timings.record_retention < timedelta(days=90):
        yield "RECORD_RETENTION is under 90d: without its record, a finished survey can be sent again."


def _find_longer_retentions(settings: Settings) -> Iterator[str]:
    """Warn of each retention that a survey needs longer, since an answer may come until its link expires."""
    slowest, timings = max(settings.surveys, key=lambda survey: survey.expires), settings.timings
    for name, kept_for, needed in (
        ("RECORD_RETENTION", timings.record_retention, slowest.expires + timedelta(days=1)),
        ("FACTS_RETENTION", timings.facts_retention, slowest.expires),
        ("AGENT_RETENTION", timings.agent_retention, slowest.expires),
    ):
        if kept_for < needed:
            days = -(-needed // timedelta(days=1))
            yield (
                f'{name} is shorter than survey "{slowest.name}" needs, whose links work for '
                f"{-(-slowest.expires // timedelta(days=1))}d: kept for {days}d instead. Write {name}={days}d, or a "
                f"shorter `expires`."
            )


def _find_oddities(survey: Survey, settings: Settings) -> Iterator[str]:
    for kind, names, known in (
        ("channel", (*survey.match.channels, *survey.delays), DIXA_CHANNELS),
        ("user type", survey.match.user_types, USER_TYPES),
        ("assignee type", survey.match.assignee_types, USER_TYPES),
    ):
        # A warning only: Dixa may have added the name since. More often it is a slip.
        for name in dict.fromkeys(names):
            if name not in known:
                yield f'Dixa documents no {kind} "{name}", so it may match nothing ({", ".join(known)}).'
    if settings.brand_logo and survey.brand.name not in {None, settings.brand_name} and survey.brand.logo is None:
        yield (
            f'its brand "{survey.brand.name}" has no logo, so it gets that of BRAND_LOGO. '
            f'Write a `logo` in its [survey.brand]; "" is none.'
        )
    if survey.stop_line and not settings.short_links:
        yield (
            "stop_line without SHORT_LINKS puts two long links into an SMS, at least two segments. "
            "Write SHORT_LINKS=on."
        )
