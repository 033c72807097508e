"""`afterword pause` and `resume`: stop sending surveys, and start again. Webhooks and answers are still accepted."""

import click

from service.cli.context import open_records, open_settings, redis_errors
from service.cli.output import say


@click.command()
def pause() -> None:
    """Send no survey until `afterword resume`. Webhooks and answers are still accepted."""
    settings = open_settings()
    records = open_records(settings)
    with redis_errors():
        earlier = records.paused_since()
        records.pause()
        since, waiting = records.paused_since(), records.count_waiting()
    hours = settings.timings.offer_max_age.total_seconds() / 3600
    say(f"{'Already paused' if earlier else 'PAUSED'} since {since}. No survey is sent.", bold=True)
    say(f"Webhooks are still accepted, and answers still reach Dixa. Pending surveys: {waiting}.")
    say(f"A survey more than {hours:g} hours overdue (OFFER_MAX_AGE) is not sent: too_late.")
    say("`afterword doctor` and /readyz show the pause. To resume: afterword resume")


@click.command()
def resume() -> None:
    """Send surveys again after `afterword pause`."""
    records = open_records(open_settings())
    with redis_errors():
        since = records.paused_since()
        was_paused, waiting = records.resume(), records.count_waiting()
    if not was_paused:
        say("Surveys were not paused.")
        return
    say(f"Resumed. Surveys were paused since {since}.", bold=True)
    say(f"Pending surveys: {waiting}. Those that are due are decided now, on current data from Dixa.")
