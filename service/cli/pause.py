"""`afterword pause` and `resume`: the brake. Everything is still taken in, and nobody is asked."""

import click

from service.cli.context import open_records, open_settings, redis_errors
from service.cli.output import say


@click.command()
def pause() -> None:
    """Ask nobody, at once, until `afterword resume`. Webhooks and answers are still taken."""
    settings = open_settings()
    records = open_records(settings)
    with redis_errors():
        earlier = records.paused_since()
        records.pause()
        since, waiting = records.paused_since(), records.count_waiting()
    hours = settings.timings.offer_max_age.total_seconds() / 3600
    say(f"{'Was paused already' if earlier else 'PAUSED'}, since {since}. Nobody is asked.", bold=True)
    say(f"Closed conversations are still heard of, and answers still reach Dixa. Surveys that wait by now: {waiting}.")
    say(f"One that waits for more than {hours:g} hours after its time (OFFER_MAX_AGE) is not sent any more: too_late.")
    say("`afterword check` and /readyz say that this is so. To go on: afterword resume")


@click.command()
def resume() -> None:
    """Go on asking after `afterword pause`."""
    records = open_records(open_settings())
    with redis_errors():
        since = records.paused_since()
        was_paused, waiting = records.resume(), records.count_waiting()
    if not was_paused:
        say("Nothing was paused: customers are asked as ever.")
        return
    say(f"Resumed; it was paused since {since}.", bold=True)
    say(f"Surveys that wait: {waiting}. Those that are due are decided now, by what Dixa says now.")
