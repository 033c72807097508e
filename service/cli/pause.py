"""`afterword pause` and `resume`: stop sending surveys, and start again. Webhooks and answers are still accepted."""

import click

from service.cli.context import open_records, open_settings
from service.cli.output import say


@click.command()
def pause() -> None:
    """Send no survey until `afterword resume`. Webhooks and answers are still accepted."""
    settings = open_settings()
    records = open_records(settings)
    is_paused = records.paused_since() is not None
    records.pause()
    hours = settings.timings.offer_max_age.total_seconds() / 3600
    say(f"{'Already paused' if is_paused else 'PAUSED'} since {records.paused_since()}. No survey is sent.", bold=True)
    say(f"Webhooks are still accepted, and answers still reach Dixa. Pending surveys: {records.count_waiting()}.")
    say(f"A survey more than {hours:g} hours overdue (OFFER_MAX_AGE) is not sent: too_late.")
    say("`afterword doctor` and /readyz show the pause. To resume: afterword resume")


@click.command()
def resume() -> None:
    """Send surveys again after `afterword pause`."""
    records = open_records(open_settings())
    since = records.paused_since()
    if not records.resume():
        say("Surveys were not paused.")
        return
    say(f"Resumed. Surveys were paused since {since}.", bold=True)
    say(f"Pending surveys: {records.count_waiting()}. Those that are due are decided now, on current data from Dixa.")
