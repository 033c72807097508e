"""`afterword digest`: the weekly digest, as it would be sent now."""

from datetime import UTC, datetime

import click

from service.cli.archive_reader import reading_archive
from service.cli.context import open_records, open_settings
from service.cli.doctor import examined
from service.cli.output import say, say_all
from service.records.digest_slots import DigestSlots


@click.command(short_help="Show or send the weekly digest.")
@click.option("--send", is_flag=True, help="Send it now to DIGEST_TO and Slack, whoever has had it already.")
def digest(*, send: bool) -> None:
    """Show the digest of the last seven days: numbers, what changed, and what is broken."""
    # SQLAlchemy is large, and few commands need it.
    from service.digest.send import DigestSender, send_now, targets_of  # noqa: PLC0415

    settings = open_settings()
    targets = targets_of(settings)
    if send and not targets:
        raise click.UsageError("Nobody gets it. Set DIGEST_TO or DIGEST_SLACK_WEBHOOK_URL.")
    today = datetime.now(settings.time_zone).date()
    sender = DigestSender(settings, lambda: examined(settings), DigestSlots.beside(open_records(settings)))
    with reading_archive(settings):
        letter = sender.write(today)
    say(letter.subject)
    say("")
    say_all(letter.as_text().splitlines())
    if send:
        problems = [
            f"{target.kind}: {problem}" for target, problem in send_now(sender, letter, targets, today) if problem
        ]
        if problems:
            raise click.ClickException("; ".join(problems))
        say(f"Sent to {len(targets)} at {datetime.now(UTC):%H:%M} UTC.")
