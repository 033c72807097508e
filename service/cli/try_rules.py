"""`afterword try-rules`: a dry run of surveys.toml on closed conversations."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

import click

from config.settings import Settings
from service.cli.context import open_client, open_records, open_settings, warn_if_paused
from service.cli.estimate import confirm, spell
from service.cli.output import say, say_all, say_json
from service.cli.params import json_option, read_since
from service.cli.try_rules_report import Found, facts_of, report
from service.cli.try_rules_tally import Tally, tally
from service.delivery.registry import open_deliveries
from service.dixa.errors import NoSlot, TokenRefused
from service.dixa.factory import open_dixa
from service.dixa.low_priority import LowPriorityDixa
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.rules.decision import Lookups
from service.rules.dry_run import DryRun, DryRunResult
from service.rules.identity import Identities
from service.rules.matching import is_in_sample, needs_messages, needs_tags
from service.surveys.errors import CallError, Refused, RetryLater
from service.surveys.model import Record
from service.surveys.ports import Conversation

_SHARE = 0.2
"""The share of DIXA_PACE for a dry run. The calls of the workers come first."""

_SAMPLE_SEED = "afterword try-rules"
"""Different from the seeds of the surveys' own `sample`."""

_USUAL_CALLS = 2
"""The conversation and its ratings."""


@click.command("try-rules", short_help="Try surveys.toml on closed conversations.")
@click.option(
    "--since", type=read_since, default="30d", show_default=True, metavar="DURATION", help="How far back, such as 12h."
)
@click.option("--limit", type=click.IntRange(min=1), default=500, show_default=True, help="Maximum of conversations.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of conversations, such as 0.1.",
)
@click.option("--yes", is_flag=True, help="Start without confirmation.")
@json_option
def try_rules(since: timedelta, limit: int, sample: float, *, yes: bool, as_json: bool) -> None:
    """Show the decisions of surveys.toml on closed conversations. Sends and writes nothing."""
    settings = open_settings()
    dry_run = _DryRun(settings)
    warn_if_paused(dry_run.records)
    try:
        found = dry_run.find(datetime.now(UTC) - since, limit, sample)
        _confirm(dry_run, found, is_agreed=yes)
        counted = dry_run.run(found)
    except CallError as error:
        raise click.ClickException(f"Dixa is unavailable, nothing was written: {error}") from error
    if as_json:
        say_json(facts_of(found, counted))
    else:
        say_all(report(found, counted, sample))


class _DryRun:
    """Looks up one conversation after the other, at low priority."""

    def __init__(self, settings: Settings) -> None:
        client = open_client(settings)
        dixa = open_dixa(settings, client, observes_only=True)
        self.rate = settings.total_rate * _SHARE
        self.records: Records = open_records(settings)
        self._surveys = settings.surveys
        self._own_addresses = settings.own_addresses
        self._opt_outs = HashedOptOuts(client)
        self._identities = Identities(settings.secret_keys)
        self._deliveries = open_deliveries(settings, dixa, self.records)
        self._dixa = dixa
        self._low_priority = LowPriorityDixa(dixa, self.rate, Event().wait)

    @property
    def max_calls(self) -> int:
        """The maximum of calls for one conversation."""
        return _USUAL_CALLS + needs_tags(self._surveys) + needs_messages(self._surveys)

    def find(self, since: datetime, limit: int, sample: float) -> Found:
        """Search page by page up to `limit`."""
        say(f"Searching Dixa for conversations closed since {since:%Y-%m-%d %H:%M} UTC …", err=True)
        ids, among, is_all = dict[int, None](), 0, True
        for page in self._low_priority.search(since, datetime.now(UTC)):
            among += len(page.ids)
            ids |= dict.fromkeys(number for number in page.ids if is_in_sample(number, sample, _SAMPLE_SEED))
            if len(ids) >= limit and page.next_key:
                is_all = False
                break
        return Found(tuple(ids)[:limit], among, is_all and len(ids) <= limit)

    def run(self, found: Found) -> Tally:
        """Decide on all, with a progress bar, and count the results."""
        rules = DryRun(self._surveys, self._queue_names(), self._own_addresses)
        with click.progressbar(found.ids, label="Trying the rules", file=sys.stderr) as ids:
            return tally([self._judge(number, rules) for number in ids])

    def _judge(self, number: int, rules: DryRun) -> DryRunResult | None:
        call, dixa = self._low_priority.call, self._dixa
        try:
            conversation = call(lambda slot: dixa.conversation(slot, number))
            lookups = Lookups(
                tags=lambda: call(lambda slot: dixa.conversation_tags(slot, number)),
                messages=lambda: call(lambda slot: dixa.messages(slot, number)),
                is_opted_out=lambda: self._has_opted_out(conversation),
                is_answered=lambda: False,
                is_too_late=lambda _survey: False,
                reserve_channel=self._can_reach,
            )
            ratings = partial(call, lambda slot: dixa.ratings(slot, number))
            ours = [rating_id for record in self.records.load_rounds(number) for rating_id in record.rating_ids]
            return rules.judge(conversation, lookups, ratings, ours)
        except (NoSlot, TokenRefused):
            raise
        except (Refused, RetryLater):
            # One conversation that Dixa can't show must not end the dry run.
            return None

    def _can_reach(self, record: Record) -> bool:
        deliver = record.terms.deliver if record.terms else ()
        return any(each.can_reach(record) for name, each in self._deliveries.items() if name in deliver)

    def _has_opted_out(self, conversation: Conversation) -> bool:
        requester_id = conversation.requester_id
        return self._opt_outs.has(requester_id, self._identities.hashes_of(requester_id, conversation.email))

    def _queue_names(self) -> Mapping[str, str]:
        """Return the names of queues, if surveys.toml has any. A conversation has only the id of its queue."""
        has_rule = any(survey.match.queues for survey in self._surveys)
        return self._low_priority.call(self._dixa.queues) if has_rule else {}


def _confirm(dry_run: _DryRun, found: Found, *, is_agreed: bool) -> None:
    count = len(found.ids)
    min_seconds, max_seconds = (count * calls / dry_run.rate for calls in (1, dry_run.max_calls))
    estimate = (
        f"{count} conversations to try, {dry_run.max_calls} calls each at most, {dry_run.rate:.1f} calls a second "
        f"(a fifth of DIXA_PACE): {spell(min_seconds)} to {spell(max_seconds)}."
    )
    confirm(estimate, max_seconds, is_agreed=is_agreed)
